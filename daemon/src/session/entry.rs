//! One record in an unlocked vault: its data, its [`Machine`], and its row in the store.
//!
//! Memory is the truth while the vault is unlocked; the row follows it. One writer at a time writes the row, and
//! always what memory holds at that moment, so a late write can't bring back an old state.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::{sync::watch, task};

use super::machine::Machine;
use crate::{
    error::Error,
    record::{Credential, Record, RecordId},
    store::{Keys, Revision, Store, StoreError, StoredRecord},
};

/// How a flight landed: in the air, or done. An error is one of ours, not Salesforce's: that one is in the machine.
pub type Landing = Option<Result<(), Error>>;

/// A record in an unlocked vault.
#[derive(Debug)]
pub struct Entry {
    id: RecordId,
    state: Mutex<State>,
    row: Arc<tokio::sync::Mutex<Revision>>,
}

/// What [`Entry::lock`] gives access to.
#[derive(Debug)]
pub struct State {
    pub record: Arc<Record>,
    pub machine: Machine,
    /// Where the callers of the flight under way wait.
    pub landing: Option<watch::Receiver<Landing>>,
    /// Set when the vault was locked or the record removed: what callers who still hold the entry get.
    pub closed: Option<Error>,
}

impl Entry {
    /// The entry of a record that the store loaded or has just stored.
    #[must_use]
    pub fn new(stored: StoredRecord) -> Self {
        let machine = Machine::new(stored.ledger, stored.record.credential_version);
        Self {
            id: stored.record.id,
            state: Mutex::new(State {
                record: Arc::new(stored.record),
                machine,
                landing: None,
                closed: None,
            }),
            row: Arc::new(tokio::sync::Mutex::new(stored.revision)),
        }
    }

    /// The record's id.
    #[must_use]
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// Exclusive access, held for microseconds and never across an await. A panic under it leaves a state that is
    /// still whole, because the machine's methods change it last.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the session and answers every later caller with `error`. Returns whether there was a session.
    pub fn close(&self, error: Error) -> bool {
        let mut state = self.lock();
        state.closed = Some(error);
        state.machine.forget_sessions()
    }

    /// Writes the record and its ledger as they are now. Goes on to its end even if the caller goes away.
    ///
    /// # Errors
    /// If the store can't write; memory stays as it is.
    pub async fn save(self: &Arc<Self>, store: &Arc<Store>, keys: &Keys) -> Result<(), Error> {
        let mut row = Arc::clone(&self.row).lock_owned().await;
        let (entry, store, keys) = (Arc::clone(self), Arc::clone(store), keys.clone());
        let written = task::spawn_blocking(move || {
            let (record, ledger) = {
                let state = entry.lock();
                (Arc::clone(&state.record), state.machine.ledger().clone())
            };
            *row = store.put(&keys, Some(*row), &record, &ledger, None)?;
            Ok::<(), StoreError>(())
        });
        Ok(written
            .await
            .map_err(|_| Error::Internal("a write to the vault broke off"))??)
    }

    /// Replaces the credential by what `change` makes of the present one: first in the store, then in memory.
    /// Returns false, and changes nothing, if the secrets stay the same. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// Those of `change`, or if the store can't read or write; then nothing changed.
    pub fn set_credential(
        &self,
        store: &Store,
        keys: &Keys,
        now: SystemTime,
        change: impl FnOnce(&Credential) -> Result<Credential, Error>,
    ) -> Result<bool, Error> {
        let row = self.row.blocking_lock();
        let mut record = Record::clone(&self.lock().record);
        let old = store.credential(keys, &record)?;
        let new = change(&old)?;
        if new.matches(&old) {
            return Ok(false);
        }
        record.credential_version += 1;
        record.credential_changed_at = now;
        let version = record.credential_version;
        self.commit(store, keys, row, record, Some(&new), |machine| {
            machine.credential_changed(version)
        })?;
        Ok(true)
    }

    /// Releases a latch and a spent login budget: first in the store, then in memory. Blocks; callers run it on a
    /// blocking thread.
    ///
    /// # Errors
    /// If the store can't write; then nothing changed.
    pub fn release(&self, store: &Store, keys: &Keys) -> Result<(), StoreError> {
        let row = self.row.blocking_lock();
        let record = Record::clone(&self.lock().record);
        self.commit(store, keys, row, record, None, Machine::release)
    }

    /// Removes the record's row. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// If the store can't write; then the row is still there.
    pub fn remove(&self, store: &Store) -> Result<(), StoreError> {
        let row = self.row.blocking_lock();
        store.remove(self.id, *row)
    }

    fn commit(
        &self,
        store: &Store,
        keys: &Keys,
        mut row: tokio::sync::MutexGuard<'_, Revision>,
        record: Record,
        credential: Option<&Credential>,
        apply: impl Fn(&mut Machine),
    ) -> Result<(), StoreError> {
        let mut trial = self.lock().machine.clone();
        apply(&mut trial);
        *row = store.put(keys, Some(*row), &record, trial.ledger(), credential)?;
        let mut state = self.lock();
        // The pin may have been learnt meanwhile; its own save follows.
        let pin = record.pin.clone().or_else(|| state.record.pin.clone());
        state.record = Arc::new(Record { pin, ..record });
        apply(&mut state.machine);
        Ok(())
    }
}
