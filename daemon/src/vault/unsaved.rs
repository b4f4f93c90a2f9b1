//! New refresh tokens that the disk would not take, when the vault is locked, unlocked, or left for good.
//!
//! A lock is not refused for a full disk. The keys leave the memory; a token that exists nowhere else stays in it, and
//! the next unlocking saves it.

use std::sync::{Arc, PoisonError};

use tokio::task;
use tracing::{error, warn};

use super::{Open, Phase, Vault};
use crate::session::{entry::Entry, refresh::Refresher};

impl Vault {
    /// The vault is being locked and its records are closed, so no login begins: what waits is tried once more, and
    /// what fails is set aside, as is each record whose login is under way and may yet bring a token. Blocks.
    pub(super) fn set_aside(&self, open: &Open) {
        let aside = open.records.values().filter(|entry| {
            if waits(entry) {
                save(&open.refresher, entry);
            }
            let state = entry.lock();
            state.has_rotation() || state.machine.is_in_flight()
        });
        let aside: Vec<_> = aside.cloned().collect();
        self.aside().extend(aside);
    }

    /// The vault was unlocked, and no login of the time before is under way: their tokens come back. Blocks.
    pub(super) fn bring_back(&self) {
        let aside = std::mem::take(&mut *self.aside());
        if let Phase::Unlocked(open) = &*self.read() {
            for stray in aside {
                let record = open.records.values().find(|entry| entry.id() == stray.id());
                if let (Some(entry), Some(rotation)) = (record, stray.take_rotation()) {
                    entry.keep_rotation(rotation);
                    save(&open.refresher, entry);
                }
            }
        }
    }

    /// The daemon ends, and no login is under way: what is not saved now is lost.
    pub async fn save_tokens(self: &Arc<Self>) {
        let vault = Arc::clone(self);
        let saved = task::spawn_blocking(move || {
            let mut lost: Vec<_> = vault
                .aside()
                .iter()
                .filter(|it| waits(it))
                .cloned()
                .collect();
            if let Phase::Unlocked(open) = &*vault.read() {
                let waiting = open.records.values().filter(|entry| waits(entry));
                lost.extend(
                    waiting
                        .filter(|entry| !save(&open.refresher, entry))
                        .cloned(),
                );
            }
            for entry in lost {
                let record = &entry.lock().record;
                error!(record = %record.name, "the new refresh token is lost: `sfvault login` gets another");
            }
        });
        // It broke off: nothing more can be done here.
        let _ = saved.await;
    }

    fn aside(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Entry>>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waits(entry: &Arc<Entry>) -> bool {
    entry.lock().has_rotation()
}

/// Returns whether nothing waits any more.
fn save(refresher: &Refresher, entry: &Arc<Entry>) -> bool {
    let saved = entry.save_rotation_now(&refresher.store, &refresher.keys);
    if let Err(problem) = &saved {
        let record = &entry.lock().record;
        warn!(record = %record.name, %problem, "a new refresh token still can't be saved");
    }
    saved.is_ok()
}
