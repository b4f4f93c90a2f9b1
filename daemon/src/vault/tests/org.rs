//! A Salesforce that counts every login and remembers which one should not have been made.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use tokio::sync::Notify;

use super::answers::{USER, failure, grant, proof};
use crate::{
    clock::Clock,
    failure::{Class, Failure},
    host::Host,
    ledger::Ledger,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRequest, Proof,
        Survey,
    },
    secret::{ConsumerSecret, SessionId},
};

/// A clock that is turned by hand.
#[derive(Debug)]
pub(super) struct Hand(Mutex<SystemTime>);

impl Hand {
    pub(super) fn new() -> Self {
        Self(Mutex::new(
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200),
        ))
    }

    pub(super) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// What happens to the next login or proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The credential is not judged.
    Unavailable,
    /// The credential is judged, and the answer lost.
    Unanswered,
    /// As `Unanswered`, but the silence lasts until the daemon is gone.
    Hang,
}

#[derive(Debug)]
pub(super) struct Org {
    clock: std::sync::Arc<Hand>,
    state: Mutex<State>,
    /// Told when a login hangs.
    pub(super) hangs: Notify,
    gone: Notify,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    users: BTreeMap<String, User>,
    living: BTreeSet<String>,
    serial: u64,
    logins: u64,
    violations: Vec<String>,
}

#[derive(Debug, Default)]
struct User {
    /// Passwords that no longer count.
    void: BTreeSet<String>,
    /// Passwords whose rejection the vault has acknowledged: no login may follow.
    rejected: BTreeSet<String>,
    last_password: String,
    last_rejected: String,
    failed_at: Vec<SystemTime>,
}

impl Org {
    pub(super) fn new(clock: std::sync::Arc<Hand>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            hangs: Notify::new(),
            gone: Notify::new(),
        }
    }

    pub(super) fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    pub(super) fn end_sessions(&self) {
        self.state().living.clear();
    }

    /// The user gets another password elsewhere: the one last used is wrong from now on.
    pub(super) fn void_password(&self, username: &str) {
        let mut state = self.state();
        let user = state.users.entry(username.to_owned()).or_default();
        user.void.insert(user.last_password.clone());
    }

    /// The vault said that it is latched: from now on no login with what was rejected last.
    pub(super) fn rejection_acknowledged(&self, username: &str) {
        let mut state = self.state();
        let user = state.users.entry(username.to_owned()).or_default();
        user.rejected.insert(user.last_rejected.clone());
    }

    /// An operator goes back to a login that was kept: what was rejected may be tried again, but the count stays.
    pub(super) fn forgiven(&self, username: &str) {
        let mut state = self.state();
        let user = state.users.entry(username.to_owned()).or_default();
        user.rejected.clear();
    }

    /// An operator allows one more login.
    pub(super) fn released(&self, username: &str) {
        let mut state = self.state();
        let user = state.users.entry(username.to_owned()).or_default();
        user.rejected.clear();
        user.failed_at.clear();
    }

    /// The daemon that asked is gone.
    pub(super) fn hang_up(&self) {
        self.gone.notify_waiters();
    }

    pub(super) fn logins(&self) -> u64 {
        self.state().logins
    }

    /// Logins that should not have been made.
    pub(super) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Judges a login; `None` if the answer is lost until the daemon is gone.
    /// An app's secret is as good as a password, but what becomes of it says nothing about the user's password.
    fn judge(
        &self,
        username: &str,
        password: &str,
        by_app: bool,
    ) -> Option<Result<String, Failure>> {
        let now = self.clock.now();
        let mut state = self.state();
        let state = &mut *state;
        state.logins += 1;
        state.serial += 1;
        let user = state.users.entry(username.to_owned()).or_default();
        password.clone_into(&mut user.last_password);
        if user.rejected.contains(password) {
            let text = format!("{username}: a login after its rejection was acknowledged");
            state.violations.push(text);
        }
        let recent = |at: &&SystemTime| **at + Ledger::WINDOW > now;
        if !by_app && user.failed_at.iter().filter(recent).count() >= Ledger::BUDGET {
            let text = format!("{username}: more failed logins than the budget");
            state.violations.push(text);
        }
        match state.trouble.take() {
            Some(Trouble::Unavailable) => return Some(Err(failure(Class::Unavailable))),
            Some(Trouble::Unanswered) => {
                user.count_failure(now, by_app);
                return Some(Err(failure(Class::Unanswered)));
            }
            Some(Trouble::Hang) => {
                user.count_failure(now, by_app);
                return None;
            }
            None => {}
        }
        if password.starts_with("wrong") || user.void.contains(password) {
            user.count_failure(now, by_app);
            password.clone_into(&mut user.last_rejected);
            return Some(Err(failure(Class::BadCredentials)));
        }
        if !by_app {
            user.failed_at.clear();
        }
        let session = format!("00Dxx0000001gPL!{}", state.serial);
        state.living.insert(session.clone());
        Some(Ok(session))
    }
}

impl User {
    fn count_failure(&mut self, now: SystemTime, by_app: bool) {
        if !by_app {
            self.failed_at.push(now);
        }
    }
}

/// The app that is this user.
pub(super) fn app_of(username: &str) -> String {
    username.replacen('@', ".", 1)
}

impl Login for Org {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            let app = request.credential.consumer_secret();
            let password = request.credential.password();
            let secret = app.map(ConsumerSecret::expose);
            let secret = secret.unwrap_or_else(|| password.unwrap().expose());
            let by_app = app.is_some();
            let username = match request.flow.consumer_key() {
                Some(app) => app.replacen('.', "@", 1),
                None => request.flow.username().unwrap().to_owned(),
            };
            let gone = self.gone.notified();
            let Some(judgement) = self.judge(&username, secret, by_app) else {
                self.hangs.notify_one();
                gone.await;
                return Err(failure(Class::Unanswered).into());
            };
            Ok(Grant {
                username: Some(username),
                ..grant(judgement?, "acme.my.salesforce.com", USER)
            })
        })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async { Err(failure(Class::Protocol)) })
    }

    fn prove<'a>(&'a self, session_id: &'a SessionId, _: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async move {
            let mut state = self.state();
            if !state.living.contains(session_id.expose()) {
                return Err(failure(Class::SessionDead));
            }
            if state.trouble.take().is_some() {
                return Err(failure(Class::Unavailable));
            }
            Ok(proof(USER))
        })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async { unreachable!("nobody logs out") })
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async { unreachable!("nobody asks") })
    }
}
