//! A Salesforce with a clock of its own, which writes down what should not have been sent to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use tokio::sync::Notify;

use crate::{
    clock::Clock,
    failure::{Class, Failure},
    host::Host,
    ledger::Ledger,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRequest, Proof,
        Survey,
    },
    secret::SessionId,
};

/// Sessions idle out after so long.
pub(super) const TIMEOUT: Duration = Duration::from_hours(2);
/// What a user may log in in an hour: one percent of what Salesforce takes.
pub(super) const SHARE: usize = 36;
/// How long a refusal for the rate asks to wait.
const RATE_PAUSE: Duration = Duration::from_mins(20);
/// Two attempts at a host that is down are so far apart at least.
const SPACING: Duration = Duration::from_secs(10);

/// The true time, and what the daemon's clock makes of it.
#[derive(Debug)]
pub(super) struct Time(Mutex<(SystemTime, SystemTime)>);

impl Time {
    pub(super) fn new() -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200);
        Self(Mutex::new((start, start)))
    }

    pub(super) fn truly(&self) -> SystemTime {
        self.0.lock().unwrap().0
    }

    pub(super) fn pass(&self, by: Duration) {
        let mut times = self.0.lock().unwrap();
        times.0 += by;
        times.1 += by;
    }

    /// The daemon's clock alone.
    pub(super) fn jump(&self, ahead: bool, by: Duration) {
        let mut times = self.0.lock().unwrap();
        times.1 = if ahead { times.1 + by } else { times.1 - by };
    }
}

impl Clock for Time {
    fn now(&self) -> SystemTime {
        self.0.lock().unwrap().1
    }
}

#[derive(Debug)]
pub(super) struct Salesforce {
    time: Arc<Time>,
    state: Mutex<State>,
    /// Told when a login hangs.
    pub(super) hangs: Notify,
    gone: Notify,
}

#[derive(Debug)]
struct State {
    passwords: BTreeMap<String, String>,
    /// Users whose logins are refused for the rate.
    limited: BTreeSet<String>,
    /// By username: when a login was last refused for the rate.
    refused_at: BTreeMap<String, SystemTime>,
    down: BTreeMap<Host, Option<SystemTime>>,
    sessions: BTreeMap<String, Living>,
    /// By username and host: passwords whose rejection the daemon has told.
    rejected: BTreeSet<(String, String, String)>,
    failed: BTreeMap<(String, String), Vec<SystemTime>>,
    logins: BTreeMap<String, Vec<SystemTime>>,
    /// Until then, what hangs on memory or on the daemon's clock may be forgotten.
    excused: SystemTime,
    hang: bool,
    serial: u64,
    sent: u64,
    proofs: u64,
    violations: Vec<String>,
}

#[derive(Debug)]
struct Living {
    username: String,
    stamped: SystemTime,
    /// When a call with it last succeeded.
    proven: SystemTime,
    ended: bool,
}

impl Salesforce {
    pub(super) fn new(time: Arc<Time>) -> Self {
        let excused = time.truly();
        Self {
            time,
            state: Mutex::new(State {
                passwords: BTreeMap::new(),
                limited: BTreeSet::new(),
                refused_at: BTreeMap::new(),
                down: BTreeMap::new(),
                sessions: BTreeMap::new(),
                rejected: BTreeSet::new(),
                failed: BTreeMap::new(),
                logins: BTreeMap::new(),
                excused,
                hang: false,
                serial: 0,
                sent: 0,
                proofs: 0,
                violations: Vec::new(),
            }),
            hangs: Notify::new(),
            gone: Notify::new(),
        }
    }

    pub(super) fn password(&self, username: &str) -> String {
        self.state().passwords[username].clone()
    }

    pub(super) fn set_password(&self, username: &str, password: &str) {
        let mut state = self.state();
        let (username, password) = (username.to_owned(), password.to_owned());
        state.passwords.insert(username, password);
    }

