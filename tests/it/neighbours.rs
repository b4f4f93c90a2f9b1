//! Bad clients beside good ones, and the real daemon between them. Nothing here measures time: good clients get what
//! they ask for while the bad ones are at it, and the bad ones are closed.

mod bytes;
mod health;
mod shares;
pub(crate) mod wire;

use std::{env, fs, path::PathBuf, thread, time::Duration};

use sfvault::{Places, RecordName, SessionRequest, SessionsClient};
use sfvault_proto::v1::{GetSessionRequest, ListRecordsRequest, sessions_client};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::Instant,
};
use tonic::{Code, transport::Endpoint};

use self::{
    bytes::BytesCodec,
    health::{Health, limit_descriptors},
    wire::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_WINDOW, PING, PREFACE,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, call, field, frame, head, head_of,
    },
};
use crate::scene::Scene;

/// What noise may cost a daemon of some 10 MB in memory that the allocator keeps.
const SOME_MEMORY_KIB: u64 = 64 << 10;
/// More lines than these, and a client can fill the disk.
const SOME_LINES: usize = 5;

/// Its requests are a stream.
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// The n-th piece of an attack.
type Noise = fn(u32) -> Vec<u8>;

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

/// T17. The shell's limit is what an administrator sets; the flood comes from one process, the good client is another.
#[tokio::test]
async fn a_flood_of_connections_takes_no_seat_from_another_process() {
    let mut scene = Scene::with_record().await;
    assert!(scene.sfvault.stop().unwrap().success());
    scene.sfvault.start_after("ulimit -n 64").unwrap();
    scene.unlock().await;
    scene.session(&[]).await;
    let before = Health::of(&scene.sfvault);
    let socket = scene.sfvault.path("run/sfvault.sock");
    let flood: Vec<Wire> = (0..100).map(|_| Wire::greeted(&socket, &[])).collect();
    scene.session(&[]).await;
    scene.ok(&["status"]).await;
    let during = Health::of(&scene.sfvault);
    assert!(during.descriptors < 64, "{during:?}");
    assert!(
        during.descriptors > before.descriptors,
        "{before:?} {during:?}"
    );
    drop(flood);
    assert_unharmed(&scene, before).await;
    scene.finish().await;
}

/// T17
#[tokio::test]
async fn who_finds_all_seats_busy_is_told_to_come_back() {
    let mut scene = Scene::with_record().await;
    assert!(scene.sfvault.stop().unwrap().success());
    scene.sfvault.start_after("ulimit -n 64").unwrap();
    // The vault is locked: these calls are under way until it is not.
    let waits = head_and_message(b"\x0a\x04prod\x2a\x03\x08\x90\x1c");
    let socket = scene.sfvault.path("run/sfvault.sock");
    let mut busy = Vec::new();
    let goodbye = loop {
        let mut wire = Wire::greeted(&socket, &[]);
        // The SETTINGS that acknowledge ours come before or after the daemon's own; a goodbye comes second.
        wire.send(&waits).unwrap();
        let first = wire.frame().unwrap().0;
        let second = wire.frame().unwrap();
        assert_eq!(first, SETTINGS);
        if second.0 == GOAWAY {
            break second.2;
        }
        busy.push(wire);
        assert!(busy.len() < 64);
    };
    assert!(String::from_utf8_lossy(&goodbye).contains("try again later"));
    // The operator has seats of his own, and others a share of theirs.
    scene.unlock().await;
    scene.session(&[]).await;
    for wire in &mut busy {
        assert!(wire.answered());
    }
    drop(busy);
    scene.finish().await;
}

fn head_and_message(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [
        frame(HEADERS, END_HEADERS, 1, &head("GetSession")),
        frame(DATA, END_STREAM, 1, &[&[0], &length[..], message].concat()),
    ]
    .concat()
}

/// T17
#[tokio::test]
async fn the_daemon_outlives_a_shortage_of_descriptors() {
    let (scene, socket) = scene().await;
    let before = Health::of(&scene.sfvault);
    // Fewer than it has: whatever it closes meanwhile, it gets no new one.
    limit_descriptors(&scene.sfvault, Some(3));
    let mut waiting = Wire::greeted(&socket, &[]);
    waiting.send(&call(1)).unwrap();
    let mut looks = 0;
    while !scene.sfvault.daemon_log().contains("can't be accepted") {
        assert!(waiting.is_quiet_for(Duration::from_millis(100)));
        looks += 1;
        assert!(looks < 300, "the shortage goes unnoticed");
    }
    assert!(waiting.is_quiet_for(Duration::from_millis(500)));
    limit_descriptors(&scene.sfvault, None);
    assert!(waiting.answered());
    drop(waiting);
    all_served(&scene, 10).await;
    assert_unharmed(&scene, before).await;
    scene.finish().await;
}

