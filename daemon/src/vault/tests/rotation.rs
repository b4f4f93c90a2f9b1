//! An org that gives another refresh token with every login, and ends everything when a spent one comes: under random
//! faults, locks and kills no spent token is ever sent, unless the daemon died before the new one could be saved.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    answers::{USER, failure, grant, proof},
    dice::Dice,
    org::Hand,
    passphrase::{CHEAP, passphrase},
};
use crate::{
    credential::{Credential, Flow},
    error::Error,
    failure::Class,
    host::Host,
    record::RecordName,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRequest, Proof,
        Survey,
    },
    secret::{ConsumerSecret, RefreshToken, SessionId},
    session::decision::Want,
    store::{
        Keys, Store,
        tests::disk::{Disk, Fault},
    },
    vault::{NewRecord, NewSecrets, Parts, SessionRequest, Vault},
};

#[derive(Debug, Default)]
pub(super) struct Org(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    current: String,
    serial: u64,
    spent: Vec<String>,
    reused: u64,
    unavailable: bool,
    down: bool,
    asked: u64,
}

impl Org {
    /// Somebody approves the app.
    pub(super) fn approve(&self) -> String {
        let mut state = self.0.lock().unwrap();
        state.serial += 1;
        state.current = format!("5Aep{}", state.serial);
        state.spent.clear();
        state.current.clone()
    }

    pub(super) fn current(&self) -> String {
        self.0.lock().unwrap().current.clone()
    }

    pub(super) fn down(&self, down: bool) {
        self.0.lock().unwrap().down = down;
    }
}

impl Login for Org {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            let mut state = self.0.lock().unwrap();
            state.asked += 1;
            if std::mem::take(&mut state.unavailable) || state.down {
                return Err(failure(Class::Unavailable).into());
            }
            let sent = request.credential.refresh_token().unwrap();
            if sent.expose() != state.current {
                state.reused += u64::from(state.spent.iter().any(|it| it == sent.expose()));
                state.current = String::new();
                return Err(failure(Class::RefreshDead).into());
            }
            state.serial += 1;
            let next = format!("5Aep{}", state.serial);
            let spent = std::mem::replace(&mut state.current, next.clone());
            state.spent.push(spent);
            let session = format!("00Dxx0000001gPL!{}", state.serial);
            Ok(Grant {
                username: Some("etl@acme.example".to_owned()),
                rotated: Some(RefreshToken::new(next)),
                ..grant(session, "acme.my.salesforce.com", USER)
            })
        })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async { Err(failure(Class::Protocol)) })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async { unreachable!("nobody logs out") })
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async { Err(failure(Class::Protocol)) })
    }

    fn prove<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async { Ok(proof(USER)) })
    }
}

pub(super) struct World {
    dice: Dice,
    pub(super) disk: Disk,
    pub(super) org: Arc<Org>,
    pub(super) clock: Arc<Hand>,
    keys: Keys,
    pub(super) vault: Arc<Vault>,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Figures {
    logins: u64,
    unsaved: u64,
    locked_unsaved: u64,
    kills: u64,
    lost: u64,
}

impl World {
    pub(super) async fn new(seed: u64) -> Self {
        let disk = Disk::default();
        let (store, keys) = Store::create_backend(disk.clone(), &passphrase(), CHEAP).unwrap();
        drop(store);
        let (org, clock) = (Arc::new(Org::default()), Arc::new(Hand::new()));
        let vault = open(&disk, &org, &clock);
        vault.unlock(passphrase()).await.unwrap();
        let new = NewRecord {
            name: name(),
            login_host: Host::parse("login.salesforce.com").unwrap(),
            flow: Flow::RefreshToken {
                consumer_key: "3MVG9".to_owned(),
            },
            credential: Credential::RefreshToken {
                refresh_token: RefreshToken::new(org.approve()),
                consumer_secret: None,
            },
            environment: None,
            remind_after: None,
        };
        vault.add(new).await.unwrap();
        Self {
            dice: Dice::new(seed),
            disk,
            org,
            clock,
            keys,
            vault,
            figures: Figures::default(),
        }
    }

