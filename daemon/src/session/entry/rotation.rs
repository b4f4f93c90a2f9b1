//! A refresh token that a login brought in place of the one it sent.
//!
//! From that moment the old one is spent: Salesforce takes a second use for theft and ends the approval with all its
//! sessions. So the new one, the only copy there is, stays in memory until it is on disk, whatever fails meanwhile.
//! It is told by value where it belongs: it replaces the token that was sent, wherever that is still the record's or
//! that of the login which the record keeps aside.

use std::sync::Arc;

use tracing::info;

use super::{
    Entry, State,
    row::{Change, Row},
};
use crate::{
    blocking,
    credential::Credential,
    error::Error,
    record::Record,
    secret::RefreshToken,
    store::{Keys, Store, StoreError},
};

/// A new refresh token that is not on disk yet.
#[derive(Debug, Clone)]
pub struct Rotation {
    spent: RefreshToken,
    fresh: RefreshToken,
    /// Why it could not be saved so far.
    problem: Option<StoreError>,
    /// How often that was tried.
    tries: u64,
}

impl Rotation {
    /// What becomes of the token that was sent; `None` if the answer repeats it.
    #[must_use]
    pub fn new(spent: RefreshToken, fresh: RefreshToken) -> Option<Self> {
        (!spent.matches(&fresh)).then_some(Self {
            spent,
            fresh,
            problem: None,
            tries: 0,
        })
    }

    fn is_in(&self, credential: &Credential) -> bool {
        let token = credential.refresh_token();
        token.is_some_and(|token| token.matches(&self.fresh))
    }

    /// The credential with the new token; `None` if it does not hold the spent one.
    fn applied_to(&self, credential: &Credential) -> Option<Credential> {
        match credential {
            Credential::RefreshToken {
                refresh_token,
                consumer_secret,
            } => refresh_token
                .matches(&self.spent)
                .then(|| Credential::RefreshToken {
                    refresh_token: self.fresh.clone(),
                    consumer_secret: consumer_secret.clone(),
                }),
            Credential::SoapLogin { .. }
            | Credential::UsernamePassword { .. }
            | Credential::ClientCredentials { .. }
            | Credential::JwtBearer { .. } => None,
        }
    }
}

impl State {
    /// Why a new refresh token is still not on disk; `None` if there is none, or nobody has tried yet.
    #[must_use]
    pub fn unsaved_token(&self) -> Option<&StoreError> {
        self.rotation.as_ref()?.problem.as_ref()
    }

    /// Whether a new refresh token waits to be saved.
    #[must_use]
    pub fn has_rotation(&self) -> bool {
        self.rotation.is_some()
    }

    /// How often saving the new refresh token failed; `None` if none waits.
    #[must_use]
    pub fn tries_to_save(&self) -> Option<u64> {
        Some(self.rotation.as_ref()?.tries)
    }

    fn put_rotation(&mut self, rotation: Option<Rotation>) {
        self.machine.token_unsaved(rotation.is_some());
        self.rotation = rotation;
    }
}

impl Entry {
    /// Takes a new refresh token into memory. Until [`Entry::save_rotation`] has succeeded no login is made.
    pub fn keep_rotation(&self, rotation: Rotation) {
        self.lock().put_rotation(Some(rotation));
    }

    /// Gives up the new refresh token, if one waits, to whoever can save it.
    pub fn take_rotation(&self) -> Option<Rotation> {
        let mut state = self.lock();
        let rotation = state.rotation.clone();
        state.put_rotation(None);
        rotation
    }

    /// Saves the new refresh token, if one waits. Whoever comes while another tries shares what comes of it. What was
    /// begun goes on to its end even if the caller goes away.
    ///
    /// # Errors
    /// If the store can't write; the token stays in memory.
    pub async fn save_rotation(
        self: &Arc<Self>,
        store: &Arc<Store>,
        keys: &Keys,
    ) -> Result<(), Error> {
        let before = self.lock().tries_to_save();
        // Here and not on a thread of the pool: who has the row needs one of those threads to write it.
        let mut row = Arc::clone(&self.row).lock_owned().await;
        match &self.lock().rotation {
            None => return Ok(()),
            Some(Rotation {
                problem: Some(problem),
                tries,
                ..
            }) if Some(*tries) != before => return Err(problem.clone().into()),
            Some(_) => {}
        }
        let (entry, store, keys) = (Arc::clone(self), Arc::clone(store), keys.clone());
        let written = blocking::spawn(move || entry.try_rotation(&store, &keys, &mut row));
        Ok(written
            .await
            .map_err(|_| Error::Internal("a write to the vault broke off"))??)
    }

    /// The same; it blocks, so it is for administration only, of which one is under way at a time.
    ///
    /// # Errors
    /// As [`Entry::save_rotation`].
    pub fn save_rotation_now(&self, store: &Store, keys: &Keys) -> Result<(), StoreError> {
        self.try_rotation(store, keys, &mut self.row.blocking_lock())
    }

    fn try_rotation(&self, store: &Store, keys: &Keys, row: &mut Row) -> Result<(), StoreError> {
        let saved = self.write_rotation(store, keys, row);
        if let (Err(error), Some(rotation)) = (&saved, &mut self.lock().rotation) {
            rotation.problem = Some(error.clone());
            rotation.tries += 1;
        }
        saved
    }

    fn write_rotation(&self, store: &Store, keys: &Keys, row: &mut Row) -> Result<(), StoreError> {
        let Some(rotation) = self.lock().rotation.clone() else {
            return Ok(());
        };
        self.settle(store, keys, row)?;
        let mut record = Record::clone(&self.lock().record);
        let stored = store.credential(keys, &record)?;
        // What a failed sync left can be read, and yet be gone after a power cut: so it is written once more.
        let doubted = rotation.problem.is_some();
        let rotated = rotation.applied_to(&stored);
        if let Some(rotated) = rotated.or((doubted && rotation.is_in(&stored)).then_some(stored)) {
            // The store takes no other secrets under a version that had some. To all others the credential is the
            // same one, so it keeps its age, and latches go along.
            record.credential_version = record.next_version();
            let version = record.credential_version;
            self.commit(
                store,
                keys,
                row,
                record,
                Some((Change::Rotation, &rotated)),
                |machine| machine.credential_rotated(version),
            )?;
            info!(record = %self.lock().record.name, "saved a new refresh token");
        } else if let Some(kept) = store.kept(keys, &record)? {
            let rotated = rotation.applied_to(&kept);
            if let Some(rotated) = rotated.or((doubted && rotation.is_in(&kept)).then_some(kept)) {
                self.commit_kept(store, keys, row, record, &rotated)?;
                info!(record = %self.lock().record.name, "saved a new refresh token of the login that is kept");
            }
        }
        // Else somebody has set another token meanwhile.
        self.lock().put_rotation(None);
        self.tell();
        Ok(())
    }

    /// The record's credential as it is to be: with the new refresh token, if one waits.
    pub(super) fn present(&self, stored: &Credential) -> Credential {
        let state = self.lock();
        let rotated = state
            .rotation
            .as_ref()
            .and_then(|rotation| rotation.applied_to(stored));
        rotated.unwrap_or_else(|| stored.clone())
    }

    /// After the credential became `stored`: a token that it does not wait for is forgotten. One that came while it was
    /// written waits on.
    pub(super) fn reconcile(&self, stored: &Credential) {
        let mut state = self.lock();
        let waits = state
            .rotation
            .as_ref()
            .is_some_and(|rotation| rotation.applied_to(stored).is_some());
        if !waits {
            state.put_rotation(None);
            drop(state);
            self.tell();
        }
    }
}
