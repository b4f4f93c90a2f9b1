//! How the end of a process that connected is heard of: by its pidfd, which names it and no other, whatever becomes of
//! its pid, and which can be read from once it has exited. Turning into another program does not end it.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::AsyncFd;

/// A process. Clones share the descriptor.
#[derive(Debug, Clone)]
pub struct Lifeline(Arc<OwnedFd>);

/// The end of a process, to be waited for. Nothing wakes before that.
#[derive(Debug)]
pub struct Exit {
    registered: AsyncFd<OwnedFd>,
    lifeline: Lifeline,
}

impl Lifeline {
    pub(super) fn new(pidfd: OwnedFd) -> Self {
        Self(Arc::new(pidfd))
    }

    /// Whether the process has not exited.
    #[must_use]
    pub fn lives(&self) -> bool {
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut ended = [PollFd::new(&self.0, PollFlags::IN)];
        matches!(poll(&mut ended, Some(&at_once)), Ok(0))
    }

    /// Has the runtime wait for the end. Needs a tokio runtime, and a descriptor: one can't be registered twice, and a
    /// process may hold more than one session.
    ///
    /// # Errors
    /// If there is no descriptor left, or the runtime can't wait for one.
    pub fn exit(&self) -> io::Result<Exit> {
        #[expect(
            deprecated,
            reason = "its successor is unsafe; an `OwnedFd` that nobody else holds is never swapped"
        )]
        let registered = AsyncFd::new(self.0.as_fd().try_clone_to_owned()?)?;
        Ok(Exit {
            registered,
            lifeline: self.clone(),
        })
    }
}

impl Exit {
    /// Ends when the process has exited; at once if it has already.
    pub async fn happened(&self) {
        // An error means that the runtime ends, and with it whoever waits.
        while let Ok(mut ready) = self.registered.readable().await {
            if !self.lifeline.lives() {
                return;
            }
            // When a thread that is not the first turns into another program, older kernels wake too early.
            ready.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use tokio::time::timeout;

    use super::*;

    /// A shell that turns into `cat`, which ends with its stdin.
    fn process() -> (Child, Lifeline) {
        let child = Command::new("/bin/sh")
            .args(["-c", "exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        (child, Lifeline::new(pidfd))
    }

    #[tokio::test]
    async fn each_who_waits_hears_of_the_end_whoever_reaps_it() {
        let (mut child, lifeline) = process();
        let (first, second) = (lifeline.exit().unwrap(), lifeline.exit().unwrap());
        assert!(lifeline.lives());
        child.kill().unwrap();
        first.happened().await;
        second.happened().await;
        child.wait().unwrap();
        assert!(!lifeline.lives());
        lifeline.exit().unwrap().happened().await;
    }

    #[tokio::test]
    async fn another_program_in_its_place_is_no_end() {
        let (mut child, lifeline) = process();
        let exit = lifeline.exit().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // What comes back comes from `cat`.
        stdin.write_all(b"x").unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        assert!(lifeline.lives());
        assert!(timeout(Duration::ZERO, exit.happened()).await.is_err());
        drop(stdin);
        exit.happened().await;
        child.wait().unwrap();
    }
}
