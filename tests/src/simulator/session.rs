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
    /// Good for nothing but `setPassword`.
    pub(super) password_expired: bool,
    pub(super) address: IpAddr,
    timeout: Duration,
    /// The activity that the timeout is counted from.
    stamp: SystemTime,
}

impl Session {
    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.stamp).unwrap_or_default()
    }

    /// Salesforce writes no activity down in the first half of the timeout (help article 000383251).
    fn touch(&mut self, now: SystemTime) {
        if self.age(now) >= self.timeout / 2 {
            self.stamp = now;
        }
    }
}

/// What a login asks of the sessions.
pub(super) struct Wanted<'a> {
    pub(super) org_id: &'a str,
    pub(super) username: &'a str,
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
        let session = Session {
            id: id::session_id(wanted.org_id),
            username: wanted.username.to_owned(),
            password_expired: wanted.password_expired,
            address: wanted.address,
            timeout: wanted.timeout,
            stamp: now,
        };
        let id = session.id.clone();
        self.0.push(session);
        id
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

    /// The ids of a user's living sessions.
    pub(super) fn of(&mut self, username: &str, now: SystemTime) -> Vec<String> {
        self.bury(now);
        self.0
            .iter()
            .filter(|session| session.username.eq_ignore_ascii_case(username))
            .map(|session| session.id.clone())
            .collect()
    }

    fn bury(&mut self, now: SystemTime) {
        self.0.retain(|session| session.age(now) < session.timeout);
    }
}
