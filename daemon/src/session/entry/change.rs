//! What an operator changes about a record: first in the store, then in memory, and nothing if the store can't write.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    Entry,
    row::{Change, Row, is_in_doubt},
};
use crate::{
    access::Rule,
    blocking,
    credential::Credential,
    error::Error,
    record::Record,
    session::{decision::Effect, machine::Machine},
    store::{Credentials, Keys, Store, StoreError},
};

/// What [`Entry::rearrange`] writes, and what it means.
#[derive(Debug)]
pub struct Rearranged {
    pub record: Record,
    /// The record's credential, if it is another.
    pub credential: Option<Credential>,
    /// The credential with a password that was just drawn.
    pub drawn: Option<Credential>,
    pub effect: Effect,
}

impl Rearranged {
    /// Another record with the same credentials, as far as it names them.
    #[must_use]
    pub fn of(record: Record, effect: Effect) -> Self {
        Self {
            record,
            credential: None,
            drawn: None,
            effect,
        }
    }
}

/// What [`Entry::amend`] does besides changing the credential.
#[derive(Debug, Clone, Copy)]
pub struct Amendment {
    /// When a changed credential was changed.
    pub now: SystemTime,
    /// The new reminder; `Some(None)`: none from now on.
    pub remind_after: Option<Option<Duration>>,
}

impl Amendment {
    /// Nothing besides.
    #[must_use]
    pub fn none(now: SystemTime) -> Self {
        Self {
            now,
            remind_after: None,
        }
    }
}

impl Entry {
    /// Replaces the credential by what `change` makes of the record's present one, and the reminder: first in the store,
    /// then in memory, both at once.
    /// Returns false if the secrets stay the same. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// Those of `change`, or if the store can't read or write; then nothing changed.
    pub fn amend(
        &self,
        store: &Store,
        keys: &Keys,
        amendment: Amendment,
        change: impl FnOnce(&Record, &Credential) -> Result<Credential, Error>,
    ) -> Result<bool, Error> {
        let mut row = self.row.blocking_lock();
        self.settle(store, keys, &mut row)?;
        let mut record = Record::clone(&self.lock().record);
        let stored = store.credential(keys, &record)?;
        // Not the spent token, if the one in its place could not be saved so far: this write saves it.
        let new = change(&record, &self.present(&stored))?;
        let reminder = record.remind_after;
        if let Some(remind_after) = amendment.remind_after {
            record.remind_after = remind_after;
        }
        if new.matches(&stored) {
            if record.remind_after != reminder {
                self.commit(store, keys, &mut row, record, None, |_| ())?;
            }
            return Ok(false);
        }
        record.credential_version = record.next_version();
        record.credential_changed_at = amendment.now;
        let version = record.credential_version;
        let credential = Some((Change::Wanted, &new));
        self.commit(store, keys, &mut row, record, credential, |machine| {
            machine.credential_changed(version)
        })?;
        self.reconcile(&new);
        Ok(true)
    }

    /// Changes the record, its credentials and its ledger in one transaction: first in the store, then in memory.
    /// `change` sees the record as it is. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// Those of `change`, or if the store can't read or write; then nothing changed.
    pub fn rearrange(
        &self,
        store: &Store,
        keys: &Keys,
        now: SystemTime,
        change: impl FnOnce(&Record) -> Result<Rearranged, Error>,
    ) -> Result<(), Error> {
        self.rearrange_row(store, keys, now, &mut self.row.blocking_lock(), change)
    }

    /// The same for a flight or a turn, of which many may be under way: while it waits for the row it takes no thread from
    /// the pool, where who has the row needs one to write it. What was begun goes on to its end.
    ///
    /// # Errors
    /// As [`Entry::rearrange`].
    pub async fn rearrange_in_turn(
        self: &Arc<Self>,
        store: &Arc<Store>,
        keys: &Keys,
        now: SystemTime,
        change: impl FnOnce(&Record) -> Result<Rearranged, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let mut row = Arc::clone(&self.row).lock_owned().await;
        let (entry, store, keys) = (Arc::clone(self), Arc::clone(store), keys.clone());
        let written =
            blocking::spawn(move || entry.rearrange_row(&store, &keys, now, &mut row, change));
        written
            .await
            .map_err(|_| Error::Internal("a write to the vault broke off"))?
    }

