//! Who gets which session: rules judged by what the kernel says about real processes of other users.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use sfvault_proto::v1::{GetSessionRequest, sessions_client::SessionsClient};
use sfvault_tests::{
    installation::Installation,
    simulator::{Options, Place, Simulator, USERNAME},
};
use tonic::{Code, transport::Channel};

use crate::{
    nobody,
    peer::{Peer, sessions},
    raw,
    scene::Scene,
    skipped::skip,
    unit::Unit,
};

/// A user without a name.
const ETL: u32 = 4242;
const OTHER: u32 = 4243;
/// A group of administrators.
const ADMINS: u32 = 4250;

/// A daemon of the host, run by root, with the records `prod` and `uat`; nothing if only a user runs these tests.
pub(crate) async fn host() -> Option<Scene> {
    if !nobody::can_be_played() {
        return None;
    }
    let simulator = Simulator::start(Options::default()).await;
    let sfvault = Installation::new(&simulator).unwrap();
    let config = fs::read_to_string(sfvault.path("config/config.toml")).unwrap();
    sfvault
        .configure(&format!("{config}\n[admin]\ngroup = \"{ADMINS}\"\n"))
        .unwrap();
    // As /run is, and as the daemon makes its directory if there is none.
    fs::set_permissions(sfvault.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir(sfvault.path("run")).unwrap();
    let scene = Scene::of(simulator, sfvault, &[("SFVAULT_MODE", "system")]).await;
    scene.add("prod").await;
    scene.add("uat").await;
    Some(scene)
}

impl Scene {
    pub(crate) async fn allow(&self, record: &str, rule: &str) {
        self.ok(&[&["allow", record], &words(rule)[..]].concat())
            .await;
    }

    async fn deny(&self, record: &str, rule: &str) {
        self.ok(&[&["deny", record], &words(rule)[..]].concat())
            .await;
    }

    pub(crate) async fn explain(&self, record: &str, pid: u32) -> Value {
        let said = self
            .ok(&["explain", record, "--pid", &pid.to_string(), "--json"])
            .await;
        serde_json::from_str(&said).unwrap()
    }
}

fn words(rule: &str) -> Vec<&str> {
    rule.split(' ').collect()
}

#[tokio::test]
async fn a_job_of_another_user_gets_what_a_rule_gives_it_and_nothing_else() {
    let Some(scene) = host().await else { return };
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    assert!(!etl.gets("prod").await);
    scene.allow("prod", "--uid 4242").await;
    assert!(etl.gets("prod").await && !etl.gets("uat").await);
    assert_eq!(etl.sees().await, ["prod"]);
    // Neither the daemon's user nor root has a record without a rule.
    let mut root = Peer::of(&scene.sfvault, 0, 0).await;
    assert!(!root.gets("prod").await);
    assert!(root.sees().await.is_empty());
    let mut other = Peer::of(&scene.sfvault, OTHER, OTHER).await;
    let denied = other.session("prod").await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied, "{denied:?}");
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// With the real client, and after a restart: rules are kept, and who waits for an unlock is judged after it.
#[tokio::test]
async fn rules_outlive_a_restart_and_a_waiting_job_an_unlock() {
    let Some(mut scene) = host().await else {
        return;
    };
    scene.allow("prod", "--uid 4242 --gid 4242").await;
    scene.sfvault.stop().unwrap();
    scene
        .sfvault
        .start_in(&[("SFVAULT_MODE", "system")])
        .unwrap();
    let get = |uid: u32, more: &[&str]| {
        let command = scene.sfvault.sfvault([&["get", "prod"], more].concat());
        let mut command =
            tokio::process::Command::from(nobody::runs_as(&scene.sfvault, &command, uid));
        command.kill_on_drop(true).stdout(Stdio::piped());
        command
    };
    let locked = get(OTHER, &[]).output().await.unwrap();
    assert_eq!(locked.status.code(), Some(6), "{locked:?}");
    let waits = ["--wait", "60s"];
    let (etl, other) = (get(ETL, &waits).spawn(), get(OTHER, &waits).spawn());
    await_waiting(&scene, ETL).await;
    await_waiting(&scene, OTHER).await;
    scene.unlock().await;
    let got = etl.unwrap().wait_with_output().await.unwrap();
    assert!(got.status.success() && !got.stdout.is_empty(), "{got:?}");
    let refused = other.unwrap().wait_with_output().await.unwrap();
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    // Known to no rule, now that there are rules to be read.
    let denied = get(OTHER, &[]).output().await.unwrap();
    assert_eq!(denied.status.code(), Some(5), "{denied:?}");
    scene.finish().await;
}

/// The daemon says who waits.
async fn await_waiting(scene: &Scene, uid: u32) {
    loop {
        let peers = scene.ok(&["status", "--peers", "--json"]).await;
        let peers: Value = serde_json::from_str(&peers).unwrap();
        let peers = peers["peers"].as_array().unwrap();
        if peers
            .iter()
            .any(|peer| peer["uid"] == uid && peer["waiting"] == 1)
        {
            return;
        }
    }
}

/// T47
#[tokio::test]
async fn a_record_that_is_not_for_the_peer_looks_like_none() {
    let Some(scene) = host().await else { return };
    scene.allow("prod", "--uid 4242").await;
    scene.allow("uat", "--uid 4243").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    for asks in [
        GetSessionRequest::default(),
        GetSessionRequest {
            expect_org: "00D000000000000".to_owned(),
            refused_generation: 1,
            ..GetSessionRequest::default()
        },
    ] {
        let mut told = Vec::new();
        for record in ["uat", "taz"] {
            let request = GetSessionRequest {
                record: record.to_owned(),
                ..asks.clone()
            };
            let status = etl.calls.get_session(request).await.unwrap_err();
            let text = status.message().replace(record, "NAME");
            assert_eq!(raw::reason(&status).as_deref(), Some("RECORD_NOT_FOUND"));
            told.push((status.code(), text, status.details().len()));
        }
        assert_eq!(told.first(), told.last());
    }
    scene.assert_logins(0, 0);
    scene.finish().await;
}

/// T47 as the operator sees it: what is one answer to the peer is told apart in the audit.
#[tokio::test]
async fn the_audit_tells_who_was_let_in_by_which_rule_and_what_others_lack() {
    let Some(scene) = host().await else { return };
    scene.allow("prod", "--uid 4243").await;
    scene.allow("prod", "--uid 4242").await;
    scene.allow("uat", "--uid 4243").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    assert!(etl.gets("prod").await);
    assert!(!etl.gets("uat").await && !etl.gets("taz").await);
    assert_eq!(etl.sees().await, ["prod"]);
    let mut stranger = Peer::of(&scene.sfvault, 4244, 4244).await;
    assert!(!stranger.gets("prod").await);

    let exe = scene.sfvault.path("peer").display().to_string();
    let log = log(&scene, &["--peer-uid", "4242"]).await;
    let told: Vec<_> = log
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            assert_eq!(
                (&line["pid"], text("exe")),
                (&etl.pid().into(), exe.clone())
            );
            ["action", "verdict", "record", "reason", "rule", "note"]
                .map(text)
                .join(" ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "get served prod - 2: uid 4242 -",
            "get denied uat DENIED - rule 1: its uid is 4242, not 4243",
            "get refused taz RECORD_NOT_FOUND - there is no such record",
            "list served - - - prod: rule 2: uid 4242 | uat: rule 1: its uid is 4242, not 4243",
        ]
    );
    let strangers = scene.ok(&["log", "--denied", "--peer-uid", "4244"]).await;
    assert!(
        strangers.contains("call denied, DENIED, uid 4244") && strangers.contains(&exe),
        "{strangers}"
    );
    let usage = scene.ok(&["usage", "prod", "--json"]).await;
    let usage: Value = serde_json::from_str(&usage).unwrap();
    let users = usage["users"].as_array().unwrap();
    assert_eq!(users.len(), 1, "{usage}");
    assert_eq!(
        (&users[0]["uid"], &users[0]["exe"], &users[0]["served"]),
        (&ETL.into(), &exe.into(), &1.into())
    );
    scene.finish().await;
}

