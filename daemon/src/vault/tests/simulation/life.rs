//! One daemon after another over one disk, the jobs and operators that call it, and what happens around it.

mod deaths;
mod figures;
mod jobs;
mod operators;
mod trouble;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub(super) use figures::Figures;

use super::{
    super::dice::Dice,
    salesforce::{INSTANCE, Salesforce, Time},
};
use crate::{
    credential::{Credential, Flow},
    host::Host,
    record::RecordName,
    secret::{Passphrase, Password},
    session::{Session, decision::Want},
    store::{KdfCost, Keys, Store, tests::disk::Disk},
    vault::{NewRecord, Parts, Vault},
};

/// Each with its user and its login host: two share a user, three a host.
const RECORDS: [(&str, &str, &str); 5] = [
    ("a", "one@acme.example", "login.salesforce.com"),
    ("b", "one@acme.example", "acme.my.salesforce.com"),
    ("c", "two@acme.example", "login.salesforce.com"),
    ("d", "three@acme.example", "login.salesforce.com"),
    ("e", "four@acme.example", "acme.my.salesforce.com"),
];

pub(super) struct Life {
    dice: Dice,
    time: Arc<Time>,
    salesforce: Arc<Salesforce>,
    disk: Disk,
    keys: Keys,
    vault: Arc<Vault>,
    jobs: Vec<Job>,
    figures: Figures,
    began: SystemTime,
    serial: u64,
}

/// What callers know of one record.
struct Job {
    name: &'static str,
    username: &'static str,
    host: Host,
    /// What the vault holds.
    password: String,
    /// What was last handed out and not called refused.
    held: Option<Arc<Session>>,
    /// When its last login was.
    issued: Option<SystemTime>,
    newest: u64,
    refused: u64,
    /// The session need not outlive the daemon: it was got with another credential, or could not be saved.
    lost: bool,
}

impl Life {
    pub(super) async fn new(seed: u64) -> Self {
        let time = Arc::new(Time::new());
        let salesforce = Arc::new(Salesforce::new(Arc::clone(&time)));
        let disk = Disk::default();
        let passphrase = Passphrase::new(b"correct horse".to_vec());
        let (store, keys) = Store::create_backend(disk.clone(), &passphrase, CHEAP).unwrap();
        let vault = over(store, &keys, &salesforce, &time);
        let mut jobs = Vec::new();
        for (name, username, host) in RECORDS {
            salesforce.set_password(username, "right-0");
            let host = Host::parse(host).unwrap();
            let new = NewRecord {
                name: RecordName::parse(name).unwrap(),
                login_host: host.clone(),
                flow: Flow::SoapLogin {
                    username: username.to_owned(),
                },
                credential: Credential::SoapLogin {
                    password: Password::new("right-0".to_owned()),
                    security_token: None,
                },
                environment: None,
                remind_after: None,
            };
            vault.add(new).await.unwrap();
            jobs.push(Job {
                name,
                username,
                host,
                password: "right-0".to_owned(),
                held: None,
                issued: None,
                newest: 0,
                refused: 0,
                lost: false,
            });
        }
        Self {
            dice: Dice::new(seed),
            began: time.truly(),
            time,
            salesforce,
            disk,
            keys,
            vault,
            jobs,
            figures: Figures::default(),
            serial: 0,
        }
    }

    /// The true hours since it began.
    pub(super) fn hours(&self) -> u64 {
        let lived = self.time.truly().duration_since(self.began).unwrap();
        lived.as_secs() / 3600
    }

    pub(super) async fn step(&mut self) {
        self.figures.steps += 1;
        let job = usize::try_from(self.dice.below(self.jobs.len() as u64)).unwrap();
        let username = self.jobs[job].username;
        match self.dice.below(100) {
            0..=39 => self.call(job, false).await,
            40..=44 => self.call(job, true).await,
            45..=74 => self.let_time_pass(),
            75..=78 => {
                self.salesforce.end_sessions(username);
                self.figures.sessions_ended += 1;
            }
            79..=80 => {
                self.serial += 1;
                let password = format!("right-{}", self.serial);
                self.salesforce.set_password(username, &password);
                self.figures.passwords_changed += 1;
            }
            81..=84 => self.mend(job).await,
            85..=87 => self.toggle_host(),
            88 => {
                self.salesforce.limit(username, true);
                self.figures.rate_limits += 1;
            }
            89..=90 => self.salesforce.limit(username, false),
            91..=93 => self.die(job).await,
            94 => self.die_in_login(job).await,
            95 => self.jump(),
            96 => self.live_a_day_twice(job).await,
            97..=98 => self.call_on_a_bad_disk(job).await,
            _ if self.dice.one_in(4) => self.be_reported_for_an_hour().await,
            _ => self.be_reported_in_a_loop(job).await,
        }
        assert_eq!(self.salesforce.violations(), Vec::<String>::new());
    }

    pub(super) async fn end(mut self) -> Figures {
        for host in hosts() {
            self.salesforce.take_down(&host, false);
        }
        // Whatever was done to it: mended, every record gives a session again.
        self.time.pass(Duration::from_hours(30));
        for job in 0..self.jobs.len() {
            self.salesforce.limit(self.jobs[job].username, false);
            self.set(job).await;
            let session = self.ask(job, Want::default()).await;
            assert!(session.is_ok(), "{}: {session:?}", self.jobs[job].name);
        }
        (self.figures.logins, self.figures.proofs) = self.salesforce.sent();
        self.figures.hours = self.hours();
        self.figures
    }
}

fn hosts() -> Vec<Host> {
    ["login.salesforce.com", "acme.my.salesforce.com", INSTANCE]
        .into_iter()
        .map(|host| Host::parse(host).unwrap())
        .collect()
}

fn over(store: Store, keys: &Keys, salesforce: &Arc<Salesforce>, time: &Arc<Time>) -> Arc<Vault> {
    let parts = Parts {
        audit: crate::audit::Audit::nowhere(),
        hold_after_get: Duration::ZERO,
        clock: Arc::clone(time) as _,
        login: Arc::clone(salesforce) as _,
        kdf: CHEAP,
        retirements: Arc::default(),
        login_share_percent: 1,
        token_upkeep: Default::default(),
    };
    Vault::unlocked(Path::new("(disk)"), store, keys.clone(), parts).unwrap()
}

const CHEAP: KdfCost = KdfCost {
    memory_kib: 8 * 1024,
    iterations: 1,
    lanes: 1,
};
