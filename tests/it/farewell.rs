//! `lock` and `remove` end connections; nobody who asks for a session may notice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use sfvault::{AdminClient, Places, Reason, RecordName, SessionRequest, SessionsClient};
use sfvault_tests::simulator::Place;
use tokio::task::JoinSet;

use crate::scene::Scene;

const ROUNDS: u32 = 40;

fn prod() -> SessionRequest {
    SessionRequest::new(RecordName::parse("prod").unwrap())
}

/// Asks on one connection, or on a new one each time, until it is told to stop; how often it was answered.
async fn ask(places: Places, keeps: bool, stop: Arc<AtomicBool>) -> u32 {
    let mut answered = 0;
    let mut client = SessionsClient::connect(&places).await.unwrap();
    while !stop.load(Relaxed) {
        match client.session(&prod()).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.reason(), Reason::VaultLocked, "{error:?}"),
        }
        answered += 1;
        if !keeps {
            client = SessionsClient::connect(&places).await.unwrap();
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_because_a_connection_ended() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    let places = Places::at(&scene.sfvault.path("run"));
    let admin = AdminClient::connect(&places).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut jobs = JoinSet::new();
    for job in 0..8 {
        jobs.spawn(ask(places.clone(), job % 2 == 0, Arc::clone(&stop)));
    }
    for _ in 0..ROUNDS {
        scene.add("spare").await;
        admin
            .remove(&RecordName::parse("spare").unwrap())
            .await
            .unwrap();
    }
    for _ in 0..4 {
        admin.lock().await.unwrap();
        scene.unlock().await;
    }
    stop.store(true, Relaxed);
    let answered = jobs.join_all().await;
    assert!(answered.iter().all(|count| *count > ROUNDS), "{answered:?}");
    scene.finish().await;
}

#[tokio::test]
async fn a_call_under_way_is_answered_on_a_connection_that_has_to_end() {
    let scene = Scene::with_record().await;
    scene.add("spare").await;
    let places = Places::at(&scene.sfvault.path("run"));
    let job = SessionsClient::connect(&places).await.unwrap();
    let gate = scene.simulator.hold_next(Place::Login);
    let asked = tokio::spawn(async move { job.session(&prod()).await });
    gate.reached().await;
    scene.ok(&["remove", "spare", "--yes"]).await;
    // Whoever ends connections has had its turn once a new one was answered.
    scene.ok(&["status"]).await;
    gate.open();
    assert_eq!(asked.await.unwrap().unwrap().generation, 1);
    scene.assert_logins(1, 0);
    scene.finish().await;
}
