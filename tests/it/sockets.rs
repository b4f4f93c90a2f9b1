//! The two sockets among bad neighbours: what stands in their place, who else comes in, and what becomes of them.

use std::{
    fs,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink},
            net::{UnixDatagram, UnixListener, UnixStream},
        },
    },
    path::Path,
    process::Command,
};

use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use sfvault_tests::installation::Installation;
use tonic::Code;

use crate::{
    nobody::{self, NOBODY},
    raw,
    scene::Scene,
    skipped::skip,
    start::{refused, refused_for_another, until},
};

const SOCKETS: [&str; 2] = ["sfvault.sock", "admin.sock"];

/// T2
#[tokio::test]
async fn what_stands_in_the_place_of_a_socket_is_named_and_left_alone() {
    /// Puts something there; what it returns keeps that alive.
    type Obstacle = (&'static str, fn(&Path) -> Option<OwnedFd>);
    let obstacles: [Obstacle; 6] = [
        ("is not a socket", |path| {
            fs::write(path, "mine").unwrap();
            None
        }),
        ("is not a socket", |path| {
            fs::create_dir(path).unwrap();
            None
        }),
        ("is not a socket", |path| {
            mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
            None
        }),
        ("is not a socket", |path| {
            symlink("/etc/passwd", path).unwrap();
            None
        }),
        ("is served by another program", |path| {
            Some(UnixListener::bind(path).unwrap().into())
        }),
        ("is served by another program", |path| {
            Some(UnixDatagram::bind(path).unwrap().into())
        }),
    ];
    for name in SOCKETS {
        for (problem, put) in obstacles {
            let sfvault = Installation::without_config().unwrap();
            let path = sfvault.path("run").join(name);
            let _alive = put(&path);
            let before = fs::symlink_metadata(&path).unwrap();
            let said = refused(sfvault.sfvaultd()).await;
            let expected = format!("error: `{}` {problem}", path.display());
            assert!(said.contains(&expected), "{said}");
            let after = fs::symlink_metadata(&path).unwrap();
            assert_eq!(
                (before.ino(), before.mode(), before.len()),
                (after.ino(), after.mode(), after.len())
            );
        }
    }
}

/// T2: what a killed daemon leaves behind is no obstacle.
#[tokio::test]
async fn sockets_that_nobody_serves_are_replaced() {
    let mut sfvault = Installation::without_config().unwrap();
    for _ in 0..2 {
        sfvault.start().unwrap();
        for name in SOCKETS {
            UnixStream::connect(sfvault.path("run").join(name)).unwrap();
        }
        sfvault.kill().unwrap();
        for name in SOCKETS {
            assert!(sfvault.path("run").join(name).exists());
        }
    }
}

/// T3: even with a umask that gives everything to everybody, nobody else ever sees a file of ours.
#[tokio::test]
async fn no_file_is_open_to_others_at_any_moment() {
    let mut sfvault = Installation::without_config().unwrap();
    for name in ["run", "data"] {
        fs::remove_dir(sfvault.path(name)).unwrap();
    }
    let daemon = sfvault.sfvaultd();
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000; exec \"$0\""])
        .arg(daemon.get_program());
    sfvault.start_as(sfvault.environment(command)).unwrap();
    let status = format!("/proc/{}/status", sfvault.pid().unwrap());
    let umask = fs::read_to_string(status).unwrap();
    // So whatever the daemon makes, and however, is private from its first moment on.
    assert!(umask.contains("Umask:\t0077"), "{umask}");
    sfvault.secret_file("passphrase", "correct horse").unwrap();
    let passphrase = sfvault.path("passphrase").display().to_string();
    let init = sfvault
        .run(&["init", "--passphrase-file", &passphrase])
        .unwrap();
    assert!(init.status.success());

    let mut seen = Vec::new();
    for directory in ["run", "data"] {
        let path = sfvault.path(directory);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            assert_eq!(entry.metadata().unwrap().mode() & 0o7777, 0o600, "{name}");
            seen.push(name);
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "admin.sock",
            "audit.jsonl",
            "audit.state",
            "sfvault.sock",
            "sfvaultd.lock",
            "vault.redb"
        ]
    );
}

