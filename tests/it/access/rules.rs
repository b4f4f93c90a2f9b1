//! What rules give and take, and when they are judged.

use std::process::Stdio;

use serde_json::Value;
use sfvault_proto::v1::{GetSessionRequest, sessions_client::SessionsClient};
use sfvault_tests::simulator::{Place, USERNAME};
use tonic::{Code, transport::Channel};

use super::{ETL, OTHER, await_waiting, host};
use crate::{nobody, peer::Peer, raw, scene::Scene};

#[tokio::test]
async fn a_job_of_another_user_gets_what_a_rule_gives_it_and_nothing_else() {
    let Some(scene) = host().await else { return };
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    assert!(!etl.gets("prod").await);
    scene.allow("prod", "--uid 4242").await;
    assert!(etl.gets("prod").await && !etl.gets("uat").await);
    assert_eq!(etl.sees().await, ["prod"]);
    // Neither the daemon's user nor root has a record without a rule.
    let mut root = Peer::of(&scene.sfvault, 0, 0).await;
    assert!(!root.gets("prod").await);
    assert!(root.sees().await.is_empty());
    let mut other = Peer::of(&scene.sfvault, OTHER, OTHER).await;
    let denied = other.session("prod").await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied, "{denied:?}");
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// With the real client, and after a restart: rules are kept, and who waits for an unlock is judged after it.
#[tokio::test]
async fn rules_outlive_a_restart_and_a_waiting_job_an_unlock() {
    let Some(mut scene) = host().await else {
        return;
    };
    scene.allow("prod", "--uid 4242 --gid 4242").await;
    scene.sfvault.stop().unwrap();
    scene
        .sfvault
        .start_in(&[("SFVAULT_MODE", "system")])
        .unwrap();
    let get = |uid: u32, more: &[&str]| {
        let command = scene.sfvault.sfvault([&["get", "prod"], more].concat());
        let mut command =
            tokio::process::Command::from(nobody::runs_as(&scene.sfvault, &command, uid));
        command.kill_on_drop(true).stdout(Stdio::piped());
        command
    };
    let locked = get(OTHER, &[]).output().await.unwrap();
    assert_eq!(locked.status.code(), Some(6), "{locked:?}");
    let waits = ["--wait", "60s"];
    let (etl, other) = (get(ETL, &waits).spawn(), get(OTHER, &waits).spawn());
    await_waiting(&scene, ETL).await;
    await_waiting(&scene, OTHER).await;
    scene.unlock().await;
    let got = etl.unwrap().wait_with_output().await.unwrap();
    assert!(got.status.success() && !got.stdout.is_empty(), "{got:?}");
    let refused = other.unwrap().wait_with_output().await.unwrap();
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    // Known to no rule, now that there are rules to be read.
    let denied = get(OTHER, &[]).output().await.unwrap();
    assert_eq!(denied.status.code(), Some(5), "{denied:?}");
    scene.finish().await;
}

/// T47
#[tokio::test]
async fn a_record_that_is_not_for_the_peer_looks_like_none() {
    let Some(scene) = host().await else { return };
    scene.allow("prod", "--uid 4242").await;
    scene.allow("uat", "--uid 4243").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    for asks in [
        GetSessionRequest::default(),
        GetSessionRequest {
            expect_org: "00D000000000000".to_owned(),
            refused_generation: 1,
            ..GetSessionRequest::default()
        },
    ] {
        let mut told = Vec::new();
        for record in ["uat", "taz"] {
            let request = GetSessionRequest {
                record: record.to_owned(),
                ..asks.clone()
            };
            let status = etl.calls.get_session(request).await.unwrap_err();
            let text = status.message().replace(record, "NAME");
            assert_eq!(raw::reason(&status).as_deref(), Some("RECORD_NOT_FOUND"));
            told.push((status.code(), text, status.details().len()));
        }
        assert_eq!(told.first(), told.last());
    }
    scene.assert_logins(0, 0);
    scene.finish().await;
}

