//! What people see of the vault: no secrets.

use std::{sync::Arc, time::SystemTime};

use tokio::task::yield_now;

use super::{Phase, RecordView, Vault, access::RECORDS_AT_ONCE};
use crate::{
    error::Error, failure::Failure, host::Host, record::Record, retirement::Nearness,
    salesforce::Survey, store::KdfCost,
};

impl Vault {
    /// All records, in the order of their names; none while the vault is locked.
    ///
    /// # Errors
    /// If the vault is missing or locked.
    pub async fn records(&self) -> Result<Vec<RecordView>, Error> {
        let now = self.parts.clock.now();
        let (refresher, entries) = {
            let phase = self.read();
            let open = self.opened(&phase)?;
            let entries: Vec<_> = open.records.values().map(Arc::clone).collect();
            (Arc::clone(&open.refresher), entries)
        };
        let mut views = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            if number > 0 && number % RECORDS_AT_ONCE == 0 {
                yield_now().await;
            }
            let view = RecordView::of(entry, &self.parts.retirements, now);
            views.push(view.with_usage(&refresher.quota));
        }
        Ok(views)
    }

    /// One record.
    ///
    /// # Errors
    /// If there is none of this name, or the vault is missing or locked.
    pub fn record(&self, name: &str) -> Result<RecordView, Error> {
        let (refresher, entry) = self.find(name)?;
        let view = RecordView::of(&entry, &self.parts.retirements, self.parts.clock.now());
        Ok(view.with_usage(&refresher.quota))
    }

    /// What a job that was just given a session of this record should know, if anything.
    #[must_use]
    pub fn warnings(&self, name: &str) -> Vec<String> {
        let Ok((_, entry)) = self.find(name) else {
            return Vec::new();
        };
        let record = Arc::clone(&entry.lock().record);
        self.warnings_of(&record, self.parts.clock.now())
    }

    pub(super) fn warnings_of(&self, record: &Record, now: SystemTime) -> Vec<String> {
        let retirements = &self.parts.retirements;
        retirements
            .of(record.flow.kind(), &record.login_host)
            .filter(|retirement| retirement.nearness(now) > Nearness::Ahead)
            .map(|retirement| retirement.text.to_string())
            .collect()
    }

    /// What a login host tells without a login, and the time here when it told it.
    pub async fn survey(&self, host: &Host) -> (Result<Survey, Failure>, SystemTime) {
        let survey = self.parts.login.survey(host).await;
        (survey, self.parts.clock.now())
    }

    /// The address of the proxy on the way to a host, if there is one.
    #[must_use]
    pub fn proxy(&self, host: &Host) -> Option<String> {
        self.parts.login.proxy(host)
    }

    /// What each key slot costs to try; none if there is no vault.
    #[must_use]
    pub fn slot_costs(&self) -> Vec<KdfCost> {
        match &*self.read() {
            Phase::Missing => Vec::new(),
            Phase::Locked(store) => store.slot_costs(),
            Phase::Unlocked(open) => open.refresher.store.slot_costs(),
        }
    }
}
