//! What a crash or a restart must not change.

use sfvault_tests::simulator::{Place, USERNAME};

use crate::scene::Scene;

#[tokio::test]
async fn records_and_latches_survive_a_crash() {
    let mut scene = Scene::with_record().await;
    scene.simulator.reset_security_token(USERNAME);
    assert_eq!(scene.fails(&["get", "prod"]).await.0, 6);
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    let (status, error) = scene.fails(&["get", "prod"]).await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (6, Some("VAULT_LOCKED"))
    );
    scene.unlock().await;
    let (status, error) = scene.fails(&["get", "prod"]).await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (6, Some("CREDENTIAL_REJECTED"))
    );
    scene.assert_logins(0, 1);
    scene.finish().await;
}

/// The login was sent and counted at Salesforce; the crash hid its answer. One more is right, a third is not.
#[tokio::test]
async fn logins_that_crashes_cut_off_count_against_the_budget() {
    let mut scene = Scene::with_record().await;
    scene.simulator.reset_security_token(USERNAME);
    for _ in 0..2 {
        let gate = scene.simulator.hold_next(Place::Login);
        let mut client = scene.command(&["get", "prod"]).spawn().unwrap();
        gate.reached().await;
        scene.sfvault.kill().unwrap();
        gate.open();
        client.wait().await.unwrap();
        scene.sfvault.start().unwrap();
        scene.unlock().await;
    }
    let (status, error) = scene.fails(&["get", "prod"]).await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (75, Some("LOGIN_BUDGET_SPENT"))
    );
    assert_eq!(scene.logins().total, 2);
    scene.finish().await;
}

#[tokio::test]
async fn generations_grow_across_restarts() {
    let mut scene = Scene::with_record().await;
    assert_eq!(scene.session(&[]).await["generation"], 1);
    assert!(scene.sfvault.stop().unwrap().success());
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    scene.simulator.expire_sessions(USERNAME);
    let refused = scene.session(&["--refused-generation", "1"]).await;
    assert_eq!(refused["generation"], 2);
    scene.finish().await;
}

#[tokio::test]
async fn a_session_outlives_the_daemon_and_a_killed_one_costs_no_login() {
    let mut scene = Scene::with_record().await;
    let before = scene.session(&[]).await;
    for _ in 0..2 {
        scene.sfvault.kill().unwrap();
        scene.sfvault.start().unwrap();
        scene.unlock().await;
        assert_eq!(scene.session(&[]).await, before);
    }
    assert!(scene.sfvault.stop().unwrap().success());
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    assert_eq!(scene.session(&[]).await, before);
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// Its password may have been changed because somebody knew it.
#[tokio::test]
async fn a_session_of_an_earlier_credential_does_not_outlive_the_daemon() {
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.sfvault.secret_file("wrong", "mistyped").unwrap();
    scene
        .ok(&["set", "prod", "--password-file", "@wrong"])
        .await;
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    assert_eq!(scene.fails(&["get", "prod"]).await.0, 6);
    scene.assert_logins(1, 1);
    scene.finish().await;
}

/// T52. A login cut off by the end of the daemon would count as failed, so the end waits for it.
#[tokio::test]
async fn an_ending_daemon_waits_for_the_login_under_way() {
    let mut scene = Scene::with_record().await;
    let gate = scene.simulator.hold_next(Place::Login);
    let mut client = scene.command(&["get", "prod"]).spawn().unwrap();
    gate.reached().await;
    let (pid, log) = (
        scene.sfvault.pid().unwrap(),
        scene.sfvault.path("daemon.log"),
    );
    let stopping = tokio::task::spawn_blocking(move || (scene.sfvault.stop().unwrap(), scene));
    while !std::fs::read_to_string(&log).unwrap().contains("ending") {
        tokio::task::yield_now().await;
    }
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    gate.open();
    let (status, mut scene) = stopping.await.unwrap();
    assert!(status.success() && client.wait().await.unwrap().success());
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    let status: serde_json::Value =
        serde_json::from_str(&scene.ok(&["show", "prod", "--json"]).await).unwrap();
    assert_eq!(status["state"], "ready", "{status}");
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_locked_vault_gives_no_session_and_unlocking_needs_the_passphrase_but_no_login() {
    let scene = Scene::with_record().await;
    let before = scene.session(&[]).await;
    scene.ok(&["lock"]).await;
    assert_eq!(scene.fails(&["get", "prod"]).await.0, 6);
    scene
        .sfvault
        .secret_file("wrong", "battery staple")
        .unwrap();
    let (status, error) = scene
        .fails(&["unlock", "--passphrase-file", "@wrong"])
        .await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (6, Some("WRONG_PASSPHRASE"))
    );
    scene.unlock().await;
    assert_eq!(scene.session(&[]).await, before);
    scene.assert_logins(1, 0);
    scene.finish().await;
}
