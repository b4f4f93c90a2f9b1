//! All that the simulator knows, behind one lock.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use sfvaultd::clock::Clock as _;
use tokio::sync::watch;

use super::{
    journal::Journal,
    oauth::{App, OAuth},
    org::Org,
    query::Cursors,
    script::Scripts,
    session::Sessions,
    user::User,
};
use crate::clock::ManualClock;

/// The simulated world, shared by all connections.
#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: ManualClock,
    world: Mutex<World>,
    changes: watch::Sender<()>,
}

/// What the lock protects. Never held across an await.
#[derive(Debug)]
pub(super) struct World {
    /// The time at which the lock was taken.
    pub(super) now: SystemTime,
    pub(super) org: Org,
    pub(super) users: Vec<User>,
    pub(super) sessions: Sessions,
    pub(super) oauth: OAuth,
    pub(super) cursors: Cursors,
    /// When logins from the caller's address failed in the last hour.
    pub(super) recent_failures: VecDeque<SystemTime>,
    /// API calls so far.
    pub(super) api_calls: u64,
    pub(super) scripts: Scripts,
    pub(super) journal: Journal,
}

impl State {
    pub(super) fn new(clock: ManualClock, org: Org, users: Vec<User>, apps: Vec<App>) -> Self {
        let world = World {
            now: clock.now(),
            org,
            users,
            sessions: Sessions::default(),
            oauth: OAuth::new(apps),
            cursors: Cursors::default(),
            recent_failures: VecDeque::new(),
            api_calls: 0,
            scripts: Scripts::default(),
            journal: Journal::default(),
        };
        Self {
            clock,
            world: Mutex::new(world),
            changes: watch::Sender::new(()),
        }
    }

    /// Looks at the world or changes it.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.now = self.clock.now();
        look(&mut world)
    }

    /// Wakes those who wait for something to happen.
    pub(super) fn announce(&self) {
        self.changes.send_replace(());
    }

    /// Sees every announcement from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

/// A request that brings a session.
pub(super) struct Visit<'a> {
    pub(super) session: &'a str,
    /// The name in the `Host` header, without port.
    pub(super) host: &'a str,
    pub(super) password_may_be_expired: bool,
}

/// Why a session is good for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Unknown, expired, logged out, or of another host.
    Dead,
    /// Alive, but barred by a policy: a new login would not help.
    Barred,
    PasswordExpired,
    ApiDisabled,
    LimitExceeded,
}

impl World {
    /// Lets a session in, which counts as activity, and returns the place of its user.
    pub(super) fn admit(&mut self, visit: &Visit<'_>) -> Result<usize, Refused> {
        let session = self.sessions.find(visit.session, self.now);
        let session = session.ok_or(Refused::Dead)?.clone();
        let strange_address = self.org.sessions_locked_to_ip && session.address != self.org.caller;
        if !self.org.is_at(visit.host) || strange_address {
            return Err(Refused::Dead);
        }
        let place = self.place_of(&session.username).ok_or(Refused::Dead)?;
        let user = &self.users[place];
        if !user.active || user.frozen {
            return Err(Refused::Dead);
        }
        if user.sessions_barred {
            return Err(Refused::Barred);
        }
        if session.password_expired && !visit.password_may_be_expired {
            return Err(Refused::PasswordExpired);
        }
        if !user.api_enabled {
            return Err(Refused::ApiDisabled);
        }
        if self.api_calls >= self.org.api_calls_max {
            return Err(Refused::LimitExceeded);
        }
        self.api_calls += 1;
        self.sessions.touch(visit.session, self.now);
        Ok(place)
    }

    /// The place of a user among the users.
    pub(super) fn place_of(&self, username: &str) -> Option<usize> {
        self.users
            .iter()
            .position(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// Gives a user a new password, and with it a new security token.
    pub(super) fn set_password(&mut self, place: usize, password: &str) {
        let user = &mut self.users[place];
        user.password = password.to_owned();
        user.reset_security_token(self.now);
        user.password_expired = false;
        user.failed_logins = 0;
        let username = user.username.clone();
        if self.org.password_change_ends_sessions {
            self.sessions.close_all_of(&username);
        }
        self.password_changed(&username);
    }
}
