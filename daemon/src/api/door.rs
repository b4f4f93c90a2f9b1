//! Who gets in at a socket, before any record is spoken of.

use std::sync::Arc;

use crate::{
    audit::Audit,
    descriptors::Room,
    mode::Mode,
    policy::{Capture, Peer, Policy},
    seats::Seats,
    vault::Vault,
};

/// What both sockets share.
#[derive(Debug)]
pub struct House {
    pub policy: Policy,
    pub(super) admin_group: Option<u32>,
    pub(super) sessions: Arc<Seats>,
    pub(super) admin: Arc<Seats>,
    /// For those who are not let in: they take no seat from anybody while they are told.
    pub(super) strangers: Arc<Seats>,
}

impl House {
    /// The seats are empty.
    #[must_use]
    pub fn new(policy: Policy, admin_group: Option<u32>, room: Room) -> Self {
        let sessions = Seats::new(room.sessions);
        Self {
            policy,
            admin_group,
            admin: sessions.beside(room.admin),
            strangers: sessions.beside(room.strangers),
            sessions,
        }
    }
}

/// One socket.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) house: Arc<House>,
    pub(super) vault: Arc<Vault>,
    /// Told of those who are not let in.
    pub(super) audit: Audit,
    pub(super) way: Way,
}

/// Where a door leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Sessions,
    Admin,
}

impl Door {
    /// What has to be known of a peer of this user when it connects.
    pub(super) fn capture(&self, uid: u32) -> Capture {
        if self.refuses(uid) {
            return Capture::Ids;
        }
        match self.way {
            Way::Sessions => self.vault.capture(uid),
            Way::Admin if self.house.policy.is_owner(uid) => Capture::Ids,
            Way::Admin => match self.house.admin_group {
                Some(_) => Capture::Process,
                None => Capture::Ids,
            },
        }
    }

    /// Whether the peer may speak to the services behind this door. The daemon's user and root always may; which records
    /// are theirs is another question.
    ///
    /// While the rules are sealed, the system's daemon says so to everybody: who waits for it to be unlocked may be the
    /// one for whom it is.
    pub(super) fn admits(&self, peer: &Peer) -> bool {
        let policy = &self.house.policy;
        if policy.is_owner(peer.uid) {
            return true;
        }
        match self.way {
            Way::Sessions => self.serves(peer.uid),
            Way::Admin => {
                policy.mode() == Mode::System
                    && self.house.admin_group.is_some_and(|gid| peer.is_in(gid))
            }
        }
    }

    /// Whether no user of this number is let in, whatever else his processes are: then nothing need be known of them.
    pub(super) fn refuses(&self, uid: u32) -> bool {
        let policy = &self.house.policy;
        let may_enter = policy.is_owner(uid)
            || match self.way {
                Way::Sessions => self.serves(uid),
                Way::Admin => policy.mode() == Mode::System && self.house.admin_group.is_some(),
            };
        !may_enter
    }

    /// Sends away all who sit behind it, for their connections' buffers may hold what the vault has forgotten.
    pub(super) fn dismiss(&self) {
        match self.way {
            Way::Sessions => self.house.sessions.dismiss(),
            Way::Admin => self.house.admin.dismiss(),
        }
    }

    pub(super) fn seats(&self, peer: &Peer) -> &Arc<Seats> {
        if !self.admits(peer) {
            return &self.house.strangers;
        }
        match self.way {
            Way::Sessions => &self.house.sessions,
            Way::Admin => &self.house.admin,
        }
    }

    /// Whether a rule of some record may let this user in. While the rules are sealed it may, on a host.
    fn serves(&self, uid: u32) -> bool {
        let policy = &self.house.policy;
        let sealed = || policy.mode() == Mode::System;
        self.vault.may_serve(uid).unwrap_or_else(sealed)
    }
}
