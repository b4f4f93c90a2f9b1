//! Who used a record last.

use std::time::SystemTime;

/// Who used a record last, as far as the audit goes back. The texts are the peers' and may hold control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// Those who were handed a session, the last one first; at most three.
    pub users: Vec<LastUser>,
    /// Others were before them.
    pub more: bool,
    /// None is named, and there are older lines that were not read: [`AdminClient::usage`](crate::AdminClient::usage)
    /// reads them all.
    pub unread: bool,
}

/// A user, unit and program that used a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUser {
    /// The user.
    pub uid: Option<u32>,
    /// The systemd unit, where it is known.
    pub unit: Option<String>,
    /// The program, where it is known.
    pub exe: Option<String>,
    /// The last time.
    pub at: Option<SystemTime>,
}
