//! New refresh tokens, and answers of Salesforce, that the disk would not take, when the vault is locked, unlocked, or left
//! for good.
//!
//! A lock is not refused for a full disk. The keys leave the memory; a token that exists nowhere else stays in it, as does
//! what forbids a login that would be one too many, and the next unlocking saves both.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use tracing::{error, warn};

use super::{Open, Phase, Vault};
use crate::{
    blocking,
    record::RecordName,
    session::{entry::Entry, refresh::Refresher},
};

impl Vault {
    /// The vault is being locked and its records are closed, so no login begins: what waits is tried once more, and
    /// what fails is set aside, as is each record whose login is under way and may yet bring a token, or an answer that
    /// can't be saved. Blocks.
    pub(super) fn set_aside(&self, open: &Open) {
        for entry in open.records.values() {
            if waits(entry) {
                save(&open.refresher, entry);
            }
            if is_behind(entry) {
                save_answer(&open.refresher, entry);
            }
            let mut state = entry.lock();
            let in_air = state.is_in_air();
            // Else the flight may still have to write it, and drops it at its end.
            if !in_air {
                state.forget_sessions();
            }
            let stays = state.has_rotation() || state.unsaved || in_air;
            drop(state);
            if stays {
                self.aside().push(Arc::clone(entry));
            }
        }
    }

    /// The vault is being unlocked, and no login of the time before is under way: what was set aside goes on in these
    /// records, which nobody can ask yet.
    pub(super) fn bring_back(&self, records: &BTreeMap<RecordName, Arc<Entry>>) {
        for stray in std::mem::take(&mut *self.aside()) {
            let record = records.values().find(|entry| entry.id() == stray.id());
            let Some(entry) = record else { continue };
            take_over(entry, &stray);
            if let Some(rotation) = stray.take_rotation() {
                entry.keep_rotation(rotation);
            }
        }
    }

    /// The vault was unlocked: what was set aside is tried once more. Blocks.
    pub(super) fn save_what_was_aside(&self) {
        if let Phase::Unlocked(open) = &*self.read() {
            for entry in open.records.values() {
                let unsaved = entry.lock().unsaved;
                if unsaved {
                    save_answer(&open.refresher, entry);
                }
                if waits(entry) {
                    save(&open.refresher, entry);
                }
            }
        }
    }

    /// The daemon ends, and no login is under way: what is not saved now is lost.
    pub async fn save_tokens(self: &Arc<Self>) {
        let vault = Arc::clone(self);
        let saved = blocking::spawn(move || {
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

    pub(super) fn aside(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Entry>>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waits(entry: &Arc<Entry>) -> bool {
    entry.lock().has_rotation()
}

fn is_behind(entry: &Entry) -> bool {
    let state = entry.lock();
    state.unsaved || state.is_store_behind()
}

/// What `stray` knew and could not save goes on in `entry`. What it knew of another credential matters no more.
fn take_over(entry: &Entry, stray: &Entry) {
    let (version, ledger) = {
        let stray = stray.lock();
        if !stray.unsaved {
            return;
        }
        let ledger = stray.machine.ledger().clone();
        (stray.record.credential_version, ledger)
    };
    let mut state = entry.lock();
    let stored = state.machine.ledger().generation;
    if state.record.credential_version != version || stored > ledger.generation {
        return;
    }
    state.machine.take_over(ledger);
    state.unsaved = true;
}

/// What fails goes on being unsaved.
fn save_answer(refresher: &Refresher, entry: &Entry) {
    if let Err(problem) = entry.save_now(&refresher.store, &refresher.keys) {
        let record = &entry.lock().record;
        warn!(record = %record.name, %problem, "the result of a login still can't be saved");
    }
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