async fn log(scene: &Scene, filter: &[&str]) -> Vec<Value> {
    let text = scene.ok(&[&["log", "--json"], filter].concat()).await;
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Jobs of one user are told apart by their units, also where no rule asks for one; a rule that does makes the unit of now
/// count.
#[tokio::test]
async fn usage_tells_jobs_of_one_user_apart_by_unit() {
    let Some(scene) = host().await else { return };
    let Some(nightly) = Unit::make("system.slice", "usage-a") else {
        return;
    };
    let daily = Unit::make("system.slice", "usage-b").unwrap();
    scene.allow("prod", "--uid 4242").await;
    for (unit, times) in [(&nightly, 2), (&daily, 1)] {
        let mut peer = Peer::in_unit(&scene.sfvault, unit, ETL).await;
        for _ in 0..times {
            assert!(peer.gets("prod").await);
        }
    }
    scene.deny("prod", "--uid 4242").await;
    scene
        .allow("prod", &format!("--unit {}", daily.name()))
        .await;
    let mut moved = Peer::in_unit(&scene.sfvault, &nightly, ETL).await;
    daily.takes(moved.pid());
    assert!(moved.gets("prod").await);
    let usage = scene.ok(&["usage", "prod", "--json"]).await;
    let usage: Value = serde_json::from_str(&usage).unwrap();
    let mut users: Vec<_> = usage["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| (user["unit"].as_str().unwrap(), user["served"].as_u64()))
        .collect();
    users.sort();
    assert_eq!(users, [(nightly.name(), Some(2)), (daily.name(), Some(2))]);
    scene.finish().await;
}

/// T15: on one connection, at once, for a call that waits, and for one whose login is under way.
#[tokio::test]
async fn rules_are_judged_for_every_call_and_again_when_it_has_waited() {
    let Some(scene) = host().await else { return };
    scene.allow("prod", "--uid 4242").await;
    scene.allow("uat", "--uid 4242").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    let ask = |calls: &SessionsClient<Channel>, wait| {
        let mut calls = calls.clone();
        let wait = Some(prost_types::Duration {
            seconds: wait,
            nanos: 0,
        });
        let record = "prod".to_owned();
        tokio::spawn(async move {
            let request = GetSessionRequest {
                record,
                wait,
                ..GetSessionRequest::default()
            };
            calls.get_session(request).await
        })
    };

    let gate = scene.simulator.hold_next(Place::Login);
    let in_flight = ask(&etl.calls, 0);
    gate.reached().await;
    scene.deny("prod", "--uid 4242").await;
    gate.open();
    let refused = in_flight.await.unwrap().unwrap_err();
    assert_eq!(raw::reason(&refused).as_deref(), Some("RECORD_NOT_FOUND"));

    assert!(!etl.gets("prod").await && etl.gets("uat").await);
    scene.allow("prod", "--uid 4242").await;
    assert!(etl.gets("prod").await);

    scene.simulator.expire_sessions(USERNAME);
    scene.simulator.reset_security_token(USERNAME);
    scene.run(&["check", "prod"]).await;
    let waiting = ask(&etl.calls, 3600);
    await_waiting(&scene, ETL).await;
    scene.deny("prod", "--uid 4242").await;
    let refused = waiting.await.unwrap().unwrap_err();
    assert_eq!(raw::reason(&refused).as_deref(), Some("RECORD_NOT_FOUND"));
    scene.finish().await;
}

/// The group with which a process connected is not all that counts.
#[tokio::test]
async fn a_supplementary_group_counts_as_the_kernel_tells_it() {
    let Some(scene) = host().await else { return };
    scene.allow("prod", "--gid 4300").await;
    let program = Peer::program(&scene.sfvault, "peer");
    let with_groups = |groups: &str| {
        let mut command = Command::new("setpriv");
        let ids = ["--reuid", "4242", "--regid", "4242", "--groups", groups];
        command
            .args(ids)
            .arg(&program)
            .arg(sessions(&scene.sfvault));
        command
    };
    let mut member = Peer::spawn(with_groups("4299,4300")).await;
    assert!(member.gets("prod").await);
    let mut other = Peer::spawn(with_groups("4299")).await;
    assert!(!other.gets("prod").await);
    let mut primary = Peer::of(&scene.sfvault, ETL, 4300).await;
    assert!(primary.gets("prod").await);
    scene.finish().await;
}

/// A connection from before a rule asked for more than who connected is closed, so that it is made anew.
#[tokio::test]
async fn an_idle_connection_is_renewed_when_a_rule_wants_to_know_more() {
    let Some(scene) = host().await else { return };
    scene.allow("uat", "--uid 4242").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    assert!(!etl.gets("prod").await);
    scene.allow("prod", "--gid 4242 --uid 4243").await;
    assert!(etl.gets("uat").await, "a rule for others changes nothing");
    scene
        .allow("prod", "--uid 4242 --unit nightly.service")
        .await;
    // This client has no second connection.
    let mut calls = 0;
    while etl.session("uat").await.is_ok() {
        calls += 1;
        assert!(calls < 10_000, "the connection stays");
    }
    scene.finish().await;
}

/// T14, T15
#[tokio::test]
async fn a_unit_is_the_one_in_which_the_process_is_now_and_no_user_s_of_that_name() {
    let Some(scene) = host().await else { return };
    let Some(unit) = Unit::make("system.slice", "nightly") else {
        return;
    };
    let of_user = Unit::make(
        "user.slice/user-4242.slice/user@4242.service/app.slice",
        "nightly",
    );
    let inside = Unit::make("system.slice/sfv-other.service/system.slice", "nightly");
    let (of_user, inside) = (of_user.unwrap(), inside.unwrap());
    let elsewhere = Unit::make("sfv-lxc/system.slice", "nightly").unwrap();

    scene
        .allow("prod", &format!("--unit {}", unit.name()))
        .await;
    scene
        .allow("uat", &format!("--uid 4242 --user-unit {}", unit.name()))
        .await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    assert!(!etl.gets("prod").await && !etl.gets("uat").await);
    unit.takes(etl.pid());
    assert_eq!(etl.sees().await, ["prod"]);
    assert!(etl.gets("prod").await && !etl.gets("uat").await);
    of_user.takes(etl.pid());
    assert!(!etl.gets("prod").await && etl.gets("uat").await);
    for other in [&inside, &elsewhere] {
        other.takes(etl.pid());
        assert!(!etl.gets("prod").await && !etl.gets("uat").await);
    }
    unit.takes(etl.pid());
    assert!(etl.gets("prod").await);

    let explained = scene.explain("prod", etl.pid()).await;
    assert_eq!(explained["allowed"], true);
    assert_eq!(explained["peer"]["unit"], unit.name());
    let explained = scene.explain("uat", etl.pid()).await;
    assert_eq!(explained["allowed"], false);
    let missing = explained["rules"][0]["missing"][0].as_str().unwrap();
    assert!(
        missing.starts_with(&format!("its unit is {}, not", unit.name())),
        "{missing}"
    );
    scene.finish().await;
}

/// T9: the pid of who connected is given to a process of the allowed unit.
#[tokio::test]
async fn a_process_that_got_the_pid_of_another_is_not_that_other() {
    let Some(scene) = host().await else { return };
    let Some(unit) = Unit::make("system.slice", "reused") else {
        return;
    };
    scene
        .allow("prod", &format!("--unit {}", unit.name()))
        .await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    let pid = etl.pid();
    // The daemon has its process by now; that it ended before is the next test.
    assert!(!etl.gets("prod").await);
    etl.ends();
    let mut heir = None;
    for _ in 0..2_000 {
        // The next process gets the number after this one, unless somebody else is faster.
        if fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).is_err() {
            skip("this kernel lets nobody choose a pid");
            return;
        }
        let child = Mortal::runs(Command::new("sleep").arg("1000").uid(ETL));
        if child.0.id() == pid {
            heir = Some(child);
            break;
        }
    }
    let heir = heir.expect("nobody got the pid");
    unit.takes(pid);
    let explained = scene.explain("prod", pid).await;
    assert_eq!(explained["allowed"], true, "{explained}");
    assert!(!etl.gets("prod").await);
    drop(heir);
    scene.finish().await;
}

/// A process that ends with the test, also if it fails.
struct Mortal(Child);

impl Mortal {
    fn runs(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// T9: connections of processes that end at once, in a storm of forks.
#[tokio::test]
async fn nobody_slips_in_while_processes_come_and_go() {
    let Some(scene) = host().await else { return };
    let Some(unit) = Unit::make("system.slice", "storm") else {
        return;
    };
    scene
        .allow("prod", &format!("--unit {}", unit.name()))
        .await;
    let storm =
        Mortal::runs(&mut unit.runs(
            Command::new("sh").args(["-c", "while :; do /bin/true & /bin/true & wait; done"]),
        ));
    for _ in 0..60 {
        let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
        etl.ends();
        assert!(!etl.gets("prod").await);
    }
    drop(storm);
    scene.finish().await;
}

/// T10, T12
#[tokio::test]
async fn a_program_counts_while_the_process_runs_its_own_file_since_it_connected() {
    let Some(scene) = host().await else { return };
    let sfvault = &scene.sfvault;
    let loader = Peer::program(sfvault, "loader");
    let other = Peer::program(sfvault, "other");
    let path = loader.display().to_string();
    scene
        .ok(&["allow", "prod", "--uid", "4242", "--exe", &path])
        .await;
    let run = |program: &Path, then: &[&str]| {
        let mut command = Command::new(program);
        command.arg(sessions(sfvault)).args(then).uid(ETL).gid(ETL);
        command
    };
    let mut job = Peer::spawn(run(&loader, &[])).await;
    assert!(job.gets("prod").await);
    let mut stranger = Peer::spawn(run(&other, &[])).await;
    assert!(!stranger.gets("prod").await);
    let mut of_other = Command::new(&loader);
    of_other.arg(sessions(sfvault)).uid(OTHER).gid(OTHER);
    assert!(!Peer::spawn(of_other).await.gets("prod").await);

    // Connects as the job and becomes another, and the other way round.
    let mut swapped = Peer::spawn(run(&loader, &["/bin/sleep", "1000"])).await;
    assert!(swapped.gets("prod").await);
    swapped.go_on();
    becomes(&swapped, "/bin/sleep");
    assert!(!swapped.gets("prod").await);
    let again = sessions(sfvault).display().to_string();
    let mut reversed = Peer::spawn(run(&other, &[&path, &again])).await;
    // So that it was looked at before it becomes the job: a connection is named when it is accepted.
    assert!(!reversed.gets("prod").await);
    reversed.go_on();
    becomes(&reversed, &path);
    assert!(!reversed.gets("prod").await);

    // The file is replaced, and the old one, which still runs, is no longer the program.
    let new = Peer::program(sfvault, "new");
    fs::rename(&new, &loader).unwrap();
    assert!(!job.gets("prod").await);
    let mut newer = Peer::spawn(run(&loader, &[])).await;
    assert!(newer.gets("prod").await);
    // A file that lies where the deleted one seems to lie.
    let deleted = Peer::program(sfvault, "loader (deleted)");
    assert!(!job.gets("prod").await);
    assert!(!Peer::spawn(run(&deleted, &[])).await.gets("prod").await);
    scene.finish().await;
}

fn becomes(peer: &Peer, program: &str) {
    let program = fs::canonicalize(program).unwrap();
    while fs::read_link(format!("/proc/{}/exe", peer.pid())).unwrap() != program {
        std::thread::yield_now();
    }
}

/// T12: in a mount namespace of its own, a user can put any file at any path.
#[tokio::test]
async fn a_file_that_only_seems_to_be_at_the_path_is_not_the_program() {
    let Some(scene) = host().await else { return };
    let sfvault = &scene.sfvault;
    let loader = Peer::program(sfvault, "loader");
    let evil = Peer::program(sfvault, "evil");
    scene
        .ok(&[
            "allow",
            "prod",
            "--uid",
            "4242",
            "--exe",
            &loader.display().to_string(),
        ])
        .await;
    let spoof = |file: &Path| {
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$0\" \"$1\" && exec \"$1\" \"$2\"";
        command
            .args(["-Urm", "/bin/sh", "-c", script])
            .arg(file)
            .arg(&loader)
            .arg(sessions(sfvault))
            .uid(ETL)
            .gid(ETL);
        command
    };
    if !namespaces() {
        return;
    }
    let mut spoofed = Peer::spawn(spoof(&evil)).await;
    let seen = fs::read_link(format!("/proc/{}/exe", spoofed.pid())).unwrap();
    assert_eq!(seen, loader, "the path is no proof");
    assert!(!spoofed.gets("prod").await);
    scene.finish().await;
}

fn namespaces() -> bool {
    let mut command = Command::new("unshare");
    let made = command.args(["-Urm", "true"]).uid(ETL).gid(ETL).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        skip("users may make no namespaces here");
    }
    made
}

/// T6: root of a container is the user that it is outside of it, also where the daemon can't see its pid.
#[tokio::test]
async fn root_of_a_user_namespace_is_the_user_who_made_it() {
    let Some(scene) = host().await else { return };
    if !namespaces() {
        return;
    }
    scene.allow("prod", "--uid 0").await;
    scene.allow("uat", "--uid 4242").await;
    let program = Peer::program(&scene.sfvault, "peer");
    for flags in ["-Ur", "-U", "-Urpf"] {
        let mut command = Command::new("unshare");
        command
            .arg(flags)
            .arg(&program)
            .arg(sessions(&scene.sfvault))
            .uid(ETL)
            .gid(ETL);
        let mut peer = Peer::spawn(command).await;
        assert_eq!(peer.sees().await, ["uat"], "{flags}");
        assert!(
            !peer.gets("prod").await && peer.gets("uat").await,
            "{flags}"
        );
    }
    scene.finish().await;
}

/// T11: a connection is its maker's, whoever calls through it (here: the test itself, as root), and nobody's once the maker
/// has ended, as far as its process counts.
#[tokio::test]
async fn a_connection_that_is_passed_on_stays_that_of_its_maker() {
    let Some(scene) = host().await else { return };
    let Some(unit) = Unit::make("system.slice", "passed") else {
        return;
    };
    scene
        .allow("prod", &format!("--unit {}", unit.name()))
        .await;
    scene.allow("uat", "--uid 4242").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    // The caller is in the unit, the maker is not.
    let mut caller = Peer::of(&scene.sfvault, 0, 0).await;
    unit.takes(caller.pid());
    assert!(caller.gets("prod").await && !etl.gets("prod").await);
    unit.takes(etl.pid());
    assert!(etl.gets("prod").await);
    etl.ends();
    assert!(!etl.gets("prod").await && etl.gets("uat").await);
    scene.finish().await;
}

#[tokio::test]
async fn only_the_owner_root_and_the_group_administer() {
    let Some(scene) = host().await else { return };
    let admin = scene.sfvault.path("run/admin.sock");
    let meta = fs::metadata(&admin).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o660);
    // The mode of the file is not what decides.
    fs::set_permissions(&admin, fs::Permissions::from_mode(0o666)).unwrap();
    let run = |uid: u32, gid: u32, arguments: &[&str]| {
        let command = scene.sfvault.sfvault(arguments.iter().copied());
        let mut command = nobody::runs_as(&scene.sfvault, &command, uid);
        command.gid(gid).output().unwrap()
    };
    let status = |uid, gid| run(uid, gid, &["status", "--json"]).status.code();
    assert_eq!(status(ETL, ADMINS), Some(0));
    assert_eq!(status(ETL, ETL), Some(5));
    // Who may use records may not for that reason administer.
    scene.allow("prod", "--uid 4242").await;
    assert_eq!(status(ETL, ETL), Some(5));
    // Who administers may read the audit, by the socket alone, and nobody else may.
    for read in [
        &["log"][..],
        &["log", "--last", "3", "--json"],
        &["log", "verify"],
        &["usage", "prod"],
    ] {
        assert_eq!(run(ETL, ADMINS, read).status.code(), Some(0), "{read:?}");
        let refused = run(ETL, ETL, read);
        assert_eq!(refused.status.code(), Some(5), "{read:?}");
        assert!(refused.stdout.is_empty(), "{read:?}");
    }
    assert_eq!(run(ETL, ETL, &["log", "--follow"]).status.code(), Some(5));
    let file = fs::metadata(scene.sfvault.path("data/audit.jsonl")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let told = log(&scene, &["--denied"]).await;
    assert!(
        told.iter()
            .any(|line| line["action"] == "call" && line["uid"] == ETL),
        "{told:?}"
    );
    // And who administers may use none.
    let mut member = Peer::of(&scene.sfvault, OTHER, ADMINS).await;
    assert!(!member.gets("prod").await);
    scene.finish().await;
}

/// T22
#[tokio::test]
async fn who_guesses_passphrases_keeps_nobody_else_waiting() {
    let Some(scene) = host().await else { return };
    scene.ok(&["lock"]).await;
    let wrong = scene
        .sfvault
        .secret_file("wrong", "battery staple")
        .unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o644)).unwrap();
    let guess = || {
        let arguments =
            ["unlock", "--passphrase-file", &wrong.display().to_string()].map(str::to_owned);
        let command = scene.sfvault.sfvault(arguments);
        let mut command = nobody::runs_as(&scene.sfvault, &command, ETL);
        command.gid(ADMINS).stderr(Stdio::null());
        tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    for _ in 0..4 {
        assert_eq!(guess().wait().await.unwrap().code(), Some(6));
    }
    let mut guesses: Vec<_> = (0..8).map(|_| guess()).collect();
    // They are being kept waiting: for 2, 4, 8, … seconds.
    scene.unlock().await;
    let mut waiting = 0;
    for guess in &mut guesses {
        waiting += usize::from(guess.try_wait().unwrap().is_none());
    }
    assert!(waiting >= 6, "{waiting}");
    scene.finish().await;
}

/// What the operator is told when a rule is made.
#[tokio::test]
async fn a_rule_that_proves_nothing_is_refused_and_a_vain_one_doubted() {
    let scene = Scene::with_record().await;
    let python = ["allow", "prod", "--uid", "0", "--exe", "/usr/bin/python3"];
    let (status, error) = scene.fails(&python).await;
    assert_eq!((status, &error["reason"]), (2, &"INVALID_ARGUMENT".into()));
    assert!(error["message"].as_str().unwrap().contains("no identity"));
    let (status, _) = scene.fails(&["allow", "prod"]).await;
    assert_eq!(status, 2);
    let (status, error) = scene.fails(&["allow", "prod", "--uid", "nobody"]).await;
    assert_eq!(status, 2);
    assert!(error["message"].as_str().unwrap().starts_with("`uid`"));
    let (status, _) = scene.fails(&["allow", "nosuch", "--uid", "1"]).await;
    assert_eq!(status, 4);
    let (status, _) = scene.fails(&["deny", "prod", "--uid", "4242"]).await;
    assert_eq!(status, 2);

    let own = rustix::process::geteuid().as_raw();
    let access = scene.ok(&["access", "prod", "--json"]).await;
    let access: Value = serde_json::from_str(&access).unwrap();
    assert_eq!(
        (&access["default"], &access["rules"][0]["uid"]),
        (&true.into(), &own.into())
    );
    let told = scene.run(&["allow", "prod", "--uid", "4242"]).await;
    assert!(
        told.stderr.contains("SFVAULT_MODE=system"),
        "{}",
        told.stderr
    );
    // It took nothing from the daemon's own user; that is for `deny`.
    scene.session(&[]).await;
    scene.ok(&["deny", "prod", "--uid", &own.to_string()]).await;
    let (status, error) = scene.fails(&["get", "prod"]).await;
    assert_eq!((status, &error["reason"]), (4, &"RECORD_NOT_FOUND".into()));
    let shown = scene.ok(&["access", "prod"]).await;
    assert!(
        shown.contains("--uid 4242") && shown.lines().count() == 2,
        "{shown}"
    );
    scene.ok(&["deny", "prod", "--all"]).await;
    assert!(
        scene
            .run(&["access", "prod"])
            .await
            .stderr
            .contains("nobody may use")
    );
    scene.finish().await;
}
