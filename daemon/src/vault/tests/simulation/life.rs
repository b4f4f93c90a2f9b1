//! One daemon after another over one disk, the jobs and operators that call it, and what happens around it.

mod changes;
mod deaths;
mod disks;
mod figures;
mod job;
mod jobs;
mod locks;
mod operators;
mod passwords;
mod removals;
mod rest;
mod rules;
mod streams;
mod tokens;
mod trouble;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::task::JoinHandle;

pub(super) use figures::Figures;

use self::{job::Job, streams::Stream};
use super::{
    super::{
        dice::Dice,
        passphrase::{CHEAP, passphrase},
    },
    door::Door,
    salesforce::{INSTANCE, Salesforce},
    time::Time,
    way::Way,
};
use crate::{
    aside::Aside,
    credential::FlowKind,
    host::Host,
    ledger::Ledger,
    mode::Mode,
    policy::Policy,
    record::{Record, RecordId, RecordName},
    session::decision::Want,
    store::{Keys, Store, tests::disk::Disk},
    token_upkeep::TokenUpkeep,
    vault::{NewRecord, Parts, Vault},
};

/// Each with its user, the login host of his passwords, and how it logs in at first: two share a user, six a host.
const RECORDS: [(&str, &str, &str, FlowKind); 8] = [
    ("a", "one", "login.salesforce.com", FlowKind::SoapLogin),
    ("b", "one", MY_DOMAIN, FlowKind::SoapLogin),
    ("c", "two", "login.salesforce.com", FlowKind::SoapLogin),
    ("d", "three", "login.salesforce.com", FlowKind::SoapLogin),
    ("e", "four", MY_DOMAIN, FlowKind::SoapLogin),
    ("f", "five", MY_DOMAIN, FlowKind::ClientCredentials),
    ("g", "six", MY_DOMAIN, FlowKind::JwtBearer),
    ("h", "seven", MY_DOMAIN, FlowKind::RefreshToken),
];
/// Where apps log in.
const MY_DOMAIN: &str = "acme.my.salesforce.com";
const FLOWS: [FlowKind; 4] = [
    FlowKind::SoapLogin,
    FlowKind::ClientCredentials,
    FlowKind::JwtBearer,
    FlowKind::RefreshToken,
];
/// The daemon's user, who may use a record of which no operator said anything.
const UID: u32 = 1000;
/// Who takes a session holds it for so long: a call is due once.
const HOLD: Duration = Duration::from_mins(90);
/// Tokens that nobody uses for so long are used by the daemon.
const UPKEEP: Duration = Duration::from_hours(48);

pub(super) struct Life {
    dice: Dice,
    time: Arc<Time>,
    salesforce: Arc<Salesforce>,
    disk: Disk,
    keys: Keys,
    vault: Arc<Vault>,
    jobs: Vec<Job>,
    streams: Vec<Stream>,
    token_keeper: JoinHandle<()>,
    figures: Figures,
    /// The user whose unit answers for what is asked.
    caller: u32,
    began: SystemTime,
    serial: u64,
}

impl Life {
    pub(super) fn new(seed: u64) -> Self {
        let time = Arc::new(Time::new());
        let salesforce = Arc::new(Salesforce::new(Arc::clone(&time)));
        let disk = Disk::default();
        let mut dice = Dice::new(seed);
        let (store, keys) = Store::create_backend(disk.clone(), &passphrase(), CHEAP).unwrap();
        let mut jobs = Vec::new();
        for (name, user, home, kind) in RECORDS {
            for kind in FLOWS {
                let secret = format!("right-{user}");
                // One user has a security token.
                let token = kind == FlowKind::SoapLogin && matches!(user, "one" | "two");
                let secret = secret + if token { " Mailed0" } else { "" };
                let way = Way::new(kind, name, user, home, &secret);
                let door = Door::new(user, &secret);
                salesforce.book().doors.insert(way.door().to_owned(), door);
            }
            let secret = {
                let book = salesforce.book();
                let way = Way::new(kind, name, user, home, "");
                book.doors[way.door()].secret.clone()
            };
            let way = Way::new(kind, name, user, home, &secret);
            let record = record(name, &way, &mut dice, time.truly());
            let (ledger, secrets) = (Ledger::default(), way.credential());
            let put = store.put(&keys, None, &record, &ledger, Some(&secrets));
            put.unwrap();
            jobs.push(Job::new(name, user, home, way));
        }
        let vault = over(store, &keys, &salesforce, &time);
        Self {
            dice,
            began: time.truly(),
            token_keeper: keep_tokens(&vault),
            time,
            salesforce,
            disk,
            keys,
            vault,
            jobs,
            streams: Vec::new(),
            figures: Figures::default(),
            caller: UID,
            serial: 0,
        }
    }

    /// The true hours since it began.
    pub(super) fn hours(&self) -> u64 {
        let lived = self.time.truly().duration_since(self.began).unwrap();
        lived.as_secs() / 3600
    }

