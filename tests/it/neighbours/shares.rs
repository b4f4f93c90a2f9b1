//! T21: a storm of one user or unit, and another peer beside it. Whoever is calm is served, every time, and nothing is held
//! against him; the storm is held back, and the operator sees by what.

use std::{os::unix::net::UnixStream, thread, time::Duration};

use serde_json::Value;
use sfvault_proto::v1::{GetSessionRequest, GetSessionResponse, sessions_client::SessionsClient};
use sfvault_tests::simulator::{Place, USERNAME};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::timeout,
};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;

use super::wire::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, Wire, frame, head};
use crate::{
    access::host,
    nobody,
    peer::{Peer, sessions},
    raw,
    scene::Scene,
    unit::Unit,
};

const STORM: u32 = 4242;
const CALM: u32 = 4243;
/// A call for `prod` that waits for an hour.
const WAITS: &[u8] = b"\0\0\0\0\x0b\x0a\x04prod\x2a\x03\x08\x90\x1c";

/// A daemon whose record `prod` is for both.
async fn shared() -> Option<Scene> {
    let scene = host().await?;
    for uid in [STORM, CALM] {
        scene.allow("prod", &format!("--uid {uid}")).await;
    }
    Some(scene)
}

fn connects(scene: &Scene, uid: u32) -> UnixStream {
    nobody::connects(uid, sessions(&scene.sfvault))
}

async fn get(
    calls: &mut SessionsClient<Channel>,
    refused_generation: u64,
) -> Result<GetSessionResponse, Status> {
    let request = GetSessionRequest {
        record: "prod".to_owned(),
        refused_generation,
        ..GetSessionRequest::default()
    };
    let answer = calls.get_session(request).await;
    answer.map(tonic::Response::into_inner)
}

/// What the next call of a storm heard. Those that are let in hear nothing yet.
async fn refusal<T: 'static>(storm: &mut JoinSet<Result<T, Status>>) -> Status {
    let next = timeout(Duration::from_secs(60), storm.join_next()).await;
    let heard = next.expect("all were let in").unwrap().unwrap();
    heard.map(drop).unwrap_err()
}

/// What `status --peers` tells of this user's units on `sfvault.sock`.
async fn told(scene: &Scene, uid: u32) -> Vec<Value> {
    let all = scene.ok(&["status", "--peers", "--json"]).await;
    let all: Value = serde_json::from_str(&all).unwrap();
    let peers = all["peers"].as_array().unwrap().iter();
    peers
        .filter(|peer| peer["uid"] == uid && peer["socket"] == "sfvault.sock")
        .cloned()
        .collect()
}

