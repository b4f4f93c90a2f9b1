//! A login with a credential that is not, or not yet, the record's, in an operator's turn.
//!
//! To Salesforce it is a login like any other: it counts for its user, and a host that is down is not asked.

use std::time::SystemTime;

use tracing::{info, warn};

use super::{
    decision::{Passed, Want},
    entry::Rotation,
    outages::Asking,
    refresh::{Refresher, as_error, as_throttled, host_down, jitter},
    turn::{Turn, conflict},
};
use crate::{
    credential::Credential,
    error::Error,
    failure::{Class, Failure},
    record::Record,
    salesforce::{Grant, LoginRefused, LoginRequest, Proof},
    secret::{Fingerprint, RefreshToken},
};

/// Why a login that was tried gave nothing to adopt.
#[derive(Debug)]
pub enum NotPassed {
    /// Salesforce said no, or nothing.
    Failed(Failure),
    /// It may not be tried, or something of ours failed: it was not sent.
    NotSent(Error),
}

/// A login to try.
struct Trial<'a> {
    request: &'a LoginRequest,
    /// The record as it would be: whose login it is.
    record: Record,
    fingerprint: Fingerprint,
}

impl Turn {
    /// Logs in once with a credential that is not the record's, and proves the session. It is durable in the record's
    /// ledger before it is sent; what comes of it is durable before anybody hears of it.
    ///
    /// # Errors
    /// Why there is no session. Nothing about the record has changed.
    pub async fn log_in(&self, request: &LoginRequest) -> Result<Passed, NotPassed> {
        let record = self.record();
        let trial = Trial {
            request,
            fingerprint: fingerprint(&record, request),
            record: Record {
                login_host: request.login_host.clone(),
                flow: request.flow.clone(),
                ..Record::clone(&record)
            },
        };
        let (asking, generation) = self.enter(&trial).map_err(NotPassed::NotSent)?;
        if let Err(error) = self.save_entered().await {
            self.take_back(&trial);
            return Err(NotPassed::NotSent(error));
        }
        // Saving may find another credential in the store, and takes time, in which the vault may be locked.
        if let Err(error) = self.may_send() {
            self.take_back(&trial);
            self.save_result().await;
            return Err(NotPassed::NotSent(error));
        }
        info!(record = %record.name, host = %request.login_host, flow = request.flow.kind().name(), generation, "trying a login");
        let result = self.refresher.login.login(request).await;
        let grant = match result {
            Ok(grant) => grant,
            Err(LoginRefused { failure, rotated }) => {
                warn!(record = %record.name, class = failure.class.name(), %failure, "the login that was tried failed");
                self.save_rotated(request, rotated).await;
                let failure = self.failed(&trial, asking, failure);
                self.save_result().await;
                return Err(NotPassed::Failed(failure));
            }
        };
        {
            let mut state = self.entry.lock();
            state.machine.heard(asking.host(), None);
            state.machine.trial_succeeded();
        }
        asking.answered();
        self.save_result().await;
        // Before the proof, in which the daemon may die. If it can't be saved it waits, whatever becomes of the trial.
        self.save_rotated(request, grant.rotated.clone()).await;
        let rotated = grant.rotated.is_some();
        let (proof, said) = match self.prove(&grant).await {
            Ok(proof) => (Some(proof), None),
            Err(failure) if rotated => (
                None,
                Some((
                    failure,
                    "a new refresh token is kept, its session is not proved",
                )),
            ),
            Err(failure) => {
                warn!(record = %record.name, class = failure.class.name(), %failure, "the session that was tried does not work");
                return Err(NotPassed::Failed(failure));
            }
        };
        if let Some((failure, words)) = said {
            warn!(record = %record.name, class = failure.class.name(), %failure, "{words}");
        }
        Ok(Passed {
            grant,
            proof,
            generation,
        })
    }

    /// Enters the login, if it may be made.
    fn enter(&self, trial: &Trial<'_>) -> Result<(Asking, u64), Error> {
        let Trial {
            request, record, ..
        } = trial;
        let refresher = &self.refresher;
        let permitted = refresher.login.permit(&request.login_host);
        permitted.map_err(Error::HostNotAllowed)?;
        let mut state = self.entry.lock();
        let now = self.now();
        if state.machine.was_rejected(trial.fingerprint) {
            let problem = format!(
                "Salesforce rejected these secrets when they were tried last; nothing was sent. If they \
                 are right now, `sfvault check {} --release` allows another try",
                record.name
            );
            return Err(Error::invalid("credential", problem));
        }
        let may_try = state.machine.may_try(trial.sends_password(), now);
        may_try.map_err(|refusal| as_error(refusal, &state, Want::default(), now))?;
        let asking = refresher.outages.ask(&request.login_host, now);
        let asking = asking.map_err(|down| host_down(record.name.clone(), down, now))?;
        let admitted = refresher.quota.admit(record, now);
        admitted.map_err(|throttle| as_throttled(throttle, record, now))?;
        let Some(generation) = state.machine.enter_trial(self.stamp, now) else {
            refresher.quota.take_back(record);
            return Err(conflict());
        };
        Ok((asking, generation))
    }

