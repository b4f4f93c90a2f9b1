//! Users and groups as the kernel tells them, in namespaces too.

use std::{os::unix::process::CommandExt as _, process::Command};

use super::{ETL, host, namespaces};
use crate::peer::{Peer, sessions};

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
