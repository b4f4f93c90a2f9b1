//! A client that sends anything: its connection ends, and so does the service when it is told to.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    api::{About, House, serve_admin, serve_sessions},
    audit::Audit,
    clock::{Clock as _, SystemClock},
    descriptors::Room,
    failure::{Class, Failure},
    host::Host,
    mode::Mode,
    paths::own_uid,
    policy::Policy,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRequest, Proof,
    },
    secret::{Passphrase, SessionId},
    store::{KdfCost, fuzz::Template},
    vault::{Parts, Vault},
};

/// How long the client listens: calls that wait are cut off then, which is a case worth having.
const LISTENS_FOR: Duration = Duration::from_millis(20);
/// No call here takes a tenth of this, on any machine.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// More than a request may have.
const LONGEST_INPUT: usize = 128 << 10;

/// The calls of `sfvault.sock`. The corpora go by their places in the list: what is new goes to its end.
pub const SESSIONS_CALLS: &[&str] = &[
    "/sfvault.v1.Sessions/GetSession",
    "/sfvault.v1.Sessions/ListRecords",
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/sfvault.v1.Sessions/WatchSession",
    "/grpc.health.v1.Health/Watch",
];
/// The calls of `admin.sock`, likewise.
pub const ADMIN_CALLS: &[&str] = &[
    "/sfvault.v1.Control/GetStatus",
    "/sfvault.v1.Control/InitializeVault",
    "/sfvault.v1.Control/UnlockVault",
    "/sfvault.v1.Control/LockVault",
    "/sfvault.v1.Records/AddRecord",
    "/sfvault.v1.Records/SetCredential",
    "/sfvault.v1.Records/DescribeRecord",
    "/sfvault.v1.Records/RemoveRecord",
    "/sfvault.v1.Records/CheckRecord",
    "/sfvault.v1.Records/AllowPeer",
    "/sfvault.v1.Records/DenyPeer",
    "/sfvault.v1.Records/GetAccess",
    "/sfvault.v1.Records/ExplainAccess",
    "/sfvault.v1.Control/GetPeers",
    "/sfvault.v1.Audit/ReadAudit",
    "/sfvault.v1.Audit/VerifyAudit",
    "/sfvault.v1.Audit/GetUsage",
    "/sfvault.v1.Records/ListHolders",
    "/sfvault.v1.Records/EndSession",
    "/sfvault.v1.Records/BeginLogin",
    "/sfvault.v1.Records/FinishLogin",
    "/sfvault.v1.Records/MigrateRecord",
    "/sfvault.v1.Records/RestoreLogin",
    "/sfvault.v1.Records/ForgetOldLogin",
    "/sfvault.v1.Records/RotateCredential",
    "/sfvault.v1.Records/RevealGeneratedPassword",
    "/sfvault.v1.Doctor/ExamineDaemon",
    "/sfvault.v1.Doctor/ExamineRecord",
];

/// A connection to `sfvault.sock`. The first byte chooses a call whose message the rest is; above the calls there
/// are, the rest is sent as it is, with and without the preface of HTTP/2.
///
/// # Panics
/// If the service does not end, or ends by itself.
pub fn sessions_service(bytes: &[u8]) {
    serve(bytes, SESSIONS_CALLS, false);
}

/// The same with `admin.sock`.
///
/// # Panics
/// As [`sessions_service`].
pub fn admin_service(bytes: &[u8]) {
    serve(bytes, ADMIN_CALLS, true);
}

fn serve(bytes: &[u8], calls: &[&str], admin: bool) {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let input = match calls.get(usize::from(*choice)) {
        Some(path) => call(path, rest),
        None if choice % 2 == 0 => [PREFACE, SETTINGS, rest].concat(),
        None => rest.to_vec(),
    };
    if input.len() > LONGEST_INPUT {
        return;
    }
    // A machine without room for a runtime says nothing about the services.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    runtime.block_on(converse(&input, admin));
}

