//! New secrets are proved before they replace the old, and a generated password is never lost.

use std::time::Duration;

use serde_json::Value;
use sfvault::{Reason, WatchState};
use sfvault_tests::simulator::{PASSWORD, Place, SECURITY_TOKEN, USERNAME};
use sfvaultd::{secret::Passphrase, store::Store};

use crate::{scene::Scene, watch::until};

impl Scene {
    async fn rotates(&self, more: &[&str]) -> Value {
        let output = self
            .ok(&[&["rotate", "prod", "--json"], more].concat())
            .await;
        serde_json::from_str(&output).unwrap()
    }

    async fn generated(&self) -> Value {
        let shown: Value =
            serde_json::from_str(&self.ok(&["show", "prod", "--json"]).await).unwrap();
        shown["generated_password"].clone()
    }

    /// The security token of the newest mail, as a file.
    fn mailed_token(&self) {
        let mails = self.simulator.mail(USERNAME);
        let token = mails.last().unwrap().security_token().unwrap();
        self.sfvault.secret_file("mailed", token).unwrap();
    }

    /// The passwords in the file of a daemon that does not run: the record's, and the generated one.
    fn stored_passwords(&self) -> Vec<String> {
        let store = Store::open(&self.sfvault.path("data/vault.redb"))
            .unwrap()
            .unwrap();
        let keys = store
            .unlock(&Passphrase::new(b"correct horse".to_vec()))
            .unwrap();
        let record = store.load(&keys).unwrap().remove(0).record;
        let stored = store.credential(&keys, &record).unwrap();
        let drawn = store.drawn(&keys, &record).unwrap();
        let credentials = [Some(stored), drawn].into_iter().flatten();
        let password =
            |c: sfvaultd::credential::Credential| c.password().unwrap().expose().to_owned();
        credentials.map(password).collect()
    }

    async fn reborn(&mut self) {
        self.sfvault.start().unwrap();
        self.unlock().await;
    }
}

#[tokio::test]
async fn jobs_that_wait_go_on_as_soon_as_a_rotation_succeeds() {
    let scene = Scene::with_record().await;
    let generation = scene.session(&[]).await["generation"].to_string();
    let token = scene.simulator.reset_security_token(USERNAME);
    scene.sfvault.secret_file("new-token", &token).unwrap();
    scene.simulator.expire_sessions(USERNAME);
    let refused = ["get", "prod", "--refused-generation", &generation];
    assert_eq!(scene.run(&refused).await.status, 6);
    let mut jobs = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let mut job = scene.command(&["get", "prod", "--wait", "5m"]);
        jobs.spawn(async move { job.output().await.unwrap().status.code() });
    }
    // Who watches is told why there is no session, and stays.
    let mut watch = scene.watch().await;
    let latched = loop {
        let news = watch.next().await.unwrap();
        assert_ne!(news.state, WatchState::Ready);
        if news.state == WatchState::Latched {
            break news;
        }
    };
    assert_eq!(latched.reason, Some(Reason::CredentialRejected));
    scene.await_waiting(5 + 1).await;
    let rotated = scene.rotates(&["--token-file", "@new-token"]).await;
    assert_eq!(rotated["result"], "replaced");
    let news = until(&mut watch, WatchState::Ready).await;
    assert!(news.generation > latched.generation);
    // EXPOSE: compared in a test.
    let told = Value::from(news.session.unwrap().session_id.expose());
    assert_eq!(scene.session(&[]).await["session_id"], told);
    drop(watch);
    while let Some(status) = jobs.join_next().await {
        assert_eq!(status.unwrap(), Some(0));
    }
    scene.assert_logins(2, 1);
    scene.finish().await;
}

#[tokio::test]
async fn a_record_with_the_only_copy_of_a_password_is_removed_only_if_that_is_said() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.rotates(&["--generate"]).await;
    let (_, error) = scene.fails(&["remove", "prod", "--yes"]).await;
    assert_eq!(error["reason"], "INVALID_ARGUMENT");
    assert_eq!(scene.generated().await, "in-force");
    let with_it = ["remove", "prod", "--yes", "--with-generated-password"];
    scene.ok(&with_it).await;
    let (status, _) = scene.fails(&["show", "prod"]).await;
    assert_eq!(status, 4);
}

