//! A login in a browser: how a record of the flow `refresh-token` gets its refresh token.
//!
//! The browser and who listens for its return are outside. What they bring is believed only if it holds the `state`
//! that was sent with them and names no foreign issuer; and the code is worth nothing to them, for the PKCE verifier
//! never leaves this process.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;
use tracing::info;

use super::{
    NewRecord, RecordView, Vault, credential,
    pending::{LONGEST_TIME, Pending, PendingLogins, USUAL_TIME},
};
use crate::{
    credential::{Credential, Flow},
    error::Error,
    failure::Class,
    host::Host,
    record::RecordName,
    salesforce::{CodeRequest, Grant, authorize},
    secret::{AuthorizationCode, ConsumerSecret, LoginState},
    session::{entry::Amendment, pin::leads_elsewhere},
};

/// A login to begin. What is `None` is as the record says, which must exist then.
#[derive(Debug)]
pub struct NewLogin {
    pub name: RecordName,
    pub login_host: Option<Host>,
    pub consumer_key: Option<String>,
    /// `Some(None)`: the app needs none.
    pub consumer_secret: Option<Option<ConsumerSecret>>,
    pub redirect_uri: String,
    /// Zero: the usual time.
    pub time: Duration,
}

/// A login that was begun.
#[derive(Debug)]
pub struct BegunLogin {
    pub id: String,
    /// Holds the state.
    pub authorize_url: String,
    pub until: SystemTime,
}

/// What the browser brought back.
#[derive(Debug)]
pub struct Callback {
    pub id: String,
    pub code: Option<AuthorizationCode>,
    pub state: LoginState,
    pub issuer: Option<String>,
    /// Why there is no code, in the words of whoever sent the browser back.
    pub refusal: Option<String>,
}

