//! One daemon after another over one disk, the jobs and operators that call it, and what happens around it.

use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    super::dice::Dice,
    salesforce::{INSTANCE, Salesforce, Time},
};
use crate::{
    clock::Clock as _,
    credential::{Credential, Flow},
    error::Error,
    failure::Class,
    host::Host,
    record::RecordName,
    secret::{Passphrase, Password},
    session::{Session, decision::Want},
    share::Account,
    store::{
        KdfCost, Keys, Store,
        tests::disk::{Disk, Fault},
    },
    vault::{NewRecord, NewSecrets, Parts, SessionRequest, Vault},
};

/// Each with its user and its login host: two share a user, three a host.
const RECORDS: [(&str, &str, &str); 5] = [
    ("a", "one@acme.example", "login.salesforce.com"),
    ("b", "one@acme.example", "acme.my.salesforce.com"),
    ("c", "two@acme.example", "login.salesforce.com"),
    ("d", "three@acme.example", "login.salesforce.com"),
    ("e", "four@acme.example", "acme.my.salesforce.com"),
];

/// What happened, for people to see that something did.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) hours: u64,
    steps: u64,
    sessions: u64,
    logins: u64,
    proofs: u64,
    reports: u64,
    refused_to_callers: u64,
    rejections_told: u64,
    throttled: u64,
    sessions_ended: u64,
    passwords_changed: u64,
    credentials_set: u64,
    outages: u64,
    rate_limits: u64,
    kills: u64,
    power_cuts: u64,
    cut_mid_login: u64,
    restarts_without_a_login: u64,
    disk_faults: u64,
    clock_jumps: u64,
    suspends: u64,
    /// Past their guarantee, because the daemon's clock had jumped.
    served_late: u64,
}

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

    /// A job that uses what it gets, and reports it if that is dead.
    async fn call(&mut self, job: usize, demanding: bool) {
        let want = Want {
            min_ttl: Duration::from_mins(if demanding { 50 } else { 0 }),
            fresh_proof: demanding && self.dice.one_in(4),
            ..Want::default()
        };
        let now = self.time.now();
        let good = self.jobs[job]
            .held
            .clone()
            .filter(|held| held.is_guaranteed(want.min_ttl, now));
        let result = self.ask(job, want).await;
        let session = match result {
            Ok(session) => session,
            Err(error) => {
                self.jobs[job].held = None;
                let kept = good.is_some() && !want.fresh_proof;
                assert!(
                    !kept,
                    "{}: a good session was taken away: {error:?}",
                    self.jobs[job].name
                );
                return;
            }
        };
        let (alive, _) = self.salesforce.look_at(&session.session_id);
        if !alive {
            self.report(job, &session).await;
        }
    }

    /// Reports a session as refused. Nobody gets the same again.
    async fn report(&mut self, job: usize, session: &Arc<Session>) {
        self.figures.reports += 1;
        let want = Want {
            refused: Some(session.generation),
            ..Want::default()
        };
        self.jobs[job].held = None;
        let result = self.ask(job, want).await;
        // What has just proved to be alive is not doubted again at once, and says so.
        let heard = !matches!(
            result,
            Err(Error::Store(_) | Error::SessionRefusedAgain { .. } | Error::Throttled { .. })
        );
        if heard {
            let refused = &mut self.jobs[job].refused;
            *refused = session.generation.max(*refused);
        }
        if let Ok(next) = result {
            assert!(
                next.generation > session.generation,
                "the refused one again"
            );
            let (alive, _) = self.salesforce.look_at(&next.session_id);
            assert!(alive, "a dead session for a dead one");
        }
    }

    /// A confused job that calls whatever it gets refused.
    async fn be_reported_in_a_loop(&mut self, job: usize) {
        let (before, _) = self.salesforce.sent();
        for _ in 0..20 {
            self.salesforce.end_sessions(self.jobs[job].username);
            let Ok(session) = self.ask(job, Want::default()).await else {
                break;
            };
            self.report(job, &session).await;
        }
        let (after, _) = self.salesforce.sent();
        assert!(after - before <= 5, "{} logins in a moment", after - before);
    }

    /// The same on both records of one user, for longer than anybody's patience.
    async fn be_reported_for_an_hour(&mut self) {
        for _ in 0..40 {
            self.be_reported_in_a_loop(0).await;
            self.be_reported_in_a_loop(1).await;
            self.time.pass(Duration::from_secs(100));
        }
    }

    /// Every answer of the vault comes through here.
    async fn ask(&mut self, job: usize, want: Want) -> Result<Arc<Session>, Error> {
        let request = SessionRequest {
            want,
            cause: Some(Account::of_unit(1000, "etl.service")),
            ..SessionRequest::default()
        };
        let result = self.vault.session(self.jobs[job].name, &request).await;
        let Job {
            name,
            username,
            host,
            password,
            ..
        } = &self.jobs[job];
        match &result {
            Ok(session) => {
                self.figures.sessions += 1;
                let known = &self.jobs[job];
                assert!(session.generation >= known.newest, "{name}: an old one");
                assert!(session.generation > known.refused, "{name}: a refused one");
                assert!(
                    session.is_guaranteed(want.min_ttl, self.time.now()),
                    "{name}"
                );
                let (alive, ended) = self.salesforce.look_at(&session.session_id);
                if !alive && !ended {
                    let jumped = self.salesforce.jumped_since_proof(&session.session_id);
                    assert!(jumped, "{name}: served past its guarantee");
                    self.figures.served_late += 1;
                }
                let job = &mut self.jobs[job];
                job.lost &= job.issued == Some(session.issued_at);
                job.issued = Some(session.issued_at);
                job.newest = session.generation;
                job.held = Some(Arc::clone(session));
            }
            Err(Error::Latched { failure, .. }) => {
                self.figures.refused_to_callers += 1;
                if matches!(failure.class, Class::BadCredentials | Class::LockedOut) {
                    self.salesforce.told_rejected(username, host, password);
                    self.figures.rejections_told += 1;
                }
            }
            Err(Error::LoginShareSpent { .. } | Error::Throttled { .. }) => {
                self.figures.throttled += 1
            }
            Err(
                Error::LoginBudgetSpent { .. }
                | Error::LoginFailed { .. }
                | Error::SessionRefusedAgain { .. }
                | Error::Store(_),
            ) => self.figures.refused_to_callers += 1,
            Err(error) => panic!("{name}: {error:?}"),
        }
        result
    }

    /// The operator gives the vault the password that holds now, or releases what is latched.
    async fn mend(&mut self, job: usize) {
        // A check proves the session, and may find it dead.
        self.jobs[job].held = None;
        let Job {
            name,
            username,
            ref host,
            ..
        } = self.jobs[job];
        if self.dice.one_in(3) {
            self.salesforce.released(username, host);
            let checked = self
                .vault
                .check(RecordName::parse(name).unwrap(), true)
                .await;
            if let Err(Error::Latched { .. }) = checked {
                let Job { host, password, .. } = &self.jobs[job];
                self.salesforce.told_rejected(username, host, password);
            }
            return;
        }
        self.set(job).await;
    }

    async fn set(&mut self, job: usize) {
        self.figures.credentials_set += 1;
        let password = self.salesforce.password(self.jobs[job].username);
        let new = NewSecrets {
            password: Some(Password::new(password.clone())),
            ..NewSecrets::default()
        };
        let name = RecordName::parse(self.jobs[job].name).unwrap();
        let (_, changed, _) = self.vault.set(name, new).await.unwrap();
        self.jobs[job].password = password;
        self.jobs[job].lost |= changed;
    }

    fn let_time_pass(&mut self) {
        let seconds = self
            .dice
            .pick(&[1, 20, 60, 60, 300, 300, 900, 1800, 3600, 10_800]);
        if self.dice.one_in(40) {
            self.figures.suspends += 1;
            self.time.pass(Duration::from_hours(8));
        }
        self.time
            .pass(Duration::from_secs(seconds + self.dice.below(seconds)));
    }

    fn toggle_host(&mut self) {
        let hosts = hosts();
        let host = &hosts[usize::try_from(self.dice.below(hosts.len() as u64)).unwrap()];
        let down = self.dice.one_in(3);
        self.figures.outages += u64::from(down);
        self.salesforce.take_down(host, down);
    }

    fn jump(&mut self) {
        let by = self.dice.pick(&[90, 3600, 24 * 3600]);
        let ahead = self.dice.one_in(2);
        self.time.jump(ahead, Duration::from_secs(by));
        self.jump_is_over();
    }

    /// The clock goes back by a day, and the day passes in silence: by the daemon's clock nothing has happened, and yet
    /// its sessions are dead. Who is given one calls it refused, and gets no other dead one.
    async fn live_a_day_twice(&mut self, job: usize) {
        let day = Duration::from_hours(24);
        let _ = self.ask(job, Want::default()).await;
        self.time.jump(false, day);
        self.jump_is_over();
        self.time.pass(day + Duration::from_mins(10));
        self.call(job, false).await;
    }

    fn jump_is_over(&mut self) {
        self.salesforce.excuse();
        self.figures.clock_jumps += 1;
    }

    /// The daemon or the machine dies. What was good before is good after, and needs no login and no call.
    async fn die(&mut self, job: usize) {
        let before = self.ask(job, Want::default()).await.ok();
        let kept = !self.jobs[job].lost;
        let (logins, proofs) = self.salesforce.sent();
        let bytes = if self.dice.one_in(2) {
            self.figures.kills += 1;
            self.disk.bytes()
        } else {
            self.figures.power_cuts += 1;
            let mut dice = self.dice.clone();
            self.disk.after_losing(|| dice.one_in(2))
        };
        self.restart(bytes).await;
        let provable = |session: &Arc<Session>| {
            let instance = Host::parse(INSTANCE).unwrap();
            self.salesforce.look_at(&session.session_id).0 && !self.salesforce.is_down(&instance)
        };
        let Some(before) = before.filter(|before| kept && provable(before)) else {
            return;
        };
        let after = self.ask(job, Want::default()).await.unwrap();
        assert_eq!(after.generation, before.generation, "{before:?} {after:?}");
        // A proof that is not news is not written; then the one before must still hold, or one call is made.
        let (logins_after, proofs_after) = self.salesforce.sent();
        assert_eq!(logins_after, logins, "a restart cost a login");
        assert!(proofs_after <= proofs + 1);
        self.figures.restarts_without_a_login += 1;
    }

    async fn die_in_login(&mut self, job: usize) {
        self.salesforce.end_sessions(self.jobs[job].username);
        self.time.pass(Duration::from_hours(3));
        self.salesforce.hang(true);
        let salesforce = Arc::clone(&self.salesforce);
        let request = SessionRequest::default();
        let hung = tokio::select! {
            _ = self.vault.session(self.jobs[job].name, &request) => false,
            () = salesforce.hangs.notified() => true,
        };
        self.salesforce.hang(false);
        self.jobs[job].held = None;
        self.figures.cut_mid_login += u64::from(hung);
        let bytes = self.disk.bytes();
        self.restart(bytes).await;
    }

    async fn call_on_a_bad_disk(&mut self, job: usize) {
        self.disk.arm(Fault {
            after: 1 + self.dice.below(12),
            kind: self
                .dice
                .pick(&[io::ErrorKind::StorageFull, io::ErrorKind::Other]),
            once: self.dice.one_in(2),
            short: self.dice.one_in(2),
            reads_too: false,
        });
        let result = self.ask(job, Want::default()).await;
        if self.disk.heal() {
            self.figures.disk_faults += 1;
            self.salesforce.excuse();
            // A session that could not be saved is served all the same; the next daemon does not know it.
            self.jobs[job].lost = true;
        } else {
            assert!(!matches!(result, Err(Error::Store(_))), "{result:?}");
        }
    }

    async fn restart(&mut self, bytes: Vec<u8>) {
        // The dead daemon's tasks end on a disk that is gone for them.
        self.disk.arm(Fault {
            after: 1,
            kind: io::ErrorKind::Other,
            once: false,
            short: false,
            reads_too: true,
        });
        self.salesforce.hang_up();
        assert!(self.vault.settle(Duration::from_mins(1)).await);
        self.disk = Disk::holding(bytes);
        self.salesforce.forget_attempts();
        let store = Store::open_backend(self.disk.clone()).unwrap();
        self.vault = over(store, &self.keys, &self.salesforce, &self.time);
        for job in &mut self.jobs {
            // What the file promises is a little behind; the rest is to be proven.
            job.held = None;
            job.lost = false;
        }
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
        keep_alive: Default::default(),
    };
    Vault::unlocked(Path::new("(disk)"), store, keys.clone(), parts).unwrap()
}

