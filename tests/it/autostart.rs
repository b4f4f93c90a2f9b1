//! A daemon that a client started: it owes nothing to that client, and takes nothing from it.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::Path,
    process::{Command, Stdio},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use serde_json::Value;
use sfvault_tests::installation::Installation;

use crate::{
    nobody,
    scene::{Scene, ended},
    skipped::skip,
    start::until,
};

/// The daemon that answers in an installation; ends with the test.
struct Started(Pid);

impl Started {
    fn of(sfvault: &Installation) -> Self {
        let ran = ended(sfvault.run(&["status", "--json"]).unwrap());
        let status: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|_| panic!("no daemon answers: {}", ran.stderr));
        let pid = status["pid"].as_i64().and_then(|pid| pid.try_into().ok());
        Self(Pid::from_raw(pid.unwrap()).unwrap())
    }

    fn proc(&self, name: &str) -> std::path::PathBuf {
        format!("/proc/{}/{name}", self.0.as_raw_nonzero()).into()
    }

    fn stat(&self, field: usize) -> i64 {
        stat(&self.proc("stat"), field)
    }
}

/// A field of a `/proc/PID/stat`, counted as in proc(5).
fn stat(path: &Path, field: usize) -> i64 {
    let stat = fs::read_to_string(path).unwrap();
    // The name of the program, field 2, may hold anything but is in brackets.
    let rest = stat.rsplit_once(") ").unwrap().1;
    rest.split(' ').nth(field - 3).unwrap().parse().unwrap()
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn log(sfvault: &Installation) -> String {
    fs::read_to_string(sfvault.path("run/sfvaultd.log")).unwrap_or_default()
}

#[tokio::test]
async fn the_first_command_starts_a_daemon_that_outlives_it() {
    let sfvault = Installation::without_config().unwrap();
    sfvault.secret_file("passphrase", "correct horse").unwrap();
    fs::remove_dir(sfvault.path("run")).unwrap();
    let passphrase = sfvault.path("passphrase").display().to_string();
    let ran = ended(
        sfvault
            .run(&["init", "--passphrase-file", &passphrase])
            .unwrap(),
    );
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let daemon = Started::of(&sfvault);
    assert_ne!(daemon.stat(PARENT), i64::from(std::process::id()));
    assert_eq!(
        ended(sfvault.run(&["list", "--no-autostart"]).unwrap()).status,
        0
    );
}

/// The fields of `/proc/PID/stat`.
const PARENT: usize = 4;
const SESSION: usize = 6;
const TERMINAL: usize = 7;

#[tokio::test]
async fn clients_that_come_at_once_find_one_daemon() {
    let sfvault = Installation::without_config().unwrap();
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let mut client = sfvault.sfvault(["list"]);
            client.stdout(Stdio::piped()).stderr(Stdio::piped());
            client.spawn().unwrap()
        })
        .collect();
    for client in clients {
        let ran = ended(client.wait_with_output().unwrap());
        assert_eq!(ran.status, 6, "there is no vault yet: {}", ran.stderr);
        assert!(ran.stderr.contains("no vault"), "{}", ran.stderr);
    }
    let _daemon = Started::of(&sfvault);
    assert_eq!(
        log(&sfvault).matches("ready").count(),
        1,
        "{}",
        log(&sfvault)
    );
}

#[tokio::test]
async fn a_socket_that_a_killed_daemon_left_is_no_obstacle() {
    let mut sfvault = Installation::without_config().unwrap();
    sfvault.start().unwrap();
    let first = sfvault.pid().unwrap();
    sfvault.kill().unwrap();
    assert!(UnixStream::connect(sfvault.path("run/admin.sock")).is_err());
    assert_eq!(ended(sfvault.run(&["list"]).unwrap()).status, 6);
    let daemon = Started::of(&sfvault);
    assert_ne!(daemon.0.as_raw_nonzero().get().unsigned_abs(), first);
}

