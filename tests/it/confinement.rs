//! What the daemon's process can't do, even if somebody makes it try: files, ports, programs, system calls.

use std::{fs, net::TcpListener, os::unix::process::CommandExt as _, process::Command};

use serde_json::Value;
use sfvault_tests::{
    installation::Installation,
    simulator::{Options, Simulator},
};

use crate::{
    scene::Scene,
    skipped::{only_root_can, skip},
    witness::witness_of,
};

const EPERM: &str = "1";
const EACCES: &str = "13";
const NAMES: [&str; 10] = [
    "umask",
    "core-dumps",
    "tracing",
    "new-privileges",
    "descriptors",
    "files",
    "connections",
    "system-calls",
    "witness",
    "memory",
];

/// It lists the names.
const PROTO: &str = include_str!("../../proto/sfvault/v1/control.proto");

#[tokio::test]
async fn every_protection_is_reported_and_the_kernel_agrees() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    let protections = protections(&scene).await;
    let names: Vec<_> = protections
        .iter()
        .map(|(name, _, _)| name.as_str())
        .collect();
    assert_eq!(names, NAMES);
    for name in NAMES {
        assert!(PROTO.contains(&format!("\"{name}\"")), "{name}");
    }
    for (name, state, reason) in &protections {
        if state == "not available" {
            skip(&format!("`{name}`: {reason}"));
        } else {
            assert_eq!(state, "on", "{name}: {reason}");
        }
    }
    let table = scene.ok(&["status", "--security"]).await;
    assert!(
        table.contains("system-calls") && table.contains("0077"),
        "{table}"
    );
    // Of each thread: those that resolve names and write to disk were started after the first was confined.
    let filtered = state_of(&protections, "system-calls") == "on";
    let tasks = format!("/proc/{}/task", scene.sfvault.pid().unwrap());
    let mut threads = 0;
    for task in fs::read_dir(tasks).unwrap() {
        let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        assert_eq!(field("NoNewPrivs:"), "1");
        assert_eq!(field("Umask:"), "0077");
        assert!(!filtered || field("Seccomp:") == "2", "{status}");
        threads += 1;
    }
    assert!(threads > 0);
    let found = scene.ok(&["doctor", "--json"]).await;
    assert!(found.contains("\"protections\""), "{found}");
    scene.finish().await;
}

/// T28
#[tokio::test]
async fn a_confined_process_reaches_its_own_files_and_ports_and_no_others() {
    let Some((simulator, sfvault, protections)) = confined("files").await else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("id_ed25519");
    fs::write(&key, "a key").unwrap();
    fs::write(sfvault.path("beside"), "").unwrap();
    fs::write(sfvault.path("data/old"), "").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = other.local_addr().unwrap();
    let login = simulator.login_url();
    let login = login.rsplit(':').next().unwrap().trim_end_matches('/');
    let at = |action: &str, name: &str| format!("{action}:{}", sfvault.path(name).display());
    let in_home =
        |action: &str, name: &str| format!("{action}:{}", home.path().join(name).display());
    let expected = [
        (at("make", "data/new"), "ok"),
        (at("write", "data/old"), "ok"),
        (at("rename", "data/old"), "ok"),
        (at("remove", "data/new"), "ok"),
        (at("list", "data"), "ok"),
        (at("make-socket", "run/new.sock"), "ok"),
        (at("remove", "run/new.sock"), "ok"),
        (at("read", "config/config.toml"), "ok"),
        (at("read", "config/ca.pem"), "ok"),
        ("read:/etc/nsswitch.conf".to_owned(), "ok"),
        ("read:/proc/self/status".to_owned(), "ok"),
        ("resolve:localhost".to_owned(), "ok"),
        (format!("connect:127.0.0.1:{login}"), "ok"),
        (at("write", "config/config.toml"), EACCES),
        (at("make", "config/new"), EACCES),
        (at("write", "beside"), EACCES),
        (in_home("read", "id_ed25519"), EACCES),
        (in_home("write", "id_ed25519"), EACCES),
        (in_home("remove", "id_ed25519"), EACCES),
        (in_home("rename", "id_ed25519"), EACCES),
        (in_home("make", "new"), EACCES),
        (in_home("make-dir", "new"), EACCES),
        (in_home("make-socket", "new"), EACCES),
        (in_home("list", ""), EACCES),
        ("list:/".to_owned(), EACCES),
        ("make:/etc/sfvault-was-here".to_owned(), EACCES),
        ("read:/sys/kernel/notes".to_owned(), EACCES),
        (format!("connect:{other}"), EACCES),
        ("listen:127.0.0.1:0".to_owned(), EACCES),
    ];
    let net = state_of(&protections, "connections") == "on";
    let expected = expected.into_iter().filter(|(action, result)| {
        let of_net = action.starts_with("connect:") || action.starts_with("listen:");
        let skipped = of_net && *result != "ok" && !net;
        if skipped {
            skip(&format!("{action}: this kernel has no rules on ports"));
        }
        !skipped
    });
    assert_all(&sfvault, expected.collect());
    // It is the confinement that refuses, not the files.
    sfvault
        .configure("[hardening]\nlandlock = false\n")
        .unwrap();
    let control = [
        (in_home("read", "id_ed25519"), "ok"),
        (in_home("make", "new"), "ok"),
        (format!("connect:{other}"), "ok"),
        ("listen:127.0.0.1:0".to_owned(), "ok"),
    ];
    assert_all(&sfvault, control.into());
    simulator.finish().unwrap();
}

