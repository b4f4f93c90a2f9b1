//! What becomes of a flight's outcome: the machine takes it, and it is durable before any caller hears of it.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::SystemTime,
};

use tracing::{info, warn};

use super::{denial::token_unsaved, flight::Flight};
use crate::{
    error::Error,
    failure::{Class, Failure},
    record::{Pin, Record, RecordId},
    session::{account, decision::Outcome},
};

impl Flight {
    /// Gives the result to the machine and makes it durable before any caller hears of it.
    ///
    /// If it can't be made durable, a session is served all the same: on disk the login stays entered as unanswered,
    /// which is the careful reading. But a latch or a generation that is in memory only is told to nobody: after a
    /// crash it would not be true.
    pub(super) async fn land(&self, outcome: Outcome) -> Result<(), Error> {
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
            let now = self.now();
            let jitter = jitter(self.entry.id(), now);
            self.tell_of_host(&mut state.machine, &outcome, now, jitter);
            let throttled = throttled(&outcome);
            let taken = state.machine.complete(self.stamp, outcome, now, jitter);
            if state.record.keeps_password_aside() {
                state.machine.keep_failures(&before);
            }
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
            state.unsaved |= must_last;
            // Who waits for a closed entry hears why it is closed; the next unlocking saves what it set aside.
            if must_last && state.closed.is_none() {
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

/// Spreads the pauses of records: ids are drawn at random, so records that fail at the same time get different ones.
pub(in crate::session) fn jitter(id: RecordId, now: SystemTime) -> u8 {
    let mut hasher = DefaultHasher::new();
    (id.0, now).hash(&mut hasher);
    hasher.finish().to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;

    #[test]
    fn records_that_fail_at_once_pause_for_different_times() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let jitters: BTreeSet<_> = (0..64).map(|id| jitter(RecordId([id; 16]), now)).collect();
        assert!(jitters.len() > 32, "{jitters:?}");
        let later = now + Duration::from_secs(10);
        let ids = (0..64).map(|id| RecordId([id; 16]));
        assert!(ids.clone().any(|id| jitter(id, now) != jitter(id, later)));
    }
}
