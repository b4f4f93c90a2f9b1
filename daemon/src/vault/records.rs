//! Records are added, changed and removed.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tracing::info;

use super::{
    NewSecrets, Phase, RecordView, Vault, credential, kind,
    trial::{no_drawn_password, no_drawn_password_to_lose},
};
use crate::{
    aside::Aside,
    credential::{Credential, Flow},
    environment::Environment,
    error::Error,
    host::Host,
    ledger::Ledger,
    record::{Record, RecordName},
    salesforce::hosts::doubt,
    session::{
        entry::{Amendment, Entry, is_in_doubt},
        refresh::Refresher,
    },
    store::{StoredRecord, new_record_id},
};

/// A record to add.
#[derive(Debug)]
pub struct NewRecord {
    pub name: RecordName,
    pub login_host: Host,
    pub flow: Flow,
    /// Of that flow.
    pub credential: Credential,
    /// What the operator says that the org is.
    pub environment: Option<Environment>,
    /// See [`Record::remind_after`].
    pub remind_after: Option<Duration>,
}

impl Vault {
    /// Adds a record. Returns it with what looks odd about it.
    ///
    /// # Errors
    /// If the name is taken, a field is wrong, the host may see no credential, or it can't be written.
    pub async fn add(self: &Arc<Self>, new: NewRecord) -> Result<(RecordView, Vec<String>), Error> {
        credential::check_flow(&new.flow)?;
        credential::check_login_host(&new.flow, &new.login_host)?;
        credential::check(&new.credential)?;
        kind::check(new.environment, &new.login_host, &new.flow)?;
        self.parts
            .login
            .permit(&new.login_host)
            .map_err(Error::HostNotAllowed)?;
        let username = new.flow.username();
        let warnings = username
            .and_then(|username| doubt(username, &new.login_host))
            .into_iter()
            .chain(credential::doubts(&new.credential))
            .collect();
        let record = self.administer(move |vault| vault.add_now(new)).await?;
        Ok((record, warnings))
    }

    /// Replaces secrets of a record. Returns it, false if they were the same as before, and what looks odd.
    ///
    /// # Errors
    /// If there is no such record, a secret can't be one, or it can't be written.
    pub async fn set(
        self: &Arc<Self>,
        name: RecordName,
        new: NewSecrets,
    ) -> Result<(RecordView, bool, Vec<String>), Error> {
        if !new.has_secrets() && new.remind_after.is_none() {
            return Err(Error::invalid("password", "give a secret to change"));
        }
        self.administer(move |vault| {
            let (refresher, entry) = vault.find(name.as_str())?;
            let now = vault.parts.clock.now();
            let mut warnings = Vec::new();
            let amendment = Amendment {
                now,
                remind_after: new.remind_after,
            };
            let changed = entry.amend(
                &refresher.store,
                &refresher.keys,
                amendment,
                |record, old| {
                    no_drawn_password(record)?;
                    if !new.has_secrets() {
                        return Ok(old.clone());
                    }
                    let merged = credential::merge(old, new)?;
                    credential::check(&merged)?;
                    warnings = credential::doubts(&merged);
                    Ok(merged)
                },
            )?;
            vault.changed.send_replace(());
            info!(record = %name, changed, "set the credential");
            Ok((
                RecordView::of(&entry, &vault.parts.retirements, now),
                changed,
                warnings,
            ))
        })
        .await
    }

    /// Removes a record and drops its session here.
    ///
    /// # Errors
    /// If there is no such record, it has a drawn password whose fate is open, or it can't be written.
    pub async fn remove(self: &Arc<Self>, name: RecordName) -> Result<(), Error> {
        self.remove_if(name, no_drawn_password_to_lose).await
    }

    /// The same for a record whose drawn password nobody needs, for the user is gone, or somebody wrote it down.
    ///
    /// # Errors
    /// If there is no such record, or it can't be written.
    pub async fn remove_with_drawn(self: &Arc<Self>, name: RecordName) -> Result<(), Error> {
        self.remove_if(name, |_| Ok(())).await
    }

    async fn remove_if(
        self: &Arc<Self>,
        name: RecordName,
        permit: impl FnOnce(&Record) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.administer(move |vault| {
            let (refresher, entry) = vault.find(name.as_str())?;
            entry.remove(&refresher.store, &refresher.keys, permit)?;
            if let Phase::Unlocked(open) = &mut *vault.write() {
                open.records.remove(&name);
            }
            entry.close(Error::RecordNotFound(name.clone()));
            entry.lock().forget_sessions();
            vault.changed.send_replace(());
            vault.forgotten.send_replace(());
            info!(record = %name, "removed the record");
            Ok(())
        })
        .await
    }

    pub(super) fn add_now(&self, new: NewRecord) -> Result<RecordView, Error> {
        let now: SystemTime = self.parts.clock.now();
        let refresher = {
            let phase = self.read();
            let open = self.opened(&phase)?;
            if open.records.contains_key(&new.name) {
                return Err(Error::RecordExists(new.name));
            }
            Arc::clone(&open.refresher)
        };
        self.undo_adds_in_doubt(&refresher)?;
        let record = Record {
            id: new_record_id()?,
            name: new.name.clone(),
            login_host: new.login_host,
            flow: new.flow,
            pin: None,
            credential_version: 1,
            created_at: now,
            credential_changed_at: now,
            aside: Aside::default(),
            rules: None,
            remind_after: new.remind_after,
        };
        let ledger = Ledger::default();
        let put = refresher.store.put(
            &refresher.keys,
            None,
            &record,
            &ledger,
            Some(&new.credential),
        );
        if is_in_doubt(&put)
            && let Phase::Unlocked(open) = &mut *self.write()
        {
            open.adds_in_doubt.push(record.id);
        }
        let revision = put?;
        let entry = Arc::new(Entry::new(StoredRecord {
            record,
            ledger,
            revision,
        }));
        let view = RecordView::of(&entry, &self.parts.retirements, now);
        info!(record = %new.name, "added the record");
        if let Phase::Unlocked(open) = &mut *self.write() {
            open.records.insert(new.name, entry);
        }
        self.changed.send_replace(());
        self.tokens.send_replace(());
        Ok(view)
    }

    /// An add that was said to have failed may have been made. It is taken back before the next one, or the store
    /// could hold two records of one name.
    fn undo_adds_in_doubt(&self, refresher: &Refresher) -> Result<(), Error> {
        let in_doubt = match &*self.read() {
            Phase::Unlocked(open) if !open.adds_in_doubt.is_empty() => open.adds_in_doubt.clone(),
            Phase::Unlocked(_) | Phase::Locked(_) | Phase::Missing => return Ok(()),
        };
        for stored in refresher.store.load(&refresher.keys)? {
            if in_doubt.contains(&stored.record.id) {
                refresher.store.remove(stored.record.id, stored.revision)?;
            }
        }
        if let Phase::Unlocked(open) = &mut *self.write() {
            open.adds_in_doubt.clear();
        }
        Ok(())
    }
}
