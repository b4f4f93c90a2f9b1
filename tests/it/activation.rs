//! systemd's sockets: taken over under their names, served, and left to systemd.

use std::{
    fs::{self, File},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt as _,
        unix::{
            fs::MetadataExt as _,
            net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
        },
    },
    process::{Command, Stdio},
};

use sfvault_tests::{
    installation::Installation,
    simulator::{Options, Place, Simulator},
};

use crate::{
    raw,
    scene::{Scene, ended},
    start::{refused, soon, until},
};

/// `sfvaultd` as systemd starts it: descriptors from 3 on, and variables that tell what they are.
pub(crate) fn activated(sfvault: &Installation, names: &str, passed: [OwnedFd; 2]) -> Command {
    let daemon = sfvault.sfvaultd();
    let mut command = Command::new("sh");
    let script = "exec 3<&0 4>&1 </dev/null >/dev/null; LISTEN_PID=$$ exec \"$0\"";
    let [third, fourth] = passed;
    command
        .args(["-c", script])
        .arg(daemon.get_program())
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", names)
        .stdin(Stdio::from(third))
        .stdout(Stdio::from(fourth));
    sfvault.environment(command)
}

fn listen(sfvault: &Installation, name: &str) -> OwnedFd {
    UnixListener::bind(sfvault.path(name)).unwrap().into()
}

fn inodes(sfvault: &Installation) -> [u64; 2] {
    ["run/sfvault.sock", "run/admin.sock"]
        .map(|name| fs::metadata(sfvault.path(name)).unwrap().ino())
}

#[tokio::test]
async fn sockets_of_systemd_are_served_and_are_still_there_at_the_end() {
    let mut sfvault = Installation::without_config().unwrap();
    sfvault.secret_file("passphrase", "correct horse").unwrap();
    let passed = [
        listen(&sfvault, "run/admin.sock"),
        listen(&sfvault, "run/sfvault.sock"),
    ];
    let before = inodes(&sfvault);
    // The call of a client that came before the daemon is answered by it.
    let early = UnixStream::connect(sfvault.path("run/sfvault.sock")).unwrap();
    let command = activated(&sfvault, "admin:sessions", passed);
    sfvault.start_as(command).unwrap();
    let answer = raw::call(early, "/sfvault.v1.Sessions/ListRecords");
    assert_eq!(
        raw::reason(&answer.unwrap_err()).as_deref(),
        Some("VAULT_MISSING")
    );

    let passphrase = sfvault.path("passphrase").display().to_string();
    for command in [
        &["init", "--passphrase-file", &passphrase][..],
        &["list", "--no-autostart"],
        &["status"],
    ] {
        let ran = ended(sfvault.run(command).unwrap());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }
    assert!(sfvault.stop().unwrap().success());
    assert_eq!(inodes(&sfvault), before);
}

/// T52. It may end for more than a minute, and the next daemon answers.
#[tokio::test]
async fn who_connects_while_the_daemon_ends_is_left_to_the_next() {
    let simulator = Simulator::start(Options::default()).await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    let systemd_s = [
        listen(&sfvault, "run/sfvault.sock"),
        listen(&sfvault, "run/admin.sock"),
    ];
    let passed = || systemd_s.each_ref().map(|fd| fd.try_clone().unwrap());
    let start = |sfvault: &mut Installation| {
        let command = activated(sfvault, "sessions:admin", passed());
        sfvault.start_as(command).unwrap();
    };
    start(&mut sfvault);
    let mut scene = Scene::around(simulator, sfvault).await;
    scene.add("prod").await;
    let gate = scene.simulator.hold_next(Place::Login);
    let mut first = scene.command(&["get", "prod"]);
    let mut first = first.stdout(Stdio::null()).spawn().unwrap();
    gate.reached().await;
    let [log, socket] = ["daemon.log", "run/sfvault.sock"].map(|name| scene.sfvault.path(name));
    let stopping = tokio::task::spawn_blocking(move || (scene.sfvault.stop().unwrap(), scene));
    let ending = async {
        while !fs::read_to_string(&log).unwrap().contains("ending") {
            tokio::task::yield_now().await;
        }
    };
    soon("ending", ending).await;
    let late = UnixStream::connect(&socket).unwrap();
    gate.open();
    let (status, mut scene) = stopping.await.unwrap();
    assert!(status.success() && first.wait().await.unwrap().success());
    start(&mut scene.sfvault);
    let answer =
        tokio::task::spawn_blocking(|| raw::call(late, "/sfvault.v1.Sessions/ListRecords"));
    assert_eq!(
        raw::reason(&answer.await.unwrap().unwrap_err()).as_deref(),
        Some("VAULT_LOCKED")
    );
    scene.finish().await;
}

/// T5: systemd does not notice that its socket is gone; the daemon does.
#[tokio::test]
async fn a_socket_of_systemd_that_was_removed_is_bound_anew() {
    let mut sfvault = Installation::without_config().unwrap();
    let passed = [
        listen(&sfvault, "run/sfvault.sock"),
        listen(&sfvault, "run/admin.sock"),
    ];
    let command = activated(&sfvault, "sessions:admin", passed);
    sfvault.start_as(command).unwrap();
    let socket = sfvault.path("run/sfvault.sock");
    fs::remove_file(&socket).unwrap();
    until("listens again", || UnixStream::connect(&socket).is_ok());
    assert!(sfvault.stop().unwrap().success());
    assert!(
        !socket.exists(),
        "what the daemon bound, the daemon removes"
    );
    assert!(sfvault.path("run/admin.sock").exists());
}

