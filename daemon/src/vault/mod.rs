//! The vault: records by name, locked or not, and the one place where requests meet them.
//!
//! Reading a session takes a read lock and the record's own lock, each for microseconds. Administration is serialised
//! and runs on a blocking thread to its end, whatever becomes of the caller: what was begun is done or not done.

mod access;
mod browser_login;
mod check;
mod credential;
pub mod doctor;
mod facts;
mod generate;
mod holding;
mod kind;
mod lock;
mod migrate;
mod overview;
mod pending;
mod records;
mod request;
mod rotate;
mod token_keeper;
mod trial;
mod unsaved;
mod view;
pub mod watching;

pub use access::{Access, Listing};
pub use browser_login::{BegunLogin, Callback, NewLogin};
pub use check::Checked;
pub use credential::NewSecrets;
pub use facts::Facts;
pub use migrate::{Migrated, Migration};
use pending::PendingLogins;
pub use records::NewRecord;
pub use request::{LONGEST_WAIT, SessionRequest};
pub use rotate::{Rotated, Rotation};
pub use view::RecordView;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::timeout};

use crate::{
    audit::{Audit, event::Fingerprint},
    blocking,
    clock::Clock,
    error::Error,
    policy::Guests,
    record::{RecordId, RecordName},
    retirement::Retirements,
    salesforce::Login,
    secret::SessionId,
    session::{entry::Entry, refresh::Refresher},
    store::{KdfCost, Keys, Store, StoreError},
    token_upkeep::TokenUpkeep,
};

/// What a vault needs from outside.
#[derive(Debug, Clone)]
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub login: Arc<dyn Login>,
    /// What a passphrase slot of a new vault costs to open.
    pub kdf: KdfCost,
    pub token_upkeep: TokenUpkeep,
    /// Told about logins, and when the vault is unlocked and locked.
    pub audit: Audit,
    /// What Salesforce is taking away.
    pub retirements: Arc<Retirements>,
    /// How many of the logins that Salesforce takes from one user in an hour are ours to make, in percent.
    pub login_share_percent: u32,
    /// For how long after a GetSession its session is held.
    pub hold_after_get: Duration,
}

/// The vault of this daemon.
#[derive(Debug)]
pub struct Vault {
    path: PathBuf,
    parts: Parts,
    phase: RwLock<Phase>,
    administration: Arc<tokio::sync::Mutex<()>>,
    in_air: Arc<tokio::sync::RwLock<()>>,
    changed: watch::Sender<()>,
    /// Told when a login, a proof or a trial of any record ended. Apart, for it is the most frequent news and concerns
    /// only who waits for another record's user or host too.
    usable: watch::Sender<()>,
    ending: watch::Sender<bool>,
    /// Told when the keeper must look: a refresh token came, or could not be saved.
    tokens: watch::Sender<()>,
    logins: Mutex<PendingLogins>,
    /// Records from before the last lock, whose new refresh tokens could not be saved or may yet come.
    aside: Mutex<Vec<Arc<Entry>>>,
    forgotten: watch::Sender<()>,
}

#[derive(Debug)]
enum Phase {
    /// There is no vault file.
    Missing,
    Locked(Arc<Store>),
    Unlocked(Open),
}

#[derive(Debug)]
struct Open {
    refresher: Arc<Refresher>,
    records: BTreeMap<RecordName, Arc<Entry>>,
    /// Whom the rules of all records speak of.
    guests: Arc<Guests>,
    /// Adds that failed in a way that does not tell whether they were made.
    adds_in_doubt: Vec<RecordId>,
}

/// Whether secrets can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// There is no vault file.
    Missing,
    Locked,
    Unlocked,
}

impl Vault {
    /// Opens the vault file, if there is one; it stays locked.
    ///
    /// # Errors
    /// If there is a file that is no vault of ours, is damaged, or is in use.
    pub fn open(path: &Path, parts: Parts) -> Result<Arc<Self>, StoreError> {
        Ok(Self::over(path, Store::open(path)?, parts))
    }

