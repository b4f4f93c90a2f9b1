//! One vault, its disk and its Salesforce, driven by dice and held to the model.

mod operators;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use super::{
    dice::Dice,
    model::{Held, Known, Login, Model, NAMES},
    org::{Hand, Org, Trouble},
    passphrase::{CHEAP, passphrase},
};
use crate::{
    access::Rule,
    audit::Audit,
    credential::Credential,
    error::Error,
    record::{Record, RecordName},
    session::decision::Want,
    store::{Store, StoreError, tests::disk::Disk},
    vault::{Parts, Phase, SessionRequest, Vault},
};

/// What was done, for people to see that the test did something.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Figures {
    pub(super) operations: u64,
    pub(super) acknowledged: u64,
    pub(super) faults: u64,
    pub(super) kills: u64,
    pub(super) power_cuts: u64,
    pub(super) cut_mid_login: u64,
    pub(super) lies: u64,
    pub(super) lies_found_out: u64,
    pub(super) logins: u64,
    pub(super) migrations: u64,
    pub(super) rotations: u64,
    pub(super) rules: u64,
}

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) disk: Disk,
    pub(super) figures: Figures,
    pub(super) vault: Arc<Vault>,
    org: Arc<Org>,
    clock: Arc<Hand>,
    model: Model,
    /// Users whose kept password was rejected on a way back to it.
    turned_back: BTreeSet<String>,
    serial: u64,
}

impl World {
    /// An empty, unlocked vault.
    pub(super) async fn new(seed: u64) -> Self {
        let clock = Arc::new(Hand::new());
        let org = Arc::new(Org::new(Arc::clone(&clock)));
        let disk = Disk::default();
        drop(Store::create_backend(disk.clone(), &passphrase(), CHEAP).unwrap());
        let vault = open(&disk, &org, &clock).unwrap();
        vault.unlock(passphrase()).await.unwrap();
        Self {
            dice: Dice::new(seed),
            disk,
            figures: Figures::default(),
            vault,
            org,
            clock,
            model: Model::empty(),
            turned_back: BTreeSet::new(),
            serial: 0,
        }
    }

    /// Does one thing, and returns why it failed if the disk is to blame.
    pub(super) async fn operate(&mut self) -> Option<StoreError> {
        self.figures.operations += 1;
        let name = self.dice.pick(&NAMES);
        let result = match self.dice.below(22) {
            0..=2 => self.add(name).await,
            3..=4 => self.set(name).await,
            5 => self.remove(name).await,
            6..=10 => self.session(name).await,
            11 => self.check(name).await,
            12 => self.lock_and_unlock().await,
            13 => {
                let minutes = self.dice.pick(&[1, 3, 16, 150]);
                self.clock.advance(std::time::Duration::from_mins(minutes));
                Ok(())
            }
            14 => {
                self.org.end_sessions();
                Ok(())
            }
            15 | 16 => self.rotate(name).await,
            17 | 18 => self.migrate(name).await,
            19 | 20 => self.change_rules(name).await,
            _ => {
                if let Some(username) = self.username(name) {
                    self.org.void_password(&username);
                }
                Ok(())
            }
        };
        assert_eq!(self.org.violations(), Vec::<String>::new());
        match result {
            Ok(()) => {
                self.figures.acknowledged += 1;
                None
            }
            Err(error) => self.judge(name, error),
        }
    }

    /// A login is on its way to Salesforce when the daemon dies. Returns whether it came to that.
    pub(super) async fn hang_in_login(&mut self) -> bool {
        self.org.end_sessions();
        self.clock.advance(std::time::Duration::from_hours(3));
        self.org.trouble(Some(Trouble::Hang));
        let name = self.dice.pick(&NAMES);
        let hangs = self.org.hangs.notified();
        let request = SessionRequest::default();
        let hung = tokio::select! {
            _ = self.vault.session(name, &request) => false,
            () = hangs => true,
        };
        self.org.trouble(None);
        self.figures.cut_mid_login += u64::from(hung);
        hung
    }

    /// The daemon dies, and its disk keeps these bytes. The next one finds what was acknowledged.
    pub(super) async fn recover(&mut self, bytes: Vec<u8>) {
        self.bury().await;
        self.disk = Disk::holding(bytes);
        self.vault = open(&self.disk, &self.org, &self.clock).unwrap();
        self.vault.unlock(passphrase()).await.unwrap();
        self.observe();
    }

