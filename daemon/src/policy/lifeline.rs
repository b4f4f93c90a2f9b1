//! How the end of a process that connected is heard of: by its pidfd, which names it and no other, whatever becomes of
//! its pid, and which can be read from once it has exited. Turning into another program does not end it.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::AsyncFd;

/// A process. Clones share the descriptor, and so does whoever waits for its end: it is one, however many sessions the
/// process holds.
#[derive(Debug, Clone)]
pub struct Lifeline(Arc<Process>);

/// The end of a process, to be waited for. Nothing wakes before that.
#[derive(Debug)]
pub struct Exit(Arc<Registered>);

/// What the runtime waits for.
type Registered = AsyncFd<Arc<OwnedFd>>;

#[derive(Debug)]
struct Process {
    pidfd: Arc<OwnedFd>,
    /// There once somebody waited: a descriptor can't be registered twice.
    registered: Mutex<Option<Arc<Registered>>>,
}

impl Lifeline {
    pub(super) fn new(pidfd: OwnedFd) -> Self {
        Self(Arc::new(Process {
            pidfd: Arc::new(pidfd),
            registered: Mutex::default(),
        }))
    }

    /// Whether the process has not exited.
    #[must_use]
    pub fn lives(&self) -> bool {
        lives(&self.0.pidfd)
    }

    /// Has the runtime wait for the end. Needs a tokio runtime, the same each time.
    ///
    /// # Errors
    /// If the runtime can't wait for it.
    pub fn exit(&self) -> io::Result<Exit> {
        let known = self.0.registered.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if let Some(registered) = &*known {
            return Ok(Exit(Arc::clone(registered)));
        }
        #[expect(
            deprecated,
            reason = "its successor is unsafe; the `OwnedFd` in an `Arc` is never swapped"
        )]
        let registered = Arc::new(AsyncFd::new(Arc::clone(&self.0.pidfd))?);
        *known = Some(Arc::clone(&registered));
        Ok(Exit(registered))
    }
}

impl Exit {
    /// Ends when the process has exited; at once if it has already.
    pub async fn happened(&self) {
        // An error means that the runtime ends, and with it whoever waits.
        while let Ok(mut ready) = self.0.readable().await {
            if !lives(self.0.get_ref()) {
                return;
            }
            // When a thread that is not the first turns into another program, older kernels wake too early.
            ready.clear_ready();
        }
    }
}

fn lives(pidfd: &OwnedFd) -> bool {
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut ended = [PollFd::new(pidfd, PollFlags::IN)];
    matches!(poll(&mut ended, Some(&at_once)), Ok(0))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
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

    /// How many of our descriptors name it.
    fn descriptors_of(child: &Child) -> usize {
        let line = format!("Pid:\t{}", child.id());
        fs::read_dir("/proc/self/fdinfo")
            .unwrap()
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
            .filter(|text| text.lines().any(|of| of == line))
            .count()
    }

    /// T21
    #[tokio::test]
    async fn however_many_wait_for_it_a_process_takes_one_descriptor() {
        let (mut child, lifeline) = process();
        let waiting: Vec<Exit> = (0..100).map(|_| lifeline.exit().unwrap()).collect();
        assert_eq!(descriptors_of(&child), 1);
        // The connection goes, what it holds stays.
        drop(lifeline);
        assert_eq!(descriptors_of(&child), 1);
        child.kill().unwrap();
        for exit in waiting {
            exit.happened().await;
        }
        child.wait().unwrap();
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

    /// As older kernels do: what can be read from, and then can't, was no end.
    #[tokio::test]
    async fn a_wake_up_while_it_lives_is_no_end() {
        let (pidfd, mut end) = io::pipe().unwrap();
        let drain = OwnedFd::from(pidfd.try_clone().unwrap());
        let lifeline = Lifeline::new(pidfd.into());
        let exit = lifeline.exit().unwrap();
        end.write_all(b"x").unwrap();
        // The runtime knows it from now on.
        drop(exit.0.readable().await.unwrap());
        assert_eq!(rustix::io::read(&drain, &mut [0; 8]).unwrap(), 1);
        assert!(timeout(Duration::ZERO, exit.happened()).await.is_err());
        end.write_all(b"x").unwrap();
        exit.happened().await;
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
