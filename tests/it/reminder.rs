//! A record's reminder: kept with the record, changed without touching the credential.

use std::time::Duration;

use serde_json::Value;

use crate::scene::Scene;

async fn show(scene: &Scene, name: &str) -> Value {
    serde_json::from_str(&scene.ok(&["show", name, "--json"]).await).unwrap()
}

#[tokio::test]
async fn a_reminder_survives_a_restart_and_goes_when_told() {
    let mut scene = Scene::empty().await;
    let place = ["--production", "--remind", "90d"];
    scene.add_at("prod", &place).await;
    let added = show(&scene, "prod").await;
    assert_eq!(added["remind_after_seconds"], 7_776_000);
    assert!(added["credential_due_at"].is_string(), "{added}");
    scene.ok(&["set", "prod", "--remind", "30d"]).await;
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    let found = show(&scene, "prod").await;
    assert_eq!(found["remind_after_seconds"], 2_592_000);
    assert_eq!(
        found["credential_changed_at"],
        added["credential_changed_at"]
    );
    scene.ok(&["set", "prod", "--remind", "never"]).await;
    let never = show(&scene, "prod").await;
    assert_eq!(never["credential_due_at"], Value::Null);
    scene.finish().await;
}

#[tokio::test]
async fn a_reminder_alone_releases_no_rejected_credential() {
    let scene = Scene::with_record().await;
    scene
        .simulator
        .reset_security_token(sfvault_tests::simulator::USERNAME);
    let (status, _) = scene.fails(&["get", "prod"]).await;
    assert_eq!(status, 6);
    scene.assert_logins(0, 1);
    let set = scene.ok(&["set", "prod", "--remind", "1d", "--json"]).await;
    let set: Value = serde_json::from_str(&set).unwrap();
    assert_eq!(
        (&set["changed"], &set["record"]["state"]),
        (&false.into(), &"latched".into())
    );
    scene.fails(&["get", "prod"]).await;
    scene.assert_logins(0, 1);
    scene.finish().await;
}

#[tokio::test]
async fn what_is_due_is_told_and_a_new_credential_starts_anew() {
    let scene = Scene::empty().await;
    scene
        .add_at("prod", &["--production", "--remind", "1s"])
        .await;
    let due = "warning: the credential of `prod` was due";
    let deadline = Duration::from_secs(20);
    let told = tokio::time::timeout(deadline, async {
        while !scene.run(&["status"]).await.stderr.contains(due) {}
    });
    told.await.unwrap();
    scene.sfvault.secret_file("new", "another").unwrap();
    scene
        .ok(&["set", "prod", "--remind", "30d", "--password-file", "@new"])
        .await;
    let status = scene.run(&["status"]).await;
    assert!(status.stdout.contains("due in 29 d"), "{}", status.stdout);
    assert!(!status.stderr.contains(due), "{}", status.stderr);
    scene.finish().await;
}
