//! The host that a flight asks, and what the others hear of how it answered.

use std::{sync::PoisonError, time::SystemTime};

use super::{denial::host_down, flight::Flight};
use crate::{
    error::Error,
    session::{decision::Outcome, machine::Machine, outages::Asking},
};

impl Flight {
    /// Lets the next step ask its host, unless that is down.
    pub(super) fn ask(&self) -> Result<(), Error> {
        let (host, record) = {
            let state = self.entry.lock();
            let instance = state.machine.instance();
            let host = instance.unwrap_or_else(|| state.record.login_host.clone());
            (host, state.record.name.clone())
        };
        let now = self.now();
        let asking = self.refresher.outages.ask(&host, now);
        self.set_asked(asking.map_err(|down| host_down(record, down, now))?);
        Ok(())
    }

    pub(super) fn answered(&self) {
        if let Some(asking) = self.take_asked() {
            self.entry.lock().machine.heard(asking.host(), None);
            asking.answered();
        }
    }

    /// `machine` is the record's, whose ledger takes note of it.
    pub(super) fn tell_of_host(
        &self,
        machine: &mut Machine,
        outcome: &Outcome,
        now: SystemTime,
        jitter: u8,
    ) {
        let Some(asking) = self.take_asked() else {
            return;
        };
        let host = asking.host().clone();
        let down = match outcome {
            Outcome::LoginFailed(failure)
            | Outcome::ProofFailed(failure)
            | Outcome::Unproven { failure, .. } => asking.failed(failure, now, jitter),
            Outcome::LoggedIn { .. } | Outcome::Proven(_) => {
                asking.answered();
                None
            }
            Outcome::NotSent | Outcome::Unsaved { .. } => return,
        };
        machine.heard(&host, down);
    }

    pub(super) fn set_asked(&self, asking: Asking) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asking);
    }

    fn take_asked(&self) -> Option<Asking> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.take()
    }
}
