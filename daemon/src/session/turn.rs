//! An operator's turn with a record: exchanges with Salesforce that are not for a caller's session.
//!
//! A turn takes the place of a flight, so no login of the record's own is under way meanwhile; who needs one waits for
//! the turn's end. It runs in a task of its own to its end, whatever becomes of whoever asked for it.

use std::{future::Future, sync::Arc, time::SystemTime};

use tokio::{
    sync::{OwnedRwLockReadGuard, watch},
    task,
};
use tracing::{info, warn};

use super::{
    decision::{Passed, Stamp, Want},
    entry::{Entry, Landing, Rearranged},
    refresh::{Refresher, as_error},
};
use crate::{
    credential::Credential, error::Error, failure::Failure, record::Record,
    salesforce::LoginRequest, secret::Fingerprint,
};

/// A turn under way. Its end tells those who wait for it.
#[derive(Debug)]
pub struct Turn {
    pub refresher: Arc<Refresher>,
    pub entry: Arc<Entry>,
    stamp: Stamp,
    tell: watch::Sender<Landing>,
    _in_air: OwnedRwLockReadGuard<()>,
}

/// Why a login that was tried gave nothing to adopt.
#[derive(Debug)]
pub enum NotPassed {
    /// Salesforce said no, or nothing.
    Failed(Failure),
    /// It may not be tried, or something of ours failed: it was not sent.
    NotSent(Error),
}

impl Refresher {
    /// Does `work` with a record as soon as no other exchange of it is under way.
    ///
    /// # Errors
    /// Those of `work`; or if the record is gone, or the daemon is going down.
    pub async fn turn<T, F>(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        work: impl FnOnce(Turn) -> F + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let turn = loop {
            // Before anything else is done with the credential: a new refresh token is the only copy there is.
            if entry.lock().has_rotation() {
                entry.save_rotation(&self.store, &self.keys).await?;
            }
            let landing = {
                let mut state = entry.lock();
                if let Some(error) = &state.closed {
                    return Err(error.clone());
                }
                // Refused only while somebody waits for the air to clear; then nothing may take off.
                let in_air = Arc::clone(&self.in_air)
                    .try_read_owned()
                    .map_err(|_| Error::ShuttingDown)?;
                match state.machine.begin_turn() {
                    Some(stamp) => {
                        let (tell, landing) = watch::channel(None);
                        state.landing = Some(landing);
                        break Turn {
                            refresher: Arc::clone(self),
                            entry: Arc::clone(entry),
                            stamp,
                            tell,
                            _in_air: in_air,
                        };
                    }
                    None => state.landing.clone(),
                }
            };
            let Some(mut landing) = landing else {
                return Err(Error::Internal("a flight without a landing"));
            };
            // How it landed is another's affair, and so is a task that broke: then the flight is over as well.
            let _ = landing.wait_for(Option::is_some).await;
        };
        task::spawn(work(turn))
            .await
            .map_err(|_| Error::Internal("an operator's turn broke off"))?
    }
}

