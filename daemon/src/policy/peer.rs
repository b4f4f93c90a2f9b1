//! The process at the other end of a socket: what the kernel said when it connected, never what it says itself.

use std::{collections::BTreeSet, io, path::PathBuf, sync::Arc};

use tokio::net::UnixStream;

use super::{
    identity::{Identity, Seen, Traits},
    lifeline::Lifeline,
    process::Process,
};
use crate::witness::Sight;

/// Who connected. A descriptor that was passed on, or inherited, is still the connection of who made it.
#[derive(Debug, Clone)]
pub struct Peer {
    pub uid: u32,
    pub gid: u32,
    /// For people and for fairness, never for permission: it may be another process's by now.
    pub pid: Option<i32>,
    process: Result<Arc<Process>, &'static str>,
    traits: Traits,
    /// Of a process that was only glanced at.
    life: Option<Lifeline>,
}

/// Whether the process has to be looked at when it connects, because a rule may ask for what it is then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    Process,
    Ids,
}

const NOT_CAPTURED: &str = "it connected when no rule asked for it; it has to connect again";

impl Peer {
    /// Asks the kernel who connected.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn of(
        stream: &UnixStream,
        sight: &Sight,
        capture: impl FnOnce(u32) -> Capture,
    ) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let (uid, gid, pid) = (credentials.uid(), credentials.gid(), credentials.pid());
        let process = match capture(uid) {
            Capture::Process => Process::of(stream, pid, (uid, gid), sight).map(Arc::new),
            Capture::Ids => Err(NOT_CAPTURED),
        };
        Ok(Self {
            uid,
            gid,
            pid,
            process,
            traits: Traits::default(),
            life: None,
        })
    }

    /// Looks once at what the peer runs in and as, for those who read the audit. The process is the one that connected,
    /// whatever its pid means by now; but it may become another program later, so this decides nothing.
    pub fn get_acquainted(&mut self, stream: &UnixStream, sight: &Sight) {
        self.traits = match &self.process {
            Ok(process) => {
                let (unit, program) = process.look(&BTreeSet::new());
                Traits::of(&unit, &program)
            }
            Err(NOT_CAPTURED) => match Process::glance(stream, self.pid, sight) {
                Ok((traits, life)) => {
                    self.life = Some(life);
                    traits
                }
                Err(_) => Traits::default(),
            },
            Err(_) => Traits::default(),
        };
    }

    /// What it ran in and as when it connected: no system call.
    #[must_use]
    pub fn traits(&self) -> &Traits {
        &self.traits
    }

    /// What tells of the end of the process that connected; nothing if the kernel does not name it.
    #[must_use]
    pub fn lifeline(&self) -> Option<&Lifeline> {
        let captured = self.process.as_ref().ok();
        captured.map_or(self.life.as_ref(), |process| Some(process.life()))
    }

    /// Whether it was in this group when it connected.
    #[must_use]
    pub fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || matches!(self.groups(), Seen::Is(groups) if groups.contains(&gid))
    }

    /// What is known without a look: no system call, no allocation.
    pub(super) fn at_connect(&self) -> Identity {
        Identity {
            uid: self.uid,
            gid: self.gid,
            groups: self.groups(),
            unit: Seen::Unasked,
            program: Seen::Unasked,
        }
    }

    /// What it is now; `programs` as in [`super::explain`].
    pub(super) fn now(&self, programs: &BTreeSet<PathBuf>) -> Identity {
        let (unit, program) = match &self.process {
            Ok(process) => process.look(programs),
            Err(why) => (Seen::Unknown(why), Seen::Unknown(why)),
        };
        Identity {
            unit,
            program,
            ..self.at_connect()
        }
    }

    fn groups(&self) -> Seen<Arc<[u32]>> {
        match &self.process {
            Ok(process) => process.groups(),
            Err(why) => Seen::Unknown(why),
        }
    }

    #[cfg(test)]
    pub(crate) fn of_ids(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            pid: Some(1),
            process: Err(NOT_CAPTURED),
            traits: Traits::default(),
            life: None,
        }
    }

    /// A peer of this test's user, whose process is told of by this descriptor.
    #[cfg(test)]
    pub(crate) fn of_pidfd(pidfd: std::os::fd::OwnedFd) -> Self {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        Self {
            life: Some(Lifeline::new(pidfd)),
            ..Self::of_ids(uid.as_raw(), gid.as_raw())
        }
    }

    /// The same, of whom the kernel told nothing but the ids, and why.
    #[cfg(test)]
    pub(crate) fn unnamed(why: &'static str) -> Self {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        Self {
            process: Err(why),
            ..Self::of_ids(uid.as_raw(), gid.as_raw())
        }
    }
}