/// T5
#[tokio::test]
async fn clients_get_in_again_after_a_cleaner_was_there() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    let run = scene.sfvault.path("run");
    let gone = scene.sfvault.path("gone");
    let cleaners: [(&str, &dyn Fn()); 8] = [
        ("removes one", &|| remove(&run, &["sfvault.sock"])),
        ("removes the other", &|| remove(&run, &["admin.sock"])),
        ("removes both", &|| remove(&run, &SOCKETS)),
        ("removes both and the lock", &|| {
            remove(&run, &["sfvaultd.lock", "sfvault.sock", "admin.sock"])
        }),
        ("renames one", &|| {
            fs::rename(run.join("sfvault.sock"), run.join("old")).unwrap();
        }),
        ("replaces one by a dead one", &|| {
            drop(UnixListener::bind(run.join("dead")).unwrap());
            fs::rename(run.join("dead"), run.join("admin.sock")).unwrap();
        }),
        ("removes the directory", &|| remove_directory(&run)),
        ("renames the directory and makes another", &|| {
            fs::rename(&run, &gone).unwrap();
            let _ = fs::create_dir(&run);
            fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
        }),
    ];
    for (what, cleaner) in cleaners {
        cleaner();
        until(what, || {
            SOCKETS
                .iter()
                .all(|name| UnixStream::connect(run.join(name)).is_ok())
        });
        scene.ok(&["status", "--no-autostart"]).await;
        assert_eq!(
            scene.session(&["--no-autostart"]).await,
            session,
            "it is the same daemon, and it still has the session: {what}"
        );
        for name in SOCKETS {
            assert_eq!(fs::metadata(run.join(name)).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::metadata(&run).unwrap().mode() & 0o777, 0o700);
    }
    // The lock went along: there still is only one daemon.
    let second = refused_for_another(scene.sfvault.sfvaultd()).await;
    assert!(second.contains("another sfvaultd holds"), "{second}");
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// T5, T1: a directory that somebody else put in the place of ours is not used; ours, once it is back, is.
#[tokio::test]
async fn a_directory_that_took_the_place_of_ours_is_not_used_if_it_is_not_safe() {
    let mut sfvault = Installation::without_config().unwrap();
    sfvault.start().unwrap();
    let (run, safe) = (sfvault.path("run"), sfvault.path("safe"));
    let open = sfvault.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    fs::rename(&run, &safe).unwrap();
    // The daemon may have made a new one between the two.
    if rustix::fs::renameat_with(CWD, &open, CWD, &run, rustix::fs::RenameFlags::NOREPLACE).is_err()
    {
        fs::rename(&run, sfvault.path("made")).unwrap();
        fs::rename(&open, &run).unwrap();
    }
    until("says what is wrong", || {
        sfvault
            .daemon_log()
            .contains("clients may not find the sockets")
    });
    assert!(
        !run.join("sfvault.sock").exists(),
        "{}",
        sfvault.daemon_log()
    );
    fs::remove_dir(&run).unwrap();
    until("listens again", || {
        UnixStream::connect(run.join("sfvault.sock")).is_ok()
    });
    assert!(sfvault.stop().unwrap().success());
}

/// T7
#[tokio::test]
async fn nothing_listens_but_the_two_files() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    let pid = scene.sfvault.pid().unwrap();
    let mut own: Vec<String> = Vec::new();
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        skip("this user may not look at a process that can't be traced");
        return;
    };
    for descriptor in descriptors {
        let target = fs::read_link(descriptor.unwrap().path()).unwrap_or_default();
        let target = target.display().to_string();
        own.extend(
            target
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']'))
                .map(str::to_owned),
        );
    }
    // /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path; Flags 00010000 listens.
    let mut listening: Vec<String> = Vec::new();
    for line in fs::read_to_string("/proc/net/unix")
        .unwrap()
        .lines()
        .skip(1)
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        if own
            .iter()
            .any(|inode| words.get(6) == Some(&inode.as_str()))
            && words[3] == "00010000"
        {
            listening.push(words.get(7).copied().unwrap_or_default().to_owned());
        }
    }
    // A socket is bound under a name of its own and then moved; the kernel remembers where it began.
    let begun = scene.sfvault.path("run/.new").display().to_string();
    assert_eq!(listening, [begun.as_str(); 2], "{own:?}");
    for table in ["tcp", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ours = own
                .iter()
                .any(|inode| words.get(9) == Some(&inode.as_str()));
            assert!(
                !(ours && words.get(3) == Some(&"0A")),
                "TCP listener: {line}"
            );
        }
    }
    scene.finish().await;
}

