//! Who has a session.

use std::time::SystemTime;

/// A process that has a session, as the kernel named it when it connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its user.
    pub uid: u32,
    /// Its number, which may be another's by now.
    pub pid: Option<u32>,
    /// Whether it watches the session; else it has taken it.
    pub watching: bool,
    /// Whether it holds the session until it exits; else it has taken it or watches it.
    pub until_exit: bool,
    /// When it began to watch or to hold, or when it took the session last.
    pub at: Option<SystemTime>,
}
