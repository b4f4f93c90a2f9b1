//! The only starter of logins.
//!
//! A flight (prove a session, or log in and prove it) runs in a task of its own, so it outlives the caller who asked;
//! all callers wait for the one flight and then ask the machine again, which tells them all the same. A login is
//! durable in the ledger before it is sent.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{OwnedRwLockReadGuard, RwLock, watch},
    task,
};
use tracing::{info, warn};

use super::{
    Session, account, causes,
    decision::{Decision, Outcome, Refusal, Stamp, Step, Want},
    entry::{Entry, Landing, Rotation, State},
    outages::Outages,
    pin::leads_elsewhere,
    quota::{Quota, Throttle},
};
use crate::{
    audit::Audit,
    clock::Clock,
    error::Error,
    failure::{Class, Failure},
    host::Host,
    record::{Pin, Record, RecordName},
    salesforce::{Grant, Login, LoginRequest},
    share::Account,
    store::{Keys, Store, StoreError},
};

/// A caller asks again after each flight it waited for: once after its own, once if the credential changed under way,
/// once if its session turned out dead. One more is slack; past it something is wrong with us.
const MOST_FLIGHTS: usize = 4;

/// What logins need, while the vault is unlocked.
#[derive(Debug)]
pub struct Refresher {
    pub store: Arc<Store>,
    pub keys: Keys,
    pub login: Arc<dyn Login>,
    pub clock: Arc<dyn Clock>,
    pub audit: Audit,
    /// Held by every flight: who unlocks the vault or ends the daemon waits until the air is clear.
    pub in_air: Arc<RwLock<()>>,
    /// What users may still do.
    pub quota: Quota,
    /// What hosts are down.
    pub outages: Outages,
    /// Told whenever a record may have become usable.
    pub changed: watch::Sender<()>,
    /// For how long after a GetSession its session is held.
    pub hold_after_get: Duration,
    /// Told when a new refresh token could not be saved.
    pub tokens: watch::Sender<()>,
}

impl Refresher {
    /// A session that fits `want`: the one there is, or one from a flight that all callers share.
    ///
    /// # Errors
    /// Why there is none; every caller of one flight gets the same.
    pub async fn session(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        want: Want,
    ) -> Result<Arc<Session>, Error> {
        self.session_for(entry, want, None).await
    }

    /// The same for one who answers for the login that may come of it, and is told to wait if he caused too many.
    ///
    /// # Errors
    /// As [`Self::session`].
    pub async fn session_for(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        mut want: Want,
        cause: Option<&Arc<Account>>,
    ) -> Result<Arc<Session>, Error> {
        for _ in 0..MOST_FLIGHTS {
            let (unsaved, rotated) = {
                let state = entry.lock();
                let open = state.closed.is_none();
                (open && state.unsaved, open && state.has_rotation())
            };
            if rotated {
                // If it fails, what needs no login is served all the same; the machine knows that none may be made.
                let _ = entry.save_rotation(&self.store, &self.keys).await;
            }
            if unsaved {
                entry.save(&self.store, &self.keys).await?;
            }
            let next = {
                let mut state = entry.lock();
                if let Some(error) = &state.closed {
                    return Err(error.clone());
                }
                let now = self.clock.now();
                if let Some(cause) = cause {
                    causes::permit(&state, &self.quota, cause, want, now)?;
                }
                match state.machine.acquire(want, now) {
                    Decision::Serve(session) => return Ok(session),
                    Decision::Refuse(refusal) => Err(as_error(refusal, &state, want, now)),
                    Decision::Join => Ok(state.landing.clone()),
                    Decision::Start(stamp) => {
                        let started = self.start(entry, stamp, cause);
                        // Without a task nothing would ever end the flight.
                        let landing = started.inspect_err(|_| state.machine.abandon(stamp, now))?;
                        state.landing = Some(landing.clone());
                        entry.tell();
                        Ok(Some(landing))
                    }
                }
            };
            let mut landing = match next {
                Ok(landing) => landing,
                Err(error) => {
                    self.catch_up(entry).await?;
                    return Err(error);
                }
            };
            let Some(landing) = &mut landing else {
                return Err(Error::Internal("a flight without a landing"));
            };
            // The sender is gone without a word only if the task broke.
            let Ok(landed) = landing
                .wait_for(Option::is_some)
                .await
                .map(|landed| Option::clone(&landed))
            else {
                return Err(Error::Internal("a login task broke off"));
            };
            landed.unwrap_or(Ok(()))?;
            (want.fresh_proof, want.fresh_login) = (false, false);
        }
        Err(Error::Internal("too many flights for one caller"))
    }

