//! A session as the store keeps it, so that a restart needs no login that was not needed before.

use std::time::{Duration, SystemTime};

use crate::{host::Host, secret::SessionId};

/// A session at the moment when it was written down.
#[derive(Debug, Clone)]
pub struct KeptSession {
    pub session_id: SessionId,
    pub instance: Host,
    /// 18 characters.
    pub org_id: String,
    /// 18 characters.
    pub user_id: String,
    /// `None` if neither the login nor a proof told it.
    pub username: Option<String>,
    pub sandbox: bool,
    /// Of the login or the proof that stamped it last.
    pub generation: u64,
    pub first_generation: u64,
    /// The credential that it was got with. With another, it is not taken over.
    pub credential_version: u64,
    pub issued_at: SystemTime,
    /// When a call with it last succeeded; `None` if none did yet.
    pub proven_at: Option<SystemTime>,
    pub timeout: Option<Duration>,
    /// See [`Session::granted_timeout`](crate::session::Session::granted_timeout).
    pub granted_timeout: Option<Duration>,
    pub hard_expiry: Option<SystemTime>,
    /// Somebody was refused with it: it is proven before anybody gets it.
    pub doubted: bool,
}

/// A record's generation has one session id, so the facts tell two of its sessions apart.
impl PartialEq for KeptSession {
    fn eq(&self, other: &Self) -> bool {
        self.facts() == other.facts()
    }
}

impl Eq for KeptSession {}

impl KeptSession {
    /// All but the session id.
    fn facts(&self) -> impl PartialEq + '_ {
        (
            (&self.instance, &self.org_id, &self.user_id, &self.username),
            (
                self.generation,
                self.first_generation,
                self.credential_version,
            ),
            (self.issued_at, self.proven_at, self.hard_expiry),
            (self.timeout, self.granted_timeout),
            (self.sandbox, self.doubted),
        )
    }
}