/// T28
#[tokio::test]
async fn a_confined_process_runs_no_program_and_makes_no_odd_call() {
    let Some((simulator, sfvault, _)) = confined("system-calls").await else {
        return;
    };
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let actions = [
        "run:/bin/true".to_owned(),
        "become:/bin/true".to_owned(),
        // AF_PACKET
        "socket:17".to_owned(),
        // AF_VSOCK
        "socket:40".to_owned(),
        "be-dumpable".to_owned(),
        "memory-to-run".to_owned(),
        format!("trace:{}", child.id()),
    ];
    let refused = actions.iter().map(|action| (action.clone(), EPERM));
    let needed = [
        "memory",
        "thread",
        "socket:1",
        "socket:2",
        "socket:10",
        "socket:16",
    ];
    let needed = needed.map(|action| (action.to_owned(), "ok"));
    // Without Landlock, which refuses programs too.
    let without = |rest: &str| format!("[hardening]\nlandlock = false\n{rest}");
    sfvault.configure(&without("")).unwrap();
    assert_all(&sfvault, refused.chain(needed).collect());
    sfvault.configure(&without("seccomp = false\n")).unwrap();
    let control = ["run:/bin/true", "memory-to-run", "be-dumpable"];
    let control = control.map(|action| (action.to_owned(), "ok"));
    assert_all(&sfvault, control.into());
    child.kill().unwrap();
    child.wait().unwrap();
    simulator.finish().unwrap();
}

/// T28
#[tokio::test]
async fn on_a_kernel_without_them_the_daemon_works_and_says_so() {
    let simulator = Simulator::start(Options::default()).await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    let daemon = sfvault.sfvaultd();
    let mut old = sfvault.environment(Command::new(helper()));
    old.arg("on-old-kernel").arg(daemon.get_program());
    sfvault.start_as(old).unwrap();
    let scene = Scene::around(simulator, sfvault).await;
    scene.add("prod").await;
    scene.session(&[]).await;
    let protections = protections(&scene).await;
    for (name, state, reason) in &protections {
        let lacks = ["files", "connections", "system-calls"].contains(&name.as_str());
        let expected = match name.as_str() {
            "witness" => "not available",
            _ if lacks => "not available",
            _ => "on",
        };
        assert_eq!(state, expected, "{name}: {reason}");
        assert!(!lacks || reason.contains("kernel"), "{reason}");
    }
    // It needs none, and sees for itself who its peers are.
    assert_eq!(witness_of(scene.sfvault.pid().unwrap()), None);
    let usage = scene.ok(&["usage", "prod", "--json"]).await;
    assert!(usage.contains("/sfvault\""), "{usage}");
    // Nothing that an operator could mend.
    assert!(!scene.sfvault.daemon_log().contains("WARN"));
    scene.finish().await;
}

#[tokio::test]
async fn an_operator_can_do_without_them() {
    let simulator = Simulator::start(Options::default()).await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    let config = fs::read_to_string(sfvault.path("config/config.toml")).unwrap();
    let off = "[hardening]\nlandlock = false\nseccomp = false\n";
    sfvault.configure(&format!("{config}\n{off}")).unwrap();
    sfvault.start().unwrap();
    let scene = Scene::around(simulator, sfvault).await;
    let protections = protections(&scene).await;
    for (name, key) in [
        ("files", "landlock"),
        ("connections", "landlock"),
        ("system-calls", "seccomp"),
        ("witness", "landlock"),
    ] {
        let (_, state, reason) = protections.iter().find(|one| one.0 == name).unwrap();
        assert_eq!(state, "off", "{name}");
        assert!(reason.contains(&format!("`{key} = false`")), "{reason}");
    }
    let status = format!("/proc/{}/status", scene.sfvault.pid().unwrap());
    let status = fs::read_to_string(status).unwrap();
    assert!(status.contains("Seccomp:\t0"), "{status}");
    let found: Value = serde_json::from_str(&scene.ok(&["doctor", "--json"]).await).unwrap();
    let mut findings = found["findings"].as_array().unwrap().iter();
    let finding = findings.find(|one| one["check"] == "protections").unwrap();
    assert_eq!(finding["grade"], "warning", "{finding}");
    scene.finish().await;
}