    /// What a caller said about a session must be true after a crash too.
    pub(super) async fn catch_up(&self, entry: &Arc<Entry>) -> Result<(), Error> {
        if entry.lock().is_store_behind() {
            entry.save(&self.store, &self.keys).await?;
        }
        Ok(())
    }

    fn start(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        stamp: Stamp,
        cause: Option<&Arc<Account>>,
    ) -> Result<watch::Receiver<Landing>, Error> {
        let (tell, landing) = watch::channel(None);
        let mut flight = self.take_off(entry, stamp)?;
        flight.cause = cause.cloned();
        task::spawn(async move {
            let landed = flight.run().await;
            flight.refresher.changed.send_replace(());
            flight.entry.tell();
            // Nobody waits any more: then nobody needs to know.
            let _ = tell.send(Some(landed));
        });
        Ok(landing)
    }

    pub(super) fn take_off(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        stamp: Stamp,
    ) -> Result<Flight, Error> {
        Ok(Flight {
            // Refused only while somebody waits for the air to clear; then nothing may take off.
            _in_air: Arc::clone(&self.in_air)
                .try_read_owned()
                .map_err(|_| Error::ShuttingDown)?,
            refresher: Arc::clone(self),
            entry: Arc::clone(entry),
            stamp,
            cause: None,
            asked: Mutex::default(),
        })
    }
}

/// One piece of work for Salesforce.
pub(super) struct Flight {
    pub(super) refresher: Arc<Refresher>,
    pub(super) entry: Arc<Entry>,
    pub(super) stamp: Stamp,
    /// Who answers for a login.
    cause: Option<Arc<Account>>,
    /// The host that has not answered yet.
    asked: Mutex<Option<Host>>,
    _in_air: OwnedRwLockReadGuard<()>,
}

impl Drop for Flight {
    /// After a panic nobody must wait for a result that never comes. After a landing this does nothing.
    fn drop(&mut self) {
        if let Some(host) = self.take_asked() {
            self.refresher.outages.not_asked(&host);
        }
        self.entry
            .lock()
            .machine
            .abandon(self.stamp, self.refresher.clock.now());
    }
}

