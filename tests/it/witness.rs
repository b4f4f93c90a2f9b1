//! The process that looks at peers for a daemon that Landlock keeps from it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use sfvault_tests::{
    installation::Installation,
    memory::Memory,
    simulator::{Options, PASSWORD, SECURITY_TOKEN, Simulator},
};

use crate::{
    access::host,
    confinement::{Protections, protections, state_of},
    nobody::{self, NOBODY},
    peer::{Peer, sessions},
    scene::Scene,
    skipped::skip,
    start::soon,
};

const ETL: u32 = 4242;

/// The witness of a daemon, if it has one.
pub(crate) fn witness_of(daemon: u32) -> Option<u32> {
    let parent = format!("PPid:\t{daemon}\n");
    let mut found = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.contains(&parent).then_some(pid)
    });
    let pid = found.next();
    assert_eq!(found.next(), None, "the daemon has two children");
    pid
}

/// The same, where this kernel has Landlock; says so if not.
async fn witness(scene: &Scene) -> Option<u32> {
    let found = witness_of(scene.sfvault.pid().unwrap());
    if found.is_none() {
        let protections = protections(scene).await;
        assert_eq!(state_of(&protections, "files"), "not available");
        skip("this kernel has no Landlock");
    }
    found
}

/// T10, T28
#[tokio::test]
async fn a_rule_on_a_program_holds_by_the_witness_and_lets_nobody_in_when_it_is_killed() {
    let Some(scene) = host().await else { return };
    let Some(witness) = witness(&scene).await else {
        return;
    };
    let job = program(&scene).await;
    let other = Peer::program(&scene.sfvault, "other");
    scene.allow("uat", "--uid 4242").await;
    let mut job = run(&scene, &job).await;
    assert!(job.gets("prod").await);
    assert!(!run(&scene, &other).await.gets("prod").await);
    assert_eq!(state(&protections(&scene).await).0, "on");

    end(witness, Signal::KILL);
    assert!(!job.gets("prod").await);
    assert!(job.gets("uat").await, "no rule on programs is concerned");
    let (state, reason) = state(&protections(&scene).await);
    assert_eq!(state, "off");
    assert!(reason.contains("ended") && reason.contains("restart"));
    let said = scene.ok(&["status", "--security"]).await;
    assert!(said.contains("witness"), "{said}");
    let explained = scene.explain("prod", job.pid()).await.to_string();
    assert!(explained.contains("the witness of sfvaultd has ended"));
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    let sleep = sleep.display().to_string();
    let (_, error) = scene
        .fails(&["allow", "prod", "--uid", "7", "--exe", &sleep])
        .await;
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("witness"), "{message}");
    let found = scene.ok(&["doctor", "--json"]).await;
    assert!(found.contains("`witness` is off"), "{found}");
    let log = scene.sfvault.daemon_log();
    assert_eq!(
        log.matches("the witness of sfvaultd has ended").count(),
        1,
        "{log}"
    );
    scene.finish().await;
}

#[tokio::test]
async fn a_witness_that_hangs_costs_one_wait_and_is_heard_again_when_it_goes_on() {
    let Some(scene) = host().await else { return };
    let Some(witness) = witness(&scene).await else {
        return;
    };
    let program = program(&scene).await;
    scene.allow("uat", "--uid 4242").await;
    let mut job = run(&scene, &program).await;
    assert!(job.gets("prod").await);
    signal(witness, Signal::STOP);
    for _ in 0..5 {
        assert!(!job.gets("prod").await);
        assert!(job.gets("uat").await);
    }
    let (state, reason) = state(&protections(&scene).await);
    assert_eq!(state, "off");
    assert!(reason.contains("does not answer now"), "{reason}");
    // Five waits would have been told of five times.
    let log = scene.sfvault.daemon_log();
    assert_eq!(log.matches("does not answer now").count(), 1, "{log}");
    signal(witness, Signal::CONT);
    // The answer that was late comes first, and is nobody's.
    soon("served again", async { while !job.gets("prod").await {} }).await;
    assert_eq!(self::state(&protections(&scene).await).0, "on");
    scene.finish().await;
}

