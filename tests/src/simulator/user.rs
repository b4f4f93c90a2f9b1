//! A user: credentials, permissions and the count of failed logins.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, SystemTime},
};

use super::{id, mail::Mail, org::IpRange, org::Org, soap::fault::Fault};

/// The state of a simulated user. Every field can be changed while the simulator runs.
#[derive(Debug, Clone)]
pub struct User {
    /// Compared without regard to case, as Salesforce does.
    pub username: String,
    pub password: String,
    /// What the user appends to the password.
    pub security_token: String,
    /// 15 characters.
    pub id: String,
    pub full_name: String,

    pub active: bool,
    pub frozen: bool,
    pub password_expired: bool,
    /// "API Enabled".
    pub api_enabled: bool,
    /// "Use Any API Auth".
    pub use_any_api_auth: bool,
    /// Whether a policy bars the user's sessions from the APIs; a new login changes nothing.
    pub sessions_barred: bool,
    /// Login IP ranges of the profile. From inside them no security token is needed.
    pub login_ips: Vec<IpRange>,
    /// Login hours of the profile, in hours of the UTC day.
    pub login_hours: Option<Range<u64>>,

    /// Failed logins since the last good one.
    pub failed_logins: u32,
    pub lock: Option<Lock>,
    /// What the next `login()` calls are answered with, whatever they bring.
    pub next_faults: VecDeque<Fault>,
    /// What Salesforce has written to the user.
    pub mails: Vec<Mail>,
    /// When the logins of the last hour came.
    pub(super) recent_logins: VecDeque<SystemTime>,
}

/// Until when a user is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    Until(SystemTime),
    /// Until an administrator removes it.
    Forever,
}

/// What a login's password is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    Right,
    TokenMissing,
    Wrong,
}

impl User {
    /// An active user who may log in.
    #[must_use]
    pub fn new(username: &str, password: &str, security_token: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
            security_token: security_token.to_owned(),
            id: FIRST_ID.to_owned(),
            full_name: "Zoë Łukasiewicz <ETL>".to_owned(),
            active: true,
            frozen: false,
            password_expired: false,
            api_enabled: true,
            use_any_api_auth: true,
            sessions_barred: false,
            login_ips: Vec::new(),
            login_hours: None,
            failed_logins: 0,
            lock: None,
            next_faults: VecDeque::new(),
            mails: Vec::new(),
            recent_logins: VecDeque::new(),
        }
    }

    /// The 18-character id.
    #[must_use]
    pub fn id_18(&self) -> String {
        id::eighteen(&self.id)
    }

    /// Gives the user a new security token, and mails it. Who has login IP ranges gets no mail: inside them
    /// nobody needs a token (help article 000182450).
    pub(super) fn reset_security_token(&mut self, now: SystemTime) {
        self.security_token = id::security_token();
        if self.login_ips.is_empty() {
            let mail = Mail::of_new_token(&self.username, &self.security_token, now);
            self.mails.push(mail);
        }
    }

    /// Compares what a login sent with the password, alone and with the token behind it.
    pub(super) fn judge(&self, sent: &str, org: &Org) -> Judged {
        let inside = self.login_ips.iter().any(|r| r.contains(org.caller));
        let token_needed = !org.trusts_caller() && !inside;
        let with_token = sent.strip_prefix(&self.password) == Some(&self.security_token);
        match (sent == self.password, with_token, token_needed) {
            (true, _, false) | (_, true, true) => Judged::Right,
            (true, _, true) => Judged::TokenMissing,
            (false, true, false) if org.token_from_trusted_ok => Judged::Right,
            (false, _, _) => Judged::Wrong,
        }
    }

    /// Whether the user is locked now. A lock that has run out is removed.
    pub(super) fn is_locked(&mut self, now: SystemTime) -> bool {
        if let Some(Lock::Until(end)) = self.lock
            && now >= end
        {
            self.lock = None;
        }
        self.lock.is_some()
    }

    /// Counts a failed login. The one that reaches the limit locks the user and starts a new count.
    pub(super) fn count_failure(&mut self, org: &Org, now: SystemTime) {
        self.failed_logins += 1;
        if org
            .attempts_max
            .is_some_and(|max| self.failed_logins >= max)
        {
            self.failed_logins = 0;
            self.lock = Some(org.lockout.map_or(Lock::Forever, |d| Lock::Until(now + d)));
        }
    }

    /// Counts a login, and says whether it is one too many in this hour.
    pub(super) fn exceeds_rate(&mut self, per_hour: usize, now: SystemTime) -> bool {
        forget_older_than_an_hour(&mut self.recent_logins, now);
        self.recent_logins.push_back(now);
        self.recent_logins.len() > per_hour
    }

    pub(super) fn is_outside_login_hours(&self, now: SystemTime) -> bool {
        let hour = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() / 3600 % 24);
        self.login_hours
            .as_ref()
            .is_some_and(|hours| !hours.contains(&hour))
    }

    pub(super) fn is_outside_login_ips(&self, org: &Org) -> bool {
        !self.login_ips.is_empty() && !self.login_ips.iter().any(|r| r.contains(org.caller))
    }
}

pub(super) fn forget_older_than_an_hour(times: &mut VecDeque<SystemTime>, now: SystemTime) {
    times.retain(|time| {
        now.duration_since(*time)
            .is_ok_and(|age| age < Duration::from_secs(3600))
    });
}

const FIRST_ID: &str = "005xx000001Sv6A";