impl Flight {
    async fn run(&self) -> Result<(), Error> {
        loop {
            if let Err(error) = self.ask() {
                self.land(Outcome::NotSent).await?;
                return Err(error);
            }
            let step = self.entry.lock().machine.step(self.stamp, self.now());
            let outcome = match step {
                None => Outcome::NotSent,
                Some(Step::Prove(session)) => {
                    if let Err(error) = self.refresher.catch_up(&self.entry).await {
                        self.land(Outcome::NotSent).await?;
                        return Err(error);
                    }
                    match self.prove(&session).await {
                        Some(outcome) => outcome,
                        None => continue,
                    }
                }
                Some(Step::ProveGrant { grant, generation }) => {
                    let outcome = self.prove_grant(grant, generation).await;
                    // It may have been got hours ago, by the daemon before this one.
                    if let Outcome::Unproven { failure, .. } = &outcome
                        && failure.class == Class::SessionDead
                    {
                        self.answered();
                        self.entry.lock().machine.session_died(self.stamp);
                        continue;
                    }
                    outcome
                }
                Some(Step::LogIn) => match self.log_in().await {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        self.land(Outcome::NotSent).await?;
                        return Err(error);
                    }
                },
            };
            return self.land(outcome).await;
        }
    }

    /// `None` if the session is dead and the flight goes on.
    async fn prove(&self, session: &Session) -> Option<Outcome> {
        match self
            .refresher
            .login
            .prove(&session.session_id, &session.instance)
            .await
        {
            Ok(proof) => Some(match self.led_elsewhere(&proof.org_id, &proof.user_id) {
                Some(failure) => Outcome::ProofFailed(failure),
                None => Outcome::Proven(proof),
            }),
            Err(failure) if failure.class == Class::SessionDead => {
                self.answered();
                self.entry.lock().machine.session_died(self.stamp);
                None
            }
            Err(failure) => Some(Outcome::ProofFailed(failure)),
        }
    }

    async fn log_in(&self) -> Result<Outcome, Error> {
        let refresher = &self.refresher;
        let (record, generation, reported) = {
            let mut state = self.entry.lock();
            // Before the login is entered: what was never sent must neither count nor latch, for it is the
            // configuration that is to be mended, and then all is well again.
            let permitted = refresher.login.permit(&state.record.login_host);
            permitted.map_err(Error::HostNotAllowed)?;
            let now = refresher.clock.now();
            let admitted = refresher.quota.admit(&state.record, now);
            admitted.map_err(|throttle| as_throttled(throttle, &state.record, now))?;
            let reported = state.machine.is_due_to_a_report();
            let Some(generation) = state.machine.enter_login(self.stamp, refresher.clock.now())
            else {
                refresher.quota.take_back(&state.record);
                return Ok(Outcome::NotSent);
            };
            (Arc::clone(&state.record), generation, reported)
        };
        self.entry.save(&refresher.store, &refresher.keys).await?;
        // Twice: saving may find another credential in the store, and reading one takes time.
        if !self.entry.lock().machine.is_current(self.stamp) {
            return Ok(Outcome::NotSent);
        }
        let request = self.request(record).await?;
        if !self.entry.lock().machine.is_current(self.stamp) {
            return Ok(Outcome::NotSent);
        }
        if let Some(cause) = &self.cause {
            let mut state = self.entry.lock();
            causes::charge(&mut state, &refresher.quota, cause, reported, self.now());
        }
        info!(record = %self.name(), host = %request.login_host, generation, "logging in");
        let mut grant = match refresher.login.login(&request).await {
            Ok(grant) => grant,
            Err(failure) => return Ok(Outcome::LoginFailed(failure)),
        };
        let saved = self.save_rotated(&request, &mut grant).await;
        drop(request);
        self.answered();
        if let Some(failure) = self.led_elsewhere(&grant.org_id, &grant.user_id) {
            return Ok(Outcome::LoginFailed(failure));
        }
        if !saved {
            return Ok(Outcome::Unsaved {
                grant: Box::new(grant),
                generation,
            });
        }
        let now = self.now();
        let grant = Box::new(grant);
        Ok(match refresher.outages.enter(&grant.instance, now) {
            Ok(()) => {
                self.set_asked(grant.instance.clone());
                self.prove_grant(grant, generation).await
            }
            Err((failure, until)) => Outcome::Unproven {
                grant,
                generation,
                failure: Failure {
                    pause: until.duration_since(now).ok(),
                    ..failure
                },
            },
        })
    }

    /// Makes the refresh token that the login brought durable, before anything else is done with what it brought; also
    /// if the record was closed meanwhile, or its result is not wanted any more. Returns whether it is.
    async fn save_rotated(&self, request: &LoginRequest, grant: &mut Grant) -> bool {
        let sent = request.credential.refresh_token().cloned();
        let rotation = sent
            .zip(grant.rotated.take())
            .and_then(|(spent, fresh)| Rotation::new(spent, fresh));
        let Some(rotation) = rotation else {
            return true;
        };
        self.entry.keep_rotation(rotation);
        let saved = self
            .entry
            .save_rotation(&self.refresher.store, &self.refresher.keys)
            .await;
        if let Err(error) = &saved {
            warn!(record = %self.name(), %error, "a new refresh token could not be saved");
            self.refresher.tokens.send_replace(());
        }
        saved.is_ok()
    }

    async fn request(&self, record: Arc<Record>) -> Result<LoginRequest, Error> {
        let (store, keys) = (
            Arc::clone(&self.refresher.store),
            self.refresher.keys.clone(),
        );
        let opened = task::spawn_blocking(move || {
            let credential = store.credential(&keys, &record)?;
            Ok::<_, Error>(LoginRequest {
                login_host: record.login_host.clone(),
                flow: record.flow.clone(),
                credential,
            })
        });
        opened
            .await
            .map_err(|_| Error::Internal("opening a credential broke off"))?
    }

    async fn prove_grant(&self, grant: Box<Grant>, generation: u64) -> Outcome {
        match self
            .refresher
            .login
            .prove(&grant.session_id, &grant.instance)
            .await
        {
            Ok(proof) => match self.led_elsewhere(&proof.org_id, &proof.user_id) {
                Some(failure) => Outcome::Unproven {
                    grant,
                    generation,
                    failure,
                },
                None => Outcome::LoggedIn {
                    grant,
                    proof,
                    generation,
                },
            },
            Err(failure) => Outcome::Unproven {
                grant,
                generation,
                failure,
            },
        }
    }

    /// Gives the result to the machine and makes it durable before any caller hears of it.
    ///
    /// If it can't be made durable, a session is served all the same: on disk the login stays entered as unanswered,
    /// which is the careful reading. But a latch or a generation that is in memory only is told to nobody: after a
    /// crash it would not be true.
    async fn land(&self, outcome: Outcome) -> Result<(), Error> {
        account::tell(&self.refresher.audit, &self.entry, &outcome);
        match &outcome {
            Outcome::LoginFailed(failure)
            | Outcome::ProofFailed(failure)
            | Outcome::Unproven { failure, .. } => {
                warn!(record = %self.name(), class = failure.class.name(), %failure, "no session");
            }
            Outcome::LoggedIn { generation, .. } => {
                info!(record = %self.name(), generation, "logged in")
            }
            Outcome::Proven(_) | Outcome::NotSent | Outcome::Unsaved { .. } => {}
        }
        let waits = matches!(outcome, Outcome::Unsaved { .. });
        let pin = match &outcome {
            Outcome::LoggedIn { grant, proof, .. } => Some(Pin {
                org_id: grant.org_id.clone(),
                user_id: grant.user_id.clone(),
                username: grant.username.clone().or_else(|| proof.username.clone()),
            }),
            Outcome::LoginFailed(_)
            | Outcome::NotSent
            | Outcome::Proven(_)
            | Outcome::ProofFailed(_)
            | Outcome::Unproven { .. }
            | Outcome::Unsaved { .. } => None,
        };
        let (must_save, must_last) = {
            let mut state = self.entry.lock();
            let before = state.machine.ledger().clone();
            let (now, jitter) = (self.now(), jitter());
            self.tell_of_host(&outcome, now, jitter);
            let throttled = throttled(&outcome);
            let taken = state.machine.complete(self.stamp, outcome, now, jitter);
            let after = state.machine.ledger();
            if after.logins < before.logins {
                self.refresher.quota.take_back(&state.record);
            }
            if let (Some(failure), Some(hold)) = (throttled, &after.hold) {
                let quota = &self.refresher.quota;
                quota.refused(&state.record, &failure, now, hold.until);
            }
            if let Some(pin) = pin.filter(|_| taken && state.record.pin.is_none()) {
                state.record = Arc::new(Record {
                    pin: Some(pin),
                    ..Record::clone(&state.record)
                });
            }
            if state.closed.is_some() {
                state.machine.forget_sessions();
            }
            let after = state.machine.ledger();
            let must_last = before.latch != after.latch || before.generation != after.generation;
            (before != *after || state.is_store_behind(), must_last)
        };
        if must_save
            && let Err(error) = self
                .entry
                .save(&self.refresher.store, &self.refresher.keys)
                .await
        {
            warn!(record = %self.name(), %error, "the result of a login could not be saved");
            let mut state = self.entry.lock();
            // Who waits for a closed entry hears why it is closed.
            if must_last && state.closed.is_none() {
                state.unsaved = true;
                return Err(error);
            }
        }
        let state = self.entry.lock();
        match state.unsaved_token() {
            Some(error) if waits && state.closed.is_none() => {
                Err(token_unsaved(&state.record.name, error))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Lets the next step ask its host, unless that is down.
    fn ask(&self) -> Result<(), Error> {
        let (host, record) = {
            let state = self.entry.lock();
            let instance = state.machine.instance();
            let host = instance.unwrap_or_else(|| state.record.login_host.clone());
            (host, state.record.name.clone())
        };
        let now = self.now();
        let entered = self.refresher.outages.enter(&host, now);
        entered.map_err(|(failure, until)| Error::LoginFailed {
            record,
            failure,
            retry_after: until.duration_since(now).unwrap_or_default(),
        })?;
        self.set_asked(host);
        Ok(())
    }

    fn answered(&self) {
        if let Some(host) = self.take_asked() {
            self.refresher.outages.answered(&host);
        }
    }

    fn tell_of_host(&self, outcome: &Outcome, now: SystemTime, jitter: u8) {
        let Some(host) = self.take_asked() else {
            return;
        };
        let outages = &self.refresher.outages;
        match outcome {
            Outcome::LoginFailed(failure)
            | Outcome::ProofFailed(failure)
            | Outcome::Unproven { failure, .. } => outages.failed(&host, failure, now, jitter),
            Outcome::LoggedIn { .. } | Outcome::Proven(_) => drop(outages.answered(&host)),
            Outcome::NotSent | Outcome::Unsaved { .. } => outages.not_asked(&host),
        }
    }

    fn set_asked(&self, host: Host) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(host);
    }

    fn take_asked(&self) -> Option<Host> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.take()
    }

    fn led_elsewhere(&self, org_id: &str, user_id: &str) -> Option<Failure> {
        leads_elsewhere(self.entry.lock().record.pin.as_ref(), org_id, user_id)
    }

    fn name(&self) -> RecordName {
        self.entry.lock().record.name.clone()
    }

    fn now(&self) -> SystemTime {
        self.refresher.clock.now()
    }
}