/// T26: a job that runs with a session, a lock and a pipe starts a daemon without knowing it.
#[tokio::test]
async fn the_daemon_inherits_no_descriptor_and_no_session_of_the_job_that_started_it() {
    let sfvault = Installation::without_config().unwrap();
    // Both stay open until the last process that has them is gone; so if the daemon had them, this would not end.
    let script = "exec 8>&1 9>&2 12>\"$0.lock\"; \"$@\"; echo $?";
    let model = sfvault.sfvault(["list"]);
    let mut job = Command::new("bash");
    job.args(["-c", script])
        .arg(sfvault.path("job"))
        .arg(model.get_program())
        .args(model.get_args())
        .stdin(Stdio::null())
        .env("SF_ACCESS_TOKEN", "canary-access-token")
        .env("SF_SESSION_ID", "canary-session-id")
        .env("NOTIFY_SOCKET", sfvault.path("run/canary-of-the-job"))
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "canary-of-the-job")
        .env("WATCHDOG_USEC", "1000000");
    let ran = ended(sfvault.environment(job).output().unwrap());
    assert_eq!(ran.stdout, "6\n", "{}", ran.stderr);
    let daemon = Started::of(&sfvault);

    let Ok(environment) = fs::read(daemon.proc("environ")) else {
        skip("this user may not look at a process that can't be traced");
        return;
    };
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("SFVAULT_RUNTIME_DIR"), "{environment}");
    for name in [
        "canary",
        "SF_ACCESS",
        "SF_SESSION",
        "LISTEN_",
        "NOTIFY",
        "WATCHDOG",
    ] {
        assert!(!environment.contains(name), "{name}: {environment}");
    }
    let cwd = fs::read_link(daemon.proc("cwd")).unwrap();
    assert_eq!(cwd, Path::new("/"));
    let own = sfvault.directory().to_str().unwrap();
    for descriptor in fs::read_dir(daemon.proc("fd")).unwrap() {
        let path = descriptor.unwrap().path();
        let Ok(target) = fs::read_link(&path) else {
            continue;
        };
        let (number, target) = (
            path.file_name().unwrap().to_str().unwrap().to_owned(),
            target.display().to_string(),
        );
        let known = match number.as_str() {
            "0" => target == "/dev/null",
            "1" | "2" => target == format!("{own}/run/sfvaultd.log"),
            // Its own: the lock, the audit, its two sockets, and what it waits with.
            _ => {
                target == format!("{own}/run/sfvaultd.lock")
                    || target.starts_with(&format!("{own}/data/audit."))
                    || target.starts_with("socket:[")
                    || target.starts_with("anon_inode:")
            }
        };
        assert!(known, "descriptor {number} is {target}");
    }
}

/// T26: closing the terminal in which somebody typed `sfvault` ends what runs there, and not the daemon.
#[tokio::test]
async fn the_daemon_has_no_terminal() {
    let sfvault = Installation::without_config().unwrap();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let inside = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let model = sfvault.sfvault(["list"]);
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", "--wait"])
        .arg(model.get_program())
        .args(model.get_args())
        .stdin(inside.try_clone().unwrap())
        .stdout(inside.try_clone().unwrap())
        .stderr(inside);
    let status = sfvault.environment(command).status().unwrap();
    assert_eq!(status.code(), Some(6));
    let daemon = Started::of(&sfvault);
    assert_eq!(daemon.stat(TERMINAL), 0);
    // Read there, because getsid(2) says 0 where the session's leader is outside the pid namespace.
    let own = stat(Path::new("/proc/self/stat"), SESSION);
    assert_ne!(daemon.stat(SESSION), own);
    drop(terminal);
    assert_eq!(
        ended(sfvault.run(&["list", "--no-autostart"]).unwrap()).status,
        6
    );
}