    /// Makes the login that was entered durable.
    async fn save_entered(&self) -> Result<(), Error> {
        let Refresher { store, keys, .. } = &*self.refresher;
        self.entry.save(store, keys).await
    }

    /// Why the login that was entered may not be sent, if so.
    fn may_send(&self) -> Result<(), Error> {
        let state = self.entry.lock();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        let current = state.machine.is_current(self.stamp);
        current.then_some(()).ok_or_else(conflict)
    }

    /// The login that was entered is not sent.
    fn take_back(&self, trial: &Trial<'_>) {
        self.entry.lock().machine.trial_not_sent();
        self.refresher.quota.take_back(&trial.record);
    }

    /// Takes note of a login that failed. A refusal for the rate pauses the user, and the record if it is that user's.
    fn failed(&self, trial: &Trial<'_>, asking: Asking, mut failure: Failure) -> Failure {
        let Trial {
            record,
            fingerprint,
            ..
        } = trial;
        let now = self.now();
        let jitter = jitter(self.entry.id(), now);
        let mut state = self.entry.lock();
        let host = asking.host().clone();
        let down = asking.failed(&failure, now, jitter);
        failure.pause = down.as_ref().map_or(failure.pause, |down| {
            down.hold.until.duration_since(now).ok()
        });
        state.machine.heard(&host, down);
        let sends_password = trial.sends_password();
        state
            .machine
            .trial_failed(&failure, sends_password, *fingerprint, now);
        if failure.class == Class::RateLimited {
            let quota = &self.refresher.quota;
            let own = quota.is_same_user(&state.record, record);
            let until = state.machine.trial_throttled(&failure, own, now, jitter);
            quota.refused(record, &failure, now, until);
            failure.pause = until.duration_since(now).ok();
        }
        failure
    }

    /// The login has spent a refresh token: where it was the record's own or of the login that it keeps, the one that came
    /// in its place is there too, whether the trial is adopted or not. Else it is an operator's, who has to get another if
    /// it is not.
    async fn save_rotated(&self, request: &LoginRequest, fresh: Option<RefreshToken>) {
        let sent = request.credential.refresh_token().cloned();
        let rotation = sent.zip(fresh);
        let Some(rotation) = rotation.and_then(|(spent, fresh)| Rotation::new(spent, fresh)) else {
            return;
        };
        self.entry.keep_rotation(rotation);
        let (store, keys) = (&self.refresher.store, &self.refresher.keys);
        if let Err(error) = self.entry.save_rotation(store, keys).await {
            warn!(record = %self.record().name, %error, "a new refresh token could not be saved");
            self.refresher.tokens.send_replace(());
        }
    }

    /// A call with the new session, unless its host is down.
    async fn prove(&self, grant: &Grant) -> Result<Proof, Failure> {
        let now = self.now();
        let asking = self.refresher.outages.ask(&grant.instance, now);
        let asking = asking.map_err(|down| paused(down, now))?;
        let login = &self.refresher.login;
        let proof = login.prove(&grant.session_id, &grant.instance).await;
        let host = asking.host().clone();
        let down = match &proof {
            Ok(_) => {
                asking.answered();
                None
            }
            Err(failure) => {
                let now = self.now();
                asking.failed(failure, now, jitter(self.entry.id(), now))
            }
        };
        let is_down = down.is_some();
        self.entry.lock().machine.heard(&host, down);
        if is_down {
            self.save_result().await;
        }
        proof
    }

    /// If it can't be saved, the login stays entered as unanswered on disk, which is the careful reading.
    async fn save_result(&self) {
        let (store, keys) = (&self.refresher.store, &self.refresher.keys);
        if let Err(error) = self.entry.save(store, keys).await {
            warn!(record = %self.record().name, %error, "the result of a login could not be saved");
        }
    }
}

impl Trial<'_> {
    fn sends_password(&self) -> bool {
        self.request.credential.password().is_some()
    }
}

fn paused((failure, until): (Failure, SystemTime), now: SystemTime) -> Failure {
    Failure {
        pause: until.duration_since(now).ok(),
        ..failure
    }
}

/// What tells this login from every other.
fn fingerprint(record: &Record, request: &LoginRequest) -> Fingerprint {
    let credential: &Credential = &request.credential;
    // EXPOSE: their digest, which stays sealed.
    Fingerprint::of(&[
        &record.id.0,
        request.login_host.as_str().as_bytes(),
        request.flow.kind().name().as_bytes(),
        request.flow.username().unwrap_or_default().as_bytes(),
        request.flow.consumer_key().unwrap_or_default().as_bytes(),
        credential
            .password()
            .map_or("", |secret| secret.expose())
            .as_bytes(),
        credential
            .security_token()
            .map_or("", |secret| secret.expose())
            .as_bytes(),
        credential
            .consumer_secret()
            .map_or("", |secret| secret.expose())
            .as_bytes(),
        credential
            .private_key()
            .map_or("", |secret| secret.expose())
            .as_bytes(),
        credential
            .refresh_token()
            .map_or("", |secret| secret.expose())
            .as_bytes(),
    ])
}
