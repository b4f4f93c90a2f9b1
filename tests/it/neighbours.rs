//! Bad clients beside good ones, and the real daemon between them. Nothing here measures time: good clients get what
//! they ask for while the bad ones are at it, and the bad ones are closed.

mod bytes;
mod frames;
mod health;
mod messages;
mod seats;
mod shares;
pub(crate) mod wire;

use std::{env, path::PathBuf, time::Duration};

use sfvault::{Places, RecordName, SessionRequest, SessionsClient};
use sfvault_proto::v1::{GetSessionRequest, ListRecordsRequest, sessions_client};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::Instant,
};
use tonic::{Code, transport::Endpoint};

use self::{
    health::Health,
    wire::{
        DATA, END_HEADERS, HEADERS, NO_WINDOW, PING, PREFACE, Wire, call, frame, head, head_of,
    },
};
use crate::scene::Scene;

/// What noise may cost a daemon of some 10 MB in memory that the allocator keeps.
const SOME_MEMORY_KIB: u64 = 64 << 10;
/// More lines than these, and a client can fill the disk.
const SOME_LINES: usize = 5;

/// Its requests are a stream.
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// Good clients with a connection each, all at once; all must get a session.
async fn all_served(scene: &Scene, many: usize) {
    let mut clients = JoinSet::new();
    for _ in 0..many {
        let places = Places::at(&scene.sfvault.path("run"));
        clients.spawn(async move {
            let client = SessionsClient::connect(&places).await.unwrap();
            let request = SessionRequest::new(RecordName::parse("prod").unwrap());
            client.session(&request).await.unwrap().generation
        });
    }
    let served = tokio::time::timeout(Duration::from_secs(60), clients.join_all()).await;
    assert_eq!(served.unwrap(), vec![1; many]);
}

async fn scene() -> (Scene, PathBuf) {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    let socket = scene.sfvault.path("run/sfvault.sock");
    (scene, socket)
}

