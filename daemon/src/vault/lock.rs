//! The vault's making, unlocking and locking.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tracing::info;

use super::{Open, Phase, Vault, access::guests};
use crate::{
    error::Error,
    ledger::Ledger,
    secret::Passphrase,
    session::{entry::Entry, outages::Outages, quota::Quota, refresh::Refresher},
    store::{Keys, Store, StoredRecord},
};

impl Vault {
    /// Makes the vault and leaves it unlocked.
    ///
    /// # Errors
    /// If there is one, or it can't be written.
    pub async fn initialize(self: &Arc<Self>, passphrase: Passphrase) -> Result<PathBuf, Error> {
        check_passphrase(&passphrase)?;
        self.administer(move |vault| {
            vault.look_again()?;
            if !matches!(*vault.read(), Phase::Missing) {
                return Err(Error::VaultExists(vault.path.clone()));
            }
            let (store, keys) = Store::create(&vault.path, &passphrase, vault.parts.kdf)?;
            vault.install(Arc::new(store), keys, Vec::new());
            info!(path = %vault.path.display(), "made the vault");
            Ok(vault.path.clone())
        })
        .await
    }

    /// Unlocks the vault. Returns how many records it holds, and false if it was unlocked already.
    ///
    /// # Errors
    /// If the passphrase is wrong, or the file is damaged.
    pub async fn unlock(self: &Arc<Self>, passphrase: Passphrase) -> Result<(usize, bool), Error> {
        self.unlock_and(passphrase, |_| {}).await
    }

    /// The same; once it has begun, `ended` hears how it ended, also if nobody waits for it any more.
    ///
    /// # Errors
    /// As [`Vault::unlock`].
    pub async fn unlock_and(
        self: &Arc<Self>,
        passphrase: Passphrase,
        ended: impl FnOnce(&Result<(usize, bool), Error>) + Send + 'static,
    ) -> Result<(usize, bool), Error> {
        check_passphrase(&passphrase)?;
        self.administer(move |vault| {
            let unlocked = vault.open_with(&passphrase);
            ended(&unlocked);
            unlocked
        })
        .await
    }

    /// Locks the vault: keys and sessions leave the memory. Returns how many sessions, and false if it was locked.
    ///
    /// # Errors
    /// If there is no vault.
    pub async fn lock(self: &Arc<Self>) -> Result<(usize, bool), Error> {
        self.administer(|vault| {
            let mut phase = vault.write();
            let store = match &*phase {
                Phase::Missing => return Err(Error::VaultMissing(vault.path.clone())),
                Phase::Locked(_) => return Ok((0, false)),
                Phase::Unlocked(open) => Arc::clone(&open.refresher.store),
            };
            let Phase::Unlocked(open) = std::mem::replace(&mut *phase, Phase::Locked(store)) else {
                return Err(Error::Internal("the vault changed while it was locked"));
            };
            drop(phase);
            vault.parts.audit.locked();
            let dropped = open
                .records
                .values()
                .filter(|entry| entry.close(Error::VaultLocked))
                .count();
            vault.set_aside(&open);
            vault.pending_logins().clear();
            vault.changed.send_replace(());
            vault.forgotten.send_replace(());
            info!(sessions = dropped, "locked the vault");
            Ok((dropped, true))
        })
        .await
    }

    fn open_with(&self, passphrase: &Passphrase) -> Result<(usize, bool), Error> {
        self.look_again()?;
        let store = match &*self.read() {
            Phase::Missing => return Err(Error::VaultMissing(self.path.clone())),
            Phase::Locked(store) => Arc::clone(store),
            Phase::Unlocked(open) => return Ok((open.records.len(), false)),
        };
        let keys = store.unlock(passphrase)?;
        // A login from before the lock may still be in the air; what it leaves in the ledger must not be missed.
        drop(self.in_air.blocking_write());
        let records = store.load(&keys)?;
        let count = records.len();
        self.install(store, keys, records);
        self.save_what_was_aside();
        info!(records = count, "unlocked the vault");
        Ok((count, true))
    }

    /// Where there was no vault file, somebody may have put a backup, or another daemon may have made one.
    fn look_again(&self) -> Result<(), Error> {
        if matches!(*self.read(), Phase::Missing)
            && let Some(store) = Store::open(&self.path)?
        {
            *self.write() = Phase::Locked(Arc::new(store));
        }
        Ok(())
    }

    pub(super) fn install(&self, store: Arc<Store>, keys: Keys, records: Vec<StoredRecord>) {
        let mut records = records;
        for Ledger { kept, .. } in records.iter_mut().map(|stored| &mut stored.ledger) {
            // Since it was kept, the operator may have withdrawn the host.
            kept.take_if(|kept| self.parts.login.permit(&kept.instance).is_err());
        }
        let records: BTreeMap<_, _> = records
            .into_iter()
            .map(|stored| (stored.record.name.clone(), Arc::new(Entry::new(stored))))
            .collect();
        // Before anybody can ask: a latch that is not known yet would let a login through.
        self.bring_back(&records);
        let quota = Quota::new(self.parts.login_share_percent);
        let outages = Outages::default();
        let now = self.parts.clock.now();
        for state in records.values().map(|entry| entry.lock()) {
            let ledger = state.machine.ledger();
            quota.adopt(&state.record, ledger, now);
            for down in &ledger.hosts_down {
                outages.adopt(down, now);
            }
        }
        self.parts.audit.unlocked(&store, &keys);
        let guests = guests(records.values());
        let refresher = Arc::new(Refresher {
            store,
            keys,
            login: Arc::clone(&self.parts.login),
            clock: Arc::clone(&self.parts.clock),
            audit: self.parts.audit.clone(),
            in_air: Arc::clone(&self.in_air),
            quota,
            outages: Arc::new(outages),
            changed: self.usable.clone(),
            hold_after_get: self.parts.hold_after_get,
            tokens: self.tokens.clone(),
        });
        *self.write() = Phase::Unlocked(Open {
            refresher,
            records,
            guests,
            adds_in_doubt: Vec::new(),
        });
        self.changed.send_replace(());
        self.tokens.send_replace(());
    }
}

fn check_passphrase(passphrase: &Passphrase) -> Result<(), Error> {
    // EXPOSE: its length, to this check.
    match passphrase.expose().len() {
        1..=1024 => Ok(()),
        _ => Err(Error::invalid("passphrase", "must have 1 to 1,024 bytes")),
    }
}
