//! The two sockets and the lock that makes their owner the only one.
//!
//! The hazard is a name: between looking at a path and using it, somebody may change what it means. So a socket is bound
//! under a private name, given its mode, and moved into place; what stood there is removed only if it is a socket that
//! nobody serves, and only while the instance lock is held.

use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, open},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
};

/// The socket for jobs.
pub const SESSIONS_SOCKET: &str = "sfvault.sock";
/// The socket for administration.
pub const ADMIN_SOCKET: &str = "admin.sock";
const LOCK: &str = "sfvaultd.lock";
/// Shorter than both names, so that a path that fits one of them fits this too.
const UNNAMED: &str = ".new";
/// What `sockaddr_un` holds, less the final zero.
const LONGEST_PATH: usize = 107;

/// Why the daemon can't listen.
#[derive(Debug)]
pub enum ListenError {
    /// Another daemon has this runtime directory.
    Running { lock: PathBuf },
    /// Something that is not ours to remove stands where the socket goes.
    Occupied {
        path: PathBuf,
        problem: &'static str,
    },
    /// The path does not fit a socket address.
    TooLong { path: PathBuf },
    /// The socket can't be given to the group of the administrators.
    Group {
        path: PathBuf,
        gid: u32,
        error: io::Error,
    },
    /// The system said no.
    Io { path: PathBuf, error: io::Error },
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { lock } => write!(f, "another sfvaultd holds `{}`", lock.display()),
            Self::Occupied { path, problem } => write!(f, "`{}` {problem}", path.display()),
            Self::TooLong { path } => write!(
                f,
                "`{}` is longer than {LONGEST_PATH} bytes, too long for a socket; set SFVAULT_RUNTIME_DIR",
                path.display()
            ),
            Self::Group { path, gid, error } => write!(
                f,
                "`{}` can't be given to group {gid}: {error}; make the daemon's user a member of it",
                path.display()
            ),
            Self::Io { path, error } => write!(f, "`{}`: {error}", path.display()),
        }
    }
}

impl std::error::Error for ListenError {}

/// Held as long as the daemon lives; the kernel lets go of it even after SIGKILL.
#[derive(Debug)]
pub struct InstanceLock {
    file: File,
}

impl InstanceLock {
    /// Takes the lock of a runtime directory.
    ///
    /// # Errors
    /// If another daemon has it, or the file can't be opened.
    pub fn take(runtime: &Path) -> Result<Self, ListenError> {
        let path = runtime.join(LOCK);
        let io = |error: Errno| ListenError::Io {
            path: path.clone(),
            error: error.into(),
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let mode = Mode::RUSR | Mode::WUSR;
            let file = match open(&path, flags, mode) {
                // In a directory that was replaced, the confined process may make files, not write them.
                Err(Errno::ACCESS) => open(&path, flags - OFlags::RDWR, mode),
                opened => opened,
            };
            let file = File::from(file.map_err(io)?);
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(ListenError::Running { lock: path });
                }
                Err(error) => return Err(io(error)),
            }
            let lock = Self { file };
            // Between opening and locking, somebody may have removed it: then it is nobody's lock.
            if lock.is_in(runtime) {
                return Ok(lock);
            }
        }
    }

    /// Whether it still is the lock of this runtime directory. Who removes the file lets a second daemon in.
    #[must_use]
    pub fn is_in(&self, runtime: &Path) -> bool {
        let own = self.file.metadata().map(|meta| Inode::of(&meta)).ok();
        own.is_some() && own == inode(&runtime.join(LOCK))
    }
}

/// Who may open a socket. Who may call is decided for every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openable {
    /// By the daemon's user.
    Own,
    /// By the members of this group too.
    Group(u32),
    /// By everybody who gets into the runtime directory.
    All,
}

/// Binds a socket in the runtime directory. The lock shows that no other daemon does so.
///
/// # Errors
/// If something else stands there, the path is too long, or the system says no.
pub fn bind(
    _lock: &InstanceLock,
    runtime: &Path,
    name: &str,
    openable: Openable,
) -> Result<UnixListener, ListenError> {
    let path = runtime.join(name);
    let io = |error| ListenError::Io {
        path: path.clone(),
        error,
    };
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(ListenError::TooLong { path });
    }
    make_way(&path)?;
    let unnamed = runtime.join(UNNAMED);
    make_way(&unnamed)?;
    let _ = fs::remove_file(&unnamed);
    let listener = UnixListener::bind(&unnamed).map_err(io)?;
    let mode = match openable {
        Openable::Own => 0o600,
        Openable::Group(gid) => {
            chown(&unnamed, None, Some(gid)).map_err(|error| ListenError::Group {
                path: path.clone(),
                gid,
                error,
            })?;
            0o660
        }
        Openable::All => 0o666,
    };
    fs::set_permissions(&unnamed, fs::Permissions::from_mode(mode)).map_err(io)?;
    fs::rename(&unnamed, &path).map_err(io)?;
    listener.set_nonblocking(true).map_err(io)?;
    Ok(listener)
}

/// Removes a socket that was bound here, if it still is that one.
pub fn unbind(runtime: &Path, name: &str, bound: Inode) {
    let path = runtime.join(name);
    if inode(&path).is_some_and(|found| found == bound) {
        let _ = fs::remove_file(path);
    }
}

/// Tells two files of one name apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode(u64, u64);

