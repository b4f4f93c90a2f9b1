//! A record as people see it: no secrets.

use std::{sync::Arc, time::SystemTime};

use crate::{
    record::Record,
    retirement::{Nearness, Retirement, Retirements},
    session::{
        Session,
        decision::Activity,
        entry::Entry,
        quota::{Quota, Usage},
    },
    store::StoreError,
    token_upkeep::idle_until,
};

/// What a record is and does at one moment.
#[derive(Debug, Clone)]
pub struct RecordView {
    pub record: Arc<Record>,
    pub activity: Activity,
    /// Its session, good or not.
    pub session: Option<Arc<Session>>,
    /// Why the refresh token that the last login brought is not on disk yet.
    pub token_unsaved: Option<StoreError>,
    /// When Salesforce ends its refresh token, if it has one and nobody logs in.
    pub token_idle_until: Option<SystemTime>,
    /// The stamp of its newest session or login.
    pub generation: u64,
    /// Logins sent or about to be, those that failed included.
    pub logins: u64,
    /// What Salesforce is taking away from its way of logging in, by date.
    pub retirements: Vec<(Retirement, Nearness)>,
    /// What its user has left to log in with, where that was asked for.
    pub usage: Option<Usage>,
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
            token_unsaved: state.unsaved_token().cloned(),
            token_idle_until: idle_until(&state.record, state.machine.ledger()),
            generation: state.machine.ledger().generation,
            logins: state.machine.logins(),
            retirements: retirements
                .of(state.record.flow.kind(), &state.record.login_host)
                .map(|retirement| (retirement.clone(), retirement.nearness(now)))
                .collect(),
            usage: None,
            at: now,
        }
    }

    /// The same with what its user has left to log in with.
    #[must_use]
    pub fn with_usage(self, quota: &Quota) -> Self {
        let usage = quota.usage(&self.record, self.at);
        Self {
            usage: Some(usage),
            ..self
        }
    }
}