impl Turn {
    /// Logs in once with a credential that is not the record's, and proves the session. It is durable in the record's
    /// ledger before it is sent; what comes of it is durable before anybody hears of it.
    ///
    /// # Errors
    /// Why there is no session. Nothing about the record has changed.
    pub async fn log_in(&self, request: &LoginRequest) -> Result<Passed, NotPassed> {
        let (refresher, entry) = (&self.refresher, &self.entry);
        let permitted = refresher.login.permit(&request.login_host);
        permitted.map_err(|refused| NotPassed::NotSent(Error::HostNotAllowed(refused)))?;
        let sends_password = request.credential.password().is_some();
        let fingerprint = fingerprint(&self.record(), request);
        let generation = {
            let mut state = entry.lock();
            let now = self.now();
            if state.machine.was_rejected(fingerprint) {
                let problem = "Salesforce rejected these secrets when they were tried last; nothing was sent. If they \
                    are right now, `sfvault check --release` allows another try"
                    .to_owned();
                let field = "credential";
                return Err(NotPassed::NotSent(Error::InvalidArgument {
                    field,
                    problem,
                }));
            }
            if let Err(refusal) = state.machine.may_try(sends_password, now) {
                let error = as_error(refusal, &state, Want::default(), now);
                return Err(NotPassed::NotSent(error));
            }
            state
                .machine
                .enter_trial(self.stamp, now)
                .ok_or_else(changed)?
        };
        if let Err(error) = entry.save(&refresher.store, &refresher.keys).await {
            entry.lock().machine.trial_not_sent();
            return Err(NotPassed::NotSent(error));
        }
        // Saving may find another credential in the store.
        if !entry.lock().machine.is_current(self.stamp) {
            entry.lock().machine.trial_not_sent();
            return Err(changed());
        }
        let record = self.record();
        info!(record = %record.name, host = %request.login_host, flow = request.flow.kind().name(), generation, "trying a login");
        let grant = match refresher.login.login(request).await {
            Ok(grant) => grant,
            Err(failure) => {
                warn!(record = %record.name, class = failure.class.name(), %failure, "the login that was tried failed");
                let now = self.now();
                entry
                    .lock()
                    .machine
                    .trial_failed(&failure, sends_password, fingerprint, now);
                self.save_result().await;
                return Err(NotPassed::Failed(failure));
            }
        };
        entry.lock().machine.trial_succeeded();
        self.save_result().await;
        let proof = refresher
            .login
            .prove(&grant.session_id, &grant.instance)
            .await;
        match proof {
            Ok(proof) => Ok(Passed {
                grant,
                proof: Some(proof),
                generation,
            }),
            Err(failure) if grant.rotated.is_some() => {
                warn!(record = %record.name, class = failure.class.name(), %failure, "a new refresh token is kept, its session is not proved");
                Ok(Passed {
                    grant,
                    proof: None,
                    generation,
                })
            }
            Err(failure) => {
                warn!(record = %record.name, class = failure.class.name(), %failure, "the session that was tried does not work");
                Err(NotPassed::Failed(failure))
            }
        }
    }

    /// Writes a change of the record: see [`Entry::rearrange`].
    ///
    /// # Errors
    /// Those of `change`, or if the store can't write.
    pub async fn rearrange(
        &self,
        change: impl FnOnce(&Record) -> Result<Rearranged, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (refresher, entry) = (Arc::clone(&self.refresher), Arc::clone(&self.entry));
        let now = self.now();
        let written = task::spawn_blocking(move || {
            entry.rearrange(&refresher.store, &refresher.keys, now, change)
        });
        written
            .await
            .map_err(|_| Error::Internal("a write to the vault broke off"))?
    }

    /// Reads from the store.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Refresher, &Record) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (refresher, record) = (Arc::clone(&self.refresher), self.record());
        task::spawn_blocking(move || read(&refresher, &record))
            .await
            .map_err(|_| Error::Internal("opening a credential broke off"))?
    }

    /// The record as it is.
    #[must_use]
    pub fn record(&self) -> Arc<Record> {
        Arc::clone(&self.entry.lock().record)
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.refresher.clock.now()
    }

    /// If it can't be saved, the login stays entered as unanswered on disk, which is the careful reading.
    async fn save_result(&self) {
        let (store, keys) = (&self.refresher.store, &self.refresher.keys);
        if let Err(error) = self.entry.save(store, keys).await {
            warn!(record = %self.record().name, %error, "the result of a login could not be saved");
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.entry.lock();
        // After a panic, a login that was entered counts as failed. After a good end there is none.
        state
            .machine
            .abandon(self.stamp, self.refresher.clock.now());
        drop(state);
        // First the waiting callers of this record, who look again at once; then everybody.
        self.tell.send_replace(Some(Ok(())));
        self.entry.tell();
        self.refresher.changed.send_replace(());
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

fn changed() -> NotPassed {
    NotPassed::NotSent(conflict())
}

/// Two operators at once.
#[must_use]
pub fn conflict() -> Error {
    Error::InvalidArgument {
        field: "name",
        problem: "the record was changed meanwhile; nothing was done: try again".to_owned(),
    }
}