    pub(super) async fn session(&mut self) {
        let fresh_login = self.dice.one_in(2);
        self.org.0.lock().unwrap().unavailable = self.dice.one_in(6);
        self.clock.advance(Duration::from_mins(10));
        let request = SessionRequest {
            want: Want {
                fresh_login,
                ..Want::default()
            },
            ..SessionRequest::default()
        };
        let before = self.org.current();
        let result = self.vault.session("prod", &request).await;
        self.org.0.lock().unwrap().unavailable = false;
        self.figures.logins += u64::from(before != self.org.current());
        match result {
            Ok(session) => {
                // What is handed out is of the token on the platter, or of a login before.
                let newest = session.session_id.expose().rsplit_once('!').unwrap().1;
                if self.org.current() == format!("5Aep{newest}") {
                    assert_eq!(self.on_the_platter(), self.org.current());
                }
            }
            Err(Error::TokenUnsaved { .. }) => self.figures.unsaved += 1,
            Err(
                Error::Store(_) | Error::LoginFailed { .. } | Error::SessionRefusedAgain { .. },
            ) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    /// What a daemon after a power cut would send.
    pub(super) fn on_the_platter(&self) -> String {
        let disk = Disk::holding(self.disk.after_losing(|| true));
        let store = Store::open_backend(disk).unwrap();
        let stored = store.load(&self.keys).unwrap().remove(0);
        let credential = store.credential(&self.keys, &stored.record).unwrap();
        credential.refresh_token().unwrap().expose().to_owned()
    }

    async fn lock_and_unlock(&mut self) {
        self.vault.lock().await.unwrap();
        self.figures.locked_unsaved += u64::from(!self.vault.aside.lock().unwrap().is_empty());
        if self.vault.unlock(passphrase()).await.is_err() {
            self.disk.heal();
            self.vault.unlock(passphrase()).await.unwrap();
        }
    }

    async fn set_secret(&mut self) {
        let secret = format!("s3cret{}", self.dice.below(1000));
        let new = NewSecrets {
            consumer_secret: Some(Some(ConsumerSecret::new(secret))),
            ..NewSecrets::default()
        };
        let set = self.vault.set(name(), new).await;
        assert!(matches!(set, Ok(_) | Err(Error::Store(_))), "{set:?}");
    }

    /// The daemon dies; the disk keeps what chance wants of what was not synced.
    async fn kill(&mut self) {
        self.figures.kills += 1;
        let mut dice = self.dice.clone();
        let bytes = self.disk.after_losing(|| dice.one_in(2));
        self.disk = Disk::holding(bytes);
        self.vault = open(&self.disk, &self.org, &self.clock);
        self.vault.unlock(passphrase()).await.unwrap();
        if self.on_the_platter() != self.org.current() {
            // It died with the only copy; somebody approves the app again.
            self.figures.lost += 1;
            let new = NewSecrets {
                refresh_token: Some(RefreshToken::new(self.org.approve())),
                ..NewSecrets::default()
            };
            self.vault.set(name(), new).await.unwrap();
        }
    }

    pub(super) async fn unlock(&self) {
        self.vault.unlock(passphrase()).await.unwrap();
    }

    /// How often the org was asked to log in.
    pub(super) fn asked(&self) -> u64 {
        self.org.0.lock().unwrap().asked
    }

    /// Before long nothing is written any more.
    pub(super) fn break_disk(&mut self) {
        self.disk.heal();
        self.disk.arm(Fault::lasting(
            1 + self.dice.below(30),
            io::ErrorKind::Other,
        ));
    }

    fn arm(&mut self) {
        let dice = &mut self.dice;
        self.disk.arm(Fault {
            after: 1 + dice.below(20),
            kind: dice.pick(&[io::ErrorKind::StorageFull, io::ErrorKind::Other]),
            once: dice.one_in(2),
            short: dice.one_in(2),
            reads_too: dice.one_in(3),
        });
    }
}

#[tokio::test]
async fn no_spent_token_is_sent_whatever_the_disk_does() {
    let mut total = Figures::default();
    for seed in 1..=12 {
        let mut world = World::new(seed).await;
        for _ in 0..60 {
            let broken = world.dice.one_in(3);
            if broken {
                world.arm();
            }
            for _ in 0..=world.dice.below(5) {
                match world.dice.below(8) {
                    0..=3 => world.session().await,
                    4 | 5 => world.lock_and_unlock().await,
                    6 => world.set_secret().await,
                    _ if world.dice.one_in(2) => {
                        let saved = world.on_the_platter() == world.org.current();
                        let lost = world.figures.lost;
                        world.disk.heal();
                        world.kill().await;
                        assert!(!saved || world.figures.lost == lost, "seed {seed}");
                    }
                    _ => {}
                }
                assert_eq!(world.org.0.lock().unwrap().reused, 0, "seed {seed}");
            }
            world.disk.heal();
        }
        // All is well again without anybody's doing.
        world.clock.advance(Duration::from_hours(1));
        let end = world
            .vault
            .session("prod", &SessionRequest::default())
            .await;
        end.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert_eq!(world.on_the_platter(), world.org.current(), "seed {seed}");
        total.logins += world.figures.logins;
        total.unsaved += world.figures.unsaved;
        total.locked_unsaved += world.figures.locked_unsaved;
        total.kills += world.figures.kills;
        total.lost += world.figures.lost;
    }
    println!("{total:?}");
    assert!(total.logins > 100 && total.unsaved > 10, "{total:?}");
    assert!(total.locked_unsaved > 2 && total.lost > 0, "{total:?}");
}

pub(super) fn name() -> RecordName {
    RecordName::parse("prod").unwrap()
}

fn open(disk: &Disk, org: &Arc<Org>, clock: &Arc<Hand>) -> Arc<Vault> {
    let parts = Parts {
        login_share_percent: 50,
        hold_after_get: Duration::ZERO,
        clock: Arc::clone(clock) as _,
        login: Arc::clone(org) as _,
        kdf: CHEAP,
        token_upkeep: Default::default(),
        retirements: Arc::default(),
        audit: crate::audit::Audit::nowhere(),
    };
    let store = Store::open_backend(disk.clone()).unwrap();
    Vault::over(Path::new("(disk)"), Some(store), parts)
}
