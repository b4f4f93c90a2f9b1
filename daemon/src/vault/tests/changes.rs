//! Migration and rotation: what changes, what does not, and what is left when the daemon dies at any write.

mod browser;
mod checks;
mod deaths;
mod generated;
mod limits;
mod locks;
mod migration;
mod secrets;

use std::{io, path::Path, sync::Arc};

use super::{
    answers::{ORG, USER},
    org::Hand,
    passphrase::{CHEAP, passphrase},
    user::{APP_SECRET, NEW_TOKEN, OTHER_USER, OTHER_USER_15, Salesforce, Setting, app, soap},
};

use crate::{
    aside::DrawnState,
    credential::{Credential, Flow, FlowKind},
    error::Error,
    failure::Class,
    host::Host,
    ledger::Ledger,
    record::{Record, RecordName},
    secret::{ConsumerSecret, Password, RefreshToken, SecurityToken},
    session::{Session, decision::Want},
    store::{
        Store, StoredRecord,
        tests::disk::{Disk, Fault},
    },
    vault::{
        Migrated, Migration, NewRecord, NewSecrets, Parts, Rotated, Rotation, SessionRequest, Vault,
    },
};

struct Stage {
    disk: Disk,
    salesforce: Arc<Salesforce>,
    clock: Arc<Hand>,
    vault: Arc<Vault>,
}

impl Stage {
    /// With the record `prod`, which logs in by password and has not yet.
    async fn new() -> Self {
        let disk = Disk::default();
        drop(Store::create_backend(disk.clone(), &passphrase(), CHEAP).unwrap());
        let (salesforce, clock) = (Arc::new(Salesforce::new()), Arc::new(Hand::new()));
        let vault = open(&disk, &salesforce, &clock).await;
        let (password, token) = {
            let state = salesforce.state();
            (state.password.clone(), state.token.clone())
        };
        let flow = Flow::SoapLogin {
            username: "etl@acme.example".to_owned(),
        };
        let new = new_record(
            "login.salesforce.com",
            flow,
            soap(&password, token.as_deref()),
        );
        vault.add(new).await.unwrap();
        Self {
            disk,
            salesforce,
            clock,
            vault,
        }
    }

    /// The same with a session.
    async fn ready() -> Self {
        let stage = Self::new().await;
        stage.session().await.unwrap();
        stage
    }

    async fn session(&self) -> Result<Arc<Session>, Error> {
        self.vault.session("prod", &SessionRequest::default()).await
    }

    /// What a caller gets when the session that there may be is dead.
    async fn session_anew(&self) -> Result<Arc<Session>, Error> {
        self.salesforce.end_sessions();
        match self.vault.record("prod")?.session {
            Some(session) => self.refused(session.generation).await,
            None => self.session().await,
        }
    }

    async fn refused(&self, generation: u64) -> Result<Arc<Session>, Error> {
        let want = Want {
            refused: Some(generation),
            ..Want::default()
        };
        let request = SessionRequest {
            want,
            ..SessionRequest::default()
        };
        self.vault.session("prod", &request).await
    }