fn token_unsaved(record: &RecordName, problem: &StoreError) -> Error {
    Error::TokenUnsaved {
        record: record.clone(),
        problem: problem.clone(),
    }
}

pub(super) fn as_error(refusal: Refusal, state: &State, want: Want, now: SystemTime) -> Error {
    let record = state.record.name.clone();
    let retry_after = |until: SystemTime| until.duration_since(now).unwrap_or_default();
    match refusal {
        Refusal::BackingOff { failure, until } => Error::LoginFailed {
            record,
            failure,
            retry_after: retry_after(until),
        },
        Refusal::BudgetSpent { until } => Error::LoginBudgetSpent {
            record,
            retry_after: retry_after(until),
        },
        Refusal::Latched { failure, since } => Error::Latched {
            record,
            failure,
            since,
        },
        Refusal::MinTtlTooLong { possible } => Error::MinTtlTooLong {
            asked: want.min_ttl,
            possible,
        },
        Refusal::RefusedAgain { until } => Error::SessionRefusedAgain {
            record,
            retry_after: retry_after(until),
        },
        Refusal::TokenUnsaved => match state.unsaved_token() {
            Some(problem) => token_unsaved(&record, problem),
            None => Error::Internal("a refresh token that nobody tried to save"),
        },
    }
}

