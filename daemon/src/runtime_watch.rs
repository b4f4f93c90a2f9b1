//! Tells when to look at the runtime directory: at first, when something there was removed or moved, and now and then
//! while something is wrong. Otherwise it sleeps in the kernel.

use std::{
    future::pending,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::inotify;
use tokio::{
    io::unix::AsyncFd,
    time::{Instant, sleep_until},
};

/// The first pause before trying again: another program needs a moment to let go.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause. It also is how long a removed socket can go unnoticed where the system has no watches left.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A watch on the runtime directory.
#[derive(Debug)]
pub struct RuntimeWatch {
    runtime: PathBuf,
    inotify: Option<AsyncFd<OwnedFd>>,
    /// When to look even if nothing stirs.
    due: Option<Instant>,
    /// The last pause before trying again, while something is wrong.
    pause: Option<Duration>,
}

impl RuntimeWatch {
    /// It tells to look at once. Needs a tokio runtime.
    #[must_use]
    pub fn new(runtime: &Path) -> Self {
        Self {
            runtime: runtime.to_owned(),
            inotify: None,
            due: Some(Instant::now()),
            pause: None,
        }
    }

    /// Ends when it is time to look.
    pub async fn stirred(&mut self) {
        let due = self.due;
        let is_due = async move {
            match due {
                Some(due) => sleep_until(due).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = is_due => {}
            () = event(self.inotify.as_ref()) => {}
        }
    }

    /// Watches the directory that now is at the path, if that is `another` one or none is watched yet.
    ///
    /// # Errors
    /// If the system has no watches left, or the directory is gone.
    pub fn keep_on(&mut self, another: bool) -> io::Result<()> {
        if another {
            self.inotify = None;
        }
        if self.inotify.is_none() {
            self.inotify = Some(watch(&self.runtime)?);
        }
        Ok(())
    }

    /// All is well. Returns whether it was not.
    pub fn rest(&mut self) -> bool {
        self.due = None;
        self.pause.take().is_some()
    }

    /// Something is wrong: it will tell to look again before long. Returns whether all was well before.
    pub fn try_again(&mut self) -> bool {
        let pause = self
            .pause
            .map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.due = Some(Instant::now() + pause);
        self.pause.replace(pause).is_none()
    }
}

fn watch(directory: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let inotify = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    let what = inotify::WatchFlags::DELETE
        | inotify::WatchFlags::DELETE_SELF
        | inotify::WatchFlags::MOVED_FROM
        | inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::MOVE_SELF
        | inotify::WatchFlags::ONLYDIR;
    inotify::add_watch(&inotify, directory, what)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe; an `OwnedFd` that nobody else holds is never swapped"
    )]
    AsyncFd::new(inotify)
}

async fn event(inotify: Option<&AsyncFd<OwnedFd>>) {
    let Some(inotify) = inotify else {
        return pending().await;
    };
    if let Ok(mut ready) = inotify.readable().await {
        // What happened does not matter: the paths themselves are looked at.
        let mut events = [0_u8; 4096];
        while rustix::io::read(inotify, &mut events).is_ok_and(|read| read > 0) {}
        ready.clear_ready();
    }
}
