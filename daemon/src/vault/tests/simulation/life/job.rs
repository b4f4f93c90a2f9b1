//! A record, as those who work with it know it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use super::{super::way::Way, UID};
use crate::session::Session;

pub(super) struct Job {
    pub(super) name: &'static str,
    pub(super) user: &'static str,
    /// Where a password of the user's goes.
    pub(super) home: &'static str,
    /// What the vault holds.
    pub(super) way: Way,
    /// What the vault keeps beside it since a migration.
    pub(super) kept: Option<Way>,
    /// What was last handed out and not called refused.
    pub(super) held: Option<Arc<Session>>,
    /// When its last login was.
    pub(super) issued: Option<SystemTime>,
    pub(super) newest: u64,
    /// The session need not outlive the daemon: it was got with another credential, or could not be saved.
    pub(super) lost: bool,
    /// When somebody last took the session, by the daemon's clock.
    pub(super) taken: Option<SystemTime>,
    facts: Arc<Mutex<Facts>>,
}

/// What those who watch hold a push against.
#[derive(Debug)]
pub(super) struct Facts {
    /// The newest generation that was called refused.
    pub(super) refused: u64,
    /// Who may use the record.
    pub(super) rules: Vec<u32>,
}

impl Job {
    pub(super) fn new(
        name: &'static str,
        user: &'static str,
        home: &'static str,
        way: Way,
    ) -> Self {
        Self {
            name,
            user,
            home,
            way,
            kept: None,
            held: None,
            issued: None,
            newest: 0,
            lost: false,
            taken: None,
            facts: Arc::new(Mutex::new(Facts {
                refused: 0,
                rules: vec![UID],
            })),
        }
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap()
    }

    pub(super) fn share_facts(&self) -> Arc<Mutex<Facts>> {
        Arc::clone(&self.facts)
    }

    /// The name is another record's now, of which no operator said anything.
    pub(super) fn replaced(&mut self, way: Way) {
        *self = Self::new(self.name, self.user, self.home, way);
    }

    /// The daemon is another, or has forgotten all that it need not know.
    pub(super) fn begin_anew(&mut self) {
        self.held = None;
        self.taken = None;
        self.lost = false;
    }
}
