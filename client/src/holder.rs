//! Who has a session.

use std::time::SystemTime;

/// A process that has a session, as the kernel named it when it connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its user.
    pub uid: u32,
    /// Its number, which may be another's by now.
    pub pid: Option<u32>,
    /// Whether it watches the session.
    pub watching: bool,
    /// Whether it holds the session until it exits. If it does neither, it has taken it.
    pub until_exit: bool,
    /// When it began to watch or to hold, or when it took the session last.
    pub at: Option<SystemTime>,
}
