//! The vault: records by name, locked or not, and the one place where requests meet them.
//!
//! Reading a session takes a read lock and the record's own lock, each for microseconds. Administration is serialised
//! and runs on a blocking thread to its end, whatever becomes of the caller: what was begun is done or not done.

mod access;
mod administration;
mod browser_login;
mod credential;
pub mod doctor;
mod facts;
mod generate;
mod keeper;
mod kind;
mod migrate;
mod pending;
mod rotate;
mod trial;
mod unsaved;
mod view;
pub mod watching;

pub use access::{Access, Listing};
pub use administration::{Checked, NewRecord};
pub use browser_login::{BegunLogin, Callback, NewLogin};
pub use credential::NewSecrets;
pub use facts::Facts;
pub use migrate::{Migrated, Migration};
use pending::PendingLogins;
pub use rotate::{Rotated, Rotation};
pub use view::RecordView;

use std::{
    collections::BTreeMap,
    future::poll_fn,
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    audit::{Audit, event::Fingerprint},
    clock::Clock,
    environment::Environment,
    error::Error,
    failure::Failure,
    host::Host,
    keep_alive::KeepAlive,
    policy::{Asker, Guests},
    record::{Record, RecordId, RecordName, same_org},
    retirement::{Nearness, Retirements},
    salesforce::{Login, Survey},
    secret::SessionId,
    session::{
        Session,
        decision::Want,
        entry::Entry,
        hold::{Hold, Holder},
        refresh::Refresher,
    },
    share::Account,
    store::{KdfCost, Keys, Store, StoreError},
};

/// The longest that a call may wait for a record to become usable.
pub const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// A waiting caller looks again at least so often: sleeps must not outlast a suspend or a clock step by much.
const LONGEST_NAP: Duration = Duration::from_mins(1);

/// What a vault needs from outside.
#[derive(Debug, Clone)]
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub login: Arc<dyn Login>,
    /// What a passphrase slot of a new vault costs to open.
    pub kdf: KdfCost,
    pub keep_alive: KeepAlive,
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

/// A caller's request for a session.
#[derive(Debug, Clone, Default)]
pub struct SessionRequest {
    pub want: Want,
    /// The org that the record must belong to, as 15 or 18 characters.
    pub expect_org: Option<String>,
    /// The kind of org that the record must belong to.
    pub expect_environment: Option<Environment>,
    /// How long to wait for a record to become usable, at most [`LONGEST_WAIT`].
    pub wait: Duration,
    /// Who answers for a login that comes of it; nobody if the operator asks.
    pub cause: Option<Arc<Account>>,
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

    /// Told whenever the vault was locked or unlocked, or a record may have become usable.
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

    /// A session of the record for the operator, who needs no rule; otherwise as [`Self::session_for`].
    ///
    /// # Errors
    /// As [`Self::session_for`].
    pub async fn session(
        &self,
        name: &str,
        request: &SessionRequest,
    ) -> Result<Arc<Session>, Error> {
        self.session_of(name, request, None).await
    }

    /// A session of the record, from memory where there is one that fits, if the peer may use the record: when it asks,
    /// and again when it has waited.
    ///
    /// # Errors
    /// Why there is none. All callers of one login get the same. Who may not use the record gets what he would get if
    /// there were none.
    pub async fn session_for(
        &self,
        asker: &mut Asker<'_>,
        name: &str,
        request: &SessionRequest,
    ) -> Result<Arc<Session>, Error> {
        self.session_of(name, request, Some(asker)).await
    }

