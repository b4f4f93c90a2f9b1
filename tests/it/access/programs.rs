//! The program of a rule is a file that the process runs, not a path that it seems to run.

use std::{fs, os::unix::process::CommandExt as _, path::Path, process::Command};

use super::{ETL, OTHER, host, namespaces};
use crate::peer::{Peer, sessions};

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