async fn converse(input: &[u8], admin: bool) {
    let Some(vault) = vault() else { return };
    let Ok((mut client, server)) = UnixStream::pair() else {
        return;
    };
    let about = About {
        started_at: SystemClock.now(),
        warnings: Vec::new(),
        protections: [].into(),
        sight: crate::witness::Sight::Own,
        api_version: "64.0".into(),
        audit: Audit::nowhere(),
        paths: Arc::new(crate::paths::Paths {
            config: "/nowhere".into(),
            data: "/nowhere".into(),
            runtime: "/nowhere".into(),
        }),
    };
    let (sender, connections) = mpsc::channel(1);
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move { drop(stopped.await) };
    let room = Room {
        sessions: 2,
        admin: 2,
        strangers: 1,
    };
    let house = House::new(Policy::new(Mode::User, own_uid()), None, room);
    let house = Arc::new(house);
    let service = async move {
        if admin {
            serve_admin(vault, about, house, connections, stopped).await
        } else {
            serve_sessions(vault, about, house, connections, stopped).await
        }
    };
    let client = async move {
        // The service may close its end before it has read everything.
        let _ = sender.send(Ok(server)).await;
        let _ = client.write_all(input).await;
        let mut answer = Vec::new();
        let _ = timeout(LISTENS_FOR, client.read_to_end(&mut answer)).await;
        drop((client, sender));
        drop(stop);
    };
    let ended = timeout(ENDS_WITHIN, async { tokio::join!(service, client) }).await;
    let served = ended.map(|(served, ())| served);
    assert!(matches!(served, Ok(Ok(()))), "{served:?}");
}

/// An unlocked vault with one record, made anew for every input from an image that is made once.
fn vault() -> Option<Arc<Vault>> {
    static TEMPLATE: OnceLock<Option<Template>> = OnceLock::new();
    let cost = KdfCost {
        memory_kib: 8 * 1024,
        iterations: 1,
        lanes: 1,
    };
    let passphrase = Passphrase::new(b"correct horse".to_vec());
    let template = TEMPLATE
        .get_or_init(|| Template::new(&passphrase, cost).ok())
        .as_ref()?;
    let parts = Parts {
        clock: Arc::new(SystemClock),
        login: Arc::new(Nowhere),
        kdf: cost,
        token_upkeep: Default::default(),
        audit: Audit::nowhere(),
        retirements: Arc::default(),
        login_share_percent: 50,
        hold_after_get: Duration::ZERO,
    };
    let (store, keys) = template.open().ok()?;
    Vault::unlocked(Path::new("(memory)"), store, keys, parts).ok()
}

/// No Salesforce.
#[derive(Debug)]
struct Nowhere;

impl Login for Nowhere {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, _: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async { Err(unavailable().into()) })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async { Err(unavailable()) })
    }

    fn prove<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, Proof> {
        Box::pin(async { Err(unavailable()) })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async { Err(unavailable()) })
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, crate::salesforce::Survey> {
        Box::pin(async { Err(unavailable()) })
    }
}

fn unavailable() -> Failure {
    Failure {
        class: Class::Unavailable,
        code: None,
        message: "there is no network".to_owned(),
        pause: None,
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// One unary call on a fresh connection (RFC 9113, and RFC 7541 without tables or Huffman).
fn call(path: &str, message: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        headers.push(0);
        for text in [name, value] {
            // All of them are shorter than 127 bytes.
            headers.push(u8::try_from(text.len()).unwrap_or(0));
            headers.extend_from_slice(text.as_bytes());
        }
    }
    let mut out = [PREFACE, SETTINGS].concat();
    frame(&mut out, HEADERS, END_HEADERS, &headers);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let body = [&[0][..], &length.to_be_bytes(), message].concat();
    let mut pieces = body.chunks(LONGEST_FRAME).peekable();
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() {
            END_STREAM
        } else {
            0
        };
        frame(&mut out, DATA, flags, piece);
    }
    out
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const LONGEST_FRAME: usize = 16 << 10;

/// A frame of stream 1; `payload` is at most [`LONGEST_FRAME`] long.
fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    out.extend_from_slice(length.get(1..).unwrap_or_default());
    out.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
    out.extend_from_slice(payload);
}
