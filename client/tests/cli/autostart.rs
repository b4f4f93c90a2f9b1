//! A daemon is started for its user when none answers.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    fake::{Fake, Ran, SESSION, command},
    follow::{FOLLOW, complaints, following, next},
    skipped::only_root_can,
};

/// `sfvault` with a `sfvaultd` of our making beside it.
struct Installed {
    bin: TempDir,
}

impl Installed {
    /// `script` is the daemon; it finds `$SFVAULT_RUNTIME_DIR`.
    fn with(script: &str) -> Self {
        let bin = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let sfvault = bin.path().join("sfvault");
        fs::hard_link(env!("CARGO_BIN_EXE_sfvault"), sfvault).unwrap();
        let daemon = bin.path().join("sfvaultd");
        // Written by another process: open for writing in this one, it would be so in what other tests fork
        // meanwhile, and execve(2) would answer ETXTBSY.
        let text = format!("#!/bin/sh\ncd \"$SFVAULT_RUNTIME_DIR\"\n{script}\n");
        let written = Command::new("sh")
            .args(["-c", "printf %s \"$1\" > \"$0\""])
            .args([daemon.as_os_str(), text.as_ref()])
            .status()
            .unwrap();
        assert!(written.success());
        fs::set_permissions(&daemon, Permissions::from_mode(0o755)).unwrap();
        Self { bin }
    }

    fn command(&self, runtime: &std::path::Path, arguments: &[&str]) -> Command {
        let model = command(runtime, arguments);
        let mut command = Command::new(self.bin.path().join("sfvault"));
        command.args(arguments).env_clear();
        for (key, value) in model.get_envs() {
            command.env(key, value.unwrap());
        }
        command
            .env_remove("SFVAULT_NO_AUTOSTART")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, runtime: &std::path::Path, arguments: &[&str]) -> Ran {
        Ran::of(self.command(runtime, arguments).output().unwrap())
    }
}

/// A daemon that is about to listen: its sockets wait under other names.
fn about_to_listen() -> Fake {
    Fake::listening("s", "a")
}

const LISTEN: &str = "mv a admin.sock; mv s sfvault.sock";

#[test]
fn the_daemon_is_started_detached_and_with_no_session_in_its_environment() {
    let fake = about_to_listen();
    let installed = Installed::with(&format!(
        "env > env; echo $$ > pid; {LISTEN}; exec sleep 60"
    ));
    // The command that `sfvault` turned into must not find itself the daemon's parent.
    let script = "cut -d ' ' -f 4,6 \"/proc/$(cat \"$SFVAULT_RUNTIME_DIR/pid\")/stat\"; echo $$; echo \"$SF_SESSION_ID\"";
    let ran = Ran::of(
        installed
            .command(fake.dir(), &["exec", "prod", "--", "sh", "-c", script])
            .env("SF_ACCESS_TOKEN", "canary-outer")
            .output()
            .unwrap(),
    );
    let read = |name: &str| fs::read_to_string(fake.dir().join(name)).unwrap();
    let pid: i32 = read("pid").trim().parse().unwrap();
    let daemon = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(daemon, rustix::process::Signal::TERM).unwrap();

    let lines: Vec<&str> = ran.stdout.lines().collect();
    let [parent_and_session, command, session] = lines.as_slice() else {
        panic!("{ran:?}");
    };
    let (parent, session_of_daemon) = parent_and_session.split_once(' ').unwrap();
    assert_ne!(parent, *command);
    // Read there, because getsid(2) says 0 where the session's leader is outside the pid namespace.
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, own) = own.rsplit_once(") ").unwrap();
    assert_ne!(session_of_daemon, own.split(' ').nth(3).unwrap());
    assert_eq!(*session, SESSION);
    assert!(!read("env").contains("canary"), "{}", read("env"));
    let log = fs::metadata(fake.dir().join("sfvaultd.log")).unwrap();
    assert_eq!(log.mode() & 0o777, 0o600);
}

#[test]
fn the_loser_of_two_daemons_is_no_error() {
    let fake = about_to_listen();
    let installed = Installed::with(&format!("{LISTEN}; echo 'locked by another'; exit 1"));
    let ran = installed.run(fake.dir(), &["get", "prod"]);
    assert_eq!((ran.status, ran.stdout), (0, format!("{SESSION}\n")));
}

#[test]
fn the_winner_of_two_daemons_may_take_its_time() {
    let fake = about_to_listen();
    let installed = Installed::with(&format!("{{ sleep 2; {LISTEN}; }} & exit 4"));
    let ran = installed.run(fake.dir(), &["get", "prod"]);
    assert_eq!((ran.status, ran.stdout), (0, format!("{SESSION}\n")));
}

#[test]
fn a_daemon_that_ends_tells_why_in_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = dir.path().join("a/run");
    fs::create_dir(dir.path().join("a")).unwrap();
    let installed =
        Installed::with("echo 'config.toml: line 3'; printf 'unknown \\033[31mkey\\n' >&2; exit 5");
    let ran = installed.run(&runtime, &["unlock", "--passphrase-fd", "0"]);
    assert_eq!(ran.status, 2, "an empty passphrase comes first: {ran:?}");
    let ran = installed.run(&runtime, &["list"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (3, ""));
    assert!(ran.stderr.contains("ended with exit status: 5"), "{ran:?}");
    assert!(
        ran.stderr
            .contains("config.toml: line 3 | unknown \\u{1b}[31mkey"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr.lines().count(), 2, "{ran:?}");
    assert_eq!(fs::metadata(&runtime).unwrap().mode() & 0o777, 0o700);
}

/// Whoever stopped it meant it, and the job has its session.
#[test]
fn a_job_that_follows_a_session_does_not_start_the_daemon_anew() {
    let mut fake = Fake::start();
    let installed = Installed::with("touch started; exit 1");
    let (mut follower, _stdout) = following(installed.command(fake.dir(), FOLLOW));
    fake.stop();
    let waits = next(&complaints(&mut follower));
    assert!(waits.contains("sfvaultd is not running"), "{waits}");
    let _ = follower.kill();
    follower.wait().unwrap();
    assert!(!fake.dir().join("started").exists());
}

#[test]
fn no_daemon_is_started_where_that_is_forbidden_or_makes_no_sense() {
    let dir = tempfile::tempdir().unwrap();
    let installed = Installed::with("touch started");
    let started = || dir.path().join("started").exists();
    for arguments in [&["list", "--no-autostart"][..], &["status"], &["lock"]] {
        assert_eq!(installed.run(dir.path(), arguments).status, 3);
    }
    let mut forbidden = installed.command(dir.path(), &["list"]);
    let ran = Ran::of(forbidden.env("SFVAULT_NO_AUTOSTART", "1").output().unwrap());
    assert_eq!(ran.status, 3);
    assert!(!started());
    if only_root_can("give a directory to another user") {
        // A directory of another user: there the service manager starts the daemon.
        chown(dir.path(), Some(65_534), None).unwrap();
        assert_eq!(installed.run(dir.path(), &["list"]).status, 3);
        assert!(!started());
    }
}
