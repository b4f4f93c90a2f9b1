//! Who administers, and what a guesser of passphrases can spoil.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::Stdio,
};

use super::{ADMINS, ETL, OTHER, host, log};
use crate::{nobody, peer::Peer};

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