/// T7: the name that a client gives its own end is the client's choice, and so never evidence.
#[tokio::test]
async fn a_hostile_name_of_the_client_s_end_changes_nothing() {
    let scene = Scene::with_record().await;
    let names: [&[u8]; 4] = [b";uid=0;", b"\xff\n\r\x1b[31m", b"", &[b'x'; 100]];
    for name in names {
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        let mut unique = name.to_vec();
        unique.extend(std::process::id().to_le_bytes());
        let own = SocketAddrUnix::new_abstract_name(&unique).unwrap();
        rustix::net::bind(&socket, &own).unwrap();
        let server = SocketAddrUnix::new(scene.sfvault.path("run/sfvault.sock")).unwrap();
        rustix::net::connect(&socket, &server).unwrap();
        raw::call(UnixStream::from(socket), "/sfvault.v1.Sessions/ListRecords").unwrap();
    }
    let log = scene.sfvault.daemon_log();
    assert!(!log.contains("uid=0") && !log.contains("[31m"), "{log}");
    scene.finish().await;
}

/// T6: every method of every service, those of the next version included, on both sockets.
#[tokio::test]
async fn another_uid_that_gets_at_the_sockets_is_denied_everything() {
    if !nobody::can_be_played() {
        return;
    }
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    for directory in [scene.sfvault.directory(), &scene.sfvault.path("run")] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in SOCKETS {
        let path = scene.sfvault.path("run").join(name);
        assert!(fs::metadata(&path).unwrap().file_type().is_socket());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let methods = raw::methods();
        let answers = raw::calls(nobody::connects(NOBODY, path), &methods);
        for (method, answer) in methods.iter().zip(answers) {
            let denied = answer.unwrap_err();
            assert_eq!(
                denied.code(),
                Code::PermissionDenied,
                "{name} {method}: {denied:?}"
            );
            assert_eq!(raw::reason(&denied).as_deref(), Some("DENIED"), "{method}");
            assert!(
                !denied
                    .message()
                    .contains(session["session_id"].as_str().unwrap()),
                "{method}"
            );
        }
    }
    assert_eq!(scene.session(&[]).await, session);
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// T6
#[tokio::test]
async fn a_user_s_daemon_serves_that_user_and_root_and_nobody_else() {
    if !nobody::can_be_played() {
        return;
    }
    let mut sfvault = Installation::without_config().unwrap();
    nobody::owns(&sfvault);
    let daemon = nobody::runs(&sfvault, &sfvault.sfvaultd());
    sfvault.start_as(daemon).unwrap();
    let path = sfvault.path("run/sfvault.sock");
    for directory in [sfvault.directory(), &sfvault.path("run")] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    for (uid, reason) in [
        (NOBODY, "VAULT_MISSING"),
        (0, "VAULT_MISSING"),
        (1234, "DENIED"),
    ] {
        let stream = nobody::connects(uid, path.clone());
        let answer = raw::call(stream, "/sfvault.v1.Sessions/ListRecords");
        assert_eq!(
            raw::reason(&answer.unwrap_err()).as_deref(),
            Some(reason),
            "uid {uid}"
        );
    }
    // What root's own `sfvault` says of a daemon that anybody could have started.
    let ran = sfvault.run(&["list", "--json", "--no-autostart"]).unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("FOREIGN_DAEMON"), "{said}");
}

fn remove(directory: &Path, names: &[&str]) {
    for name in names {
        fs::remove_file(directory.join(name)).unwrap();
    }
}

/// As `rm -rf` does it, again and again: the daemon may put things back meanwhile.
fn remove_directory(directory: &Path) {
    let before = fs::metadata(directory).unwrap().ino();
    until("the directory is gone", || {
        let _ = fs::remove_dir_all(directory);
        fs::metadata(directory).map_or(true, |now| now.ino() != before)
    });
}
