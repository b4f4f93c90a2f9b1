//! What the operator is told of peers afterwards: by whom a record was used, by which rule, and what others lacked.

use serde_json::Value;

use super::{ETL, host, log};
use crate::{peer::Peer, unit::Unit};

/// T47 as the operator sees it: what is one answer to the peer is told apart in the audit.
#[tokio::test]
async fn the_audit_tells_who_was_let_in_by_which_rule_and_what_others_lack() {
    let Some(scene) = host().await else { return };
    scene.allow("prod", "--uid 4243").await;
    scene.allow("prod", "--uid 4242").await;
    scene.allow("uat", "--uid 4243").await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    assert!(etl.gets("prod").await);
    assert!(!etl.gets("uat").await && !etl.gets("taz").await);
    assert_eq!(etl.sees().await, ["prod"]);
    let mut stranger = Peer::of(&scene.sfvault, 4244, 4244).await;
    assert!(!stranger.gets("prod").await);

    let exe = scene.sfvault.path("peer").display().to_string();
    let log = log(&scene, &["--peer-uid", "4242"]).await;
    let told: Vec<_> = log
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            assert_eq!(
                (&line["pid"], text("exe")),
                (&etl.pid().into(), exe.clone())
            );
            ["action", "verdict", "record", "reason", "rule", "note"]
                .map(text)
                .join(" ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "get served prod - 2: uid 4242 -",
            "get denied uat DENIED - rule 1: its uid is 4242, not 4243",
            "get refused taz RECORD_NOT_FOUND - there is no such record",
            "list served - - - prod: rule 2: uid 4242 | uat: rule 1: its uid is 4242, not 4243",
        ]
    );
    let strangers = scene.ok(&["log", "--denied", "--peer-uid", "4244"]).await;
    assert!(
        strangers.contains("call denied, DENIED, uid 4244") && strangers.contains(&exe),
        "{strangers}"
    );
    let usage = scene.ok(&["usage", "prod", "--json"]).await;
    let usage: Value = serde_json::from_str(&usage).unwrap();
    let users = usage["users"].as_array().unwrap();
    assert_eq!(users.len(), 1, "{usage}");
    assert_eq!(
        (&users[0]["uid"], &users[0]["exe"], &users[0]["served"]),
        (&ETL.into(), &exe.into(), &1.into())
    );
    scene.finish().await;
}

/// Jobs of one user are told apart by their units, also where no rule asks for one; a rule that does makes the unit of now
/// count.
#[tokio::test]
async fn usage_tells_jobs_of_one_user_apart_by_unit() {
    let Some(scene) = host().await else { return };
    let Some(nightly) = Unit::make("system.slice", "usage-a") else {
        return;
    };
    let daily = Unit::make("system.slice", "usage-b").unwrap();
    scene.allow("prod", "--uid 4242").await;
    for (unit, times) in [(&nightly, 2), (&daily, 1)] {
        let mut peer = Peer::in_unit(&scene.sfvault, unit, ETL).await;
        for _ in 0..times {
            assert!(peer.gets("prod").await);
        }
    }
    scene.deny("prod", "--uid 4242").await;
    scene
        .allow("prod", &format!("--unit {}", daily.name()))
        .await;
    let mut moved = Peer::in_unit(&scene.sfvault, &nightly, ETL).await;
    daily.takes(moved.pid());
    assert!(moved.gets("prod").await);
    let usage = scene.ok(&["usage", "prod", "--json"]).await;
    let usage: Value = serde_json::from_str(&usage).unwrap();
    let mut users: Vec<_> = usage["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| (user["unit"].as_str().unwrap(), user["served"].as_u64()))
        .collect();
    users.sort();
    assert_eq!(users, [(nightly.name(), Some(2)), (daily.name(), Some(2))]);
    scene.finish().await;
}
