//! A record as people see it: no secrets.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    record::Record,
    retirement::{Nearness, Retirement, Retirements},
    session::{Session, decision::Activity, entry::Entry},
};

/// What a record is and does at one moment.
#[derive(Debug, Clone)]
pub struct RecordView {
    pub record: Arc<Record>,
    pub activity: Activity,
    /// Its session, good or not.
    pub session: Option<Arc<Session>>,
    /// The stamp of its newest session or login.
    pub generation: u64,
    /// Logins sent or about to be, those that failed included.
    pub logins: u64,
    /// What Salesforce is taking away from its way of logging in, by date.
    pub retirements: Vec<(Retirement, Nearness)>,
    /// The moment.
    pub at: SystemTime,
}

impl RecordView {
    /// The record as it is now.
    #[must_use]
    pub fn of(entry: &Entry, retirements: &Retirements, now: SystemTime) -> Self {
        let state = entry.lock();
        Self {
            record: Arc::clone(&state.record),
            activity: state.machine.activity(now),
            session: state.machine.session().cloned(),
            generation: state.machine.ledger().generation,
            logins: state.machine.logins(),
            retirements: retirements
                .of(state.record.flow.kind(), &state.record.login_host)
                .map(|retirement| (retirement.clone(), retirement.nearness(now)))
                .collect(),
            at: now,
        }
    }

    /// How long the session is still guaranteed.
    #[must_use]
    pub fn guaranteed_for(&self) -> Option<Duration> {
        self.session
            .as_ref()?
            .guaranteed_until()
            .duration_since(self.at)
            .ok()
    }
}
