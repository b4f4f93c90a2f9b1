//! Who asked, as far as the kernel told.

use std::sync::Arc;

/// A peer as the audit names it. What nobody knows is left out of the line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Who {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub pid: Option<i32>,
    /// The systemd unit.
    pub unit: Option<Arc<str>>,
    /// The program's file.
    pub exe: Option<Arc<str>>,
}

impl Who {
    /// The user and group alone.
    #[must_use]
    pub fn without_process(&self) -> Self {
        Self {
            uid: self.uid,
            gid: self.gid,
            ..Self::default()
        }
    }
}