#[tokio::test]
async fn a_generated_password_is_set_and_awaits_its_token() {
    let mut scene = Scene::with_record().await;
    let before = scene.session(&[]).await;
    let rotated = scene.rotates(&["--generate"]).await;
    assert_eq!(rotated["result"], "token-awaited");
    assert_eq!(rotated["record"]["generated_password"], "in-force");
    let set = scene.simulator.user(USERNAME, |user| user.password.clone());
    assert_ne!(set, PASSWORD);
    assert!(set.len() >= 20);
    // Jobs go on; nobody logs in, not even after a restart.
    scene.assert_session_is(&before).await;
    scene.sfvault.kill().unwrap();
    assert_eq!(scene.stored_passwords(), [PASSWORD.to_owned(), set.clone()]);
    scene.reborn().await;
    scene.assert_session_is(&before).await;
    scene.simulator.expire_sessions(USERNAME);
    let (status, error) = scene
        .fails(&["get", "prod", "--refused-generation", "1"])
        .await;
    assert_eq!(
        (status, &error["reason"]),
        (6, &Value::from("TOKEN_AWAITED"))
    );
    scene.assert_logins(1, 0);
    scene.mailed_token();
    let rotated = scene.rotates(&["--token-file", "@mailed"]).await;
    assert_eq!(rotated["result"], "replaced");
    assert_eq!(scene.generated().await, Value::Null);
    scene.session(&[]).await;
    scene.assert_logins(2, 0);
    scene.sfvault.kill().unwrap();
    assert_eq!(scene.stored_passwords(), [set]);
    scene.reborn().await;
    scene.finish().await;
}

/// Salesforce has acted, and the daemon dies before it hears so.
#[tokio::test]
async fn a_daemon_that_dies_while_a_password_is_set_knows_both() {
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    // The first call is the proof of the session; the second is the change.
    scene.ok(&["check", "prod"]).await;
    let (proof, change) = (
        scene.simulator.hold_next(Place::Instance),
        scene.simulator.hold_next(Place::Instance),
    );
    let mut client = scene.command(&["rotate", "prod", "--generate"]);
    let client = tokio::spawn(async move { client.output().await.unwrap().status });
    proof.reached().await;
    proof.open();
    change.reached().await;
    let set = scene.simulator.user(USERNAME, |user| user.password.clone());
    assert_ne!(set, PASSWORD);
    scene.sfvault.kill().unwrap();
    change.open();
    assert!(!client.await.unwrap().success());
    assert_eq!(scene.stored_passwords(), [PASSWORD.to_owned(), set]);
    scene.reborn().await;
    assert_eq!(scene.generated().await, "unknown");
    let shown = scene.ok(&["show", "prod"]).await;
    assert!(shown.contains("--keep-old"), "{shown}");
    // Nobody tries the old password by himself.
    scene.simulator.expire_sessions(USERNAME);
    let again = ["get", "prod", "--refused-generation", "1"];
    assert_eq!(scene.run(&again).await.status, 6);
    scene.assert_logins(1, 0);
    scene.mailed_token();
    scene.rotates(&["--token-file", "@mailed"]).await;
    scene.session(&[]).await;
    scene.assert_logins(2, 0);
    scene.finish().await;
}

/// The change never arrives; the daemon dies waiting for the session's proof, and later without having sent it.
#[tokio::test]
async fn a_password_that_never_arrived_is_dropped_when_the_old_one_is_proved() {
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.simulator.script(
        Place::Instance,
        [
            sfvault_tests::simulator::Answer::Usual,
            sfvault_tests::simulator::Answer::CloseRead,
        ],
    );
    let (status, error) = scene.fails(&["rotate", "prod", "--generate"]).await;
    assert_eq!(
        (status, &error["reason"]),
        (6, &Value::from("TOKEN_AWAITED")),
        "{error}"
    );
    scene.sfvault.kill().unwrap();
    scene.reborn().await;
    assert_eq!(scene.generated().await, "unknown");
    let kept = scene.rotates(&["--keep-old"]).await;
    assert_eq!(kept["result"], "kept-old");
    assert_eq!(scene.generated().await, Value::Null);
    scene.session(&[]).await;
    assert_eq!(
        scene.simulator.user(USERNAME, |user| user.password.clone()),
        PASSWORD
    );
    scene.assert_logins(2, 0);
    scene.finish().await;
}

