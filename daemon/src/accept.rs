//! Takes connections from both sockets, for as long as the daemon lives.
//!
//! Nothing that a client, a full descriptor table or a cleaner of old files does ends the loop: an accept error
//! waits and goes on, and a socket that vanished from its directory is bound again. It sleeps in the kernel meanwhile.

use std::{
    io,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::inotify;
use tokio::{
    io::unix::AsyncFd,
    net::{UnixListener, UnixStream},
    sync::mpsc,
    time::{Instant, sleep},
};
use tracing::{error, warn};

use crate::listen::{
    ADMIN_SOCKET, Inode, InstanceLock, ListenError, SESSIONS_SOCKET, bind, inode, unbind,
};

/// How long to wait after an accept error. Descriptors come back as clients leave; asking again at once would only
/// burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A shortage of descriptors that comes and goes is worth one line in the log now and then.
const LINE_EVERY: Duration = Duration::from_mins(1);
/// How many accepted connections may wait for their service to take them.
const BACKLOG: usize = 16;

/// One bound socket.
#[derive(Debug)]
struct Door {
    name: &'static str,
    listener: UnixListener,
    bound: Option<Inode>,
}

/// Both sockets, bound.
#[derive(Debug)]
pub struct Sockets {
    runtime: PathBuf,
    lock: InstanceLock,
    sessions: Door,
    admin: Door,
}

/// Where accepted connections come out.
#[derive(Debug)]
pub struct Connections {
    pub sessions: mpsc::Receiver<io::Result<UnixStream>>,
    pub admin: mpsc::Receiver<io::Result<UnixStream>>,
}

/// Sockets that systemd has bound for us.
#[derive(Debug, Default)]
pub struct Activated {
    pub sessions: Option<std::os::unix::net::UnixListener>,
    pub admin: Option<std::os::unix::net::UnixListener>,
}

impl Sockets {
    /// Binds what systemd has not bound. Needs a tokio runtime.
    ///
    /// # Errors
    /// See [`bind`].
    pub fn bind(
        runtime: &Path,
        lock: InstanceLock,
        activated: Activated,
    ) -> Result<Self, ListenError> {
        let sessions = Door::open(runtime, &lock, SESSIONS_SOCKET, activated.sessions)?;
        let admin = Door::open(runtime, &lock, ADMIN_SOCKET, activated.admin)?;
        Ok(Self {
            runtime: runtime.to_owned(),
            lock,
            sessions,
            admin,
        })
    }

    /// Accepts until both receivers are gone, then removes the sockets.
    pub async fn serve(
        mut self,
        sessions: mpsc::Sender<io::Result<UnixStream>>,
        admin: mpsc::Sender<io::Result<UnixStream>>,
    ) {
        let mut watch = Watch::new(&self.runtime);
        let mut trouble = Trouble::default();
        loop {
            tokio::select! {
                accepted = self.sessions.listener.accept() => pass_on(accepted, &sessions, &mut trouble).await,
                accepted = self.admin.listener.accept() => pass_on(accepted, &admin, &mut trouble).await,
                () = watch.stirred() => {
                    if let Err(problem) = self.restore(&mut watch) {
                        error!(%problem, "a socket vanished and could not be bound again");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
                () = async { tokio::join!(sessions.closed(), admin.closed()); } => break,
            }
        }
        for door in [&self.sessions, &self.admin] {
            if let Some(bound) = door.bound {
                unbind(&self.runtime, door.name, bound);
            }
        }
    }

    /// Binds again what is no longer at its path.
    fn restore(&mut self, watch: &mut Watch) -> Result<(), ListenError> {
        if !self.runtime.exists() {
            let made = std::fs::DirBuilder::new().mode(0o700).create(&self.runtime);
            made.map_err(|error| ListenError::Io {
                path: self.runtime.clone(),
                error,
            })?;
            self.lock = InstanceLock::take(&self.runtime)?;
            *watch = Watch::new(&self.runtime);
        }
        for door in [&mut self.sessions, &mut self.admin] {
            if inode(&self.runtime.join(door.name)).is_none() {
                *door = Door::open(&self.runtime, &self.lock, door.name, None)?;
                warn!(
                    socket = door.name,
                    "somebody removed the socket; it is bound again"
                );
            }
        }
        Ok(())
    }
}

impl Door {
    fn open(
        runtime: &Path,
        lock: &InstanceLock,
        name: &'static str,
        activated: Option<std::os::unix::net::UnixListener>,
    ) -> Result<Self, ListenError> {
        let path = runtime.join(name);
        let io = |error| ListenError::Io {
            path: path.clone(),
            error,
        };
        let (listener, bound) = match activated {
            Some(listener) => {
                listener.set_nonblocking(true).map_err(io)?;
                (listener, None)
            }
            None => (bind(lock, runtime, name)?, inode(&path)),
        };
        Ok(Self {
            name,
            listener: UnixListener::from_std(listener).map_err(io)?,
            bound,
        })
    }
}

/// Channels through which connections reach the services.
#[must_use]
pub fn channels() -> (
    mpsc::Sender<io::Result<UnixStream>>,
    mpsc::Receiver<io::Result<UnixStream>>,
) {
    mpsc::channel(BACKLOG)
}

/// When a failure to accept was last told.
#[derive(Debug, Default)]
struct Trouble(Option<Instant>);

async fn pass_on<A>(
    accepted: io::Result<(UnixStream, A)>,
    to: &mpsc::Sender<io::Result<UnixStream>>,
    trouble: &mut Trouble,
) {
    match accepted {
        Ok((stream, _)) => {
            // A service that is gone takes no more: the connection closes.
            drop(to.send(Ok(stream)).await);
        }
        Err(problem) => {
            let now = Instant::now();
            if trouble.0.is_none_or(|told| now - told >= LINE_EVERY) {
                trouble.0 = Some(now);
                warn!(%problem, "connections can't be accepted; trying on");
            }
            sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Tells when something in the runtime directory was removed or moved.
#[derive(Debug)]
struct Watch(Option<AsyncFd<OwnedFd>>);

impl Watch {
    fn new(runtime: &Path) -> Self {
        let watched = || -> io::Result<AsyncFd<OwnedFd>> {
            let inotify =
                inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
            let what = inotify::WatchFlags::DELETE
                | inotify::WatchFlags::DELETE_SELF
                | inotify::WatchFlags::MOVED_FROM
                | inotify::WatchFlags::MOVE_SELF;
            inotify::add_watch(&inotify, runtime, what)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe; an `OwnedFd` that nobody else holds is never swapped"
            )]
            AsyncFd::new(inotify)
        };
        match watched() {
            Ok(inotify) => Self(Some(inotify)),
            Err(problem) => {
                warn!(%problem, "a removed socket would go unnoticed");
                Self(None)
            }
        }
    }

    async fn stirred(&mut self) {
        let Some(inotify) = &self.0 else {
            return std::future::pending().await;
        };
        if let Ok(mut ready) = inotify.readable().await {
            // What happened does not matter: the paths themselves are looked at.
            let mut events = [0_u8; 4096];
            while rustix::io::read(inotify, &mut events).is_ok_and(|read| read > 0) {}
            ready.clear_ready();
        }
    }
}