/// What this user was held back from, if he is of one unit.
async fn held_back(scene: &Scene, uid: u32) -> Vec<Value> {
    let told = told(scene, uid).await;
    assert_eq!(told.len(), 1, "{told:?}");
    told[0]["held_back"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_storm_of_connections_with_calls_under_way_leaves_seats_to_others() {
    let Some(mut scene) = shared().await else {
        return;
    };
    assert!(scene.sfvault.stop().unwrap().success());
    let few = "ulimit -n 64 && export SFVAULT_MODE=system";
    scene.sfvault.start_after(few).unwrap();
    // The vault is locked: calls that wait are under way until it is not.
    let mut calm = SessionsClient::new(raw::channel(connects(&scene, CALM)).await);
    let locked = get(&mut calm, 0).await.unwrap_err();
    assert_eq!(raw::reason(&locked).as_deref(), Some("VAULT_LOCKED"));
    let mut storm = Vec::new();
    for _ in 0..100 {
        let mut wire = Wire::of(connects(&scene, STORM));
        let call = [
            PREFACE,
            &frame(SETTINGS, 0, 0, &[]),
            &frame(HEADERS, END_HEADERS, 1, &head("GetSession")),
            &frame(DATA, END_STREAM, 1, WAITS),
        ];
        // Who is turned away may have been so before he could say it all.
        let _ = wire.send(&call.concat());
        storm.push(wire);
    }
    let mut newcomer = SessionsClient::new(raw::channel(connects(&scene, CALM)).await);
    let locked = get(&mut newcomer, 0).await.unwrap_err();
    assert_eq!(raw::reason(&locked).as_deref(), Some("VAULT_LOCKED"));
    let held = held_back(&scene, STORM).await;
    assert_eq!(held[0]["what"], "connections");
    assert!(held[0]["times"].as_u64() > Some(80), "{held:?}");
    assert!(held_back(&scene, CALM).await.is_empty());
    scene.unlock().await;
    assert!(get(&mut calm, 0).await.is_ok());
    drop(storm);
    scene.finish().await;
}

#[tokio::test]
async fn a_storm_of_waiting_calls_leaves_others_room_to_wait() {
    let Some(scene) = shared().await else { return };
    scene.ok(&["lock"]).await;
    let mut calm = SessionsClient::new(raw::channel(connects(&scene, CALM)).await);
    assert!(get(&mut calm, 0).await.is_err());
    let waits = || GetSessionRequest {
        record: "prod".to_owned(),
        wait: Some(prost_types::Duration {
            seconds: 3600,
            nanos: 0,
        }),
        ..GetSessionRequest::default()
    };
    let mut storm = JoinSet::new();
    for _ in 0..40 {
        let calls = SessionsClient::new(raw::channel(connects(&scene, STORM)).await);
        for _ in 0..128 {
            let (mut calls, request) = (calls.clone(), waits());
            storm.spawn(async move { calls.get_session(request).await });
        }
    }
    // Half of all may wait, for it is one process; the others are told at once.
    for _ in 4096 / 2..40 * 128 {
        let status = refusal(&mut storm).await;
        assert_eq!(raw::reason(&status).as_deref(), Some("VAULT_LOCKED"));
    }
    let patient = tokio::spawn(async move { calm.get_session(waits()).await });
    while told(&scene, CALM).await[0]["waiting"] != 1 {
        assert!(!patient.is_finished(), "not allowed to wait");
    }
    let held = held_back(&scene, STORM).await;
    assert!(
        held.iter().any(|held| held["what"] == "waiting"),
        "{held:?}"
    );
    assert!(held_back(&scene, CALM).await.is_empty());
    scene.unlock().await;
    assert!(patient.await.unwrap().is_ok());
    storm.abort_all();
    while storm.join_next().await.is_some() {}
    scene.finish().await;
}

#[tokio::test]
async fn a_storm_of_calls_is_refused_its_surplus_and_others_nothing() {
    const CONNECTIONS: usize = 26;
    const STREAMS: usize = 250;
    /// Of 8,192 for all.
    const SHARE: usize = 6144;
    let Some(scene) = shared().await else { return };
    let mut calm = Peer::of(&scene.sfvault, CALM, CALM).await;
    calm.sees().await;
    let gate = scene.simulator.hold_next(Place::Login);
    let mut storm = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let calls = SessionsClient::new(raw::channel(connects(&scene, STORM)).await);
        for _ in 0..STREAMS {
            let mut calls = calls.clone();
            storm.spawn(async move { get(&mut calls, 0).await });
        }
    }
    for _ in SHARE..CONNECTIONS * STREAMS {
        let status = refusal(&mut storm).await;
        assert_eq!(raw::reason(&status).as_deref(), Some("THROTTLED"));
        assert!(status.message().contains("uid 4242"), "{status:?}");
        assert!(status.get_details_retry_info().is_some());
    }
    let mut calls = calm.calls.clone();
    let served = tokio::spawn(async move { get(&mut calls, 0).await });
    while told(&scene, CALM).await[0]["calls"] != 1 {
        assert!(!served.is_finished(), "refused");
    }
    let held = held_back(&scene, STORM).await;
    assert_eq!(
        (&held[0]["what"], &held[0]["now"]),
        (&"calls".into(), &true.into())
    );
    assert!(held_back(&scene, CALM).await.is_empty());
    gate.reached().await;
    gate.open();
    assert!(served.await.unwrap().is_ok());
    let rest = storm.join_all().await;
    assert_eq!(rest.iter().filter(|got| got.is_ok()).count(), SHARE);
    scene.finish().await;
}

#[tokio::test]
async fn a_storm_of_frames_takes_its_turns_and_others_theirs() {
    let Some(scene) = shared().await else { return };
    let mut calm = Peer::of(&scene.sfvault, CALM, CALM).await;
    assert!(calm.gets("prod").await);
    let noise: Vec<_> = (0..6)
        .map(|_| {
            let mut wire = Wire::of(connects(&scene, STORM));
            thread::spawn(move || {
                let hello = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
                wire.send(&hello).unwrap();
                wire.flood(100_000, |_| frame(0xee, 0xff, 9, &[1; 100]));
                wire
            })
        })
        .collect();
    for _ in 0..100 {
        calm.session("prod").await.unwrap();
    }
    let ended = noise.into_iter().map(|noise| noise.join().unwrap());
    let wires: Vec<Wire> = spawn_blocking(|| ended.collect()).await.unwrap();
    let held = held_back(&scene, STORM).await;
    assert_eq!(held[0]["what"], "turns", "{held:?}");
    assert!(held_back(&scene, CALM).await.is_empty());
    drop(wires);
    scene.finish().await;
}

/// Each report is true, for whoever reports ends the session himself.
#[tokio::test]
async fn who_causes_login_after_login_by_reports_is_not_heard_for_a_while_and_others_are() {
    let Some(scene) = shared().await else { return };
    let mut storm = Peer::of(&scene.sfvault, STORM, STORM).await;
    let mut calm = Peer::of(&scene.sfvault, CALM, CALM).await;
    let mut generation = get(&mut storm.calls, 0).await.unwrap().generation;
    let throttled = loop {
        scene.simulator.expire_sessions(USERNAME);
        match get(&mut storm.calls, generation).await {
            Ok(next) => generation = next.generation,
            Err(status) => break status,
        }
    };
    scene.assert_logins(1 + 3, 0);
    assert_eq!(throttled.code(), Code::ResourceExhausted);
    assert_eq!(raw::reason(&throttled).as_deref(), Some("THROTTLED"));
    assert!(throttled.message().contains("uid 4242"), "{throttled:?}");
    let retry = throttled.get_details_retry_info().unwrap().retry_delay;
    assert!(retry.unwrap().as_secs() > 200);
    // The report was not heard, so nobody else has to wait for anything.
    assert_eq!(
        get(&mut calm.calls, 0).await.unwrap().generation,
        generation
    );
    scene.assert_logins(4, 0);
    let next = get(&mut calm.calls, generation).await.unwrap();
    assert_eq!(next.generation, generation + 1);
    scene.assert_logins(5, 0);
    // Who is held back has what needs no login.
    assert!(storm.gets("prod").await);

    let told_storm = &told(&scene, STORM).await[0];
    assert_eq!(told_storm["logins"], 4);
    assert_eq!(told_storm["calls_total"], 6);
    let held = &told_storm["held_back"][0];
    assert_eq!(
        (&held["what"], &held["now"]),
        (&"logins".into(), &true.into())
    );
    assert!(held["until"].is_string(), "{held}");
    let text = scene.ok(&["status", "--peers"]).await;
    assert!(text.contains("logins 1x until 20"), "{text}");
    let told_calm = &told(&scene, CALM).await[0];
    assert_eq!(
        (&told_calm["logins"], told_calm["held_back"].as_array()),
        (&1.into(), Some(&vec![]))
    );
    scene.finish().await;
}

/// Two jobs of one user, told apart by the kernel alone.
#[tokio::test]
async fn units_of_one_user_answer_each_for_itself() {
    let Some(scene) = shared().await else { return };
    let Some(storms) = Unit::make("system.slice", "storm") else {
        return;
    };
    let calms = Unit::make("system.slice", "calm").unwrap();
    let mut calm = Peer::in_unit(&scene.sfvault, &calms, STORM).await;
    let mut generation = get(&mut calm.calls, 0).await.unwrap().generation;
    let throttled = loop {
        scene.simulator.expire_sessions(USERNAME);
        // Each run is a process of its own.
        let mut storm = Peer::in_unit(&scene.sfvault, &storms, STORM).await;
        match get(&mut storm.calls, generation).await {
            Ok(next) => generation = next.generation,
            Err(status) => break status,
        }
    };
    assert!(throttled.message().contains(storms.name()), "{throttled:?}");
    let next = get(&mut calm.calls, generation).await.unwrap();
    assert_eq!(next.generation, generation + 1);
    let units: Vec<_> = told(&scene, STORM)
        .await
        .iter()
        .map(|unit| (unit["unit"].clone(), unit["logins"].clone()))
        .collect();
    assert_eq!(
        units,
        [
            (calms.name().into(), 2.into()),
            (storms.name().into(), 3.into())
        ]
    );
    scene.finish().await;
}