    async fn migrate(&self, change: impl FnOnce(&mut Migration)) -> Result<Migrated, Error> {
        let mut migration = to_app(APP_SECRET);
        change(&mut migration);
        self.vault.migrate(migration).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Error> {
        let rotated = self.vault.rotate(prod(), rotation).await?;
        Ok(rotated.1)
    }

    fn record(&self) -> Record {
        Record::clone(&self.vault.record("prod").unwrap().record)
    }

    fn logins(&self) -> (u64, u64) {
        let state = self.salesforce.state();
        (state.accepted, state.rejected)
    }

    /// What the file of a daemon that died now holds, and its credential.
    fn stored(&self) -> (StoredRecord, Credential) {
        let store = Store::open_backend(Disk::holding(self.disk.bytes())).unwrap();
        let keys = store.unlock(&passphrase()).unwrap();
        let mut records = store.load(&keys).unwrap();
        records.retain(|stored| stored.record.name == prod());
        let stored = records.remove(0);
        let credential = store.credential(&keys, &stored.record).unwrap();
        // Whatever the record names can be opened.
        store.kept(&keys, &stored.record).unwrap();
        store.drawn(&keys, &stored.record).unwrap();
        (stored, credential)
    }

    /// The daemon dies and another one comes.
    async fn restart(&mut self) {
        self.restart_with(self.disk.bytes()).await;
    }

    async fn restart_with(&mut self, bytes: Vec<u8>) {
        self.disk = Disk::holding(bytes);
        self.vault = open(&self.disk, &self.salesforce, &self.clock).await;
    }

    /// The same with another share of the logins that Salesforce takes.
    async fn restart_with_share(&mut self, percent: u32) {
        self.disk = Disk::holding(self.disk.bytes());
        self.vault = open_with(&self.disk, &self.salesforce, &self.clock, percent).await;
    }

    /// Whether the vault holds what the user logs in with now, but perhaps for the token.
    async fn knows_the_password(&self) -> bool {
        let (_, stored) = self.stored();
        let drawn = self.vault.reveal_drawn(prod()).await.ok();
        let actual = Password::new(self.salesforce.state().password.clone());
        stored.password().unwrap().matches(&actual)
            || drawn.is_some_and(|(drawn, _)| drawn.matches(&actual))
    }
}

impl Stage {
    /// From then on it logs in with a refresh token, which is called by how many logins there were.
    async fn migrate_to_token(&self) {
        let flow = Flow::RefreshToken {
            consumer_key: "3MVG9".to_owned(),
        };
        let credential = Credential::RefreshToken {
            refresh_token: RefreshToken::new("refresh 1".to_owned()),
            consumer_secret: None,
        };
        let to = new_record("acme.my.salesforce.com", flow, credential);
        self.migrate(|migration| migration.to = to).await.unwrap();
    }

    /// An operator's work whose login is on its way and not answered yet.
    fn under_way(
        &self,
        work: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> tokio::task::JoinHandle<Result<(), Error>> {
        self.salesforce.may_answer.forget_permits(usize::MAX);
        tokio::spawn(work)
    }

    /// The disk fails from then on while the work goes on, and works again. Returns whether it had a chance to fail.
    async fn fail_after(
        &self,
        after: u64,
        under_way: tokio::task::JoinHandle<Result<(), Error>>,
    ) -> bool {
        while self.stored().0.ledger.pending.is_none() {
            tokio::task::yield_now().await;
        }
        self.disk.arm(Fault::lasting(after, io::ErrorKind::Other));
        self.salesforce.may_answer.add_permits(100);
        let _ = under_way.await.unwrap();
        self.disk.heal()
    }

    fn record_generation(&self) -> u64 {
        self.vault.record("prod").unwrap().generation
    }
}

fn to_app(secret: &str) -> Migration {
    let flow = Flow::ClientCredentials {
        consumer_key: "3MVG9".to_owned(),
    };
    Migration {
        to: new_record("acme.my.salesforce.com", flow, app(secret)),
        dry_run: false,
        expect_user: None,
        expect_org: None,
    }
}

fn new_record(host: &str, flow: Flow, credential: Credential) -> NewRecord {
    NewRecord {
        name: prod(),
        login_host: Host::parse(host).unwrap(),
        flow,
        credential,
        environment: None,
        remind_after: None,
    }
}

fn prod() -> RecordName {
    RecordName::parse("prod").unwrap()
}

fn secrets(password: &str) -> NewSecrets {
    NewSecrets {
        password: Some(Password::new(password.to_owned())),
        ..NewSecrets::default()
    }
}

fn password(text: &str) -> Rotation {
    Rotation::To(secrets(text))
}

fn token(text: &str) -> Rotation {
    Rotation::To(NewSecrets {
        security_token: Some(Some(SecurityToken::new(text.to_owned()))),
        ..NewSecrets::default()
    })
}

async fn open(disk: &Disk, salesforce: &Arc<Salesforce>, clock: &Arc<Hand>) -> Arc<Vault> {
    open_with(disk, salesforce, clock, 50).await
}

async fn open_with(
    disk: &Disk,
    salesforce: &Arc<Salesforce>,
    clock: &Arc<Hand>,
    login_share_percent: u32,
) -> Arc<Vault> {
    let parts = Parts {
        login_share_percent,
        hold_after_get: std::time::Duration::ZERO,
        clock: Arc::clone(clock) as _,
        login: Arc::clone(salesforce) as _,
        kdf: CHEAP,
        retirements: Arc::default(),
        token_upkeep: Default::default(),
        audit: crate::audit::Audit::nowhere(),
    };
    let store = Store::open_backend(disk.clone()).unwrap();
    let vault = Vault::over(Path::new("(disk)"), Some(store), parts);
    vault.unlock(passphrase()).await.unwrap();
    vault
}
