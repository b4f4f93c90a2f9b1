//! Takes connections from both sockets, for as long as the daemon lives.
//!
//! Nothing that a client, a full descriptor table or a cleaner of old files does ends the loop: an accept error
//! waits and goes on, and a socket that vanished from its directory is bound again. It sleeps in the kernel meanwhile.

use std::{
    fmt, io,
    os::unix::net::UnixListener as StdListener,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream, unix::SocketAddr},
    sync::mpsc,
    time::{Instant, sleep},
};
use tracing::{error, info, warn};

use crate::{
    listen::{
        ADMIN_SOCKET, Inode, InstanceLock, ListenError, Openable, SESSIONS_SOCKET, bind, inode,
        unbind,
    },
    mode::Mode,
    paths::{PathError, prepare_runtime},
    runtime_watch::RuntimeWatch,
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
    openable: Openable,
    listener: UnixListener,
    /// What must stand at its path in the runtime directory; `None` if systemd has it elsewhere.
    bound: Option<Inode>,
    /// Bound here, and so removed at the end; what systemd has bound stays.
    own: bool,
}

/// Both sockets, bound.
#[derive(Debug)]
pub struct Sockets {
    runtime: PathBuf,
    mode: Mode,
    /// The runtime directory itself: another one may come to stand at its path.
    directory: Option<Inode>,
    lock: InstanceLock,
    sessions: Door,
    admin: Door,
}

/// Sockets that systemd has bound for us.
#[derive(Debug, Default)]
pub struct Activated {
    pub sessions: Option<StdListener>,
    pub admin: Option<StdListener>,
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
        mode: Mode,
        admin_group: Option<u32>,
    ) -> Result<Self, ListenError> {
        let (sessions, admin) = match mode {
            Mode::User => (Openable::Own, Openable::Own),
            Mode::System => (
                Openable::All,
                admin_group.map_or(Openable::Own, Openable::Group),
            ),
        };
        let sessions = Door::open(
            runtime,
            &lock,
            (SESSIONS_SOCKET, sessions),
            activated.sessions,
        )?;
        let admin = Door::open(runtime, &lock, (ADMIN_SOCKET, admin), activated.admin)?;
        Ok(Self {
            runtime: runtime.to_owned(),
            mode,
            directory: inode(runtime),
            lock,
            sessions,
            admin,
        })
    }

    /// Accepts until it is `stopped`: who connects later waits for the daemon that systemd starts next. Then, when both
    /// receivers are gone, removes the sockets.
    pub async fn serve(
        mut self,
        sessions: mpsc::Sender<io::Result<UnixStream>>,
        admin: mpsc::Sender<io::Result<UnixStream>>,
        stopped: impl Future<Output = ()>,
    ) {
        let mut stopped = pin!(stopped);
        let mut watch = RuntimeWatch::new(&self.runtime);
        let mut trouble = Trouble::default();
        loop {
            let next = tokio::select! {
                // First: whoever connects after the end has begun is left in the queue.
                biased;
                () = &mut stopped => break,
                next = self.next(&mut watch) => next,
            };
            match next {
                Next::Session(accepted) => pass_on(accepted, &sessions, &mut trouble).await,
                Next::Administration(accepted) => pass_on(accepted, &admin, &mut trouble).await,
                Next::Look => self.look(&mut watch),
            }
        }
        tokio::join!(sessions.closed(), admin.closed());
        for door in [&self.sessions, &self.admin] {
            if let Some(bound) = door.bound.filter(|_| door.own) {
                unbind(&self.runtime, door.name, bound);
            }
        }
    }

    /// Waits for what happens first; of several, for any.
    async fn next(&self, watch: &mut RuntimeWatch) -> Next {
        tokio::select! {
            accepted = self.sessions.listener.accept() => Next::Session(accepted),
            accepted = self.admin.listener.accept() => Next::Administration(accepted),
            () = watch.stirred() => Next::Look,
        }
    }

    /// Sees to it that clients find the sockets. What can't be mended now, such as a directory that another daemon has
    /// for a moment, is tried again later.
    fn look(&mut self, watch: &mut RuntimeWatch) {
        match self.restore(watch) {
            Ok(()) => {
                if watch.rest() {
                    info!("clients find the sockets again");
                }
            }
            Err(problem) => {
                if watch.try_again() {
                    error!(%problem, "clients may not find the sockets; trying on");
                }
            }
        }
    }

    /// Binds again what is no longer at its path.
    fn restore(&mut self, watch: &mut RuntimeWatch) -> Result<(), RestoreError> {
        let directory = inode(&self.runtime);
        let moved = directory.is_none() || directory != self.directory;
        if moved {
            // Somebody else may have made the directory that is there now.
            prepare_runtime(&self.runtime, self.mode)?;
        }
        if moved || !self.lock.is_in(&self.runtime) {
            self.lock = InstanceLock::take(&self.runtime)?;
        }
        if moved {
            self.directory = inode(&self.runtime);
            warn!("the runtime directory was replaced; it is in use again");
        }
        // Before the sockets are looked at, so that nothing falls in between.
        let watched = watch.keep_on(moved);
        for door in [&mut self.sessions, &mut self.admin] {
            let found = inode(&self.runtime.join(door.name));
            if door.bound.is_some() && door.bound != found {
                *door = Door::open(&self.runtime, &self.lock, (door.name, door.openable), None)?;
                warn!(
                    socket = door.name,
                    "somebody removed the socket; it is bound again"
                );
            }
        }
        watched.map_err(RestoreError::Watch)
    }
}

impl Door {
    fn open(
        runtime: &Path,
        lock: &InstanceLock,
        (name, openable): (&'static str, Openable),
        activated: Option<StdListener>,
    ) -> Result<Self, ListenError> {
        let path = runtime.join(name);
        let io = |error| ListenError::Io {
            path: path.clone(),
            error,
        };
        let own = activated.is_none();
        let (listener, here) = match activated {
            Some(listener) => {
                listener.set_nonblocking(true).map_err(io)?;
                let address = listener.local_addr().map_err(io)?;
                (listener, address.as_pathname() == Some(&path))
            }
            None => (bind(lock, runtime, name, openable)?, true),
        };
        Ok(Self {
            name,
            openable,
            listener: UnixListener::from_std(listener).map_err(io)?,
            bound: inode(&path).filter(|_| here),
            own,
        })
    }
}

type Accepted = io::Result<(UnixStream, SocketAddr)>;

/// What there is to do.
enum Next {
    Session(Accepted),
    Administration(Accepted),
    Look,
}

/// Why clients may not find the sockets.
#[derive(Debug)]
enum RestoreError {
    Listen(ListenError),
    Path(PathError),
    Watch(io::Error),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => error.fmt(f),
            Self::Path(error) => error.fmt(f),
            Self::Watch(error) => write!(f, "the runtime directory can't be watched: {error}"),
        }
    }
}

impl From<ListenError> for RestoreError {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

impl From<PathError> for RestoreError {
    fn from(error: PathError) -> Self {
        Self::Path(error)
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

async fn pass_on(
    accepted: Accepted,
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
