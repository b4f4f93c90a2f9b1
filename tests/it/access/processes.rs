//! A connection belongs to the process that made it, also when that has ended, or its pid is another's.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

use super::{ETL, host};
use crate::{peer::Peer, skipped::skip, unit::Unit};

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