const CHEAP: KdfCost = KdfCost {
    memory_kib: 8 * 1024,
    iterations: 1,
    lanes: 1,
};

impl Figures {
    pub(super) fn add(&mut self, other: &Self) {
        let Self {
            hours,
            steps,
            sessions,
            logins,
            proofs,
            reports,
            refused_to_callers,
            rejections_told,
            throttled,
            sessions_ended,
            passwords_changed,
            credentials_set,
            outages,
            rate_limits,
            kills,
            power_cuts,
            cut_mid_login,
            restarts_without_a_login,
            disk_faults,
            clock_jumps,
            suspends,
            served_late,
        } = other;
        self.hours += hours;
        self.steps += steps;
        self.sessions += sessions;
        self.logins += logins;
        self.proofs += proofs;
        self.reports += reports;
        self.refused_to_callers += refused_to_callers;
        self.rejections_told += rejections_told;
        self.throttled += throttled;
        self.sessions_ended += sessions_ended;
        self.passwords_changed += passwords_changed;
        self.credentials_set += credentials_set;
        self.outages += outages;
        self.rate_limits += rate_limits;
        self.kills += kills;
        self.power_cuts += power_cuts;
        self.cut_mid_login += cut_mid_login;
        self.restarts_without_a_login += restarts_without_a_login;
        self.disk_faults += disk_faults;
        self.clock_jumps += clock_jumps;
        self.suspends += suspends;
        self.served_late += served_late;
    }

    /// A simulation in which nothing happens finds nothing.
    pub(super) fn assert_busy(&self) {
        for happened in [
            self.sessions,
            self.logins,
            self.reports,
            self.rejections_told,
            self.outages,
            self.kills,
            self.power_cuts,
            self.cut_mid_login,
            self.restarts_without_a_login,
            self.disk_faults,
            self.clock_jumps,
            self.suspends,
            self.served_late,
        ] {
            assert!(happened > 3, "{self:#?}");
        }
    }
}
