//! A process that can be looked at again: held by a pidfd, so that no other process can come to stand in its place.
//!
//! A pid may belong to another process by the time that `/proc/PID` is read. So whatever was read counts only if the
//! pidfd says *afterwards* that the process still lives, for then its pid was its own all the time.

use std::{
    collections::BTreeSet,
    fmt, fs,
    io::{self, Read as _},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
};

use nix::sys::socket::{getsockopt, sockopt::PeerPidfd};
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};
use tokio::net::UnixStream;

use super::{
    cgroup,
    identity::{Identity, Program, Seen, Traits},
    lifeline::Lifeline,
    status::{self, Ids},
};
use crate::{
    access::Unit,
    witness::{Inode, Sight, Unseen},
};

/// The kernel's texts have hundreds of bytes; one of a thousand groups has ten thousand.
const LONGEST_TEXT: u64 = 1 << 20;

const GONE: &str = "the process that connected has ended";
const TOO_OLD: &str = "the kernel can't name the process that connected (that needs Linux 6.5)";
const OUTSIDE: &str = "its process is outside of the pid namespace of sfvaultd";
const HIDDEN: &str =
    "sfvaultd may not see it (CAP_SYS_PTRACE shows it the programs of other users)";
const NO_DESCRIPTOR: &str = "sfvaultd has no file descriptor left";
const UNREAD: &str = "/proc can't be read";

/// A process, as it was when it connected.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    life: Lifeline,
    groups: Seen<Arc<[u32]>>,
    /// The file that it ran, or why that is not known.
    program: Result<Inode, &'static str>,
    sight: Sight,
}

impl Process {
    /// The process that connected, even if its pid is another's by now.
    ///
    /// # Errors
    /// Why there is none to look at.
    pub(super) fn of(
        stream: &UnixStream,
        pid: Option<i32>,
        ids: (u32, u32),
        sight: &Sight,
    ) -> Result<Self, &'static str> {
        let (pid, life) = connected(stream, pid)?;
        let process = Self {
            groups: groups(pid, ids),
            program: running(pid, sight),
            pid,
            life,
            sight: sight.clone(),
        };
        if process.life.lives() {
            Ok(process)
        } else {
            Err(GONE)
        }
    }

    /// What the process that connected is now, and what tells of its end; nothing else of it is kept.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn glance(
        stream: &UnixStream,
        pid: Option<i32>,
        sight: &Sight,
    ) -> Result<(Traits, Lifeline), &'static str> {
        let (pid, life) = connected(stream, pid)?;
        let process = Self {
            groups: Seen::Unasked,
            program: Err(UNREAD),
            pid,
            life,
            sight: sight.clone(),
        };
        let (unit, program) = process.look(&BTreeSet::new());
        Ok((Traits::of(&unit, &program), process.life))
    }

    pub(super) fn life(&self) -> &Lifeline {
        &self.life
    }

    pub(super) fn groups(&self) -> Seen<Arc<[u32]>> {
        self.groups.clone()
    }

    /// What the process is now. `programs` are the paths of which it has to be known whether their file runs.
    pub(super) fn look(&self, programs: &BTreeSet<PathBuf>) -> (Seen<Option<Unit>>, Seen<Program>) {
        let unit = match read(self.pid, "cgroup") {
            Ok(text) => cgroup::unit(&text).map_or_else(Seen::Unknown, Seen::Is),
            Err(why) => Seen::Unknown(why),
        };
        let program = self.program(programs);
        if self.life.lives() {
            (unit, program)
        } else {
            (Seen::Unknown(GONE), Seen::Unknown(GONE))
        }
    }

    fn program(&self, programs: &BTreeSet<PathBuf>) -> Seen<Program> {
        let now = match self.sight.running(self.pid) {
            Ok(now) => now,
            Err(unseen) => return Seen::Unknown(reason(unseen)),
        };
        // Others are no identity, and looking for a file on a disk of the peer's choice could take for ever.
        let in_rule = programs.contains(&now.path);
        match self.program {
            Err(why) if in_rule => Seen::Unknown(why),
            before => Seen::Is(Program {
                in_place: in_rule && Inode::at(&now.path).is_ok_and(|there| there == now.file),
                since_connect: in_rule && before == Ok(now.file),
                path: now.path,
            }),
        }
    }
}

/// Why a process can't be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessError {
    /// There is none of this pid.
    Gone,
    /// The kernel does not say.
    Hidden(&'static str),
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("there is no process of this pid"),
            Self::Hidden(why) => f.write_str(why),
        }
    }
}

