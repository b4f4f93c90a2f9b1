//! What the rules of all records ask for together: who can be anybody's guest at all, and what has to be known of them.

use std::{collections::BTreeSet, path::PathBuf};

use super::peer::{Capture, Peer};
use crate::access::Rule;

/// The rules of all records, summed up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Guests {
    anybody: Whom,
    /// Whose process a rule asks for.
    looked_at: Whom,
    captured: Whom,
    programs: BTreeSet<PathBuf>,
}

/// The users to whom something applies.
#[derive(Debug, Default, PartialEq, Eq)]
struct Whom {
    all: bool,
    uids: BTreeSet<u32>,
}

impl Whom {
    fn add(&mut self, rule: &Rule) {
        match rule.uid() {
            Some(uid) => {
                self.uids.insert(uid.number);
            }
            None => self.all = true,
        }
    }

    fn has(&self, uid: u32) -> bool {
        self.all || self.uids.contains(&uid)
    }
}

impl Guests {
    /// Sums up rules.
    pub fn of<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Self {
        let mut guests = Self::default();
        for rule in rules {
            guests.anybody.add(rule);
            if rule.needs_process() {
                guests.looked_at.add(rule);
            }
            if rule.needs_process() || rule.gid().is_some() {
                guests.captured.add(rule);
            }
            guests.programs.extend(rule.exe().map(PathBuf::from));
        }
        guests
    }

    /// Whether a rule could let this user in.
    #[must_use]
    pub fn may_include(&self, uid: u32) -> bool {
        self.anybody.has(uid)
    }

    /// What has to be captured when this user connects.
    #[must_use]
    pub fn capture(&self, uid: u32) -> Capture {
        if self.captured.has(uid) {
            Capture::Process
        } else {
            Capture::Ids
        }
    }

    /// Whether the verdict on this peer, for any record, could depend on what its process is now.
    pub(super) fn look_at(&self, peer: &Peer) -> bool {
        self.looked_at.has(peer.uid)
    }

    pub(super) fn programs(&self) -> &BTreeSet<PathBuf> {
        &self.programs
    }
}
