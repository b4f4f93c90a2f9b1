//! The only starter of logins.
//!
//! A flight (prove a session, or log in and prove it) runs in a task of its own, so it outlives the caller who asked;
//! all callers wait for the one flight and then ask the machine again, which tells them all the same. A login is
//! durable in the ledger before it is sent.

mod asked;
mod denial;
mod flight;
mod landing;
mod login;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{RwLock, watch},
    task,
};

pub(super) use denial::{as_error, as_throttled, host_down};
pub(super) use flight::Flight;
pub(super) use landing::jitter;

use super::{
    Session, causes,
    decision::{Decision, Refusal, Stamp, Want},
    entry::{Entry, Landing},
    machine::Machine,
    outages::Outages,
    quota::Quota,
};
use crate::{
    audit::Audit,
    clock::Clock,
    error::Error,
    salesforce::Login,
    share::Account,
    store::{Keys, Store},
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
    pub outages: Arc<Outages>,
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
        let first = want;
        for _ in 0..MOST_FLIGHTS {
            let served = self.round(entry, want, first, cause).await?;
            if let Some(session) = served {
                return Ok(session);
            }
            (want.fresh_proof, want.fresh_login) = (false, false);
        }
        Err(Error::Internal("too many flights for one caller"))
    }

    /// Has one flight do what is wanted without a login, and gives nobody a session.
    ///
    /// # Errors
    /// As [`Self::session`].
    pub async fn prove(self: &Arc<Self>, entry: &Arc<Entry>, want: Want) -> Result<(), Error> {
        self.round(entry, want, want, None).await.map(drop)
    }

    /// The session that there is, or none yet: a flight has landed, and the machine is to be asked again. `first` is what was
    /// wanted before any flight.
    async fn round(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        want: Want,
        first: Want,
        cause: Option<&Arc<Account>>,
    ) -> Result<Option<Arc<Session>>, Error> {
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
                Decision::Serve(session) => {
                    // Good by an earlier proof is not what was asked for: what was tried since failed.
                    return match failed_since(&state.machine, first, now) {
                        Some(refusal) => Err(as_error(refusal, &state, want, now)),
                        None => Ok(Some(session)),
                    };
                }
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
        Ok(None)
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

/// Why a caller does not get the proof, or the login, that he wanted beside a session that is good.
fn failed_since(machine: &Machine, first: Want, now: SystemTime) -> Option<Refusal> {
    if let Some(pause) = machine.backing_off(now) {
        return (first.fresh_proof || first.fresh_login).then(|| pause.refusal());
    }
    let rejected = |refusal: &Refusal| matches!(refusal, Refusal::Latched { .. });
    let refusal = first.fresh_login.then(|| machine.may_log_in(now).err());
    refusal.flatten().filter(rejected)
}

#[cfg(test)]
mod tests;