/// T18
#[tokio::test]
async fn a_message_that_is_none_is_refused_by_its_sender_alone() {
    let (scene, socket) = scene().await;
    let before = Health::of(&scene.sfvault);
    let channel = Endpoint::try_from(format!("unix:{}", socket.display())).unwrap();
    let mut client = tonic::client::Grpc::new(channel.connect().await.unwrap());
    let named = |name: &[u8]| [&[0x0a, u8::try_from(name.len()).unwrap()], name].concat();
    let cases = [
        ("oversized", vec![0x0a; 1 << 20], Code::OutOfRange),
        (
            "32,000 fields",
            [0x78, 1].repeat(32_000),
            Code::InvalidArgument,
        ),
        (
            "a million fields",
            [0x78, 1].repeat(1_000_000),
            Code::OutOfRange,
        ),
        ("groups in groups", vec![0x7b; 60_000], Code::Internal),
        (
            "a field that ends before its end",
            vec![0x0a, 0xff, 0xff, 0x03],
            Code::Internal,
        ),
        (
            "a duration in pieces",
            vec![0x12, 2, 0x0a, 0xff],
            Code::Internal,
        ),
        ("no UTF-8", named(b"pr\xff\xfeod"), Code::Internal),
        ("NUL", named(b"prod\0"), Code::InvalidArgument),
        ("CR LF", named(b"prod\r\nprod"), Code::InvalidArgument),
        (
            "right to left",
            named("prod\u{202e}dorp".as_bytes()),
            Code::InvalidArgument,
        ),
        ("escape", named(b"\x1b[2Jprod"), Code::InvalidArgument),
    ];
    for (what, message, code) in cases {
        client.ready().await.unwrap();
        let path = "/sfvault.v1.Sessions/GetSession".parse().unwrap();
        let request = tonic::Request::new(message);
        let status = client.unary(request, path, BytesCodec).await.unwrap_err();
        assert_eq!(status.code(), code, "{what}: {status:?}");
        assert!(
            !status.message().chars().any(char::is_control),
            "{what}: {status:?}"
        );
        assert!(!status.message().contains('\u{202e}'), "{what}: {status:?}");
    }
    drop(client);
    all_served(&scene, 1).await;
    assert_unharmed(&scene, before).await;
    scene.finish().await;
}

/// T18, T21: for a message that was announced there is memory from then on, and a stream may wait for ever.
#[tokio::test]
async fn reflection_and_health_take_no_message_that_is_longer_than_names_are() {
    let (scene, socket) = scene().await;
    for path in [REFLECTION, HEALTH] {
        for announced in [4097u32, 64 << 10, (4 << 20) - 1] {
            let mut wire = Wire::greeted(&socket, &[]);
            let begun = [&[0], &announced.to_be_bytes()[..], b"\x0a"].concat();
            let call = [
                frame(HEADERS, END_HEADERS, 1, &head_of(path)),
                frame(DATA, 0, 1, &begun),
            ];
            wire.send(&call.concat()).unwrap();
            let answered = spawn_blocking(move || wire.answered()).await.unwrap();
            assert!(answered, "{path}, {announced} bytes");
        }
    }
    all_served(&scene, 1).await;
    scene.finish().await;
}

/// T19
#[tokio::test]
async fn floods_of_every_kind_of_frame_delay_nobody() {
    let (scene, socket) = scene().await;
    let before = Health::of(&scene.sfvault);
    let open = || Wire::greeted(&socket, &[]);
    let attacks: [(Wire, u32, Noise); 9] = [
        (open(), 100_000, |n| {
            let begin = frame(HEADERS, END_HEADERS, 2 * n + 1, &head("GetSession"));
            [begin, frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat()
        }),
        (open(), 100_000, |n| match n {
            0 => frame(HEADERS, 0, 1, &head("GetSession")),
            _ => frame(CONTINUATION, 0, 1, &field("x", "y").repeat(100)),
        }),
        (open(), 100_000, |n| match n {
            0 => frame(HEADERS, END_HEADERS, 1, &head("GetSession")),
            _ => frame(DATA, 0, 1, &[]),
        }),
        (open(), 100_000, |n| {
            frame(HEADERS, END_HEADERS, 2 * n + 1, &head("GetSession"))
        }),
        (open(), 100_000, |_| frame(PING, 0, 0, &[7; 8])),
        (open(), 100_000, |_| {
            frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9])
        }),
        (open(), 100_000, |_| {
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])
        }),
        (open(), 100_000, |_| frame(0xee, 0xff, 9, &[1; 30])),
        (Wire::greeted(&socket, NO_WINDOW), 10_000, |n| {
            call(2 * n + 1)
        }),
    ];
    let floods: Vec<_> = attacks
        .into_iter()
        .map(|(mut wire, times, bytes)| {
            thread::spawn(move || {
                wire.flood(times, bytes);
                wire
            })
        })
        .collect();
    all_served(&scene, 100).await;
    let wires: Vec<Wire> = spawn_blocking(|| {
        floods
            .into_iter()
            .map(|flood| flood.join().unwrap())
            .collect()
    })
    .await
    .unwrap();
    all_served(&scene, 100).await;
    drop(wires);
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

/// T19. RUSTSEC-2024-0003, 2024-0332 and 2026-0258: floods that older versions did not survive.
#[test]
fn h2_is_a_version_that_survives_known_floods() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let lock = fs::read_to_string(lock).unwrap();
    let versions: Vec<Vec<u32>> = lock
        .split("[[package]]")
        .filter(|package| package.contains("\nname = \"h2\"\n"))
        .filter_map(|package| package.split("version = \"").nth(1)?.split('"').next())
        .map(|version| {
            version
                .split('.')
                .filter_map(|part| part.parse().ok())
                .collect()
        })
        .collect();
    assert!(!versions.is_empty());
    assert!(
        versions.iter().all(|version| *version >= vec![0, 4, 16]),
        "{versions:?}"
    );
}