    fn rearrange_row(
        &self,
        store: &Store,
        keys: &Keys,
        now: SystemTime,
        row: &mut Row,
        change: impl FnOnce(&Record) -> Result<Rearranged, Error>,
    ) -> Result<(), Error> {
        self.settle(store, keys, row)?;
        let record = Arc::clone(&self.lock().record);
        let Rearranged {
            record,
            credential,
            drawn,
            effect,
        } = change(&record)?;
        let version = record.credential_version;
        let take_effect = |machine: &mut Machine| {
            let before = machine.ledger().clone();
            machine.take_effect(&effect, version, now);
            if record.keeps_password_aside() {
                machine.keep_failures(&before);
            }
        };
        let mut trial = self.lock().machine.clone();
        take_effect(&mut trial);
        let credentials = Credentials {
            new: credential.as_ref(),
            drawn: drawn.as_ref(),
        };
        let written = store.rearrange(keys, row.revision, &record, trial.ledger(), credentials);
        row.wrote(Change::Wanted, written)?;
        {
            let mut state = self.lock();
            take_effect(&mut state.machine);
            state.stored_session = trial.ledger().kept.clone();
            state.record = Arc::new(record);
            if state.closed.is_some() {
                state.machine.forget_sessions();
            }
        }
        if let Some(credential) = &credential {
            self.reconcile(credential);
        }
        Ok(())
    }

    /// Replaces the access rules by what `change` makes of the present ones: first in the store, then in memory.
    /// Returns false, and writes nothing, if it makes none. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// Those of `change`, or if the store can't write; then nothing changed.
    pub fn set_rules(
        &self,
        store: &Store,
        keys: &Keys,
        change: impl FnOnce(Option<&[Rule]>) -> Result<Option<Arc<[Rule]>>, Error>,
    ) -> Result<bool, Error> {
        let mut row = self.row.blocking_lock();
        self.settle(store, keys, &mut row)?;
        let mut record = Record::clone(&self.lock().record);
        let Some(rules) = change(record.rules.as_deref())? else {
            return Ok(false);
        };
        record.rules = Some(rules);
        self.commit(store, keys, &mut row, record, None, |_| ())?;
        Ok(true)
    }

    /// Releases a latch, a spent login budget and the pause of the hosts that the record needs, if `permit` allows it for
    /// the record as it is: first in the store, then in memory. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// Those of `permit`, or if the store can't write; then nothing changed.
    pub fn release(
        &self,
        store: &Store,
        keys: &Keys,
        permit: impl FnOnce(&Record) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut row = self.row.blocking_lock();
        self.settle(store, keys, &mut row)?;
        let record = Record::clone(&self.lock().record);
        permit(&record)?;
        let hosts = [
            Some(record.login_host.clone()),
            self.lock().machine.instance(),
        ];
        let released = self.commit(store, keys, &mut row, record, None, |machine| {
            machine.release();
            // Other hosts stay down: a restart must not know less of them than this daemon does.
            for host in hosts.iter().flatten() {
                machine.heard(host, None);
            }
        });
        Ok(released?)
    }

    /// Removes the record's row, if `permit` lets the record go as it is. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// Those of `permit`, or if the store can't write; then the row is still there.
    pub fn remove(
        &self,
        store: &Store,
        keys: &Keys,
        permit: impl FnOnce(&Record) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut row = self.row.blocking_lock();
        match self.settle(store, keys, &mut row) {
            // An earlier attempt, which was said to have failed, had removed it.
            Err(StoreError::Changed { .. }) => return Ok(()),
            settled => settled?,
        }
        let record = Arc::clone(&self.lock().record);
        permit(&record)?;
        let removed = store.remove(self.id, row.revision);
        row.in_doubt = is_in_doubt(&removed).then_some(Change::Wanted);
        Ok(removed?)
    }
}