    /// Somebody logs out, or an administrator ends the user's sessions.
    pub(super) fn end_sessions(&self, username: &str) {
        let mut state = self.state();
        let of_user = |living: &&mut Living| living.username == username;
        for living in state.sessions.values_mut().filter(of_user) {
            living.ended = true;
        }
    }

    pub(super) fn limit(&self, username: &str, on: bool) {
        let mut state = self.state();
        if on {
            state.limited.insert(username.to_owned());
        } else {
            state.limited.remove(username);
        }
    }

    pub(super) fn take_down(&self, host: &Host, down: bool) {
        let mut state = self.state();
        if down {
            state.down.entry(host.clone()).or_default();
        } else {
            state.down.remove(host);
        }
    }

    pub(super) fn is_down(&self, host: &Host) -> bool {
        self.state().down.contains_key(host)
    }

    pub(super) fn hang(&self, hang: bool) {
        self.state().hang = hang;
    }

    pub(super) fn hang_up(&self) {
        self.gone.notify_waiters();
    }

    /// The daemon told that this credential was rejected.
    pub(super) fn told_rejected(&self, username: &str, host: &Host, password: &str) {
        let key = (username.to_owned(), host.to_string(), password.to_owned());
        self.state().rejected.insert(key);
    }

    /// An operator allows one more login.
    pub(super) fn released(&self, username: &str, host: &Host) {
        let mut state = self.state();
        state
            .rejected
            .retain(|(user, at, _)| (user.as_str(), at.as_str()) != (username, host.as_str()));
        state
            .failed
            .remove(&(username.to_owned(), host.to_string()));
        state.refused_at.remove(username);
        // The record needs both: the one for its login, the other for the proof.
        for host in [host.as_str(), INSTANCE] {
            let host = Host::parse(host).unwrap();
            if let Some(last) = state.down.get_mut(&host) {
                *last = None;
            }
        }
    }

    /// The daemon's clock jumped, or its disk failed it: what it knew of pauses and counts may be gone.
    pub(super) fn excuse(&self) {
        self.state().excused = self.time.truly();
    }

    /// Whether the session would be let in, and whether it was ended before its time.
    pub(super) fn look_at(&self, session_id: &SessionId) -> (bool, bool) {
        let state = self.state();
        let living = &state.sessions[session_id.expose()];
        let idle = self.time.truly() >= living.stamped + TIMEOUT;
        (!living.ended && !idle, living.ended)
    }

    /// Whether the daemon's clock jumped since it last saw the session alive.
    pub(super) fn jumped_since_proof(&self, session_id: &SessionId) -> bool {
        let state = self.state();
        state.excused >= state.sessions[session_id.expose()].proven
    }

