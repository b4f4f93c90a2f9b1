//! What changes the vault. One change at a time, each to its end: first on disk, then in memory.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::task;
use tracing::info;

use super::{
    NewSecrets, Open, Phase, RecordView, SessionRequest, Vault, access::guests, credential, kind,
    trial::no_drawn_password,
};
use crate::{
    aside::Aside,
    credential::{Credential, Flow},
    environment::Environment,
    error::Error,
    host::Host,
    ledger::Ledger,
    record::{Record, RecordName},
    salesforce::hosts::doubt,
    secret::Passphrase,
    session::{
        Session,
        decision::Want,
        entry::{Amendment, Entry, is_in_doubt},
        outages::Outages,
        quota::Quota,
        refresh::Refresher,
    },
    store::{Keys, Store, StoredRecord, new_record_id},
};

/// A record to add.
#[derive(Debug)]
pub struct NewRecord {
    pub name: RecordName,
    pub login_host: Host,
    pub flow: Flow,
    /// Of that flow.
    pub credential: Credential,
    /// What the operator says that the org is.
    pub environment: Option<Environment>,
    /// See [`Record::remind_after`].
    pub remind_after: Option<Duration>,
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    pub record: RecordView,
    pub session: Arc<Session>,
    /// Whether the check made a login.
    pub logged_in: bool,
}

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
        check_passphrase(&passphrase)?;
        self.administer(move |vault| {
            vault.look_again()?;
            let store = match &*vault.read() {
                Phase::Missing => return Err(Error::VaultMissing(vault.path.clone())),
                Phase::Locked(store) => Arc::clone(store),
                Phase::Unlocked(open) => return Ok((open.records.len(), false)),
            };
            let keys = store.unlock(&passphrase)?;
            // A login from before the lock may still be in the air; what it leaves in the ledger must not be missed.
            drop(vault.in_air.blocking_write());
            let records = store.load(&keys)?;
            let count = records.len();
            vault.install(store, keys, records);
            vault.bring_back();
            info!(records = count, "unlocked the vault");
            Ok((count, true))
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

    /// Adds a record. Returns it with what looks odd about it.
    ///
    /// # Errors
    /// If the name is taken, a field is wrong, the host may see no credential, or it can't be written.
    pub async fn add(self: &Arc<Self>, new: NewRecord) -> Result<(RecordView, Vec<String>), Error> {
        credential::check_flow(&new.flow)?;
        credential::check_login_host(&new.flow, &new.login_host)?;
        credential::check(&new.credential)?;
        kind::check(new.environment, &new.login_host, &new.flow)?;
        self.parts
            .login
            .permit(&new.login_host)
            .map_err(Error::HostNotAllowed)?;
        let username = new.flow.username();
        let warnings = username
            .and_then(|username| doubt(username, &new.login_host))
            .into_iter()
            .chain(credential::doubts(&new.credential))
            .collect();
        let record = self.administer(move |vault| vault.add_now(new)).await?;
        Ok((record, warnings))
    }

    /// Replaces secrets of a record. Returns it, false if they were the same as before, and what looks odd.
    ///
    /// # Errors
    /// If there is no such record, a secret can't be one, or it can't be written.
    pub async fn set(
        self: &Arc<Self>,
        name: RecordName,
        new: NewSecrets,
    ) -> Result<(RecordView, bool, Vec<String>), Error> {
        if !new.has_secrets() && new.remind_after.is_none() {
            let problem = "give a secret to change".to_owned();
            return Err(Error::InvalidArgument {
                field: "password",
                problem,
            });
        }
        self.administer(move |vault| {
            let (refresher, entry) = vault.find(name.as_str())?;
            let now = vault.parts.clock.now();
            no_drawn_password(&Arc::clone(&entry.lock().record))?;
            let mut warnings = Vec::new();
            let amendment = Amendment {
                now,
                remind_after: new.remind_after,
            };
            let changed = entry.amend(&refresher.store, &refresher.keys, amendment, |old| {
                if !new.has_secrets() {
                    return Ok(old.clone());
                }
                let merged = credential::merge(old, new)?;
                credential::check(&merged)?;
                warnings = credential::doubts(&merged);
                Ok(merged)
            })?;
            vault.changed.send_replace(());
            info!(record = %name, changed, "set the credential");
            Ok((
                RecordView::of(&entry, &vault.parts.retirements, now),
                changed,
                warnings,
            ))
        })
        .await
    }

    /// Removes a record and drops its session here.
    ///
    /// # Errors
    /// If there is no such record, or it can't be written.
    pub async fn remove(self: &Arc<Self>, name: RecordName) -> Result<(), Error> {
        self.administer(move |vault| {
            let (refresher, entry) = vault.find(name.as_str())?;
            entry.remove(&refresher.store, &refresher.keys)?;
            if let Phase::Unlocked(open) = &mut *vault.write() {
                open.records.remove(&name);
            }
            entry.close(Error::RecordNotFound(name.clone()));
            vault.changed.send_replace(());
            vault.forgotten.send_replace(());
            info!(record = %name, "removed the record");
            Ok(())
        })
        .await
    }

    /// Proves that a record works; with `release`, one more login is made even if the credential is latched.
    ///
    /// # Errors
    /// Why there is no session, or why the release can't be written.
    pub async fn check(
        self: &Arc<Self>,
        name: RecordName,
        release: bool,
    ) -> Result<Checked, Error> {
        let before = self.find(name.as_str())?.1.lock().machine.logins();
        if release {
            let released = name.clone();
            self.administer(move |vault| {
                let (refresher, entry) = vault.find(released.as_str())?;
                no_drawn_password(&Arc::clone(&entry.lock().record))?;
                entry.release(&refresher.store, &refresher.keys)?;
                let record = Arc::clone(&entry.lock().record);
                refresher.quota.release(&record);
                refresher.outages.answered(&record.login_host);
                vault.changed.send_replace(());
                info!(record = %released, "released the record");
                Ok(())
            })
            .await?;
        }
        let want = Want {
            fresh_proof: true,
            ..Want::default()
        };
        let session = self
            .session(
                name.as_str(),
                &SessionRequest {
                    want,
                    ..SessionRequest::default()
                },
            )
            .await?;
        let after = self.find(name.as_str())?.1.lock().machine.logins();
        Ok(Checked {
            record: self.record(name.as_str())?,
            session,
            logged_in: after > before,
        })
    }

    pub(super) async fn administer<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.administration).lock_owned().await;
        let vault = Arc::clone(self);
        let done = task::spawn_blocking(move || {
            let _turn = turn;
            work(&vault)
        });
        done.await
            .map_err(|_| Error::Internal("administration broke off"))?
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
        let quota = Quota::new(self.parts.login_share_percent);
        let now = self.parts.clock.now();
        for stored in &records {
            quota.adopt(&stored.record, &stored.ledger, now);
        }
        self.parts.audit.unlocked(&store, &keys);
        let records: BTreeMap<_, _> = records
            .into_iter()
            .map(|stored| (stored.record.name.clone(), Arc::new(Entry::new(stored))))
            .collect();
        let guests = guests(records.values());
        let refresher = Arc::new(Refresher {
            store,
            keys,
            login: Arc::clone(&self.parts.login),
            clock: Arc::clone(&self.parts.clock),
            audit: self.parts.audit.clone(),
            in_air: Arc::clone(&self.in_air),
            quota,
            outages: Outages::default(),
            changed: self.changed.clone(),
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

    pub(super) fn add_now(&self, new: NewRecord) -> Result<RecordView, Error> {
        let now: SystemTime = self.parts.clock.now();
        let refresher = {
            let phase = self.read();
            let open = self.opened(&phase)?;
            if open.records.contains_key(&new.name) {
                return Err(Error::RecordExists(new.name));
            }
            Arc::clone(&open.refresher)
        };
        self.undo_adds_in_doubt(&refresher)?;
        let record = Record {
            id: new_record_id()?,
            name: new.name.clone(),
            login_host: new.login_host,
            flow: new.flow,
            pin: None,
            credential_version: 1,
            created_at: now,
            credential_changed_at: now,
            aside: Aside::default(),
            rules: None,
            remind_after: new.remind_after,
        };
        let ledger = Ledger::default();
        let put = refresher.store.put(
            &refresher.keys,
            None,
            &record,
            &ledger,
            Some(&new.credential),
        );
        if is_in_doubt(&put)
            && let Phase::Unlocked(open) = &mut *self.write()
        {
            open.adds_in_doubt.push(record.id);
        }
        let revision = put?;
        let entry = Arc::new(Entry::new(StoredRecord {
            record,
            ledger,
            revision,
        }));
        let view = RecordView::of(&entry, &self.parts.retirements, now);
        info!(record = %new.name, "added the record");
        if let Phase::Unlocked(open) = &mut *self.write() {
            open.records.insert(new.name, entry);
        }
        self.changed.send_replace(());
        self.tokens.send_replace(());
        Ok(view)
    }

    /// An add that was said to have failed may have been made. It is taken back before the next one, or the store
    /// could hold two records of one name.
    fn undo_adds_in_doubt(&self, refresher: &Refresher) -> Result<(), Error> {
        let in_doubt = match &*self.read() {
            Phase::Unlocked(open) if !open.adds_in_doubt.is_empty() => open.adds_in_doubt.clone(),
            Phase::Unlocked(_) | Phase::Locked(_) | Phase::Missing => return Ok(()),
        };
        for stored in refresher.store.load(&refresher.keys)? {
            if in_doubt.contains(&stored.record.id) {
                refresher.store.remove(stored.record.id, stored.revision)?;
            }
        }
        if let Phase::Unlocked(open) = &mut *self.write() {
            open.adds_in_doubt.clear();
        }
        Ok(())
    }
}

fn check_passphrase(passphrase: &Passphrase) -> Result<(), Error> {
    // EXPOSE: its length, to this check.
    match passphrase.expose().len() {
        1..=1024 => Ok(()),
        _ => Err(Error::InvalidArgument {
            field: "passphrase",
            problem: "must have 1 to 1,024 bytes".to_owned(),
        }),
    }
}
