//! What the machine tells about itself.

use std::{sync::Arc, time::SystemTime};

use super::Machine;
use crate::{
    ledger::Ledger,
    session::{
        Session,
        decision::{Activity, Stamp},
    },
};

impl Machine {
    /// What the store must know.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many logins were entered.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.ledger.logins
    }

    /// The session there is, good or not.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// Whether somebody called the present session refused, and no call has settled it yet.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.refusals.doubted()
    }

    /// Whether the next login is due to a caller who called a session refused.
    #[must_use]
    pub fn is_due_to_a_report(&self) -> bool {
        self.refusals.caused_next_login()
    }

    /// Whether a login or a proof is under way.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// What the record is doing, for people to see.
    #[must_use]
    pub fn activity(&self, now: SystemTime) -> Activity {
        if self.is_in_flight() {
            return Activity::InFlight;
        }
        if self
            .session
            .as_ref()
            .is_some_and(|session| now < session.expires_at())
        {
            return Activity::Ready;
        }
        match self.may_get_session(now) {
            Ok(()) => Activity::Idle,
            Err(refusal) => Activity::Barred(refusal),
        }
    }

    /// Whether the flight is the current one and its result is still wanted.
    #[must_use]
    pub fn is_current(&self, stamp: Stamp) -> bool {
        self.current(stamp).is_some()
    }
}