/// It dies while the new secrets are tried, before and after Salesforce has judged them.
#[tokio::test]
async fn a_daemon_that_dies_while_new_secrets_are_tried_has_the_old_ones() {
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    let token = scene.simulator.reset_security_token(USERNAME);
    scene.sfvault.secret_file("new-token", &token).unwrap();
    let login = scene.simulator.hold_next(Place::Login);
    let mut client = scene.command(&["rotate", "prod", "--token-file", "@new-token"]);
    let client = tokio::spawn(async move { client.output().await.unwrap().status });
    login.reached().await;
    scene.sfvault.kill().unwrap();
    login.open();
    assert!(!client.await.unwrap().success());
    scene.reborn().await;
    // The attempt is on the books, and the same secrets may be tried: nobody rejected them.
    scene.rotates(&["--token-file", "@new-token"]).await;
    scene.session(&[]).await;
    scene.finish().await;
}

/// Killed at moments that chance chooses, from the command's begin to its end.
#[tokio::test]
async fn a_password_is_known_whenever_the_daemon_is_killed() {
    for life in [0, 5, 10, 20, 30, 45, 60, 90] {
        let mut scene = Scene::with_record().await;
        scene.session(&[]).await;
        let mut client = scene.command(&["rotate", "prod", "--generate", "--no-autostart"]);
        let client = tokio::spawn(async move { client.output().await.unwrap().status });
        // The one sleep that is not for waiting: it is the point of the test.
        tokio::time::sleep(Duration::from_millis(life)).await;
        scene.sfvault.kill().unwrap();
        client.await.unwrap();
        let actual = scene.simulator.user(USERNAME, |user| user.password.clone());
        assert!(
            scene.stored_passwords().contains(&actual),
            "after {life} ms"
        );
        scene.reborn().await;
        let changed = actual != PASSWORD;
        if scene.generated().await.is_null() {
            assert!(!changed);
        } else if changed {
            scene.mailed_token();
            scene.rotates(&["--token-file", "@mailed"]).await;
        } else {
            scene.rotates(&["--keep-old"]).await;
        }
        scene.session(&[]).await;
        assert_eq!(scene.logins().rejected, 0);
        scene.finish().await;
    }
}

#[tokio::test]
async fn secrets_that_are_there_already_cost_no_login() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.sfvault.secret_file("same", SECURITY_TOKEN).unwrap();
    assert_eq!(
        scene.rotates(&["--token-file", "@same"]).await["result"],
        "same"
    );
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_slip_costs_one_login_and_says_what_was_tried() {
    let scene = Scene::with_record().await;
    let before = scene.session(&[]).await;
    scene
        .sfvault
        .secret_file("typo", "NotTheTokenNotTheToken24")
        .unwrap();
    // A slip costs one login, and says what was tried.
    let (status, error) = scene
        .fails(&["rotate", "prod", "--token-file", "@typo"])
        .await;
    let message = error["message"].as_str().unwrap();
    assert_eq!(
        (status, &error["reason"]),
        (6, &Value::from("CREDENTIAL_REJECTED"))
    );
    assert!(
        message.contains("the stored password and the new security token"),
        "{message}"
    );
    // The old ones are as good as before.
    scene.assert_session_is(&before).await;
    scene.assert_logins(1, 1);
    // The same slip is not even sent.
    let (status, _) = scene
        .fails(&["rotate", "prod", "--token-file", "@typo"])
        .await;
    assert_eq!(status, 2);
    scene.assert_logins(1, 1);
    scene.finish().await;
}
