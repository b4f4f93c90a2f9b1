//! A record moves to another way of logging in, and its jobs do not notice.

use serde_json::Value;
use sfvault::WatchState;
use sfvault_tests::simulator::{Answer, CONSUMER_KEY, CONSUMER_SECRET, Place, User};

use crate::{scene::Scene, watch::until};

/// `sfvault migrate prod` to the app of the simulator, whose instance has this URL; its secret is in a file.
pub(crate) fn to_app(instance_url: &str) -> [&str; 10] {
    [
        "migrate",
        "prod",
        "--flow",
        "client-credentials",
        "--login-url",
        instance_url,
        "--consumer-key",
        CONSUMER_KEY,
        "--consumer-secret-file",
        "@consumer-secret",
    ]
}

impl Scene {
    /// `sfvault migrate prod` to the app of the simulator, with more options.
    async fn migrates(&self, more: &[&str]) -> Result<Value, (i32, Value)> {
        let secret = self.sfvault.secret_file("consumer-secret", CONSUMER_SECRET);
        secret.unwrap();
        let url = self.simulator.instance_url();
        let ended = self
            .run(&[&to_app(&url)[..], &["--json"], more].concat())
            .await;
        match ended.status {
            0 => Ok(serde_json::from_str(&ended.stdout).unwrap()),
            status => {
                let error: Value = serde_json::from_str(ended.stderr.trim()).unwrap();
                Err((status, error["error"].clone()))
            }
        }
    }

    async fn shown(&self) -> Value {
        serde_json::from_str(&self.ok(&["show", "prod", "--json"]).await).unwrap()
    }
}

