//! `lock` and `remove` end connections; nobody who asks for a session may notice.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use sfvault::{AdminClient, Places, Reason, RecordName, SessionRequest, SessionsClient};
use sfvault_proto::v1::{GetSessionRequest, sessions_client::SessionsClient as WireClient};
use sfvault_tests::{installation::Installation, simulator::Place};
use tokio::{task::JoinSet, time::timeout};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    neighbours::wire::{GOAWAY, HEADERS, SETTINGS, frame},
    scene::Scene,
    start::soon,
};

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

/// T52
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

/// T52. With tonic alone, which repeats nothing by itself.
#[tokio::test]
async fn a_channel_with_calls_that_go_on_serves_others_across_lock_and_unlock() {
    let scene = Scene::with_record().await;
    let channel = channel(&scene).await;
    let mut health = HealthClient::new(channel.clone());
    let sessions = WireClient::new(channel);
    let watched = HealthCheckRequest {
        service: "sfvault.v1.Sessions".to_owned(),
    };
    let mut watch = health.watch(watched).await.unwrap().into_inner();
    // What did not change may be told again.
    let mut told = async |status| {
        while watch.message().await.unwrap().unwrap().status() != status {}
    };
    told(ServingStatus::Serving).await;
    for _ in 0..3 {
        scene.ok(&["lock"]).await;
        told(ServingStatus::NotServing).await;
        let mut waits = sessions.clone();
        let waiting = tokio::spawn(async move { waits.get_session(asked(true)).await });
        let mut asks = sessions.clone();
        let refused = asks.get_session(asked(false)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        // Longer than an idle connection stays.
        timeout(Duration::from_secs(3), told(ServingStatus::Serving))
            .await
            .unwrap_err();
        scene.unlock().await;
        waiting.await.unwrap().unwrap();
        told(ServingStatus::Serving).await;
        asks.get_session(asked(false)).await.unwrap();
    }
    scene.finish().await;
}

/// Each call makes a new connection, for the old one is gone by then.
#[tokio::test]
async fn a_channel_that_was_idle_serves_the_next_call() {
    let scene = Scene::with_record().await;
    let mut sessions = WireClient::new(channel(&scene).await);
    sessions.get_session(asked(false)).await.unwrap();
    let connected = connections(&scene);
    for _ in 0..3 {
        scene.ok(&["lock"]).await;
        scene.unlock().await;
        let ended = async {
            while connections(&scene) >= connected {
                scene.ok(&["status"]).await;
            }
        };
        soon("without the old connection", ended).await;
        sessions.get_session(asked(false)).await.unwrap();
        assert_eq!(connections(&scene), connected);
    }
    scene.finish().await;
}

fn connections(scene: &Scene) -> usize {
    let held = fs::read_dir(format!("/proc/{}/fd", scene.sfvault.pid().unwrap())).unwrap();
    held.filter_map(|held| fs::read_link(held.unwrap().path()).ok())
        .filter(|held| held.to_string_lossy().starts_with("socket:"))
        .count()
}

async fn channel(scene: &Scene) -> Channel {
    let socket = scene.sfvault.path("run/sfvault.sock");
    let endpoint = Endpoint::try_from(format!("unix:{}", socket.display())).unwrap();
    endpoint.connect().await.unwrap()
}

fn asked(waits: bool) -> GetSessionRequest {
    GetSessionRequest {
        record: "prod".to_owned(),
        wait: waits.then_some(prost_types::Duration {
            seconds: 60,
            nanos: 0,
        }),
        ..GetSessionRequest::default()
    }
}

/// A daemon that says on each connection that it took no call.
#[tokio::test]
async fn a_call_that_was_never_taken_is_made_again_four_times_in_all() {
    let home = Installation::without_config().unwrap();
    let listener = UnixListener::bind(home.path("run/sfvault.sock")).unwrap();
    let daemon = thread::spawn(move || {
        let mut greeted = 0;
        loop {
            let (mut client, _) = listener.accept().unwrap();
            let mut hello = [0; 24];
            // The test hangs up before it says anything.
            if client.read_exact(&mut hello).is_err() {
                return greeted;
            }
            client.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
            loop {
                let (kind, stream) = read_frame(&mut client).unwrap();
                if kind == HEADERS {
                    assert_eq!(stream, 1);
                    break;
                }
            }
            greeted += 1;
            client.write_all(&frame(GOAWAY, 0, 0, &[0; 8])).unwrap();
            while read_frame(&mut client).is_some() {}
        }
    });
    let places = Places::at(&home.path("run"));
    let client = SessionsClient::connect(&places).await.unwrap();
    let failed = client.session(&prod()).await.err().unwrap();
    drop(client);
    drop(UnixStream::connect(home.path("run/sfvault.sock")).unwrap());
    assert_eq!(daemon.join().unwrap(), 4, "{failed:?}");
}

fn read_frame(wire: &mut UnixStream) -> Option<(u8, u32)> {
    let mut head = [0; 9];
    wire.read_exact(&mut head).ok()?;
    let [a, b, c, kind, _, stream @ ..] = head;
    let length = u64::from(u32::from_be_bytes([0, a, b, c]));
    io::copy(&mut wire.take(length), &mut io::sink()).ok()?;
    Some((kind, u32::from_be_bytes(stream)))
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
