//! One runtime directory, one vault, one daemon.

use std::{fs, process::Command};

use serde_json::Value;
use sfvault_tests::{installation::Installation, simulator::USERNAME};

use crate::{
    scene::{Ended, Scene, ended},
    start::{refused, refused_for_another},
};

/// T32
#[tokio::test]
async fn a_second_daemon_in_the_same_runtime_directory_ends_and_the_first_goes_on() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    let said = refused_for_another(scene.sfvault.sfvaultd()).await;
    let lock = scene.sfvault.path("run/sfvaultd.lock");
    assert!(
        said.contains(&format!("another sfvaultd holds `{}`", lock.display())),
        "{said}"
    );
    assert!(said.contains("hint: "), "{said}");
    assert_eq!(scene.session(&["--no-autostart"]).await, session);
    scene.finish().await;
}

/// T32: a second daemon could make a login too many, and would write over what the first has written.
#[tokio::test]
async fn a_second_daemon_on_the_same_vault_ends_and_the_first_goes_on() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    let elsewhere = scene.sfvault.path("elsewhere");
    let mut second = scene.sfvault.sfvaultd();
    second.env("SFVAULT_RUNTIME_DIR", &elsewhere);
    let said = refused(second).await;
    let vault = scene.sfvault.path("data/vault.redb");
    let expected = format!(
        "error: another process has the vault {} open\nhint: ",
        vault.display()
    );
    assert!(said.contains(&expected), "{said}");
    assert!(!elsewhere.join("sfvault.sock").exists());
    assert_eq!(scene.session(&["--no-autostart"]).await, session);
    scene.finish().await;
}

/// T32
#[tokio::test]
async fn of_two_daemons_that_found_no_vault_only_one_makes_and_has_it() {
    let mut scene = Scene::empty().await;
    assert!(scene.sfvault.stop().unwrap().success());
    fs::remove_file(scene.sfvault.path("data/vault.redb")).unwrap();
    let mut other = Installation::without_config().unwrap();
    let data = scene.sfvault.path("data");
    let mut daemon = other.sfvaultd();
    daemon
        .env("SFVAULT_DATA_DIR", &data)
        .env("SFVAULT_CONFIG_DIR", scene.sfvault.path("config"));
    scene.sfvault.start().unwrap();
    other.start_as(daemon).unwrap();
    scene
        .ok(&["init", "--passphrase-file", "@passphrase"])
        .await;
    let before = fs::read(data.join("vault.redb")).unwrap();

    let passphrase = scene.sfvault.path("passphrase").display().to_string();
    for command in ["init", "unlock"] {
        let ran = other.run(&[command, "--passphrase-file", &passphrase, "--json"]);
        let (status, error) = failure(ended(ran.unwrap()));
        assert_eq!(
            (status, &error["reason"]),
            (1, &"AUDIT_UNAVAILABLE".into()),
            "{command}"
        );
        let said = error["message"].as_str().unwrap();
        assert!(said.ends_with("another process has the audit"), "{said}");
    }
    assert_eq!(fs::read(data.join("vault.redb")).unwrap(), before);
    scene.add("prod").await;
    scene.session(&[]).await;

    // And once the first lets go, the second has the vault, without a restart.
    assert!(scene.sfvault.stop().unwrap().success());
    let unlocked = other.run(&["unlock", "--passphrase-file", &passphrase]);
    assert!(unlocked.unwrap().status.success());
    let list = other.run(&["list"]).unwrap();
    assert!(String::from_utf8(list.stdout).unwrap().contains(USERNAME));
    assert!(other.stop().unwrap().success());
}

/// T32: what counts is the lock, not the file, nor a pid that may be anybody's by now.
#[tokio::test]
async fn the_lock_file_of_a_dead_daemon_is_no_obstacle() {
    let mut sfvault = Installation::without_config().unwrap();
    fs::write(sfvault.path("run/sfvaultd.lock"), "1\n").unwrap();
    sfvault.start().unwrap();
    sfvault.kill().unwrap();
    assert!(sfvault.path("run/sfvaultd.lock").exists());
    sfvault.start().unwrap();
    assert!(sfvault.stop().unwrap().success());
}

/// T32: somebody else's lock on the same file does hold it, and is named.
#[tokio::test]
async fn a_lock_that_another_program_holds_is_named() {
    let sfvault = Installation::without_config().unwrap();
    let lock = sfvault.path("run/sfvaultd.lock");
    let mut holder = Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo held; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
    let refused = refused_for_another(sfvault.sfvaultd()).await;
    assert!(refused.contains(lock.to_str().unwrap()), "{refused}");
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

fn failure(ended: Ended) -> (i32, Value) {
    let error: Value = serde_json::from_str(ended.stderr.trim()).unwrap();
    (ended.status, error["error"].clone())
}