fn as_throttled(throttle: Throttle, record: &Record, now: SystemTime) -> Error {
    let name = record.name.clone();
    let retry_after = |until: SystemTime| until.duration_since(now).unwrap_or_default();
    match throttle {
        Throttle::Spent { limit, until } => Error::LoginShareSpent {
            record: name,
            limit,
            retry_after: retry_after(until),
        },
        Throttle::Refused { failure, until } => Error::LoginFailed {
            record: name,
            failure,
            retry_after: retry_after(until),
        },
    }
}

/// The failure of a login that Salesforce refused for the rate.
fn throttled(outcome: &Outcome) -> Option<Failure> {
    match outcome {
        Outcome::LoginFailed(failure) if failure.class == Class::RateLimited => {
            Some(failure.clone())
        }
        Outcome::LoggedIn { .. }
        | Outcome::LoginFailed(_)
        | Outcome::NotSent
        | Outcome::Proven(_)
        | Outcome::ProofFailed(_)
        | Outcome::Unproven { .. }
        | Outcome::Unsaved { .. } => None,
    }
}

/// Spreads pauses; nothing secret hangs on it, so the standard library's random hash keys will do.
fn jitter() -> u8 {
    RandomState::new().build_hasher().finish().to_le_bytes()[0]
}

#[cfg(test)]
mod tests;