/// What the process of this pid would be as a peer, if it connected now.
///
/// # Errors
/// If there is none, or the kernel does not say.
pub fn explain(
    pid: i32,
    programs: &BTreeSet<PathBuf>,
    sight: &Sight,
) -> Result<Identity, ProcessError> {
    let pid = Pid::from_raw(pid).filter(|pid| pid.as_raw_nonzero().get() > 0);
    let pid = pid.ok_or(ProcessError::Gone)?;
    let fd = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| match error {
        Errno::SRCH => ProcessError::Gone,
        _ => ProcessError::Hidden("its pidfd can't be had"),
    })?;
    let text = read(pid, "status").map_err(ProcessError::Hidden)?;
    let Ids { uid, gid, groups } = status::ids(&text).ok_or(ProcessError::Hidden(UNREAD))?;
    let process = Process {
        groups: Seen::Is(groups.into()),
        program: running(pid, sight),
        pid,
        life: Lifeline::new(fd),
        sight: sight.clone(),
    };
    let (unit, program) = process.look(programs);
    if !process.life.lives() {
        return Err(ProcessError::Gone);
    }
    Ok(Identity {
        uid,
        gid,
        groups: process.groups,
        unit,
        program,
    })
}

/// The unit of a process, for people: by the time that they read it, the pid may be another's.
#[must_use]
pub fn unit_of(pid: i32) -> Option<Unit> {
    let pid = Pid::from_raw(pid)?;
    cgroup::unit(&read(pid, "cgroup").ok()?).ok().flatten()
}

/// The pid of the process that connected, and what holds that process.
fn connected(stream: &UnixStream, pid: Option<i32>) -> Result<(Pid, Lifeline), &'static str> {
    named(pid, || getsockopt(stream, PeerPidfd))
}

/// `ask` is how the kernel names a process by something else than its pid.
fn named(
    pid: Option<i32>,
    ask: impl FnOnce() -> nix::Result<OwnedFd>,
) -> Result<(Pid, Lifeline), &'static str> {
    let pid = pid.and_then(Pid::from_raw).ok_or(OUTSIDE)?;
    let fd = ask().map_err(|error| {
        if error == nix::Error::ENOPROTOOPT {
            TOO_OLD
        } else if error == nix::Error::EMFILE || error == nix::Error::ENFILE {
            NO_DESCRIPTOR
        } else {
            GONE
        }
    })?;
    Ok((pid, Lifeline::new(fd)))
}

/// The supplementary groups of a process that still has the ids with which it connected.
fn groups(pid: Pid, connected_as: (u32, u32)) -> Seen<Arc<[u32]>> {
    match read(pid, "status").map(|text| status::ids(&text)) {
        Ok(Some(ids)) if (ids.uid, ids.gid) == connected_as => Seen::Is(ids.groups.into()),
        Ok(Some(_)) => Seen::Unknown("it is another user since it connected"),
        Ok(None) => Seen::Unknown(UNREAD),
        Err(why) => Seen::Unknown(why),
    }
}

fn running(pid: Pid, sight: &Sight) -> Result<Inode, &'static str> {
    let running = sight.running(pid).map_err(reason)?;
    Ok(running.file)
}

fn reason(unseen: Unseen) -> &'static str {
    match unseen {
        Unseen::Witness(why) => why,
        Unseen::Kernel(error) => why(&error.into()),
    }
}

fn read(pid: Pid, name: &str) -> Result<String, &'static str> {
    let mut text = String::new();
    fs::File::open(proc(pid, name))
        .and_then(|file| file.take(LONGEST_TEXT).read_to_string(&mut text))
        .map(|_| text)
        .map_err(|error| why(&error))
}

fn proc(pid: Pid, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

fn why(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied {
        HIDDEN
    } else if error.kind() == io::ErrorKind::NotFound {
        GONE
    } else {
        UNREAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pid alone names nobody: by then it may be another's.
    #[test]
    fn whom_the_kernel_names_by_a_pid_alone_is_nobody_and_it_is_said_why() {
        for (error, why) in [
            (nix::Error::ENOPROTOOPT, TOO_OLD),
            (nix::Error::EMFILE, NO_DESCRIPTOR),
            (nix::Error::ENFILE, NO_DESCRIPTOR),
            (nix::Error::ESRCH, GONE),
            (nix::Error::EINVAL, GONE),
        ] {
            let named = named(Some(1), || Err(error));
            assert_eq!(named.map(|(pid, _)| pid), Err(why), "{error}");
        }
    }

    #[test]
    fn of_a_process_in_another_pid_namespace_the_kernel_is_not_asked() {
        for pid in [None, Some(0)] {
            let named = named(pid, || unreachable!("what has no number here has no name"));
            assert_eq!(named.map(|(pid, _)| pid), Err(OUTSIDE));
        }
    }
}