    pub(super) async fn step(&mut self) {
        self.figures.did("steps");
        self.find_strangers();
        let job = usize::try_from(self.dice.below(self.jobs.len() as u64)).unwrap();
        match self.dice.below(100) {
            0..=29 => self.call(job, false).await,
            30..=31 => self.call(job, true).await,
            32 => self.report_an_old_one(job).await,
            33..=52 => self.let_time_pass().await,
            53..=54 => self.end_sessions(job),
            55 => self.replace_record(job).await,
            56 => self.change_elsewhere(job),
            57..=62 => self.mend(job).await,
            63 => self.fiddle(job).await,
            64 => self.be_reported_in_an_outage(job).await,
            65 => self.insist(job).await,
            66..=69 => self.toggle_host(),
            70 => self.limit(job),
            71..=74 => self.stop_limiting(job),
            75..=76 => self.die(job).await,
            77 => self.die_in_login(job).await,
            78 => self.die_in_migration(job).await,
            79 => self.jump(),
            80 => self.live_a_day_twice(job).await,
            81 => self.call_on_a_bad_disk(job).await,
            82..=83 => self.change_on_a_bad_disk(job).await,
            84 => self.lock_for_a_while(job).await,
            85..=86 => self.rotate(job).await,
            87 => self.generate(job).await,
            88..=91 => self.migrate(job).await,
            92..=93 => self.undo_migration(job).await,
            94..=95 => self.watch_or_leave(job),
            96 => self.change_rules(job).await,
            97 => self.intrude(job).await,
            98 => self.fiddle(job).await,
            _ if self.dice.one_in(4) => self.be_reported_for_an_hour().await,
            _ => self.be_reported_in_a_loop(job).await,
        }
        self.time.settle().await;
        self.check_streams().await;
        self.check_tokens();
        self.salesforce.book().assert_no_violations();
    }

    /// Returns what happened, and what Salesforce was asked.
    pub(super) async fn end(mut self) -> (Figures, Vec<String>) {
        for host in hosts() {
            self.salesforce.book().take_down(&host, false);
        }
        self.salesforce.book().limited.clear();
        // Whatever was done to it: mended, every record gives a session again.
        self.rest(Duration::from_hours(30)).await;
        for job in 0..self.jobs.len() {
            self.give_the_right_secret(job).await;
            self.release(job).await;
            let session = self.ask(job, Want::default()).await;
            assert!(session.is_ok(), "{}: {session:?}", self.jobs[job].name);
        }
        let (logins, proofs) = self.sent();
        self.figures.add_to("logins", logins);
        self.figures.add_to("proofs", proofs);
        self.figures.hours = self.hours();
        let story = std::mem::take(&mut self.salesforce.book().story);
        (self.figures, story)
    }

    /// Logins that came to Salesforce, and other calls.
    fn sent(&self) -> (u64, u64) {
        let book = self.salesforce.book();
        (book.logins, book.proofs)
    }

    /// Only a login tells whose an app is, and for a record that is new none has.
    fn find_strangers(&self) {
        let mut book = self.salesforce.book();
        book.strangers.clear();
        for job in &self.jobs {
            let record = self.vault.record(job.name).unwrap().record;
            if record.pin.is_none() {
                let app = record.flow.consumer_key();
                book.strangers.extend(app.map(str::to_owned));
            }
        }
    }

    /// Something that was never there before.
    fn fresh(&mut self, what: &str) -> String {
        self.serial += 1;
        format!("{what}-{}", self.serial)
    }

    fn name(&self, job: usize) -> RecordName {
        RecordName::parse(self.jobs[job].name).unwrap()
    }
}

fn hosts() -> Vec<Host> {
    ["login.salesforce.com", MY_DOMAIN, INSTANCE]
        .into_iter()
        .map(|host| Host::parse(host).unwrap())
        .collect()
}

fn policy() -> Policy {
    Policy::new(Mode::User, UID)
}

/// As an operator added it, but for its id: pauses and the order of rows hang on it.
fn record(name: &str, way: &Way, dice: &mut Dice, now: SystemTime) -> Record {
    Record {
        id: RecordId([(); 16].map(|()| u8::try_from(dice.below(256)).unwrap())),
        name: RecordName::parse(name).unwrap(),
        login_host: way.host.clone(),
        flow: way.flow.clone(),
        pin: None,
        credential_version: 1,
        created_at: now,
        credential_changed_at: now,
        remind_after: None,
        aside: Aside::default(),
        rules: None,
    }
}

fn new_record(name: &str, way: &Way) -> NewRecord {
    NewRecord {
        name: RecordName::parse(name).unwrap(),
        login_host: way.host.clone(),
        flow: way.flow.clone(),
        credential: way.credential(),
        environment: None,
        remind_after: None,
    }
}

fn keep_tokens(vault: &Arc<Vault>) -> JoinHandle<()> {
    let vault = Arc::clone(vault);
    tokio::spawn(async move { match vault.keep_tokens_alive().await {} })
}

fn over(store: Store, keys: &Keys, salesforce: &Arc<Salesforce>, time: &Arc<Time>) -> Arc<Vault> {
    let parts = Parts {
        audit: crate::audit::Audit::nowhere(),
        hold_after_get: HOLD,
        clock: Arc::clone(time) as _,
        login: Arc::clone(salesforce) as _,
        kdf: CHEAP,
        retirements: Arc::default(),
        login_share_percent: 1,
        token_upkeep: TokenUpkeep {
            after: Some(UPKEEP),
        },
    };
    Vault::unlocked(Path::new("(disk)"), store, keys.clone(), parts).unwrap()
}
