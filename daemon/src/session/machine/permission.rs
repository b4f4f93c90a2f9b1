//! Whether a login may be made, or a session got without one.

use std::time::SystemTime;

use super::Machine;
use crate::{
    ledger::Latch,
    session::{back_off::BackOff, decision::Refusal},
};

impl Machine {
    /// Why no login may be made now.
    ///
    /// # Errors
    /// The reason, with the time at which it ends where it does.
    pub fn may_log_in(&self, now: SystemTime) -> Result<(), Refusal> {
        if self.token_unsaved {
            return Err(Refusal::TokenUnsaved);
        }
        if let Some(latch) = self.latch() {
            return Err(Refusal::Latched {
                failure: latch.failure.clone(),
                since: latch.since,
            });
        }
        if let Some(back_off) = self.backing_off(now) {
            return Err(back_off.refusal());
        }
        if let Some(until) = self.ledger.barred_until(now) {
            return Err(Refusal::BudgetSpent { until });
        }
        match self.refusals.spaced_until(now) {
            Some(until) => Err(Refusal::RefusedAgain {
                until,
                lives: false,
            }),
            None => Ok(()),
        }
    }

    /// Why who wants a session gets none now. What an earlier login gave needs a call, which sends no credential: neither a
    /// latch nor a budget forbids that. One that brought a refresh token waits until that is saved.
    ///
    /// # Errors
    /// As [`Self::may_log_in`].
    pub fn may_get_session(&self, now: SystemTime) -> Result<(), Refusal> {
        if self.unproven.is_none() || self.token_unsaved {
            return self.may_log_in(now);
        }
        match self.backing_off(now) {
            Some(back_off) => Err(back_off.refusal()),
            None => Ok(()),
        }
    }

    /// Until when nothing at all is sent, because the last exchange failed.
    #[must_use]
    pub fn backing_off(&self, now: SystemTime) -> Option<&BackOff> {
        self.back_off
            .as_ref()
            .filter(|back_off| back_off.lasts(now))
    }

    /// What keeps the present credential from being sent, until it changes or an operator releases it.
    #[must_use]
    pub fn latch(&self) -> Option<&Latch> {
        self.ledger
            .latch
            .as_ref()
            .filter(|latch| latch.credential_version == self.credential_version)
    }
}
