//! Who is connected to, and who is not.

use std::{
    fs::{self, Permissions},
    io::Read as _,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        net::UnixListener,
    },
    path::Path,
    thread,
};

use rustix::process::Uid;
use sfvault::Reason;

use crate::{
    fake::{Ran, command},
    skipped::only_root_can,
};

fn get(runtime: &Path) -> Ran {
    Ran::of(
        command(runtime, &["get", "prod", "--json"])
            .output()
            .unwrap(),
    )
}

fn reason(ran: &Ran) -> String {
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    error["error"]["reason"].as_str().unwrap().to_owned()
}

#[test]
fn no_socket_and_a_dead_socket_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let none = get(dir.path());
    assert_eq!(
        (none.status, reason(&none).as_str()),
        (3, Reason::NoSocket.name())
    );
    drop(UnixListener::bind(dir.path().join("sfvault.sock")).unwrap());
    let dead = get(dir.path());
    assert_eq!(
        (dead.status, reason(&dead).as_str()),
        (3, Reason::NobodyListens.name())
    );
    assert_ne!(none.stderr, dead.stderr);
}

/// A night's jobs that all begin at once must come again, not give up.
#[test]
fn a_daemon_that_takes_no_connection_is_a_reason_to_try_later() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let dir = tempfile::tempdir().unwrap();
    let address = SocketAddrUnix::new(dir.path().join("sfvault.sock")).unwrap();
    let socket = || {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
    };
    let listener = socket();
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut waiting = Vec::new();
    let full = loop {
        let one = socket();
        match rustix::net::connect(&one, &address) {
            Ok(()) => waiting.push(one),
            Err(full) => break full,
        }
    };
    assert_eq!(full, rustix::io::Errno::AGAIN);
    let ran = get(dir.path());
    assert_eq!(
        (ran.status, reason(&ran).as_str()),
        (75, Reason::DaemonBusy.name())
    );
}

#[test]
fn a_path_that_fits_no_socket_is_named_as_the_cause() {
    let dir = tempfile::tempdir().unwrap();
    let room = 107 - "/sfvault.sock".len() - dir.path().as_os_str().len() - 1;
    let fits = dir.path().join("x".repeat(room));
    assert_eq!(reason(&get(&fits)), Reason::NoSocket.name());
    let ran = get(&dir.path().join("x".repeat(room + 1)));
    assert_eq!(
        (ran.status, reason(&ran).as_str()),
        (2, Reason::SocketPathTooLong.name())
    );
}

#[test]
fn relative_directories_are_wrong_usage() {
    let ran = get(Path::new("run"));
    assert_eq!((ran.status, reason(&ran).as_str()), (2, "USAGE"));
    assert!(
        ran.stderr.contains("_DIR` is not an absolute path"),
        "{ran:?}"
    );
}

#[test]
fn a_listener_that_is_no_daemon_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("sfvault.sock")).unwrap();
    let hangs_up = thread::spawn(move || drop(listener.accept().unwrap()));
    let ran = get(dir.path());
    hangs_up.join().unwrap();
    // 3 if it tries again after the listener is gone.
    assert!([1, 3, 75].contains(&ran.status), "{ran:?}");
    assert_eq!(ran.stdout, "");
}

const NOBODY: u32 = 65_534;

/// Listens as another user, hangs up on the first caller, and returns what that one sent.
fn foreign_listener(socket: &Path) -> thread::JoinHandle<Vec<u8>> {
    let socket = socket.to_owned();
    let (ready, listening) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        let nobody = Uid::from_raw(NOBODY);
        // On Linux a user id belongs to a thread, and the listener's is that of the thread that listens.
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        ready.send(()).unwrap();
        let mut sent = Vec::new();
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(std::time::Duration::from_secs(2)))
            .unwrap();
        let _ = stream.read_to_end(&mut sent);
        sent
    });
    listening.recv().unwrap();
    thread
}

fn is_root() -> bool {
    only_root_can("listen as another user")
}

/// T8.
#[test]
fn a_stranger_that_listens_is_told_nothing() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(NOBODY), None).unwrap();
    let stranger = foreign_listener(&dir.path().join("sfvault.sock"));
    let ran = get(dir.path());
    assert_eq!(
        (ran.status, reason(&ran).as_str()),
        (5, Reason::ForeignDaemon.name())
    );
    assert!(ran.stderr.contains("65534"), "{ran:?}");
    assert_eq!(stranger.join().unwrap(), b"");
}

/// T8: the passphrase is what a stranger would want most.
#[test]
fn a_stranger_on_the_admin_socket_gets_no_passphrase() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(NOBODY), None).unwrap();
    let passphrase = dir.path().join("passphrase");
    fs::write(&passphrase, "correct horse\n").unwrap();
    fs::set_permissions(&passphrase, Permissions::from_mode(0o600)).unwrap();
    let passphrase = passphrase.to_str().unwrap();
    for command in ["unlock", "init"] {
        let socket = dir.path().join("admin.sock");
        let stranger = foreign_listener(&socket);
        let arguments = [command, "--passphrase-file", passphrase, "--json"];
        let ran = Ran::of(self::command(dir.path(), &arguments).output().unwrap());
        assert_eq!(
            (ran.status, reason(&ran).as_str()),
            (5, Reason::ForeignDaemon.name())
        );
        assert_eq!(stranger.join().unwrap(), b"", "{command}");
        fs::remove_file(socket).unwrap();
    }
}

/// T8: a system-wide daemon runs as a user of its own, in a directory that only root can have made.
#[test]
fn the_owner_of_a_directory_that_root_made_is_trusted() {
    if !is_root() {
        return;
    }
    let parent = tempfile::tempdir_in("/run").unwrap();
    fs::set_permissions(parent.path(), Permissions::from_mode(0o755)).unwrap();
    let dir = parent.path().join("sfvault");
    fs::create_dir(&dir).unwrap();
    chown(&dir, Some(NOBODY), None).unwrap();
    let daemon = foreign_listener(&dir.join("sfvault.sock"));
    let ran = get(&dir);
    assert_ne!(reason(&ran), Reason::ForeignDaemon.name());
    assert!(daemon.join().unwrap().starts_with(b"PRI * HTTP/2.0"));

    fs::remove_file(dir.join("sfvault.sock")).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o775)).unwrap();
    let daemon = foreign_listener(&dir.join("sfvault.sock"));
    assert_eq!(reason(&get(&dir)), Reason::ForeignDaemon.name());
    assert_eq!(daemon.join().unwrap(), b"");
}
