//! The way to the daemon: a Unix socket, and who listens on it.
//!
//! A path proves nothing: anybody who could write to the directory may listen there. So the kernel is
//! asked for the listener's user on every connection, before one byte is sent.

use std::{
    fmt, fs, io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::{Error, Reason};

/// No connection was made, and nothing was sent.
#[derive(Debug)]
pub(crate) struct ConnectError {
    socket: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    PathTooLong,
    NoSocket,
    NobodyListens,
    Forbidden,
    Foreign { uid: u32 },
    Busy,
    Io(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::NoSocket
        } else if error.kind() == io::ErrorKind::ConnectionRefused {
            Self::NobodyListens
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Self::Forbidden
        } else if error.kind() == io::ErrorKind::WouldBlock {
            Self::Busy
        } else {
            Self::Io(error)
        }
    }
}

impl ConnectError {
    pub(crate) fn reason(&self) -> Reason {
        match &self.problem {
            Problem::PathTooLong => Reason::SocketPathTooLong,
            Problem::NoSocket => Reason::NoSocket,
            Problem::NobodyListens => Reason::NobodyListens,
            Problem::Forbidden => Reason::SocketForbidden,
            Problem::Foreign { .. } => Reason::ForeignDaemon,
            Problem::Busy => Reason::DaemonBusy,
            Problem::Io(_) => Reason::ConnectFailed,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = self.socket.display();
        match &self.problem {
            Problem::PathTooLong => write!(
                f,
                "the path of the socket has {} bytes, {MAX_SOCKET_PATH} are possible: `{socket}`",
                self.socket.as_os_str().len()
            ),
            Problem::NoSocket => write!(f, "sfvaultd is not running: there is no `{socket}`"),
            Problem::NobodyListens => {
                write!(f, "sfvaultd is not running: nobody listens on `{socket}`")
            }
            Problem::Forbidden => write!(f, "this user may not open `{socket}`"),
            Problem::Foreign { uid } => write!(
                f,
                "the process that listens on `{socket}` belongs to user {uid}, who could be anybody"
            ),
            Problem::Busy => write!(
                f,
                "sfvaultd is busy: too many connections wait at `{socket}`"
            ),
            Problem::Io(error) => write!(f, "can't connect to `{socket}`: {error}"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// Connects to the socket. If the connection breaks later, the next call makes a new one, with the same
/// checks.
pub(crate) async fn channel(socket: PathBuf) -> Result<Channel, Error> {
    // The connector ignores the URI. gRPC wants an authority, and `localhost` is the one for Unix sockets.
    let endpoint = Endpoint::from_static("http://localhost")
        .user_agent(concat!("sfvault/", env!("CARGO_PKG_VERSION")))
        .map_err(|error| Error::new(Reason::ConnectFailed, error.to_string()))?
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_PATIENCE);
    let at = socket.clone();
    let connect = move || {
        let socket = at.clone();
        async move { connect(&socket).await }
    };
    attempt(&endpoint, &socket, connect).await
}

/// Connects again if what was connected breaks before anything was asked, as when the daemon just ends: then the next attempt
/// finds out.
async fn attempt<F>(
    endpoint: &Endpoint,
    socket: &Path,
    connect: impl Fn() -> F + Clone + Send + 'static,
) -> Result<Channel, Error>
where
    F: Future<Output = Result<UnixStream, ConnectError>> + Send + 'static,
{
    let mut attempts = 1;
    loop {
        let connect = connect.clone();
        let connector = service_fn(move |_: Uri| {
            let stream = connect();
            async move { stream.await.map(TokioIo::new) }
        });
        match endpoint.connect_with_connector(connector).await {
            Ok(channel) => return Ok(channel),
            Err(error) => {
                let error = explain(&error, socket);
                if error.reason() != Reason::Disconnected || attempts == ATTEMPTS {
                    return Err(error);
                }
                attempts += 1;
            }
        }
    }
}

/// A daemon that ends closes its sockets at once.
const ATTEMPTS: u32 = 4;
/// While a call is open, a daemon that hangs is found within a minute. Nothing is sent between calls.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// The longest path that fits into a `sockaddr_un` with its closing NUL.
const MAX_SOCKET_PATH: usize = 107;
/// While the daemon's queue of new connections is full, connecting does not wait but fails. A local
/// daemon empties the queue within milliseconds; 5 s of failures mean that it hangs.
const QUEUE_ATTEMPTS: u32 = 500;
const QUEUE_PAUSE: Duration = Duration::from_millis(10);

async fn connect(socket: &Path) -> Result<UnixStream, ConnectError> {
    let fail = |problem| ConnectError {
        socket: socket.to_owned(),
        problem,
    };
    if socket.as_os_str().as_bytes().len() > MAX_SOCKET_PATH {
        return Err(fail(Problem::PathTooLong));
    }
    let mut attempts = 0;
    let stream = loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => break stream,
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock && attempts < QUEUE_ATTEMPTS =>
            {
                attempts += 1;
                tokio::time::sleep(QUEUE_PAUSE).await;
            }
            Err(error) => return Err(fail(error.into())),
        }
    };
    let listener = stream
        .peer_cred()
        .map_err(|error| fail(error.into()))?
        .uid();
    let own = rustix::process::geteuid().as_raw();
    if listener == own || listener == ROOT || is_appointed(listener, own, socket) {
        Ok(stream)
    } else {
        Err(fail(Problem::Foreign { uid: listener }))
    }
}

const ROOT: u32 = 0;

/// Whether the listener owns the runtime directory, and only root or this user can have put that
/// directory where it is: so a service manager appoints the user of a system-wide daemon.
fn is_appointed(listener: u32, own: u32, socket: &Path) -> bool {
    let Some(directory) = socket.parent().and_then(|dir| fs::canonicalize(dir).ok()) else {
        return false;
    };
    let only_writable_by = |dir: &Path, owners: &[u32]| {
        fs::symlink_metadata(dir).is_ok_and(|meta| {
            meta.is_dir()
                && owners.contains(&meta.uid())
                && meta.permissions().mode() & WRITABLE_BY_OTHERS == 0
        })
    };
    only_writable_by(&directory, &[listener])
        && directory
            .ancestors()
            .skip(1)
            .all(|parent| only_writable_by(parent, &[ROOT, own]))
}

const WRITABLE_BY_OTHERS: u32 = 0o022;

fn explain(error: &tonic::transport::Error, socket: &Path) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(connect) = cause.downcast_ref::<ConnectError>() {
            return Error::from(connect);
        }
        source = cause.source();
    }
    Error::new(
        Reason::Disconnected,
        format!(
            "the connection to sfvaultd at `{}` broke as it was made",
            socket.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    };

    use super::*;

    /// What comes of it if so many connections break before a word is said, and how many were made.
    async fn broken(times: u32) -> (Result<Channel, Error>, u32) {
        let made = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&made);
        let connect = move || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            if count.fetch_add(1, Relaxed) < times {
                drop(theirs);
            } else {
                // Until the test ends, somebody listens.
                std::mem::forget(theirs);
            }
            std::future::ready(Ok(ours))
        };
        let endpoint = Endpoint::from_static("http://localhost");
        let result = attempt(&endpoint, Path::new("admin.sock"), connect).await;
        (result, made.load(Relaxed))
    }

    #[tokio::test]
    async fn a_connection_that_breaks_as_it_is_made_is_made_again() {
        let (connected, made) = broken(2).await;
        assert!(connected.is_ok());
        assert_eq!(made, 3);
    }

    #[tokio::test]
    async fn a_daemon_that_always_breaks_them_is_away_and_named() {
        let (connected, made) = broken(u32::MAX).await;
        let error = connected.unwrap_err();
        assert_eq!((error.reason(), made), (Reason::Disconnected, ATTEMPTS));
        assert!(error.message().contains("admin.sock"), "{error}");
    }
}