/// The daemon is as it was: the descriptors come back, memory and log did not grow much.
async fn assert_unharmed(scene: &Scene, before: Health) {
    // The clients of this process close their connections when their tasks have their turn, and the daemon then has its.
    let began = Instant::now();
    while Health::of(&scene.sfvault).descriptors > before.descriptors
        && began.elapsed() < Duration::from_secs(60)
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = Health::of(&scene.sfvault);
    assert!(
        after.descriptors <= before.descriptors,
        "{before:?} {after:?}"
    );
    assert!(
        after.resident_kib < before.resident_kib + SOME_MEMORY_KIB,
        "{before:?} {after:?}"
    );
    let log = scene.sfvault.daemon_log();
    assert!(after.log_lines <= before.log_lines + SOME_LINES, "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// T16
#[tokio::test]
async fn who_is_silent_slow_half_closed_or_never_reads_delays_nobody_and_is_closed_if_he_owes_something()
 {
    let (scene, socket) = scene().await;
    let before = Health::of(&scene.sfvault);
    let open = || Wire::greeted(&socket, &[]);
    let request = call(1);
    let mut owing: Vec<Wire> = (0..10).map(|_| Wire::connect(&socket)).collect();
    for begun in [
        &PREFACE[..7],
        &frame(PING, 0, 0, &[0; 8])[..5],
        &request[..20],
        &frame(HEADERS, 0, 1, &head("GetSession")),
        &frame(HEADERS, END_HEADERS, 1, &head("GetSession")),
        &[
            frame(HEADERS, END_HEADERS, 1, &head("GetSession")),
            frame(DATA, 0, 1, b"\0\0\0\xff\xff"),
        ]
        .concat(),
        &[
            frame(HEADERS, END_HEADERS, 1, &head_of(REFLECTION)),
            frame(DATA, 0, 1, b"\0\0\0\0\x09\x0a"),
        ]
        .concat(),
    ] {
        let mut wire = if begun.starts_with(b"PRI") {
            Wire::connect(&socket)
        } else {
            open()
        };
        wire.send(begun).unwrap();
        owing.push(wire);
    }
    let mut never_reads = Wire::greeted(&socket, NO_WINDOW);
    never_reads.flood(100, |n| call(2 * n + 1));
    owing.push(never_reads);
    let mut byte_a_second = Wire::connect(&socket);
    let slow = spawn_blocking(move || {
        for byte in PREFACE {
            if byte_a_second.send(&[*byte]).is_err()
                || !byte_a_second.is_quiet_for(Duration::from_secs(1))
            {
                return;
            }
        }
        byte_a_second.is_closed();
    });
    let mut half_closed = open();
    half_closed.send(&request).unwrap();
    half_closed.say_no_more();
    all_served(&scene, 100).await;
    spawn_blocking(move || {
        // Who can send no more is gone, for HTTP/2.
        half_closed.is_closed();
        for wire in &mut owing {
            wire.is_closed();
        }
    })
    .await
    .unwrap();
    slow.await.unwrap();
    assert_unharmed(&scene, before).await;
    scene.finish().await;
}

/// T20. `SFVAULT_VANISHING` sets how many; 2,000 by default.
#[tokio::test]
async fn clients_that_vanish_leave_nothing_behind() {
    let (scene, socket) = scene().await;
    let many = env::var("SFVAULT_VANISHING").map_or(2_000, |many| many.parse().unwrap());
    let vanish = |n: usize| {
        let mut wire = Wire::greeted(&socket, &[]);
        let request = call(1);
        // At every byte of a call, and after it.
        wire.send(&request[..n % (request.len() + 1)]).unwrap();
    };
    (0..200).for_each(vanish);
    all_served(&scene, 1).await;
    let before = Health::of(&scene.sfvault);
    (0..many).for_each(vanish);
    all_served(&scene, 10).await;
    assert_unharmed(&scene, before).await;
    scene.finish().await;
}

#[tokio::test]
async fn waiting_calls_leave_room_for_others_on_their_connection() {
    let scene = Scene::with_record().await;
    scene.ok(&["lock"]).await;
    let socket = scene.sfvault.path("run/sfvault.sock");
    let channel = Endpoint::try_from(format!("unix:{}", socket.display())).unwrap();
    let client = sessions_client::SessionsClient::new(channel.connect().await.unwrap());
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let mut client = client.clone();
        let request = GetSessionRequest {
            record: "prod".to_owned(),
            wait: Some(prost_types::Duration {
                seconds: 3600,
                nanos: 0,
            }),
            ..GetSessionRequest::default()
        };
        calls.spawn(async move { client.get_session(request).await });
    }
    for _ in 128..200 {
        let status = calls.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    }
    let list = client.clone().list_records(ListRecordsRequest {}).await;
    assert_eq!(list.unwrap_err().code(), Code::FailedPrecondition);
    scene.unlock().await;
    let served = calls.join_all().await;
    assert_eq!(served.len(), 128);
    assert!(served.iter().all(Result::is_ok), "{served:?}");
    scene.finish().await;
}

#[tokio::test]
async fn idle_clients_do_not_wake_an_idle_daemon() {
    let (scene, socket) = scene().await;
    let mut idle: Vec<Wire> = (0..10).map(|_| Wire::greeted(&socket, &[])).collect();
    for wire in &mut idle {
        wire.send(&call(1)).unwrap();
        assert!(wire.answered());
    }
    // The audit counts like calls for a second before it writes what they were, and looks once more.
    assert!(idle[0].is_quiet_for(Duration::from_secs(4)));
    let before = Health::of(&scene.sfvault);
    assert!(idle[0].is_quiet_for(Duration::from_secs(3)));
    let after = Health::of(&scene.sfvault);
    assert!(after.sleeps <= before.sleeps + 3, "{before:?} {after:?}");
    assert!(idle[1].send(&call(3)).is_ok() && idle[1].answered());
    // It counts when the daemon goes back to sleep, which is after its answer.
    let mut looks = 0..500;
    let counts = looks.any(|_| {
        assert!(idle[0].is_quiet_for(Duration::from_millis(10)));
        Health::of(&scene.sfvault).sleeps > after.sleeps
    });
    assert!(counts, "the counter does not count");
    drop(idle);
    scene.finish().await;
}