/// T23, T24, T26
#[tokio::test]
async fn the_witness_holds_no_secret_and_no_way_to_one() {
    const VALUE: &str = "CANARYofTheEnvironment4711";
    if !nobody::can_be_played() {
        return;
    }
    let simulator = Simulator::start(Options::default()).await;
    let sfvault = Installation::new(&simulator).unwrap();
    let scene = Scene::of(simulator, sfvault, &[("SFVAULT_TEST", VALUE)]).await;
    let Some(witness) = witness(&scene).await else {
        return;
    };
    scene.add("prod").await;
    let session = scene.session(&[]).await;
    let session = session["session_id"].as_str().unwrap();

    let memory = Memory::of(witness).unwrap();
    for secret in [PASSWORD, SECURITY_TOKEN, session, "correct horse", VALUE] {
        assert_eq!(memory.find(secret.as_bytes()), None);
    }
    let daemon = Memory::of(scene.sfvault.pid().unwrap()).unwrap();
    assert!(daemon.find(VALUE.as_bytes()).is_some(), "nothing is found");
    assert!(memory.find(b"sfvaultd").is_some(), "nothing is found");

    let read = |name: &str| fs::read(format!("/proc/{witness}/{name}")).unwrap();
    assert_eq!(read("environ"), b"");
    assert_eq!(read("cmdline"), b"sfvaultd\0--witness\0");
    assert_eq!(read("comm"), b"sfvault-witness\n");
    let mut open: Vec<_> = fs::read_dir(format!("/proc/{witness}/fd"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let target = fs::read_link(entry.path()).unwrap();
            (entry.file_name(), target.display().to_string())
        })
        .collect();
    open.sort();
    assert!(open[0].1.starts_with("socket:"), "{open:?}");
    assert_eq!(open[1].1, "/dev/null");
    assert_eq!(open[2].1, "/dev/null");
    assert_eq!(open.len(), 3, "{open:?}");
    let status = String::from_utf8(read("status")).unwrap();
    for line in [
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "Umask:\t0077",
        "Threads:\t1",
        // CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE.
        "CapEff:\t0000000000080004",
        "CapPrm:\t0000000000080004",
        "CapInh:\t0000000000000000",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let limits = String::from_utf8(read("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core"));
    assert!(core.unwrap().split_whitespace().any(|word| word == "0"));
    scene.finish().await;
}

#[tokio::test]
async fn the_witness_ends_with_the_daemon_and_not_before() {
    let simulator = Simulator::start(Options::default()).await;
    let sfvault = Installation::new(&simulator).unwrap();
    let mut scene = Scene::of(simulator, sfvault, &[]).await;
    let Some(first) = witness(&scene).await else {
        return;
    };
    // A terminal and a service manager mean the daemon, which has a witness for as long as it has calls to answer.
    for ending in [Signal::TERM, Signal::INT, Signal::HUP] {
        signal(first, ending);
    }
    assert_eq!(state(&protections(&scene).await).0, "on");
    let killed = hold(first);
    scene.sfvault.kill().unwrap();
    assert!(has_ended(&killed), "it outlives a daemon that was killed");

    scene.sfvault.start().unwrap();
    let second = witness(&scene).await.unwrap();
    let stopped = hold(second);
    scene.sfvault.stop().unwrap();
    assert!(has_ended(&stopped), "it outlives a daemon that ended");
}

/// As a systemd unit with `AmbientCapabilities=CAP_SYS_PTRACE` runs it.
#[tokio::test]
async fn a_daemon_that_is_not_root_sees_the_programs_of_others_with_one_capability() {
    if !nobody::can_be_played() {
        return;
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        skip("there is no setpriv");
        return;
    }
    for capable in [true, false] {
        let simulator = Simulator::start(Options::default()).await;
        let mut sfvault = Installation::new(&simulator).unwrap();
        fs::set_permissions(sfvault.directory(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(sfvault.path("run"), fs::Permissions::from_mode(0o711)).unwrap();
        sfvault.give_to(NOBODY).unwrap();
        let daemon = nobody::runs(&sfvault, &sfvault.sfvaultd());
        let mut command = Command::new("setpriv");
        for (variable, value) in daemon.get_envs() {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        if capable {
            command.args(["--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"]);
        }
        command.env("SFVAULT_MODE", "system");
        command.arg(daemon.get_program());
        sfvault.start_as(command).unwrap();
        let scene = Scene::around(simulator, sfvault).await;
        scene.add("prod").await;
        let mut job = run(&scene, &program(&scene).await).await;
        assert_eq!(job.gets("prod").await, capable);
        let explained = scene.explain("prod", job.pid()).await.to_string();
        assert_eq!(!explained.contains("CAP_SYS_PTRACE"), capable);
        scene.finish().await;
    }
}

/// A program that `prod` is for, if ETL runs it.
async fn program(scene: &Scene) -> PathBuf {
    let program = Peer::program(&scene.sfvault, "job");
    let path = program.display().to_string();
    scene
        .ok(&["allow", "prod", "--uid", "4242", "--exe", &path])
        .await;
    program
}

async fn run(scene: &Scene, program: &Path) -> Peer {
    let mut command = Command::new(program);
    command.arg(sessions(&scene.sfvault)).uid(ETL).gid(ETL);
    Peer::spawn(command).await
}

fn state(protections: &Protections) -> (String, String) {
    let found = protections.iter().find(|one| one.0 == "witness");
    let (_, state, reason) = found.unwrap().clone();
    (state, reason)
}

fn pid(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).unwrap()
}

fn signal(process: u32, signal: Signal) {
    kill_process(pid(process), signal).unwrap();
}

/// Ends a process, and waits until it has.
fn end(process: u32, with: Signal) {
    let held = hold(process);
    signal(process, with);
    assert!(has_ended(&held));
}

fn hold(process: u32) -> rustix::fd::OwnedFd {
    pidfd_open(pid(process), PidfdFlags::empty()).unwrap()
}

/// Waits for it, for long.
fn has_ended(held: &rustix::fd::OwnedFd) -> bool {
    let long = Timespec {
        tv_sec: 60,
        tv_nsec: 0,
    };
    let mut ended = [PollFd::new(held, PollFlags::IN)];
    poll(&mut ended, Some(&long)).unwrap() == 1
}