/// T15: on one connection, at once, for a call that waits, and for one whose login is under way.
#[tokio::test]
async fn rules_are_judged_for_every_call_and_again_when_it_has_waited() {
    let Some(scene) = host().await else { return };
    scene.allow("prod", "--uid 4242").await;
    scene.allow("uat", "--uid 4242").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    let ask = |calls: &SessionsClient<Channel>, wait| {
        let mut calls = calls.clone();
        let wait = Some(prost_types::Duration {
            seconds: wait,
            nanos: 0,
        });
        let record = "prod".to_owned();
        tokio::spawn(async move {
            let request = GetSessionRequest {
                record,
                wait,
                ..GetSessionRequest::default()
            };
            calls.get_session(request).await
        })
    };

    let gate = scene.simulator.hold_next(Place::Login);
    let in_flight = ask(&etl.calls, 0);
    gate.reached().await;
    scene.deny("prod", "--uid 4242").await;
    gate.open();
    let refused = in_flight.await.unwrap().unwrap_err();
    assert_eq!(raw::reason(&refused).as_deref(), Some("RECORD_NOT_FOUND"));

    assert!(!etl.gets("prod").await && etl.gets("uat").await);
    scene.allow("prod", "--uid 4242").await;
    assert!(etl.gets("prod").await);

    scene.simulator.expire_sessions(USERNAME);
    scene.simulator.reset_security_token(USERNAME);
    scene.run(&["check", "prod"]).await;
    let waiting = ask(&etl.calls, 3600);
    await_waiting(&scene, ETL).await;
    scene.deny("prod", "--uid 4242").await;
    let refused = waiting.await.unwrap().unwrap_err();
    assert_eq!(raw::reason(&refused).as_deref(), Some("RECORD_NOT_FOUND"));
    scene.finish().await;
}

/// A connection from before a rule asked for more than who connected is closed, so that it is made anew.
#[tokio::test]
async fn an_idle_connection_is_renewed_when_a_rule_wants_to_know_more() {
    let Some(scene) = host().await else { return };
    scene.allow("uat", "--uid 4242").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    assert!(!etl.gets("prod").await);
    scene.allow("prod", "--gid 4242 --uid 4243").await;
    assert!(etl.gets("uat").await, "a rule for others changes nothing");
    scene
        .allow("prod", "--uid 4242 --unit nightly.service")
        .await;
    // This client has no second connection.
    let mut calls = 0;
    while etl.session("uat").await.is_ok() {
        calls += 1;
        assert!(calls < 10_000, "the connection stays");
    }
    scene.finish().await;
}

/// What the operator is told when a rule is made.
#[tokio::test]
async fn a_rule_that_proves_nothing_is_refused_and_a_vain_one_doubted() {
    let scene = Scene::with_record().await;
    let python = ["allow", "prod", "--uid", "0", "--exe", "/usr/bin/python3"];
    let (status, error) = scene.fails(&python).await;
    assert_eq!((status, &error["reason"]), (2, &"INVALID_ARGUMENT".into()));
    assert!(error["message"].as_str().unwrap().contains("no identity"));
    let (status, _) = scene.fails(&["allow", "prod"]).await;
    assert_eq!(status, 2);
    let (status, error) = scene.fails(&["allow", "prod", "--uid", "nobody"]).await;
    assert_eq!(status, 2);
    assert!(error["message"].as_str().unwrap().starts_with("`uid`"));
    let (status, _) = scene.fails(&["allow", "nosuch", "--uid", "1"]).await;
    assert_eq!(status, 4);
    let (status, _) = scene.fails(&["deny", "prod", "--uid", "4242"]).await;
    assert_eq!(status, 2);

    let own = rustix::process::geteuid().as_raw();
    let access = scene.ok(&["access", "prod", "--json"]).await;
    let access: Value = serde_json::from_str(&access).unwrap();
    assert_eq!(
        (&access["default"], &access["rules"][0]["uid"]),
        (&true.into(), &own.into())
    );
    let told = scene.run(&["allow", "prod", "--uid", "4242"]).await;
    assert!(
        told.stderr.contains("SFVAULT_MODE=system"),
        "{}",
        told.stderr
    );
    // It took nothing from the daemon's own user; that is for `deny`.
    scene.session(&[]).await;
    scene.ok(&["deny", "prod", "--uid", &own.to_string()]).await;
    let (status, error) = scene.fails(&["get", "prod"]).await;
    assert_eq!((status, &error["reason"]), (4, &"RECORD_NOT_FOUND".into()));
    let shown = scene.ok(&["access", "prod"]).await;
    assert!(
        shown.contains("--uid 4242") && shown.lines().count() == 2,
        "{shown}"
    );
    scene.ok(&["deny", "prod", "--all"]).await;
    assert!(
        scene
            .run(&["access", "prod"])
            .await
            .stderr
            .contains("nobody may use")
    );
    scene.finish().await;
}
