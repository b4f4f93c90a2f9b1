//! The record's row in the store, which follows memory.

use std::sync::Arc;

use super::Entry;
use crate::{
    blocking,
    credential::Credential,
    error::Error,
    ledger::Ledger,
    record::Record,
    session::machine::Machine,
    store::{Keys, Revision, Store, StoreError},
};

/// What is known of the record's row in the store.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) revision: Revision,
    /// A write failed in a way that does not tell whether it was made.
    pub(super) in_doubt: Option<Change>,
}

/// What a write changes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// The record, its ledger, or its credential at the wish of an operator.
    Wanted,
    /// The refresh token, by a login.
    Rotation,
}

impl Entry {
    /// Writes the record and its ledger as they are now. Goes on to its end even if the caller goes away.
    ///
    /// # Errors
    /// If the store can't write; memory stays as it is.
    pub async fn save(self: &Arc<Self>, store: &Arc<Store>, keys: &Keys) -> Result<(), Error> {
        let mut row = Arc::clone(&self.row).lock_owned().await;
        let (entry, store, keys) = (Arc::clone(self), Arc::clone(store), keys.clone());
        let written = blocking::spawn(move || entry.write(&store, &keys, &mut row));
        Ok(written
            .await
            .map_err(|_| Error::Internal("a write to the vault broke off"))??)
    }

    /// The same; it blocks, so it is for administration only, of which one is under way at a time.
    ///
    /// # Errors
    /// As [`Entry::save`].
    pub fn save_now(&self, store: &Store, keys: &Keys) -> Result<(), StoreError> {
        self.write(store, keys, &mut self.row.blocking_lock())
    }

    /// Finds out what became of a write that may have been made or not: who reads a credential must know which is there.
    ///
    /// # Errors
    /// If the store can't read.
    pub async fn settled(self: &Arc<Self>, store: &Arc<Store>, keys: &Keys) -> Result<(), Error> {
        let mut row = Arc::clone(&self.row).lock_owned().await;
        if row.in_doubt.is_none() {
            return Ok(());
        }
        let (entry, store, keys) = (Arc::clone(self), Arc::clone(store), keys.clone());
        let settled = blocking::spawn(move || entry.settle(&store, &keys, &mut row));
        Ok(settled
            .await
            .map_err(|_| Error::Internal("reading the vault broke off"))??)
    }

    fn write(&self, store: &Store, keys: &Keys, row: &mut Row) -> Result<(), StoreError> {
        self.settle(store, keys, row)?;
        let (record, ledger) = {
            let state = self.lock();
            (Arc::clone(&state.record), state.machine.ledger().clone())
        };
        row.put(store, keys, &record, &ledger, None)?;
        let mut state = self.lock();
        let told_to_nobody = std::mem::take(&mut state.unsaved);
        state.stored_session = ledger.kept;
        drop(state);
        if told_to_nobody {
            self.tell();
        }
        Ok(())
    }

    /// After a write that may have been made or not, reads which it is. What was made is taken over, though whoever
    /// asked for it was told that it failed.
    pub(super) fn settle(
        &self,
        store: &Store,
        keys: &Keys,
        row: &mut Row,
    ) -> Result<(), StoreError> {
        let Some(change) = row.in_doubt else {
            return Ok(());
        };
        let stored = store
            .load(keys)?
            .into_iter()
            .find(|stored| stored.record.id == self.id)
            .ok_or(StoreError::Changed { record: self.id })?;
        let mut state = self.lock();
        let version = stored.record.credential_version;
        if version == state.record.credential_version {
            let mut aside = stored.record.aside.clone();
            // A password that a failed write drew was never sent, and memory knows nothing of it.
            if state.record.aside.drawn.is_none() {
                aside.drop_drawn();
            }
            if aside != state.record.aside {
                state.record = Arc::new(Record {
                    aside,
                    ..Record::clone(&state.record)
                });
            }
        }
        if version > state.record.credential_version {
            let same_way = stored.record.flow == state.record.flow
                && stored.record.login_host == state.record.login_host;
            let pin = stored.record.pin.or_else(|| state.record.pin.clone());
            state.record = Arc::new(Record {
                pin,
                ..stored.record
            });
            match change {
                Change::Rotation => state.machine.credential_rotated(version),
                Change::Wanted if same_way => state.machine.credential_changed(version),
                Change::Wanted => state.machine.change_over(version),
            }
        } else if stored.record.rules != state.record.rules {
            state.record = Arc::new(Record {
                rules: stored.record.rules,
                ..Record::clone(&state.record)
            });
        }
        *row = Row {
            revision: stored.revision,
            in_doubt: None,
        };
        Ok(())
    }

    pub(super) fn commit(
        &self,
        store: &Store,
        keys: &Keys,
        row: &mut Row,
        record: Record,
        credential: Option<(Change, &Credential)>,
        apply: impl Fn(&mut Machine),
    ) -> Result<(), StoreError> {
        let mut trial = self.lock().machine.clone();
        apply(&mut trial);
        row.put(store, keys, &record, trial.ledger(), credential)?;
        let mut state = self.lock();
        state.stored_session = trial.ledger().kept.clone();
        // The pin may have been learnt meanwhile; its own save follows.
        let pin = record.pin.clone().or_else(|| state.record.pin.clone());
        state.record = Arc::new(Record { pin, ..record });
        apply(&mut state.machine);
        drop(state);
        self.tell();
        Ok(())
    }

    /// Replaces the credential of the login that the record keeps aside.
    pub(super) fn commit_kept(
        &self,
        store: &Store,
        keys: &Keys,
        row: &mut Row,
        mut record: Record,
        credential: &Credential,
    ) -> Result<(), StoreError> {
        let version = record.next_version();
        if let Some(kept) = &mut record.aside.kept {
            kept.credential_version = version;
        }
        // It is higher than the record's own, and must not come again when the kept login is forgotten.
        record.aside.dropped_version = version;
        let ledger = self.lock().machine.ledger().clone();
        let written = store.put_kept(keys, row.revision, &record, &ledger, credential);
        row.wrote(Change::Rotation, written)?;
        let mut state = self.lock();
        state.stored_session = ledger.kept;
        state.record = Arc::new(Record {
            aside: record.aside,
            ..Record::clone(&state.record)
        });
        Ok(())
    }
}

impl Row {
    fn put(
        &mut self,
        store: &Store,
        keys: &Keys,
        record: &Record,
        ledger: &Ledger,
        credential: Option<(Change, &Credential)>,
    ) -> Result<(), StoreError> {
        let secrets = credential.map(|(_, secrets)| secrets);
        let change = credential.map_or(Change::Wanted, |(change, _)| change);
        let put = store.put(keys, Some(self.revision), record, ledger, secrets);
        self.wrote(change, put)
    }

    /// Takes note of what became of a write.
    pub(super) fn wrote(
        &mut self,
        change: Change,
        written: Result<Revision, StoreError>,
    ) -> Result<(), StoreError> {
        self.in_doubt = is_in_doubt(&written).then_some(change);
        self.revision = written?;
        Ok(())
    }
}

/// Whether a write that failed may have been made all the same.
pub(crate) fn is_in_doubt<T>(result: &Result<T, StoreError>) -> bool {
    match result {
        Ok(_) | Err(StoreError::Changed { .. } | StoreError::Refused { .. }) => false,
        Err(_) => true,
    }
}
