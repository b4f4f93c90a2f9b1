//! One record in an unlocked vault: its data, its [`Machine`], and its row in the store.
//!
//! Memory is the truth while the vault is unlocked; the row follows it. One writer at a time writes the row, and
//! always what memory holds at that moment, so a late write can't bring back an old state.

mod rotation;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

pub use rotation::Rotation;
use tokio::{sync::watch, task};

use super::{decision::Effect, hold::Holds, machine::Machine, reported::Reported};
use crate::{
    access::Rule,
    aside::Aside,
    credential::Credential,
    error::Error,
    kept::KeptSession,
    ledger::Ledger,
    record::{Record, RecordId},
    store::{Credentials, Keys, Revision, Store, StoreError, StoredRecord},
};

/// How a flight landed: in the air, or done. An error is one of ours, not Salesforce's: that one is in the machine.
pub type Landing = Option<Result<(), Error>>;

/// A record in an unlocked vault.
#[derive(Debug)]
pub struct Entry {
    id: RecordId,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    row: Arc<tokio::sync::Mutex<Row>>,
}

/// What is known of the record's row in the store.
#[derive(Debug)]
struct Row {
    revision: Revision,
    /// A write failed in a way that does not tell whether it was made.
    in_doubt: Option<Change>,
}

/// What a write changes.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// The record, its ledger, or its credential at the wish of an operator.
    Wanted,
    /// The refresh token, by a login.
    Rotation,
}

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

/// What [`Entry::lock`] gives access to.
#[derive(Debug)]
pub struct State {
    pub record: Arc<Record>,
    pub machine: Machine,
    /// Where the callers of the flight under way wait.
    pub landing: Option<watch::Receiver<Landing>>,
    /// What a flight brought must not be told before it is durable, and its save failed.
    pub unsaved: bool,
    /// The session that the store keeps, as far as is known.
    stored_session: Option<KeptSession>,
    /// A new refresh token that is not on disk yet.
    rotation: Option<Rotation>,
    /// Set when the vault was locked or the record removed: what callers who still hold the entry get.
    pub closed: Option<Error>,
    pub holds: Holds,
    /// Who called sessions refused.
    pub reported: Reported,
    /// A keeper runs for it.
    pub kept: bool,
}