/// The inode at a path, if there is one.
#[must_use]
pub fn inode(path: &Path) -> Option<Inode> {
    fs::symlink_metadata(path).ok().map(|meta| Inode::of(&meta))
}

impl Inode {
    fn of(meta: &fs::Metadata) -> Self {
        Self(meta.dev(), meta.ino())
    }
}

/// Fails unless there is nothing, or a socket that nobody serves.
fn make_way(path: &Path) -> Result<(), ListenError> {
    let occupied = |problem| {
        Err(ListenError::Occupied {
            path: path.to_owned(),
            problem,
        })
    };
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(ListenError::Io {
                path: path.to_owned(),
                error,
            });
        }
    };
    if !meta.file_type().is_socket() {
        return occupied("is not a socket; move it away");
    }
    let io = |error: Errno| ListenError::Io {
        path: path.to_owned(),
        error: error.into(),
    };
    // Without waiting: a program that hangs has a full queue, and would make us hang too.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(io)?;
    match connect(&socket, &SocketAddrUnix::new(path).map_err(io)?) {
        // What was there may have gone meanwhile.
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        // Any other error also comes from a socket that somebody has: one with a full queue, or of another type.
        Ok(()) | Err(_) => occupied("is served by another program; stop it"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::symlink, net::UnixDatagram, net::UnixStream};

    use super::*;

    fn runtime() -> (tempfile::TempDir, InstanceLock) {
        let dir = tempfile::tempdir().unwrap();
        let lock = InstanceLock::take(dir.path()).unwrap();
        (dir, lock)
    }

    /// T3
    #[test]
    fn a_socket_is_private_and_works_under_its_name() {
        let (dir, lock) = runtime();
        let listener = bind(&lock, dir.path(), SESSIONS_SOCKET, Openable::Own).unwrap();
        let path = dir.path().join(SESSIONS_SOCKET);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        UnixStream::connect(&path).unwrap();
        drop(listener);
        assert!(!dir.path().join(UNNAMED).exists());
    }

    /// T32
    #[test]
    fn a_second_daemon_does_not_get_the_lock() {
        let (dir, lock) = runtime();
        assert!(matches!(
            InstanceLock::take(dir.path()),
            Err(ListenError::Running { .. })
        ));
        drop(lock);
        assert!(InstanceLock::take(dir.path()).is_ok());
    }

    /// T2
    #[test]
    fn only_a_stale_socket_is_replaced() {
        let (dir, lock) = runtime();
        let path = dir.path().join(SESSIONS_SOCKET);
        drop(UnixListener::bind(&path).unwrap());
        drop(bind(&lock, dir.path(), SESSIONS_SOCKET, Openable::Own).unwrap());

        fs::remove_file(&path).unwrap();
        let live = UnixListener::bind(&path).unwrap();
        assert!(matches!(
            bind(&lock, dir.path(), SESSIONS_SOCKET, Openable::Own),
            Err(ListenError::Occupied { .. })
        ));
        drop(live);

        fs::remove_file(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        assert!(matches!(
            bind(&lock, dir.path(), SESSIONS_SOCKET, Openable::Own),
            Err(ListenError::Occupied { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"mine");

        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        assert!(matches!(
            bind(&lock, dir.path(), SESSIONS_SOCKET, Openable::Own),
            Err(ListenError::Occupied { .. })
        ));
        assert!(
            fs::symlink_metadata(&path)
                .unwrap()
                .file_type()
                .is_symlink()
        );

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(
            bind(&lock, dir.path(), SESSIONS_SOCKET, Openable::Own),
            Err(ListenError::Occupied { .. })
        ));
    }

    /// T2
    #[test]
    fn a_socket_of_another_type_or_with_a_full_queue_is_live() {
        let (dir, lock) = runtime();
        let path = dir.path().join(SESSIONS_SOCKET);
        let datagrams = UnixDatagram::bind(&path).unwrap();
        assert!(matches!(
            bind(&lock, dir.path(), SESSIONS_SOCKET, Openable::Own),
            Err(ListenError::Occupied { .. })
        ));
        drop(datagrams);

        fs::remove_file(&path).unwrap();
        let hangs = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&hangs, 0).unwrap();
        let _waits = UnixStream::connect(&path).unwrap();
        assert!(matches!(
            bind(&lock, dir.path(), SESSIONS_SOCKET, Openable::Own),
            Err(ListenError::Occupied { .. })
        ));
    }

    /// T32
    #[test]
    fn a_lock_whose_file_is_gone_is_known_as_such() {
        let (dir, lock) = runtime();
        assert!(lock.is_in(dir.path()));
        fs::remove_file(dir.path().join(LOCK)).unwrap();
        assert!(!lock.is_in(dir.path()));
        let other = InstanceLock::take(dir.path()).unwrap();
        assert!(other.is_in(dir.path()) && !lock.is_in(dir.path()));
    }

    /// T4
    #[test]
    fn a_path_too_long_for_a_socket_is_named() {
        let (dir, lock) = runtime();
        let deep = dir.path().join("x".repeat(100));
        fs::create_dir(&deep).unwrap();
        let error = bind(&lock, &deep, SESSIONS_SOCKET, Openable::Own).unwrap_err();
        assert!(
            matches!(error, ListenError::TooLong { .. })
                && error.to_string().contains("SFVAULT_RUNTIME_DIR")
        );
    }
}
