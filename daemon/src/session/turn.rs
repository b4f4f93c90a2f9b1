//! An operator's turn with a record: exchanges with Salesforce that are not for a caller's session.
//!
//! A turn takes the place of a flight, so no login of the record's own is under way meanwhile; who needs one waits for
//! the turn's end. It runs in a task of its own to its end, whatever becomes of whoever asked for it.

use std::{future::Future, sync::Arc, time::SystemTime};

use tokio::{
    sync::{OwnedRwLockReadGuard, watch},
    task,
};

use super::{
    decision::Stamp,
    entry::{Entry, Landing, Rearranged},
    refresh::Refresher,
};
use crate::{blocking, error::Error, record::Record};

/// A turn under way. Its end tells those who wait for it.
#[derive(Debug)]
pub struct Turn {
    pub refresher: Arc<Refresher>,
    pub entry: Arc<Entry>,
    pub(super) stamp: Stamp,
    tell: watch::Sender<Landing>,
    _in_air: OwnedRwLockReadGuard<()>,
}

impl Refresher {
    /// Does `work` with a record as soon as no other exchange of it is under way.
    ///
    /// # Errors
    /// Those of `work`; or if the record is gone, or the daemon is going down.
    pub async fn turn<T, F>(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        work: impl FnOnce(Turn) -> F + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let turn = loop {
            // Before anything else is done with the credential: a new refresh token is the only copy there is.
            if entry.lock().has_rotation() {
                entry.save_rotation(&self.store, &self.keys).await?;
            }
            let landing = {
                let mut state = entry.lock();
                if let Some(error) = &state.closed {
                    return Err(error.clone());
                }
                // Refused only while somebody waits for the air to clear; then nothing may take off.
                let in_air = Arc::clone(&self.in_air)
                    .try_read_owned()
                    .map_err(|_| Error::ShuttingDown)?;
                match state.machine.begin_turn() {
                    Some(stamp) => {
                        let (tell, landing) = watch::channel(None);
                        state.landing = Some(landing);
                        break Turn {
                            refresher: Arc::clone(self),
                            entry: Arc::clone(entry),
                            stamp,
                            tell,
                            _in_air: in_air,
                        };
                    }
                    None => state.landing.clone(),
                }
            };
            let Some(mut landing) = landing else {
                return Err(Error::Internal("a flight without a landing"));
            };
            // How it landed is another's affair, and so is a task that broke: then the flight is over as well.
            let _ = landing.wait_for(Option::is_some).await;
        };
        task::spawn(work(turn))
            .await
            .map_err(|_| Error::Internal("an operator's turn broke off"))?
    }
}

impl Turn {
    /// Writes a change of the record: see [`Entry::rearrange`].
    ///
    /// # Errors
    /// Those of `change`, or if the store can't write.
    pub async fn rearrange(
        &self,
        change: impl FnOnce(&Record) -> Result<Rearranged, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (store, keys) = (&self.refresher.store, &self.refresher.keys);
        self.entry
            .rearrange_in_turn(store, keys, self.now(), change)
            .await
    }

    /// Reads from the store.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Refresher, &Record) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (refresher, record) = (Arc::clone(&self.refresher), self.record());
        blocking::spawn(move || read(&refresher, &record))
            .await
            .map_err(|_| Error::Internal("opening a credential broke off"))?
    }

    /// The record as it is now, if all that was done to its credentials since the turn began was to save a new refresh
    /// token.
    ///
    /// # Errors
    /// If somebody has set another credential.
    pub fn record_unless_set(&self) -> Result<Arc<Record>, Error> {
        let state = self.entry.lock();
        let current = state.machine.is_current(self.stamp);
        current
            .then(|| Arc::clone(&state.record))
            .ok_or_else(conflict)
    }

    /// The record as it is.
    #[must_use]
    pub fn record(&self) -> Arc<Record> {
        Arc::clone(&self.entry.lock().record)
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.refresher.clock.now()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.entry.lock();
        // After a panic, a login that was entered counts as failed. After a good end there is none.
        state
            .machine
            .abandon(self.stamp, self.refresher.clock.now());
        if state.closed.is_some() {
            state.forget_sessions();
        }
        drop(state);
        // First the waiting callers of this record, who look again at once; then everybody.
        self.tell.send_replace(Some(Ok(())));
        self.entry.tell();
        self.refresher.changed.send_replace(());
    }
}

/// Two operators at once.
#[must_use]
pub fn conflict() -> Error {
    let problem = "the record was changed meanwhile; nothing was done: try again";
    Error::invalid("name", problem)
}
