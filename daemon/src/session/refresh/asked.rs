//! The host that a flight asks, and what the others hear of how it answered.

use std::{sync::PoisonError, time::SystemTime};

use super::flight::Flight;
use crate::{error::Error, host::Host, session::decision::Outcome};

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
        let entered = self.refresher.outages.enter(&host, now);
        entered.map_err(|(failure, until)| Error::LoginFailed {
            record,
            failure,
            retry_after: until.duration_since(now).unwrap_or_default(),
        })?;
        self.set_asked(host);
        Ok(())
    }

    pub(super) fn answered(&self) {
        if let Some(host) = self.take_asked() {
            self.refresher.outages.answered(&host);
        }
    }

    pub(super) fn tell_of_host(&self, outcome: &Outcome, now: SystemTime, jitter: u8) {
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

    pub(super) fn set_asked(&self, host: Host) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(host);
    }

    pub(super) fn take_asked(&self) -> Option<Host> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.take()
    }
}