#[tokio::test]
async fn a_socket_of_systemd_elsewhere_is_served_there() {
    let mut sfvault = Installation::without_config().unwrap();
    fs::create_dir(sfvault.path("elsewhere")).unwrap();
    let passed = [
        listen(&sfvault, "elsewhere/sessions"),
        listen(&sfvault, "run/admin.sock"),
    ];
    let command = activated(&sfvault, "sessions:admin", passed);
    sfvault.start_as(command).unwrap();
    // Whatever happens in the runtime directory, the socket elsewhere stays in use.
    fs::remove_file(sfvault.path("run/admin.sock")).unwrap();
    until("listens again", || {
        UnixStream::connect(sfvault.path("run/admin.sock")).is_ok()
    });
    let stream = UnixStream::connect(sfvault.path("elsewhere/sessions")).unwrap();
    let answer = raw::call(stream, "/sfvault.v1.Sessions/ListRecords");
    assert_eq!(
        raw::reason(&answer.unwrap_err()).as_deref(),
        Some("VAULT_MISSING")
    );
    assert!(!sfvault.path("run/sfvault.sock").exists());
}

#[tokio::test]
async fn what_systemd_passed_by_mistake_is_named() {
    type Passed = fn(&Installation) -> OwnedFd;
    let file: Passed = |sfvault| File::create(sfvault.path("file")).unwrap().into();
    let second: Passed = |sfvault| listen(sfvault, "run/second");
    let datagrams: Passed = |sfvault| {
        UnixDatagram::bind(sfvault.path("run/second"))
            .unwrap()
            .into()
    };
    let connected: Passed = |sfvault| {
        let _listener = UnixListener::bind(sfvault.path("run/other")).unwrap();
        UnixStream::connect(sfvault.path("run/other"))
            .unwrap()
            .into()
    };
    let tcp: Passed = |_| std::net::TcpListener::bind("127.0.0.1:0").unwrap().into();
    for (names, passed, said) in [
        (
            "sessions:http",
            second,
            "systemd passed a socket named `http`\nhint: `FileDescriptorName=",
        ),
        (
            "sessions",
            second,
            "systemd passed a socket named ``\nhint: ",
        ),
        ("", second, "systemd passed a socket named ``\nhint: "),
        (
            "sessions:sessions",
            second,
            "systemd passed a socket named `sessions` twice",
        ),
        (
            "sessions:admin",
            file,
            "a socket named `admin` that can't be served",
        ),
        (
            "sessions:admin",
            datagrams,
            "a socket named `admin` that can't be served",
        ),
        (
            "sessions:admin",
            tcp,
            "a socket named `admin` that can't be served",
        ),
        (
            "sessions:admin",
            connected,
            "a socket named `admin` that does not listen",
        ),
    ] {
        let sfvault = Installation::without_config().unwrap();
        let passed = [listen(&sfvault, "run/sfvault.sock"), passed(&sfvault)];
        let refusal = refused(activated(&sfvault, names, passed)).await;
        assert!(refusal.contains(said), "{names}: {refusal}");
    }
}

/// A variable that is left over from another service means nothing.
#[tokio::test]
async fn what_was_meant_for_another_process_is_not_taken() {
    let mut sfvault = Installation::without_config().unwrap();
    let mut command = sfvault.sfvaultd();
    command
        .env("LISTEN_PID", "1")
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", "x:y");
    sfvault.start_as(command).unwrap();
    UnixStream::connect(sfvault.path("run/sfvault.sock")).unwrap();
    assert!(sfvault.stop().unwrap().success());
}

#[tokio::test]
async fn systemd_is_told_when_the_sockets_are_served_also_by_an_abstract_name() {
    let sfvault = Installation::without_config().unwrap();
    let name = format!("sfvault-test-{}", std::process::id());
    let notified =
        UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let mut daemon = sfvault.sfvaultd();
    daemon
        .env("NOTIFY_SOCKET", format!("@{name}"))
        .stderr(Stdio::null());
    let _daemon = tokio::process::Command::from(daemon)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    notified
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    let mut word = [0; 64];
    let length = loop {
        match notified.recv(&mut word) {
            // As a child of another test ends, for signals interrupt whoever reads with a timeout.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            length => break length.unwrap(),
        }
    };
    assert_eq!(&word[..length], b"READY=1");
    UnixStream::connect(sfvault.path("run/sfvault.sock")).unwrap();
}

/// A socket that can't be told is no reason not to serve; systemd's patience ends by itself.
#[tokio::test]
async fn a_notify_socket_that_is_gone_is_no_reason_not_to_serve() {
    let sfvault = Installation::without_config().unwrap();
    let mut daemon = sfvault.sfvaultd();
    daemon
        .env("NOTIFY_SOCKET", sfvault.path("nothing-here"))
        .stderr(File::create(sfvault.path("daemon.log")).unwrap());
    let _daemon = tokio::process::Command::from(daemon)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("says so", || {
        sfvault.daemon_log().contains("systemd can't be told")
    });
    until("serves", || {
        UnixStream::connect(sfvault.path("run/admin.sock")).is_ok()
    });
}