    /// The same after a disk that lied: the vault says that it is damaged, or holds what once was true.
    pub(super) async fn recover_from_lies(&mut self, bytes: Vec<u8>) {
        self.bury().await;
        self.figures.lies += 1;
        let found_out = |error: &StoreError| {
            matches!(
                error,
                StoreError::Damaged { .. } | StoreError::Foreign { .. }
            )
        };
        let disk = Disk::holding(bytes);
        let vault = match open(&disk, &self.org, &self.clock) {
            Ok(vault) => vault,
            Err(error) => {
                assert!(found_out(&error), "{error:?}");
                self.figures.lies_found_out += 1;
                return;
            }
        };
        self.vault = vault;
        match self.vault.unlock(passphrase()).await {
            Ok(_) => {
                for name in NAMES {
                    self.model.was_once(name, self.stored(name).0);
                }
            }
            Err(Error::Store(error)) => {
                assert!(found_out(&error), "{error:?}");
                self.figures.lies_found_out += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(super) fn close(mut self) -> Figures {
        self.figures.logins = self.org.logins();
        self.figures
    }

    /// Lets the dead daemon's tasks end on a disk that is gone for them.
    async fn bury(&mut self) {
        self.disk.arm(crate::store::tests::disk::Fault {
            after: 1,
            kind: std::io::ErrorKind::Other,
            once: false,
            short: false,
            reads_too: true,
        });
        self.org.hang_up();
        assert!(self.vault.settle(std::time::Duration::from_mins(1)).await);
    }

    async fn session(&mut self, name: &'static str) -> Result<(), Error> {
        let trouble = match self.dice.below(8) {
            0 => Some(Trouble::Unavailable),
            1 => Some(Trouble::Unanswered),
            _ => None,
        };
        self.org.trouble(trouble);
        let mut want = Want::default();
        let view = self.vault.record(name)?;
        let reported = view.session.filter(|_| self.dice.one_in(3));
        want.refused = reported.as_ref().map(|session| session.generation);
        let request = SessionRequest {
            want,
            ..SessionRequest::default()
        };
        let result = self.vault.session(name, &request).await;
        self.org.trouble(None);
        // A report that the disk did not take is one that nobody made, and what has just proved to be alive is not doubted.
        if let Some(session) = reported
            && !matches!(
                result,
                Err(Error::Store(_) | Error::SessionRefusedAgain { .. })
            )
        {
            self.model.refuse(&session.username, session.generation);
        }
        let session = self.heard(name, result)?;
        self.model.hand_out(&session.username, session.generation);
        Ok(())
    }

    async fn check(&mut self, name: &'static str) -> Result<(), Error> {
        let release = self.dice.one_in(2);
        if let Some(username) = self.username(name)
            && release
        {
            self.org.released(&username);
        }
        let result = self
            .vault
            .check(RecordName::parse(name).unwrap(), release)
            .await;
        let session = self.heard(name, result)?.session;
        self.model.hand_out(&session.username, session.generation);
        Ok(())
    }

    pub(super) async fn lock_and_unlock(&mut self) -> Result<(), Error> {
        self.vault.lock().await?;
        let mut result = self.vault.unlock(passphrase()).await;
        if result.is_err() {
            self.disk.heal();
            result = self.vault.unlock(passphrase()).await;
        }
        result?;
        self.observe();
        Ok(())
    }

    /// What a caller heard about a rejection is final.
    fn heard<T>(&self, name: &str, result: Result<T, Error>) -> Result<T, Error> {
        if let (Err(Error::Latched { .. }), Some(username)) = (&result, self.username(name)) {
            self.org.rejection_acknowledged(&username);
        }
        result
    }

    /// Whether the operation may fail so; the disk's part in it.
    fn judge(&self, name: &'static str, error: Error) -> Option<StoreError> {
        match error {
            Error::Store(error @ (StoreError::Io { .. } | StoreError::Full { .. })) => Some(error),
            Error::RecordNotFound(_) | Error::Store(StoreError::Changed { .. }) => {
                assert!(self.model.may_be_missing(name), "{name}: {error:?}");
                None
            }
            Error::RecordExists(_) => {
                assert!(self.model.may_be_there(name), "{name}: {error:?}");
                None
            }
            Error::Latched { .. }
            | Error::LoginBudgetSpent { .. }
            | Error::LoginFailed { .. }
            | Error::LoginShareSpent { .. }
            | Error::SessionRefusedAgain { .. }
            | Error::TrialFailed { .. } => None,
            // It is said of the record as it turned out to be.
            Error::InvalidArgument { .. } if self.model.is_in_doubt(name) => None,
            Error::BrowserLogin { .. }
            | Error::CodeRefused { .. }
            | Error::Denied
            | Error::HostNotAllowed(_)
            | Error::Internal(_)
            | Error::InvalidArgument { .. }
            | Error::MinTtlTooLong { .. }
            | Error::ShuttingDown
            | Error::Store(_)
            | Error::TokenAwaited(_)
            | Error::TokenUnsaved { .. }
            | Error::UnexpectedEnvironment { .. }
            | Error::UnexpectedOrg { .. }
            | Error::VaultExists(_)
            | Error::VaultLocked
            | Error::LogoutFailed { .. }
            | Error::Throttled { .. }
            | Error::TooManyStreams
            | Error::VaultMissing(_)
            | Error::AuditUnavailable(_) => panic!("{name}: {error:?}"),
        }
    }

    /// Compares all that was unlocked with what it may be.
    fn observe(&mut self) {
        for name in NAMES {
            let (known, generation) = self.stored(name);
            let durable = self.disk.is_durable();
            self.model.found(name, known, generation, durable);
        }
    }

    /// What the vault's file holds under a name, and its generation.
    fn stored(&self, name: &str) -> (Known, u64) {
        let phase = self.vault.read();
        let Phase::Unlocked(open) = &*phase else {
            panic!("the vault is not unlocked");
        };
        let (store, keys) = (&open.refresher.store, &open.refresher.keys);
        let mut found = store.load(keys).unwrap();
        found.retain(|stored| stored.record.name.as_str() == name);
        assert!(found.len() <= 1, "two records `{name}`");
        assert_eq!(open.records.contains_key(name), found.len() == 1);
        let Some(stored) = found.pop() else {
            return (None, 0);
        };
        let record = &stored.record;
        let credential = store.credential(keys, record).unwrap();
        let username = record.username().unwrap().to_owned();
        let held = Held {
            login: login(&username, &credential),
            kept: store
                .kept(keys, record)
                .unwrap()
                .map(|kept| login(&username, &kept)),
            rules: uids(record.rules.as_deref()),
        };
        assert_eq!(record.aside.kept.is_some(), held.kept.is_some(), "{name}");
        (Some(held), stored.ledger.generation)
    }

    /// The record as far as the vault's memory knows it.
    fn known(&self, name: &str) -> Option<Arc<Record>> {
        Some(self.vault.record(name).ok()?.record)
    }

    fn username(&self, name: &str) -> Option<String> {
        Some(self.known(name)?.username()?.to_owned())
    }
}

const TOKEN: &str = "AbCdEfGhIjKlMnOpQrStUvWx";

/// What a credential of this user, or of an app that is this user, comes to.
fn login(username: &str, credential: &Credential) -> Login {
    let secret = match credential.consumer_secret() {
        Some(secret) => secret.expose(),
        None => {
            let token = credential.security_token();
            assert!(token.is_some_and(|token| token.expose() == TOKEN));
            credential.password().unwrap().expose()
        }
    };
    Login {
        username: username.to_owned(),
        secret: secret.to_owned(),
        by_app: credential.password().is_none(),
    }
}

fn uids(rules: Option<&[Rule]>) -> Vec<u32> {
    let rules = rules.unwrap_or_default().iter();
    rules.map(|rule| rule.uid().unwrap().number).collect()
}

fn open(disk: &Disk, org: &Arc<Org>, clock: &Arc<Hand>) -> Result<Arc<Vault>, StoreError> {
    let parts = Parts {
        clock: Arc::clone(clock) as _,
        login: Arc::clone(org) as _,
        kdf: CHEAP,
        token_upkeep: Default::default(),
        audit: Audit::nowhere(),
        retirements: Arc::default(),
        login_share_percent: 50,
        hold_after_get: std::time::Duration::ZERO,
    };
    let store = Store::open_backend(disk.clone())?;
    Ok(Vault::over(Path::new("(disk)"), Some(store), parts))
}
