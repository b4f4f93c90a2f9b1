//! The end of a session on purpose: who is told, and that nobody is handed it afterwards.

use serde_json::Value;
use sfvault_tests::simulator::{Answer, Place, USERNAME};

use crate::scene::Scene;

/// T41
#[tokio::test]
async fn logout_names_who_may_be_cut_off_and_ends_the_session_once() {
    let scene = Scene::with_record().await;
    let first = scene.session(&[]).await;
    let (status, error) = scene.fails(&["logout", "prod"]).await;
    assert_eq!((status, error["reason"].as_str()), (2, Some("USAGE")));
    assert_eq!(scene.simulator.sessions(USERNAME).len(), 1);

    let told: Value =
        serde_json::from_str(&scene.ok(&["logout", "prod", "--yes", "--json"]).await).unwrap();
    assert_eq!(
        (&told["record"], &told["ended"]),
        (&"prod".into(), &true.into())
    );
    let holders = told["holders"].as_array().unwrap();
    assert_eq!((holders.len(), &holders[0]["watching"]), (1, &false.into()));
    assert_eq!(holders[0]["uid"], rustix::process::getuid().as_raw());
    assert!(scene.simulator.sessions(USERNAME).is_empty());
    let logouts = |scene: &Scene| {
        let requests = scene.simulator.requests();
        let of_logout = |operation: &Option<String>| operation.as_deref() == Some("logout");
        requests.iter().filter(|r| of_logout(&r.operation)).count()
    };
    assert_eq!(logouts(&scene), 1);

    // There is nothing to end any more, and whoever asks next gets another.
    let again: Value =
        serde_json::from_str(&scene.ok(&["logout", "prod", "--yes", "--json"]).await).unwrap();
    assert_eq!(again["ended"], false);
    assert_eq!(logouts(&scene), 1);
    let second = scene.session(&[]).await;
    assert_ne!(first["session_id"], second["session_id"]);
    assert_eq!(second["generation"], 2);
    scene.finish().await;
}

/// T41
#[tokio::test]
async fn what_salesforce_did_not_confirm_is_told_and_the_session_is_tried_before_it_is_given() {
    let scene = Scene::with_record().await;
    let first = scene.session(&[]).await;
    scene
        .simulator
        .script(Place::Instance, [Answer::Unavailable]);
    let (status, error) = scene.fails(&["logout", "prod", "--yes"]).await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (75, Some("SALESFORCE_UNAVAILABLE"))
    );
    let sent = scene.simulator.requests().len();
    let second = scene.session(&[]).await;
    assert_eq!(first["session_id"], second["session_id"]);
    assert_eq!(scene.simulator.requests().len(), sent + 1);
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// T41. A session that others share must not end because one machine has done with it.
#[tokio::test]
async fn neither_lock_nor_remove_nor_the_daemon_s_end_ends_a_session() {
    let mut scene = Scene::with_record().await;
    for command in [&["lock"][..], &["remove", "prod", "--yes"]] {
        scene.session(&[]).await;
        scene.ok(command).await;
        assert_eq!(scene.simulator.sessions(USERNAME).len(), 1, "{command:?}");
        if command[0] == "lock" {
            scene.unlock().await;
        }
    }
    assert!(scene.sfvault.stop().unwrap().success());
    assert_eq!(scene.simulator.sessions(USERNAME).len(), 1);
    let requests = scene.simulator.requests();
    assert!(requests.iter().all(|r| !r.path.contains("revoke")));
}