#[tokio::test]
async fn a_record_moves_to_an_app_and_back_under_one_name() {
    let scene = Scene::with_record().await;
    let before = scene.session(&[]).await;

    let rehearsed = scene.migrates(&["--dry-run"]).await.unwrap();
    assert_eq!(rehearsed["changed"], false);
    assert_eq!(
        rehearsed["before"]["user_id"],
        rehearsed["after"]["user_id"]
    );
    assert_eq!(rehearsed["after"]["proven"], true);
    assert_eq!(scene.shown().await["flow"], "soap-login");
    assert_eq!(scene.session(&[]).await["generation"], before["generation"]);

    let migrated = scene.migrates(&[]).await.unwrap();
    assert_eq!(migrated["record"]["flow"], "client-credentials");
    assert_eq!(migrated["record"]["kept_flow"], "soap-login");
    let after = scene.session(&[]).await;
    assert_ne!(after["session_id"], before["session_id"]);
    // Who still holds the old one and calls it refused gets the new one, and causes nothing.
    let generation = before["generation"].to_string();
    let reported = scene.session(&["--refused-generation", &generation]).await;
    assert_eq!(reported, after);
    for key in ["org_id", "user_id", "username", "instance_url"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    scene.assert_logins(3, 0);
    assert!(scene.ok(&["list"]).await.contains("old kept"));

    let back = scene.ok(&["migrate", "prod", "--back", "--json"]).await;
    let back: Value = serde_json::from_str(&back).unwrap();
    assert_eq!(
        (&back["changed"], &back["record"]["name"]),
        (&true.into(), &"prod".into())
    );
    assert_eq!(scene.shown().await["flow"], "soap-login");
    scene.ok(&["migrate", "prod", "--forget-old"]).await;
    assert_eq!(scene.shown().await["kept_flow"], Value::Null);
    let (status, error) = scene.fails(&["migrate", "prod", "--back"]).await;
    assert_eq!(
        (status, &error["reason"]),
        (2, &Value::from("INVALID_ARGUMENT"))
    );
    scene.session(&[]).await;
    scene.finish().await;
}

/// A job that watches while its record moves: nothing but a newer session, under the same name.
#[tokio::test]
async fn who_watches_sees_a_newer_session_and_no_gap() {
    let scene = Scene::with_record().await;
    let mut watch = scene.watch().await;
    let first = until(&mut watch, WatchState::Ready).await;
    let old = first.session.unwrap();
    scene.migrates(&["--dry-run"]).await.unwrap();
    scene.migrates(&[]).await.unwrap();
    let new = loop {
        let news = watch.next().await.unwrap();
        assert_eq!(news.state, WatchState::Ready);
        let session = news.session.unwrap();
        if news.generation > first.generation {
            break session;
        }
        // EXPOSE: compared in a test.
        assert_eq!(session.session_id.expose(), old.session_id.expose());
    };
    // EXPOSE: compared in a test.
    let (id, old_id) = (new.session_id.expose(), old.session_id.expose());
    assert_ne!(id, old_id);
    assert_eq!(
        (&new.org_id, &new.user_id, &new.instance_url),
        (&old.org_id, &old.user_id, &old.instance_url)
    );
    // A call gets the same. One login was there before, one rehearsed and one proved the move; none was for the stream.
    assert_eq!(scene.session(&[]).await["session_id"], Value::from(id));
    scene.assert_logins(3, 0);
    drop(watch);
    scene.finish().await;
}

#[tokio::test]
async fn a_login_as_another_user_needs_to_be_expected() {
    let scene = Scene::with_record().await;
    let before = scene.session(&[]).await;
    scene
        .simulator
        .add_user(User::new("integration@acme.example", "x", "y"));
    scene.simulator.app(CONSUMER_KEY, |app| {
        app.run_as = Some("integration@acme.example".to_owned())
    });
    let permit = |app: &mut sfvault_tests::simulator::App| {
        app.permitted_users = sfvault_tests::simulator::PermittedUsers::AdminApproved(vec![
            "integration@acme.example".to_owned(),
        ]);
    };
    scene.simulator.app(CONSUMER_KEY, permit);
    let (status, error) = scene.migrates(&[]).await.unwrap_err();
    assert_eq!(
        (status, &error["reason"]),
        (6, &Value::from("PINNED_ELSEWHERE"))
    );
    scene.assert_session_is(&before).await;
    let id = scene
        .simulator
        .user("integration@acme.example", |user| user.id_18());
    let migrated = scene.migrates(&["--expect-user", &id]).await.unwrap();
    assert_eq!(migrated["after"]["user_id"], Value::from(id.clone()));
    assert_eq!(scene.session(&[]).await["user_id"], Value::from(id));
    scene.finish().await;
}

#[tokio::test]
async fn a_record_whose_password_is_rejected_can_still_move() {
    let scene = Scene::with_record().await;
    let generation = scene.session(&[]).await["generation"].to_string();
    scene
        .simulator
        .reset_security_token(sfvault_tests::simulator::USERNAME);
    scene
        .simulator
        .expire_sessions(sfvault_tests::simulator::USERNAME);
    let refused = ["get", "prod", "--refused-generation", &generation];
    assert_eq!(scene.run(&refused).await.status, 6);
    let migrated = scene.migrates(&[]).await.unwrap();
    assert_eq!(migrated["before"]["proven"], false);
    scene.session(&[]).await;
    scene.assert_logins(2, 1);
    scene.finish().await;
}

#[tokio::test]
async fn an_outage_of_a_record_that_never_worked_is_told_as_what_it_is() {
    let scene = Scene::with_record().await;
    scene
        .simulator
        .script_ever(Place::Login, Some(Answer::Unavailable));
    let (status, error) = scene.migrates(&[]).await.unwrap_err();
    let reason = Value::from("SALESFORCE_UNAVAILABLE");
    assert_eq!((status, &error["reason"]), (75, &reason), "{error}");
    assert!(error["retry_after_seconds"].is_u64(), "{error}");
    scene.finish().await;
}

#[tokio::test]
async fn a_record_that_never_worked_is_told_which_options_name_where_the_login_leads() {
    let scene = Scene::with_record().await;
    let user = sfvault_tests::simulator::USERNAME;
    scene.simulator.reset_security_token(user);
    assert_eq!(scene.run(&["get", "prod"]).await.status, 6);
    let (status, error) = scene.migrates(&[]).await.unwrap_err();
    let message = error["message"].as_str().unwrap();
    let named = message.contains("--expect-org") && message.contains("--expect-user");
    assert!(status == 2 && named, "{error}");
    scene.finish().await;
}

#[tokio::test]
async fn a_wrong_consumer_secret_leaves_everything_as_it_is() {
    let scene = Scene::with_record().await;
    let before = scene.session(&[]).await;
    scene.simulator.app(CONSUMER_KEY, |app| {
        app.consumer_secret = "another".to_owned()
    });
    let (status, error) = scene.migrates(&[]).await.unwrap_err();
    assert_eq!(status, 6, "{error}");
    assert!(
        error["message"].as_str().unwrap().contains("is as it was"),
        "{error}"
    );
    scene.assert_session_is(&before).await;
    assert_eq!(scene.shown().await["state"], "ready");
    scene.finish().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let scene = Scene::with_record().await;
    for arguments in [
        &["migrate", "prod"][..],
        &["migrate", "prod", "--back", "--forget-old"],
        &["migrate", "prod", "--back", "--flow", "jwt-bearer"],
        &["migrate", "prod", "--dry-run"],
        &["migrate", "prod", "--dry-run", "--back"],
        &["migrate", "prod", "--back", "--consumer-key", "x"],
        &["migrate", "prod", "--forget-old", "--token-file", "@token"],
        &["migrate", "prod", "--no-check", "--forget-old"],
        &["rotate", "prod", "--generate", "--keep-old"],
        &["rotate", "prod", "--generate", "--token-file", "@token"],
        &["rotate", "prod", "--keep-old"],
        &["rotate", "prod", "--reveal-pending"],
        &["rotate", "prod"],
    ] {
        assert_eq!(scene.run(arguments).await.status, 2, "{arguments:?}");
    }
    scene.assert_logins(0, 0);
    scene.finish().await;
}