    /// The vault that a store holds, unlocked.
    ///
    /// # Errors
    /// If its records can't be read.
    pub(crate) fn unlocked(
        path: &Path,
        store: Store,
        keys: Keys,
        parts: Parts,
    ) -> Result<Arc<Self>, StoreError> {
        let records = store.load(&keys)?;
        let vault = Self::over(path, None, parts);
        vault.install(Arc::new(store), keys, records);
        Ok(vault)
    }

    fn over(path: &Path, store: Option<Store>, parts: Parts) -> Arc<Self> {
        let phase = store.map_or(Phase::Missing, |store| Phase::Locked(Arc::new(store)));
        Arc::new(Self {
            path: path.to_owned(),
            parts,
            phase: RwLock::new(phase),
            administration: Arc::default(),
            in_air: Arc::default(),
            changed: watch::Sender::new(()),
            usable: watch::Sender::new(()),
            ending: watch::Sender::new(false),
            tokens: watch::Sender::new(()),
            logins: Mutex::default(),
            aside: Mutex::default(),
            forgotten: watch::Sender::new(()),
        })
    }

    /// The vault file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The time by which the vault's deadlines go.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.parts.clock.now()
    }

    /// Whether secrets can be had.
    #[must_use]
    pub fn lock_state(&self) -> LockState {
        match &*self.read() {
            Phase::Missing => LockState::Missing,
            Phase::Locked(_) => LockState::Locked,
            Phase::Unlocked(_) => LockState::Unlocked,
        }
    }

    /// Told whenever the vault was locked or unlocked, or an operator changed records or rules. What logins change is told
    /// by the records.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Told whenever secrets were dropped here that a connection may still hold: the vault was locked, or a record
    /// removed.
    #[must_use]
    pub fn forgotten(&self) -> watch::Receiver<()> {
        self.forgotten.subscribe()
    }

    /// Ends all watching: the daemon goes down.
    pub fn end_watches(&self) {
        self.ending.send_replace(true);
    }

    /// How the audit names a session of this vault, whether it is known here or not.
    ///
    /// # Errors
    /// If the vault is missing or locked.
    pub fn fingerprint(&self, session: &SessionId) -> Result<Fingerprint, Error> {
        let phase = self.read();
        let keys = &self.opened(&phase)?.refresher.keys;
        let digest = keys.fingerprint(session).map(Fingerprint);
        digest.ok_or(Error::Internal("a session id has no fingerprint"))
    }

    /// Waits until no login or proof is under way, at most for `patience`. Returns whether that came true.
    pub async fn settle(&self, patience: Duration) -> bool {
        timeout(patience, self.in_air.write()).await.is_ok()
    }

    /// Does `work` when no other change is under way, to its end: first on disk, then in memory.
    async fn administer<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.administration).lock_owned().await;
        let vault = Arc::clone(self);
        let done = blocking::spawn(move || {
            let _turn = turn;
            work(&vault)
        });
        done.await
            .map_err(|_| Error::Internal("administration broke off"))?
    }

    fn find(&self, name: &str) -> Result<(Arc<Refresher>, Arc<Entry>), Error> {
        let phase = self.read();
        let open = self.opened(&phase)?;
        match open.records.get(name) {
            Some(entry) => Ok((Arc::clone(&open.refresher), Arc::clone(entry))),
            None => Err(Error::RecordNotFound(parse_name(name)?)),
        }
    }

    fn opened<'p>(&self, phase: &'p Phase) -> Result<&'p Open, Error> {
        match phase {
            Phase::Missing => Err(Error::VaultMissing(self.path.clone())),
            Phase::Locked(_) => Err(Error::VaultLocked),
            Phase::Unlocked(open) => Ok(open),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Phase> {
        self.phase.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Phase> {
        self.phase.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the record that a call is for.
///
/// # Errors
/// If it is none.
pub(crate) fn parse_name(name: &str) -> Result<RecordName, Error> {
    RecordName::parse(name).map_err(|problem| Error::invalid("record", problem.to_string()))
}

#[cfg(test)]
mod tests;