/// T26: the daemon died, and a job that has a session starts the next one.
#[tokio::test]
async fn a_daemon_that_a_job_starts_does_not_keep_the_job_s_session() {
    let mut scene = Scene::with_record().await;
    let session = scene.session(&[]).await["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut job = scene.command(&[
        "exec",
        "prod",
        "--",
        "sh",
        "-c",
        "echo has it; read line; sfvault list; echo $?",
    ]);
    let beside = Path::new(scene.sfvault.sfvault([""]).get_program())
        .parent()
        .unwrap()
        .to_owned();
    let path = std::env::join_paths([beside, "/usr/bin".into(), "/bin".into()]).unwrap();
    let mut job = job
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = tokio::io::BufReader::new(job.stdout.take().unwrap());
    let mut line = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line)
        .await
        .unwrap();
    assert_eq!(line, "has it\n");
    scene.sfvault.kill().unwrap();
    drop(job.stdin.take());
    let mut rest = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut said, &mut rest)
        .await
        .unwrap();
    assert_eq!(rest, "6\n", "the vault is locked again");
    assert!(job.wait().await.unwrap().success());
    let daemon = Started::of(&scene.sfvault);
    let Ok(environment) = fs::read(daemon.proc("environ")) else {
        skip("this user may not look at a process that can't be traced");
        return;
    };
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("SFVAULT_RUNTIME_DIR"));
    assert!(
        !environment.contains(&session),
        "the session is in the daemon's environment"
    );
    let log = log(&scene.sfvault);
    assert!(!log.contains(&session), "the session is in the log");
    scene.simulator.finish().unwrap();
}

#[tokio::test]
async fn a_daemon_that_can_t_start_tells_all_that_is_wrong_through_the_client() {
    let sfvault = Installation::without_config().unwrap();
    sfvault
        .configure(
            "[salesforce]\nallowed_hosts = [\"http://x\", 7]\nproxi = 1\napi_version = \"64\"\n\
             connect_timeout_seconds = 0\nanswer_timeout_seconds = 0\n[vault]\nkdf_memory_mib = 1\n",
        )
        .unwrap();
    let ran = ended(sfvault.run(&["list"]).unwrap());
    assert_eq!((ran.status, ran.stdout.as_str()), (3, ""), "{}", ran.stderr);
    for told in [
        "7 problems",
        ":2:18:",
        ":2:30:",
        ":3:1:",
        ":4:15:",
        ":5:27:",
        ":6:26:",
        ":8:18:",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    assert_eq!(
        ran.stderr.lines().count(),
        2,
        "an error and a hint: {}",
        ran.stderr
    );
    assert!(!sfvault.path("run/sfvault.sock").exists());
}

#[tokio::test]
async fn where_there_is_no_daemon_to_start_the_client_says_so() {
    let sfvault = Installation::without_config().unwrap();
    let model = sfvault.sfvault(["list"]);
    let alone = sfvault.path("sfvault");
    nobody::copy_program(Path::new(model.get_program()), &alone);
    let mut command = Command::new(&alone);
    command.arg("list").env("PATH", sfvault.path("config"));
    let ran = ended(sfvault.environment(command).output().unwrap());
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("can't run `sfvaultd`: No such file"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn nothing_is_started_where_that_is_forbidden() {
    let sfvault = Installation::without_config().unwrap();
    fs::remove_dir(sfvault.path("run")).unwrap();
    for arguments in [
        &["list", "--no-autostart"][..],
        &["--no-autostart", "get", "prod"],
        &["status"],
    ] {
        let ran = ended(sfvault.run(arguments).unwrap());
        assert_eq!(ran.status, 3, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("sfvaultd is not running"),
            "{}",
            ran.stderr
        );
    }
    let mut command = sfvault.sfvault(["list"]);
    let ran = ended(command.env("SFVAULT_NO_AUTOSTART", "1").output().unwrap());
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(!sfvault.path("run").exists());
}

/// T5: the directory of the sockets was cleaned away, and a client meets the daemon that is about to be back.
#[tokio::test]
async fn a_client_that_comes_right_after_a_cleaner_gets_the_daemon_that_is_there() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    let run = scene.sfvault.path("run");
    for _ in 0..5 {
        let _ = fs::remove_dir_all(&run);
        assert_eq!(scene.session(&[]).await, session);
    }
    until("listens", || {
        UnixStream::connect(run.join("admin.sock")).is_ok()
    });
    scene.assert_logins(1, 0);
    scene.finish().await;
}
