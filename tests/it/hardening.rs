//! What the operating system keeps from others: core dumps, tracing, swap, what children inherit.

use std::{
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, Stdio},
};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::Value;
use sfvault_tests::{
    installation::Installation,
    memory::Memory,
    simulator::{Options, PASSWORD, SECURITY_TOKEN, Simulator, USERNAME, User},
};

use crate::{
    scene::Scene,
    skipped::{only_root_can, skip},
};

/// The user `nobody`, who owns nothing and may do nothing special.
const NOBODY: u32 = 65534;
/// More sessions than 64 KiB of locked memory have pages.
const MANY: usize = 20;

/// T23
#[tokio::test]
async fn a_daemon_that_crashes_leaves_no_core() {
    let limit = getrlimit(Resource::Core);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Core, raised).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let control = Command::new("sh")
        .args(["-c", "kill -ABRT $$"])
        .current_dir(elsewhere.path())
        .status()
        .unwrap();
    if !control.core_dumped() {
        skip("nothing dumps core here");
        return;
    }
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    let status = scene.sfvault.end(Signal::ABORT).unwrap();
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!status.core_dumped(), "{status}");
    scene.simulator.finish().unwrap();
}

/// T23
#[tokio::test]
async fn programs_of_the_same_user_cannot_read_the_daemon() {
    let Some(mut scene) = scene_of_nobody(1).await else {
        return;
    };
    scene.sfvault.start().unwrap();
    let opens = |pid: u32, file: &str| {
        let script = format!(": < /proc/{pid}/{file}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stderr(Stdio::null());
        shell.uid(NOBODY).gid(NOBODY).status().unwrap().success()
    };
    let mut open_to_all = Command::new("sleep");
    let mut open_to_all = open_to_all
        .arg("60")
        .uid(NOBODY)
        .gid(NOBODY)
        .spawn()
        .unwrap();
    for file in ["mem", "environ", "maps"] {
        assert!(opens(open_to_all.id(), file), "{file} of any process");
        assert!(!opens(scene.sfvault.pid().unwrap(), file), "{file}");
    }
    open_to_all.kill().unwrap();
    open_to_all.wait().unwrap();
    scene.finish().await;
}

/// T25
#[tokio::test]
async fn sessions_and_keys_are_kept_out_of_swap() {
    if !only_root_can("read the memory of the daemon") {
        return;
    }
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let memory = Memory::of(scene.sfvault.pid().unwrap()).unwrap();
    let holds = |bytes: &[u8]| {
        bytes
            .windows(session.len())
            .any(|window| window == session.as_bytes())
    };
    assert!(memory.locked().any(|mapping| holds(&mapping.bytes)));
    assert_eq!(swap_warnings(&scene).await, 0);
    scene.finish().await;
}

/// T25
#[tokio::test]
async fn without_locked_memory_the_daemon_works_and_says_so_once() {
    let Some(mut scene) = scene_of_nobody(2).await else {
        return;
    };
    scene.sfvault.start_after("ulimit -l 0").unwrap();
    scene
        .ok(&["init", "--passphrase-file", "@passphrase"])
        .await;
    assert_eq!(swap_warnings(&scene).await, 1);
    use_records(&scene, 0..2).await;
    assert_eq!(swap_warnings(&scene).await, 1);
    assert_eq!(scene.sfvault.daemon_log().matches("out of swap").count(), 1);
    scene.finish().await;
}

/// T25
#[tokio::test]
async fn a_small_limit_locks_what_fits_and_serves_the_rest() {
    let Some(mut scene) = scene_of_nobody(MANY).await else {
        return;
    };
    scene.sfvault.start_after("ulimit -l 64").unwrap();
    scene
        .ok(&["init", "--passphrase-file", "@passphrase"])
        .await;
    use_records(&scene, 0..3).await;
    assert_eq!(swap_warnings(&scene).await, 0);
    use_records(&scene, 3..MANY).await;
    assert_eq!(swap_warnings(&scene).await, 1);
    assert_eq!(scene.sfvault.daemon_log().matches("out of swap").count(), 1);
    scene.ok(&["lock"]).await;
    let memory = Memory::of(scene.sfvault.pid().unwrap()).unwrap();
    assert_eq!(memory.locked().count(), 0, "pages stay locked");
    scene.finish().await;
}

/// T26
#[tokio::test]
async fn a_jobs_children_get_the_session_and_no_other_secret() {
    let scene = Scene::with_record().await;
    let look = "cat /proc/self/environ /proc/self/cmdline; ls -l /proc/self/fd >&2";
    let grandchild = format!("sh -c '{look}'; :");
    let ended = scene
        .run(&["exec", "prod", "--", "sh", "-c", &grandchild])
        .await;
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("SF_ACCESS_TOKEN=00D"));
    for secret in [PASSWORD, SECURITY_TOKEN, "correct horse"] {
        assert!(!ended.stdout.contains(secret));
    }
    assert!(!ended.stderr.contains("socket:"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("sfv-"), "{}", ended.stderr);
    scene.finish().await;
}

/// So many users at Salesforce, and an installation of `nobody`, whose daemon does not run yet.
async fn scene_of_nobody(users: usize) -> Option<Scene> {
    if !only_root_can("run the daemon as another user") {
        return None;
    }
    let simulator = Simulator::start(Options {
        users: (0..users)
            .map(|n| User::new(&username(n), PASSWORD, SECURITY_TOKEN))
            .collect(),
        ..Options::default()
    })
    .await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    sfvault.give_to(NOBODY).unwrap();
    sfvault.secret_file("passphrase", "correct horse").unwrap();
    sfvault.secret_file("password", PASSWORD).unwrap();
    sfvault.secret_file("token", SECURITY_TOKEN).unwrap();
    Some(Scene { simulator, sfvault })
}

fn username(n: usize) -> String {
    format!("{n}.{USERNAME}")
}

async fn use_records(scene: &Scene, which: std::ops::Range<usize>) {
    let url = scene.simulator.login_url();
    for n in which {
        let (name, user) = (format!("r{n}"), username(n));
        let record = ["add", &name, "--username", &user, "--login-url", &url];
        let secrets = ["--password-file", "@password", "--token-file", "@token"];
        scene.ok(&[&record[..], &secrets].concat()).await;
        assert!(scene.ok(&["get", &name]).await.starts_with("00D"));
    }
}

async fn swap_warnings(scene: &Scene) -> usize {
    let status: Value = serde_json::from_str(&scene.ok(&["status", "--json"]).await).unwrap();
    let warnings = status["warnings"].as_array().unwrap();
    warnings
        .iter()
        .filter(|warning| warning.as_str().unwrap().contains("out of swap"))
        .count()
}
