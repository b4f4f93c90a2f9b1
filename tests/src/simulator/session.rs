//! Sessions: who has one, and when it dies.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use super::id;

/// A session of the simulated org.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) origin: Origin,
    /// Good for nothing but `setPassword`.
    pub(super) password_expired: bool,
    pub(super) address: IpAddr,
    timeout: Duration,
    /// The activity that the timeout is counted from.
    stamp: SystemTime,
    /// Whether activity does not prolong it: a token in JWT format names its own end.
    fixed: bool,
}

/// What a session was opened through. One living session is shared by all that have the same origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Soap,
    /// The username-password flow: such sessions can't be introspected.
    Password {
        consumer_key: String,
    },
    App {
        consumer_key: String,
        /// The approval whose end is the session's too.
        approval: Option<u64>,
    },
}

impl Session {
    /// When it was last prolonged, and when it ends without more activity.
    pub(super) fn span(&self) -> (SystemTime, SystemTime) {
        (self.stamp, self.stamp + self.timeout)
    }

    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.stamp).unwrap_or_default()
    }

    /// Salesforce writes no activity down in the first half of the timeout (help article 000383251).
    fn touch(&mut self, now: SystemTime) {
        if !self.fixed && self.age(now) >= self.timeout / 2 {
            self.stamp = now;
        }
    }
}

/// What a login asks of the sessions.
pub(super) struct Wanted<'a> {
    pub(super) org_id: &'a str,
    pub(super) username: &'a str,
    pub(super) origin: Origin,
    pub(super) password_expired: bool,
    pub(super) address: IpAddr,
    pub(super) timeout: Duration,
    pub(super) distinct: bool,
    pub(super) restamp: bool,
}

/// The sessions that live.
#[derive(Debug, Default)]
pub(super) struct Sessions(Vec<Session>);

impl Sessions {
    /// The user's living session of this kind, or a new one.
    pub(super) fn open(&mut self, wanted: &Wanted<'_>, now: SystemTime) -> String {
        self.bury(now);
        let living = self.0.iter_mut().find(|session| {
            !wanted.distinct
                && !session.fixed
                && session.origin == wanted.origin
                && session.username.eq_ignore_ascii_case(wanted.username)
                && session.password_expired == wanted.password_expired
                && session.address == wanted.address
        });
        if let Some(session) = living {
            if wanted.restamp {
                session.touch(now);
            }
            return session.id.clone();
        }
        let id = id::session_id(wanted.org_id);
        self.add(id.clone(), wanted, false, now);
        id
    }

    /// A new session whose id is a token that names its own end.
    pub(super) fn open_fixed(&mut self, token: String, wanted: &Wanted<'_>, now: SystemTime) {
        self.bury(now);
        self.add(token, wanted, true, now);
    }

    /// The living session of this id.
    pub(super) fn find(&mut self, id: &str, now: SystemTime) -> Option<&mut Session> {
        self.bury(now);
        self.0.iter_mut().find(|session| session.id == id)
    }

    /// Notes activity in a session.
    pub(super) fn touch(&mut self, id: &str, now: SystemTime) {
        if let Some(session) = self.find(id, now) {
            session.touch(now);
        }
    }

    /// Lifts the restriction of an expired password.
    pub(super) fn free(&mut self, id: &str, now: SystemTime) {
        if let Some(session) = self.find(id, now) {
            session.password_expired = false;
        }
    }

    /// Ends one session, for all who share it.
    pub(super) fn close(&mut self, id: &str) {
        self.0.retain(|session| session.id != id);
    }

    /// Ends all sessions of a user.
    pub(super) fn close_all_of(&mut self, username: &str) {
        self.0
            .retain(|session| !session.username.eq_ignore_ascii_case(username));
    }

    /// Ends all sessions of an approval.
    pub(super) fn close_all_through(&mut self, ended: u64) {
        self.0.retain(|session| match session.origin {
            Origin::App { approval, .. } => approval != Some(ended),
            Origin::Soap | Origin::Password { .. } => true,
        });
    }

    /// The ids of a user's living sessions.
    pub(super) fn of(&mut self, username: &str, now: SystemTime) -> Vec<String> {
        self.bury(now);
        self.0
            .iter()
            .filter(|session| session.username.eq_ignore_ascii_case(username))
            .map(|session| session.id.clone())
            .collect()
    }

    fn add(&mut self, id: String, wanted: &Wanted<'_>, fixed: bool, now: SystemTime) {
        self.0.push(Session {
            id,
            username: wanted.username.to_owned(),
            origin: wanted.origin.clone(),
            password_expired: wanted.password_expired,
            address: wanted.address,
            timeout: wanted.timeout,
            stamp: now,
            fixed,
        });
    }

    fn bury(&mut self, now: SystemTime) {
        self.0.retain(|session| session.age(now) < session.timeout);
    }
}
