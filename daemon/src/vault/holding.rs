//! Processes that hold a record's session for as long as they live, though they make no calls.
//!
//! Each has a task that sleeps until its process exits or an operator changes something. What ends it ends the hold,
//! the share of the unit that it took, and its descriptor with it.

use std::{sync::Arc, time::SystemTime};

use tokio::{sync::watch, task};

use super::{Vault, watching::Watcher};
use crate::{
    policy::{Asker, Exit},
    session::{entry::Entry, hold::Holder},
    share::{Account, Good, Portion},
};

impl Vault {
    /// The record's session is held until this process exits, the vault is locked, the record removed or the process no
    /// longer let in. Asked again, nothing changes. Returns false if the kernel does not tell of its end, its unit or user
    /// has as many holds as it may, or it may not use the record.
    pub fn hold_until_exit(
        self: &Arc<Self>,
        record: &str,
        process: Watcher,
        account: &Arc<Account>,
    ) -> bool {
        // Before the look, so that no change falls between looking and waiting.
        let changed = self.changes();
        let mut asker = Asker::new(&process.policy, &process.peer);
        let Ok((refresher, entry)) = self.find_for(&mut asker, record) else {
            return false;
        };
        let Some(lifeline) = process.peer.lifeline().filter(|process| process.lives()) else {
            return false;
        };
        // By its number: it is nobody else's while it lives, and its end is heard of before the next of that number is.
        if !entry.lock().holds.is_bound(process.holder) {
            let Some(portion) = account.portion(Good::Holds) else {
                return false;
            };
            let Ok(exit) = lifeline.exit() else {
                return false;
            };
            let Some(bond) = Bond::of(&entry, process.holder, self.now()) else {
                return true;
            };
            let holding = Holding {
                vault: Arc::clone(self),
                record: record.to_owned(),
                process,
                bond,
                _portion: portion,
            };
            task::spawn(async move { holding.last(exit, changed).await });
        }
        refresher.keep(&entry);
        true
    }
}

/// A process that holds a session.
struct Holding {
    vault: Arc<Vault>,
    record: String,
    process: Watcher,
    bond: Bond,
    _portion: Portion,
}

/// A place among those who hold the session of an entry.
struct Bond {
    entry: Arc<Entry>,
    process: Holder,
}

impl Holding {
    async fn last(self, exit: Exit, mut changed: watch::Receiver<()>) {
        let mut ending = self.vault.ending.subscribe();
        loop {
            tokio::select! {
                () = exit.happened() => return,
                _ = ending.wait_for(|ending| *ending) => return,
                // The sender is in the vault, which is held.
                _ = changed.changed() => {}
            }
            if !self.may_go_on() {
                return;
            }
        }
    }

    /// What was allowed when the session was taken need not be allowed any more.
    fn may_go_on(&self) -> bool {
        let mut asker = Asker::new(&self.process.policy, &self.process.peer);
        let found = self.vault.find_for(&mut asker, &self.record);
        // Locked and unlocked, or removed and added, it is another: what was held there has been dropped.
        found.is_ok_and(|(_, entry)| Arc::ptr_eq(&entry, &self.bond.entry))
    }
}

impl Bond {
    /// None if the process holds it already.
    fn of(entry: &Arc<Entry>, process: Holder, now: SystemTime) -> Option<Self> {
        // Told to nobody: it is nothing to those who watch, and who keeps the session already goes on doing so.
        entry.lock().holds.bind(process, now).then(|| Self {
            entry: Arc::clone(entry),
            process,
        })
    }
}

impl Drop for Bond {
    fn drop(&mut self) {
        let last = self.entry.lock().holds.release(self.process);
        if last {
            // For who keeps the session. Those who watch would all look again, after each job.
            self.entry.tell();
        }
    }
}