impl Vault {
    /// Begins a login in a browser.
    ///
    /// # Errors
    /// If the vault is not unlocked, a field is wrong, or the record has no refresh token.
    pub fn begin_login(&self, new: NewLogin) -> Result<BegunLogin, Error> {
        let record = match self.find(new.name.as_str()) {
            Ok((_, entry)) => Some(Arc::clone(&entry.lock().record)),
            Err(Error::RecordNotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let (stored_host, stored_key) = match record.as_deref() {
            None => (None, None),
            Some(record) => (Some(record.login_host.clone()), Some(key_of(&record.flow)?)),
        };
        let login_host = settled("login_url", new.login_host, stored_host)?;
        let consumer_key = settled("consumer_key", new.consumer_key, stored_key)?;
        credential::check_flow(&Flow::RefreshToken {
            consumer_key: consumer_key.clone(),
        })?;
        self.parts
            .login
            .permit(&login_host)
            .map_err(Error::HostNotAllowed)?;
        check_redirect(&new.redirect_uri)?;
        let time = match new.time {
            Duration::ZERO => USUAL_TIME,
            time => time.min(LONGEST_TIME),
        };
        let no_random = || Error::Internal("the system gives no random bytes");
        let begun = authorize::begin(&login_host, &consumer_key, &new.redirect_uri)
            .ok_or_else(no_random)?;
        let id = String::clone(&*authorize::word().ok_or_else(no_random)?);
        let now = Instant::now();
        info!(record = %new.name, host = %login_host, "began a login in a browser");
        let login = Pending {
            id: id.clone(),
            name: new.name,
            login_host,
            consumer_key,
            consumer_secret: new.consumer_secret,
            redirect_uri: new.redirect_uri,
            state: begun.state,
            verifier: begun.verifier,
            until: now + time,
        };
        self.pending_logins().begin(login, now);
        Ok(BegunLogin {
            id,
            authorize_url: begun.url,
            until: self.parts.clock.now() + time,
        })
    }

    /// Finishes a login in a browser: redeems its code and stores the refresh token. Returns the record, and whether it
    /// is a new one. Whatever comes of it, the login is over.
    ///
    /// # Errors
    /// If it was not begun here, was finished, came back changed or too late, was denied, or led to another org or user
    /// than the record's; then nothing is stored.
    pub async fn finish_login(
        self: &Arc<Self>,
        callback: Callback,
    ) -> Result<(RecordView, bool), Error> {
        let pending = self.pending_logins().take(&callback.id, Instant::now());
        let pending = pending.ok_or_else(|| {
            failed("it is unknown here: it was finished before, took too long, or the vault was locked meanwhile")
        })?;
        if !pending.state.matches(&callback.state) {
            return Err(failed(
                "its `state` is not the one that was sent: somebody else sent this browser",
            ));
        }
        let issuer = callback.issuer.map(|issuer| self.issuer(&pending, &issuer));
        let issuer = issuer.transpose()?;
        if let Some(refusal) = callback.refusal {
            return Err(failed(format!("it was refused: {refusal}")));
        }
        let code = callback
            .code
            .ok_or_else(|| failed("it brought no `code`"))?;
        let consumer_secret = match &pending.consumer_secret {
            Some(given) => given.clone(),
            None => self.stored_secret(&pending.name).await?,
        };
        let request = CodeRequest {
            login_host: pending.login_host.clone(),
            consumer_key: pending.consumer_key.clone(),
            consumer_secret: consumer_secret.clone(),
            redirect_uri: pending.redirect_uri,
            code,
            verifier: pending.verifier,
        };
        let redeemed = self.parts.login.redeem(&request).await;
        let mut grant = redeemed.map_err(|failure| {
            if failure.class == Class::Protocol {
                // What is odd about a code is over with it.
                return failed(failure.to_string());
            }
            Error::CodeRefused {
                record: pending.name.clone(),
                failure,
            }
        })?;
        if issuer.is_some_and(|issuer| issuer != pending.login_host && issuer != grant.instance) {
            return Err(failed(
                "its issuer is another org than the one that answers",
            ));
        }
        let token = grant.rotated.take().ok_or_else(|| {
            failed("it brought no refresh token: give the app the scope `refresh_token`")
        })?;
        let new = NewRecord {
            name: pending.name,
            login_host: pending.login_host,
            flow: Flow::RefreshToken {
                consumer_key: pending.consumer_key,
            },
            credential: Credential::RefreshToken {
                refresh_token: token,
                consumer_secret,
            },
            environment: None,
            remind_after: None,
        };
        credential::check(&new.credential)?;
        self.administer(move |vault| vault.store_login(new, &grant))
            .await
    }

    fn store_login(&self, new: NewRecord, grant: &Grant) -> Result<(RecordView, bool), Error> {
        let (refresher, entry) = match self.find(new.name.as_str()) {
            Ok(found) => found,
            Err(Error::RecordNotFound(_)) => return Ok((self.add_now(new)?, true)),
            Err(error) => return Err(error),
        };
        let now = self.parts.clock.now();
        let NewRecord {
            name,
            login_host,
            flow,
            credential,
            ..
        } = new;
        let amendment = Amendment::none(now);
        entry.amend(&refresher.store, &refresher.keys, amendment, |record, _| {
            if record.flow != flow || record.login_host != login_host {
                return Err(failed("the record was changed meanwhile"));
            }
            let elsewhere = leads_elsewhere(record.pin.as_ref(), &grant.org_id, &grant.user_id);
            match elsewhere {
                Some(failure) => Err(Error::CodeRefused {
                    record: name.clone(),
                    failure,
                }),
                None => Ok(credential),
            }
        })?;
        self.changed.send_replace(());
        self.tokens.send_replace(());
        info!(record = %name, "stored the refresh token of a login in a browser");
        Ok((RecordView::of(&entry, &self.parts.retirements, now), false))
    }

    /// The host of an issuer, which must be one that could have answered this login (RFC 9207).
    fn issuer(&self, pending: &Pending, issuer: &str) -> Result<Host, Error> {
        let host = issuer
            .starts_with("https://")
            .then(|| Host::parse(issuer).ok())
            .flatten()
            .filter(|host| *host == pending.login_host || self.parts.login.permit(host).is_ok());
        host.ok_or_else(|| failed("its `iss` is no host of Salesforce's: the code went to nobody"))
    }

    async fn stored_secret(
        self: &Arc<Self>,
        name: &RecordName,
    ) -> Result<Option<ConsumerSecret>, Error> {
        let name = name.clone();
        self.administer(move |vault| {
            let (refresher, entry) = match vault.find(name.as_str()) {
                Ok(found) => found,
                Err(Error::RecordNotFound(_)) => return Ok(None),
                Err(error) => return Err(error),
            };
            let record = Arc::clone(&entry.lock().record);
            let stored = refresher.store.credential(&refresher.keys, &record)?;
            Ok(stored.consumer_secret().cloned())
        })
        .await
    }

    pub(super) fn pending_logins(&self) -> MutexGuard<'_, PendingLogins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(flow: &Flow) -> Result<String, Error> {
    match flow {
        Flow::RefreshToken { consumer_key } => Ok(consumer_key.clone()),
        Flow::SoapLogin { .. }
        | Flow::UsernamePassword { .. }
        | Flow::ClientCredentials { .. }
        | Flow::JwtBearer { .. } => Err(Error::invalid(
            "name",
            format!(
                "the record logs in by `{}`, which has no refresh token",
                flow.kind().name()
            ),
        )),
    }
}

/// What is given, or what the record says; they must not contradict each other.
fn settled<T: PartialEq>(
    field: &'static str,
    given: Option<T>,
    stored: Option<T>,
) -> Result<T, Error> {
    match (given, stored) {
        (Some(given), Some(stored)) if given != stored => Err(Error::invalid(
            field,
            "is not the record's: leave it out, or take another name",
        )),
        (Some(settled), _) | (None, Some(settled)) => Ok(settled),
        (None, None) => Err(Error::invalid(
            field,
            "is missing: there is no such record yet",
        )),
    }
}

/// The code may come back to this host only.
fn check_redirect(uri: &str) -> Result<(), Error> {
    let problem = "must be `http://127.0.0.1:PORT/PATH` or `http://localhost:PORT/PATH`";
    let local = ["http://127.0.0.1:", "http://localhost:"];
    let rest = local.iter().find_map(|local| uri.strip_prefix(local));
    let (port, path) = rest
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| Error::invalid("redirect_uri", problem))?;
    let good = port.parse::<u16>().is_ok_and(|port| port > 0)
        && path.len() <= 256
        && path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.'));
    good.then_some(())
        .ok_or_else(|| Error::invalid("redirect_uri", problem))
}

fn failed(problem: impl Into<String>) -> Error {
    Error::BrowserLogin {
        problem: problem.into(),
    }
}