    async fn session_of(
        &self,
        name: &str,
        request: &SessionRequest,
        mut asker: Option<&mut Asker<'_>>,
    ) -> Result<Arc<Session>, Error> {
        if request.wait.is_zero() {
            return self.session_now(name, request, asker).await;
        }
        let deadline = Instant::now() + request.wait.min(LONGEST_WAIT);
        // Before the first look, so that no change falls between looking and waiting.
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(asker) = &mut asker {
                asker.ask_again();
            }
            let result = self.session_now(name, request, asker.as_deref_mut()).await;
            let nap = match &result {
                Err(error) => error.may_pass_in(),
                Ok(_) => None,
            };
            let Some(nap) = nap.filter(|_| Instant::now() < deadline) else {
                return result;
            };
            // Either a change or the end of the nap; which one does not matter.
            let _ = timeout_at(
                deadline.min(Instant::now() + nap.min(LONGEST_NAP)),
                changed.changed(),
            )
            .await;
        }
    }

    async fn session_now(
        &self,
        name: &str,
        request: &SessionRequest,
        mut asker: Option<&mut Asker<'_>>,
    ) -> Result<Arc<Session>, Error> {
        let (refresher, entry) = match asker.as_deref_mut() {
            Some(asker) => self.find_for(asker, name)?,
            None => self.find(name)?,
        };
        let expected = request.expect_org.as_deref();
        if let Some(expected) = expected
            && let Some(pin) = &entry.lock().record.pin
        {
            // Before anything is sent: a job that names the wrong org must not cost a login.
            is_expected(expected, &pin.org_id)?;
        }
        let environment = request.expect_environment;
        kind::is_expected(environment, kind::known(&entry))?;
        let mut answer = pin!(refresher.session_for(&entry, request.want, request.cause.as_ref()));
        let mut waited = false;
        let answer = poll_fn(|cx| {
            let polled = answer.as_mut().poll(cx);
            waited |= polled.is_pending();
            polled
        });
        let answer = answer.await;
        if let Some(asker) = asker.filter(|_| waited) {
            // A login takes its time, and the rules or the peer may be others by now.
            asker.ask_again();
            self.find_for(asker, name)?;
        }
        let session = answer?;
        if let Some(expected) = expected {
            is_expected(expected, &session.org_id)?;
        }
        kind::is_expected(environment, Some(Environment::of_flag(session.sandbox)))?;
        Ok(session)
    }

    /// Somebody took the record's session: it is held for a while. Returns [`Self::warnings`].
    pub fn got(&self, name: &str, holder: Holder) -> Vec<String> {
        // Who removed the record meanwhile has ended that hold too.
        let Ok((refresher, entry)) = self.find(name) else {
            return Vec::new();
        };
        let now = self.parts.clock.now();
        let record = {
            let mut state = entry.lock();
            state.holds.got(holder, now);
            Arc::clone(&state.record)
        };
        if !refresher.hold_after_get.is_zero() {
            refresher.keep(&entry);
        }
        self.warnings_of(&record, now)
    }

    /// Who may be cut off if the record's session ends, if there is one: streams, and who took it within its timeout.
    ///
    /// # Errors
    /// If there is no such record, or the vault is missing or locked.
    pub fn holders(&self, name: &str) -> Result<Option<Vec<Hold>>, Error> {
        let (_, entry) = self.find(name)?;
        let state = entry.lock();
        let now = self.parts.clock.now();
        let session = state.machine.session();
        Ok(session.map(|session| state.holds.list(session.timeout, now)))
    }

    /// Ends the record's session at Salesforce. Returns false if there is none here.
    ///
    /// # Errors
    /// If there is no such record, the vault is missing or locked, or Salesforce did not say that it ended.
    pub async fn end_session(&self, name: &str) -> Result<bool, Error> {
        let (refresher, entry) = self.find(name)?;
        refresher.end_session(&entry).await
    }

    /// Ends all watching: the daemon goes down.
    pub fn end_watches(&self) {
        self.ending.send_replace(true);
    }

    /// All records, in the order of their names; none while the vault is locked.
    ///
    /// # Errors
    /// If the vault is missing or locked.
    pub fn records(&self) -> Result<Vec<RecordView>, Error> {
        let now = self.parts.clock.now();
        let phase = self.read();
        let open = self.opened(&phase)?;
        Ok(open
            .records
            .values()
            .map(|entry| RecordView::of(entry, &self.parts.retirements, now))
            .map(|view| view.with_usage(&open.refresher.quota))
            .collect())
    }

    /// One record.
    ///
    /// # Errors
    /// If there is none of this name, or the vault is missing or locked.
    pub fn record(&self, name: &str) -> Result<RecordView, Error> {
        let (refresher, entry) = self.find(name)?;
        let view = RecordView::of(&entry, &self.parts.retirements, self.parts.clock.now());
        Ok(view.with_usage(&refresher.quota))
    }

    /// What a job that was just given a session of this record should know, if anything.
    #[must_use]
    pub fn warnings(&self, name: &str) -> Vec<String> {
        let Ok((_, entry)) = self.find(name) else {
            return Vec::new();
        };
        let record = Arc::clone(&entry.lock().record);
        self.warnings_of(&record, self.parts.clock.now())
    }

    fn warnings_of(&self, record: &Record, now: SystemTime) -> Vec<String> {
        let retirements = &self.parts.retirements;
        retirements
            .of(record.flow.kind(), &record.login_host)
            .filter(|retirement| retirement.nearness(now) > Nearness::Ahead)
            .map(|retirement| retirement.text.to_string())
            .collect()
    }

    /// What a login host tells without a login, and the time here when it told it.
    pub async fn survey(&self, host: &Host) -> (Result<Survey, Failure>, SystemTime) {
        let survey = self.parts.login.survey(host).await;
        (survey, self.parts.clock.now())
    }

    /// What each key slot costs to try; none if there is no vault.
    #[must_use]
    pub fn slot_costs(&self) -> Vec<KdfCost> {
        match &*self.read() {
            Phase::Missing => Vec::new(),
            Phase::Locked(store) => store.slot_costs(),
            Phase::Unlocked(open) => open.refresher.store.slot_costs(),
        }
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

fn parse_name(name: &str) -> Result<RecordName, Error> {
    RecordName::parse(name).map_err(|problem| Error::InvalidArgument {
        field: "record",
        problem: problem.to_string(),
    })
}

fn is_expected(expected: &str, actual: &str) -> Result<(), Error> {
    if same_org(expected, actual) {
        return Ok(());
    }
    Err(Error::UnexpectedOrg {
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    })
}

#[cfg(test)]
mod tests;
