//! One record in an unlocked vault: its data, its [`Machine`], and its row in the store.
//!
//! Memory is the truth while the vault is unlocked; the row follows it. One writer at a time writes the row, and
//! always what memory holds at that moment, so a late write can't bring back an old state.

mod change;
mod rotation;
mod row;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub use change::{Amendment, Rearranged};
pub use rotation::Rotation;
pub(crate) use row::is_in_doubt;

use super::{hold::Holds, machine::Machine, reported::Reported};
use crate::{
    error::Error,
    kept::KeptSession,
    record::{Record, RecordId},
    store::StoredRecord,
};
use row::Row;

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
        let reported = Reported::remembered(&stored.ledger);
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
                reported,
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

    /// Told whenever what the record does or has may have changed, or its session is held otherwise: by one stream more or
    /// less, or no longer by a process.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Wakes whoever waits for [`Entry::changes`].
    pub fn tell(&self) {
        self.changed.send_replace(());
    }
}

impl State {
    /// Drops what of sessions is left in a closed entry, when nothing of it is written any more: what a write takes
    /// over, the ledger must still hold.
    pub fn forget_sessions(&mut self) {
        self.machine.forget_sessions();
        self.machine.forget_kept();
        self.stored_session = None;
    }

    /// Whether a flight or a turn is under way, or writes what came of it.
    #[must_use]
    pub fn is_in_air(&self) -> bool {
        // One whose sender is gone without a word broke off.
        let landing = self.landing.as_ref();
        landing.is_some_and(|landing| landing.borrow().is_none() && landing.has_changed().is_ok())
    }

    /// Whether the store keeps a session that is no longer the right one.
    #[must_use]
    pub fn is_store_behind(&self) -> bool {
        self.machine.ledger().kept != self.stored_session
    }
}