    /// Logins sent, and proofs.
    pub(super) fn sent(&self) -> (u64, u64) {
        let state = self.state();
        (state.sent, state.proofs)
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn judge(&self, request: &LoginRequest) -> Option<Result<String, Failure>> {
        let now = self.time.truly();
        let mut guard = self.state();
        let state = &mut *guard;
        let username = request.flow.username().unwrap().to_owned();
        let password = request.credential.password().unwrap().expose().to_owned();
        let host = request.login_host.clone();
        state.sent += 1;
        if let Some(down) = state.attempt(&host, now) {
            return Some(Err(down));
        }
        let key = (username.clone(), host.to_string());
        let rejected = (username.clone(), host.to_string(), password.clone());
        if state.rejected.contains(&rejected) {
            state.accuse(format!("{key:?}: a login after its rejection was told"));
        }
        let lately = |window: Duration| move |at: &&SystemTime| **at + window > now;
        let failures = state.failed.entry(key.clone()).or_default();
        let failed = failures.iter().filter(lately(Ledger::WINDOW)).count();
        if failed >= Ledger::BUDGET && state.excused + Ledger::WINDOW <= now {
            state.accuse(format!("{key:?}: more failed logins than the budget"));
        }
        let logins = state.logins.entry(username.clone()).or_default();
        logins.retain(|at| *at + Duration::from_hours(1) > now);
        logins.push(now);
        let made = logins.len();
        if made > SHARE && state.excused + Duration::from_mins(65) <= now {
            state.accuse(format!("{username}: {made} logins in an hour"));
        }
        if state.limited.contains(&username) {
            let before = state.refused_at.insert(username.clone(), now);
            if before.is_some_and(|at| at + RATE_PAUSE > now && state.excused < at) {
                state.accuse(format!("{username}: no pause after a refusal for the rate"));
            }
            let pause = Some(RATE_PAUSE);
            let class = Class::RateLimited;
            return Some(Err(Failure {
                pause,
                ..failure(class)
            }));
        }
        if std::mem::take(&mut state.hang) {
            state.failed.entry(key).or_default().push(now);
            return None;
        }
        if state.passwords[&username] != password {
            state.failed.entry(key).or_default().push(now);
            return Some(Err(failure(Class::BadCredentials)));
        }
        state.failed.remove(&key);
        let living = |living: &Living| {
            living.username == username && !living.ended && now < living.stamped + TIMEOUT
        };
        // The session that runs already is given again, as near its end as it is.
        if let Some((id, _)) = state.sessions.iter().find(|(_, it)| living(it)) {
            return Some(Ok(id.clone()));
        }
        state.serial += 1;
        let id = format!("00Dxx0000001gPL!{}", state.serial);
        state.sessions.insert(
            id.clone(),
            Living {
                username,
                stamped: now,
                proven: now,
                ended: false,
            },
        );
        Some(Ok(id))
    }
}

impl State {
    /// A host that is down is asked seldom, whatever for.
    fn attempt(&mut self, host: &Host, now: SystemTime) -> Option<Failure> {
        let last = self.down.get_mut(host)?.replace(now);
        if last.is_some_and(|at| at + SPACING > now && self.excused < at) {
            self.accuse(format!("{host}: asked again too soon while it is down"));
        }
        Some(failure(Class::Unavailable))
    }

    fn accuse(&mut self, what: String) {
        self.violations.push(what);
    }
}

impl Login for Salesforce {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            let gone = self.gone.notified();
            let Some(judgement) = self.judge(request) else {
                self.hangs.notify_one();
                gone.await;
                return Err(failure(Class::Unanswered).into());
            };
            Ok(Grant {
                session_id: SessionId::new(judgement?),
                instance: Host::parse(INSTANCE).unwrap(),
                org_id: ORG.to_owned(),
                user_id: USER.to_owned(),
                username: request.flow.username().map(str::to_owned),
                sandbox: false,
                timeout: Some(TIMEOUT),
                rotated: None,
                hard_expiry: None,
            })
        })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async { unreachable!("nobody logs in with a browser") })
    }

    fn prove<'a>(&'a self, session_id: &'a SessionId, host: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async move {
            let now = self.time.truly();
            let mut state = self.state();
            state.proofs += 1;
            if let Some(down) = state.attempt(host, now) {
                return Err(down);
            }
            let living = state.sessions.get_mut(session_id.expose()).unwrap();
            if living.ended || now >= living.stamped + TIMEOUT {
                return Err(failure(Class::SessionDead));
            }
            living.proven = now;
            // A call in the first half of the window is not written down.
            if now >= living.stamped + TIMEOUT / 2 {
                living.stamped = now;
            }
            Ok(Proof {
                org_id: ORG.to_owned(),
                user_id: USER.to_owned(),
                username: None,
                timeout: None,
            })
        })
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async { unreachable!("nobody asks") })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async { unreachable!("nobody logs out") })
    }
}

pub(super) const INSTANCE: &str = "acme--api.my.salesforce.com";
const ORG: &str = "00Dxx0000001gPLEAY";
const USER: &str = "005xx000001Sv6AAAS";

fn failure(class: Class) -> Failure {
    Failure {
        class,
        code: None,
        message: "no".to_owned(),
        pause: None,
    }
}