/// T26
#[tokio::test]
async fn descriptors_that_were_left_open_are_closed() {
    let simulator = Simulator::start(Options::default()).await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    let left = sfvault.path("left-open");
    fs::write(&left, "").unwrap();
    let open = format!("exec 7<{0} && exec 9>>{0}", left.display());
    sfvault.start_after(&open).unwrap();
    let own = format!("/proc/{}/fd", sfvault.pid().unwrap());
    let targets: Vec<_> = fs::read_dir(own)
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    assert!(!targets.contains(&left), "{targets:?}");
    let protections = security(&sfvault);
    let (_, _, reason) = protections
        .iter()
        .find(|one| one.0 == "descriptors")
        .unwrap();
    // Who runs the tests may have left open more.
    let closed: u32 = reason.split(' ').next().unwrap().parse().unwrap();
    assert!(closed >= 2, "{reason}");
    sfvault.stop().unwrap();
    simulator.finish().unwrap();
}

/// T23
#[tokio::test]
async fn a_debugger_of_the_same_user_cannot_attach() {
    if !only_root_can("run the daemon as another user") {
        return;
    }
    const NOBODY: u32 = 65534;
    let simulator = Simulator::start(Options::default()).await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    // Where `nobody` can run it.
    let debugger = sfvault.path("debugger");
    fs::copy(helper(), &debugger).unwrap();
    sfvault.give_to(NOBODY).unwrap();
    sfvault.start().unwrap();
    let attaches = |pid: u32| {
        let mut debugger = Command::new(&debugger);
        debugger.args(["trace", &pid.to_string()]);
        let ended = debugger.uid(NOBODY).gid(NOBODY).output().unwrap();
        (
            ended.status.success(),
            String::from_utf8(ended.stderr).unwrap(),
        )
    };
    let mut open_to_all = Command::new("sleep");
    let mut open_to_all = open_to_all
        .arg("60")
        .uid(NOBODY)
        .gid(NOBODY)
        .spawn()
        .unwrap();
    let (attached, problem) = attaches(open_to_all.id());
    open_to_all.kill().unwrap();
    open_to_all.wait().unwrap();
    if attached {
        let daemon = sfvault.pid().unwrap();
        for process in [Some(daemon), witness_of(daemon)].into_iter().flatten() {
            let (attached, problem) = attaches(process);
            assert!(!attached && problem.contains("EPERM"), "{problem}");
        }
    } else {
        skip(&format!("nobody can trace anything here: {problem}"));
    }
    sfvault.stop().unwrap();
    simulator.finish().unwrap();
}

/// An installation whose daemon does not run, if this kernel has the protection.
async fn confined(protection: &str) -> Option<(Simulator, Installation, Protections)> {
    let simulator = Simulator::start(Options::default()).await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    sfvault.start().unwrap();
    let protections = security(&sfvault);
    let state = state_of(&protections, protection);
    sfvault.stop().unwrap();
    if state == "on" {
        return Some((simulator, sfvault, protections));
    }
    skip(&format!("`{protection}` is {state} here"));
    None
}

/// Name, state and reason of each.
pub(crate) type Protections = Vec<(String, String, String)>;

pub(crate) async fn protections(scene: &Scene) -> Protections {
    parse(&scene.ok(&["status", "--security", "--json"]).await)
}

fn security(sfvault: &Installation) -> Protections {
    let output = sfvault.run(&["status", "--security", "--json"]).unwrap();
    parse(&String::from_utf8(output.stdout).unwrap())
}

fn parse(json: &str) -> Protections {
    let answer: Value = serde_json::from_str(json).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    answer["protections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                text(&one["name"]),
                text(&one["state"]),
                text(&one["reason"]),
            )
        })
        .collect()
}

pub(crate) fn state_of(protections: &Protections, name: &str) -> String {
    let found = protections.iter().find(|one| one.0 == name);
    found.unwrap().1.clone()
}

#[track_caller]
fn assert_all(sfvault: &Installation, expected: Vec<(String, &str)>) {
    let mut command = sfvault.environment(Command::new(helper()));
    command.arg("try");
    command.args(expected.iter().map(|(action, _)| action));
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told.lines().count(), expected.len(), "{told}{problem}");
    for (result, (action, expected)) in told.lines().zip(&expected) {
        assert_eq!(result, *expected, "{action}");
    }
}

/// The program that confines itself as the daemon does.
fn helper() -> &'static str {
    env!("CARGO_BIN_EXE_sfvault-confined")
}
