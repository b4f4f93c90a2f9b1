use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::*;
use crate::{
    api::door::{House, Way},
    audit::Audit,
    clock::SystemClock,
    descriptors::Room,
    mode::Mode,
    paths::own_uid,
    policy::Policy,
    salesforce::{SalesforceLogin, environment::Environment, settings::Settings},
    seats::{PATIENCE, QUIET},
    store::KdfCost,
    vault::{Parts, Vault},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// The first GOAWAY of two names the highest stream there can be: nothing that was sent is refused.
const ALL_STREAMS: &[u8] = &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// A service that answers health checks, and what moves it.
struct Service {
    connect: mpsc::Sender<io::Result<UnixStream>>,
    forget: watch::Sender<()>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

impl Service {
    fn start() -> Self {
        Self::behind(Way::Sessions)
    }

    fn behind(way: Way) -> Self {
        let (_, health) = tonic_health::server::health_reporter();
        let (connect, connections) = mpsc::channel(1);
        let (forget, forgotten) = watch::channel(());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(
            Routes::new(health),
            connections,
            Arc::new(Door { way, ..door() }),
            forgotten,
            async move { drop(stopped.await) },
        ));
        Self {
            connect,
            forget,
            stop,
            served,
        }
    }

    async fn connect(&self) -> Client {
        let (client, server) = UnixStream::pair().unwrap();
        self.connect.send(Ok(server)).await.unwrap();
        Client(client)
    }

    fn forget(&self) {
        self.forget.send_replace(());
    }
}

/// The door of a daemon that has no vault yet, which admits its own user.
fn door() -> Door {
    let clock = Arc::new(SystemClock);
    let settings = Settings::default();
    let parts = Parts {
        login: Arc::new(SalesforceLogin::new(
            settings,
            Environment::default(),
            Arc::clone(&clock) as _,
        )),
        clock,
        kdf: KdfCost::default(),
        token_upkeep: Default::default(),
        audit: Audit::nowhere(),
        retirements: Arc::default(),
        hold_after_get: Duration::ZERO,
        login_share_percent: 50,
    };
    let room = Room {
        sessions: 8,
        admin: 8,
        strangers: 8,
    };
    Door {
        house: Arc::new(House::new(Policy::new(Mode::User, own_uid()), None, room)),
        vault: Vault::open("/nowhere/vault.redb".as_ref(), parts).unwrap(),
        audit: Audit::nowhere(),
        way: Way::Admin,
    }
}

/// Who is refused by his number alone is captured and looked at less: so he must be nobody whom more would let in.
#[tokio::test]
async fn nobody_is_refused_unseen_who_might_be_admitted() {
    let stranger = own_uid() + 1;
    for way in [Way::Sessions, Way::Admin] {
        let door = Door { way, ..door() };
        for uid in [0, own_uid(), stranger] {
            let peer = crate::policy::Peer::of_ids(uid, uid);
            assert_eq!(door.refuses(uid), !door.admits(&peer), "{way:?} {uid}");
        }
        assert!(door.refuses(stranger));
        // Of a group that administers, only a look at the process tells who is in it.
        let policy = Policy::new(Mode::System, own_uid());
        let room = Room {
            sessions: 8,
            admin: 8,
            strangers: 8,
        };
        let house = Arc::new(House::new(policy, Some(4242), room));
        let door = Door { house, ..door };
        assert!(!door.refuses(stranger), "{way:?}");
    }
}

struct Client(UnixStream);

impl Client {
    async fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).await.unwrap();
    }

    /// A call of `grpc.health.v1.Health/Check` for the daemon as a whole.
    async fn call(&mut self, stream: u8) {
        self.call_method(stream, "/grpc.health.v1.Health/Check")
            .await;
    }

    async fn call_method(&mut self, stream: u8, path: &str) {
        let head = [
            &[0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()],
            path.as_bytes(),
            b"\x01\x09localhost\x0f\x10\x10application/grpc",
        ]
        .concat();
        self.send(&frame(HEADERS, 4, stream, &head)).await;
        self.send(&frame(DATA, 1, stream, &[0; 5])).await;
    }

    /// The answer of a call on a connection that nobody ends.
    async fn answer(&mut self) {
        for kind in [HEADERS, DATA, HEADERS] {
            assert_eq!(self.next().await.unwrap().0, kind);
        }
    }

    /// Reads until this time; whether nothing came.
    async fn is_quiet_for(&mut self, time: Duration) -> bool {
        timeout(time, self.next()).await.is_err()
    }

    /// The next frame that is neither settings nor about windows: its kind and payload, or `None` at the end.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
            self.0.read_exact(&mut payload).await.ok()?;
            if ![SETTINGS, WINDOW_UPDATE].contains(&head[3]) {
                return Some((head[3], payload));
            }
        }
    }

    /// Until the connection ends, answering pings: the kinds of the frames.
    async fn leave(&mut self) -> Vec<u8> {
        let mut kinds = Vec::new();
        while let Some((kind, payload)) = self.next().await {
            if kind == PING {
                self.send(&frame(PING, 1, 0, &payload)).await;
            }
            kinds.push(kind);
        }
        kinds
    }
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test(start_paused = true)]
async fn who_is_idle_is_told_to_leave_and_what_was_asked_until_then_is_answered() {
    let service = Service::start();
    let mut client = service.connect().await;
    client.send(PREFACE).await;
    client.call(1).await;
    client.answer().await;
    service.forget();
    let began = Instant::now();
    assert_eq!(client.next().await, Some((GOAWAY, ALL_STREAMS.to_vec())));
    assert!((QUIET..QUIET * 2).contains(&began.elapsed()));
    // It was on its way when the daemon said so.
    client.call(3).await;
    let began = Instant::now();
    let mut kinds = client.leave().await;
    kinds.retain(|kind| ![PING, GOAWAY].contains(kind));
    assert_eq!(kinds, [HEADERS, DATA, HEADERS]);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_call_under_way_serves_others_and_ends_after_them() {
    let service = Service::start();
    let mut client = service.connect().await;
    client.send(PREFACE).await;
    client.call_method(1, "/grpc.health.v1.Health/Watch").await;
    assert_eq!(client.next().await.unwrap().0, HEADERS);
    assert_eq!(client.next().await.unwrap().0, DATA);
    service.forget();
    assert!(client.is_quiet_for(Duration::from_hours(1)).await);
    client.call(3).await;
    client.answer().await;
    assert!(client.is_quiet_for(Duration::from_hours(1)).await);
    client.send(&frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])).await;
    assert_eq!(client.next().await, Some((GOAWAY, ALL_STREAMS.to_vec())));
    client.leave().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_and_asks_is_not_told_in_between() {
    let service = Service::start();
    let mut client = service.connect().await;
    client.send(PREFACE).await;
    client.call(1).await;
    client.answer().await;
    service.forget();
    for call in 1..20 {
        assert!(client.is_quiet_for(QUIET * 3 / 4).await);
        client.call(2 * call + 1).await;
        client.answer().await;
    }
    assert_eq!(client.next().await, Some((GOAWAY, ALL_STREAMS.to_vec())));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_only_just_made_is_not_broken_off() {
    let service = Service::start();
    let mut client = service.connect().await;
    let (first, rest) = PREFACE.split_at(20);
    client.send(first).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    service.forget();
    tokio::time::advance(QUIET * 2).await;
    client.send(rest).await;
    client.call(1).await;
    let mut kinds = client.leave().await;
    kinds.retain(|kind| ![PING, GOAWAY].contains(kind));
    assert_eq!(kinds, [HEADERS, DATA, HEADERS]);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_leave_is_shown_out() {
    let service = Service::start();
    let mut client = service.connect().await;
    client.send(PREFACE).await;
    client.call(1).await;
    client.answer().await;
    let began = Instant::now();
    service.forget();
    // No ping is answered.
    let shown_out = async { while client.next().await.is_some() {} };
    timeout(PATIENCE * 3, shown_out).await.unwrap();
    assert!((PATIENCE + QUIET..PATIENCE * 2).contains(&began.elapsed()));
}

/// A call that administers may have brought a password.
#[tokio::test(start_paused = true)]
async fn who_administers_is_told_to_leave_after_his_last_call() {
    let service = Service::behind(Way::Admin);
    let mut client = service.connect().await;
    client.send(PREFACE).await;
    // Who has asked for nothing has brought nothing.
    assert!(client.is_quiet_for(Duration::from_hours(1)).await);
    for call in 0..3 {
        client.call(2 * call + 1).await;
        client.answer().await;
        assert!(client.is_quiet_for(QUIET * 3 / 4).await);
    }
    assert_eq!(client.next().await, Some((GOAWAY, ALL_STREAMS.to_vec())));
    client.leave().await;
}

#[tokio::test(start_paused = true)]
async fn newcomers_stay_and_an_end_waits_for_nobody_who_is_silent() {
    let service = Service::start();
    let silent = service.connect().await;
    service.forget();
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut client = service.connect().await;
    client.send(PREFACE).await;
    client.call(1).await;
    client.answer().await;
    tokio::time::advance(Duration::from_hours(1)).await;
    client.call(3).await;
    assert_eq!(client.next().await.unwrap().0, HEADERS);
    let began = Instant::now();
    let silent_too = service.connect().await;
    service.stop.send(()).unwrap();
    client.leave().await;
    service.served.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    drop((silent, silent_too));
}