impl Entry {
    /// The entry of a record that the store loaded or has just stored.
    #[must_use]
    pub fn new(stored: StoredRecord) -> Self {
        let stored_session = stored.ledger.kept.clone();
        let machine = Machine::new(stored.ledger, stored.record.credential_version);
        Self {
            id: stored.record.id,
            state: Mutex::new(State {
                record: Arc::new(stored.record),
                machine,
                landing: None,
                unsaved: false,
                stored_session,
                rotation: None,
                closed: None,
                holds: Holds::default(),
                reported: Reported::default(),
                kept: false,
            }),
            changed: watch::Sender::new(()),
            row: Arc::new(tokio::sync::Mutex::new(Row {
                revision: stored.revision,
                in_doubt: None,
            })),
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
        let had_session = state.machine.forget_sessions();
        drop(state);
        self.tell();
        had_session
    }

    /// Told whenever what the record does, has or is held by may have changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Wakes whoever waits for [`Entry::changes`].
    pub fn tell(&self) {
        self.changed.send_replace(());
    }

    /// Writes the record and its ledger as they are now. Goes on to its end even if the caller goes away.
    ///
    /// # Errors
    /// If the store can't write; memory stays as it is.
    pub async fn save(self: &Arc<Self>, store: &Arc<Store>, keys: &Keys) -> Result<(), Error> {
        let mut row = Arc::clone(&self.row).lock_owned().await;
        let (entry, store, keys) = (Arc::clone(self), Arc::clone(store), keys.clone());
        let written = task::spawn_blocking(move || {
            entry.settle(&store, &keys, &mut row)?;
            let (record, ledger) = {
                let state = entry.lock();
                (Arc::clone(&state.record), state.machine.ledger().clone())
            };
            row.put(&store, &keys, &record, &ledger, None)?;
            let mut state = entry.lock();
            state.unsaved = false;
            state.stored_session = ledger.kept;
            drop(state);
            Ok::<(), StoreError>(())
        });
        Ok(written
            .await
            .map_err(|_| Error::Internal("a write to the vault broke off"))??)
    }

    /// [`Entry::amend`] that changes the credential only.
    ///
    /// # Errors
    /// Those of [`Entry::amend`].
    pub fn set_credential(
        &self,
        store: &Store,
        keys: &Keys,
        now: SystemTime,
        change: impl FnOnce(&Credential) -> Result<Credential, Error>,
    ) -> Result<bool, Error> {
        let amendment = Amendment {
            now,
            remind_after: None,
        };
        self.amend(store, keys, amendment, change)
    }

    /// Replaces the credential by what `change` makes of the present one, and the reminder: first in the store, then in
    /// memory, both at once.
    /// Returns false if the secrets stay the same. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// Those of `change`, or if the store can't read or write; then nothing changed.
    pub fn amend(
        &self,
        store: &Store,
        keys: &Keys,
        amendment: Amendment,
        change: impl FnOnce(&Credential) -> Result<Credential, Error>,
    ) -> Result<bool, Error> {
        let mut row = self.row.blocking_lock();
        self.settle(store, keys, &mut row)?;
        let mut record = Record::clone(&self.lock().record);
        let stored = store.credential(keys, &record)?;
        // Not the spent token, if the one in its place could not be saved so far: this write saves it.
        let new = change(&self.present(&stored))?;
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
        let mut row = self.row.blocking_lock();
        self.settle(store, keys, &mut row)?;
        let record = Arc::clone(&self.lock().record);
        let Rearranged {
            record,
            credential,
            drawn,
            effect,
        } = change(&record)?;
        let version = record.credential_version;
        let mut trial = self.lock().machine.clone();
        trial.take_effect(&effect, version, now);
        let credentials = Credentials {
            new: credential.as_ref(),
            drawn: drawn.as_ref(),
        };
        let written = store.rearrange(keys, row.revision, &record, trial.ledger(), credentials);
        row.wrote(Change::Wanted, written)?;
        {
            let mut state = self.lock();
            state.machine.take_effect(&effect, version, now);
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

    /// Releases a latch and a spent login budget: first in the store, then in memory. Blocks; callers run it on a
    /// blocking thread.
    ///
    /// # Errors
    /// If the store can't write; then nothing changed.
    pub fn release(&self, store: &Store, keys: &Keys) -> Result<(), StoreError> {
        let mut row = self.row.blocking_lock();
        self.settle(store, keys, &mut row)?;
        let record = Record::clone(&self.lock().record);
        self.commit(store, keys, &mut row, record, None, Machine::release)
    }

    /// Removes the record's row. Blocks; callers run it on a blocking thread.
    ///
    /// # Errors
    /// If the store can't write; then the row is still there.
    pub fn remove(&self, store: &Store, keys: &Keys) -> Result<(), StoreError> {
        let mut row = self.row.blocking_lock();
        match self.settle(store, keys, &mut row) {
            // An earlier attempt, which was said to have failed, had removed it.
            Err(StoreError::Changed { .. }) => return Ok(()),
            settled => settled?,
        }
        let removed = store.remove(self.id, row.revision);
        row.in_doubt = is_in_doubt(&removed).then_some(Change::Wanted);
        removed
    }

    /// After a write that may have been made or not, reads which it is. What was made is taken over, though whoever
    /// asked for it was told that it failed.
    fn settle(&self, store: &Store, keys: &Keys, row: &mut Row) -> Result<(), StoreError> {
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
            // A password that a failed write drew was never sent, and memory knows nothing of it.
            let drawn = state.record.aside.drawn.and(stored.record.aside.drawn);
            let aside = Aside {
                drawn,
                ..stored.record.aside.clone()
            };
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

    fn commit(
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
}

impl State {
    /// Whether the store keeps a session that is no longer the right one.
    #[must_use]
    pub fn is_store_behind(&self) -> bool {
        self.machine.ledger().kept != self.stored_session
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
    fn wrote(
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
