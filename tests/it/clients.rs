//! gRPC clients as they are: what they put on the wire, octet for octet, against the real daemon.

use std::{fs, path::Path, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use crate::scene::Scene;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `GetSessionRequest { record: "prod" }` as a gRPC message.
const REQUEST: &[u8] = b"\0\0\0\0\x06\x0a\x04prod";
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const PATIENCE: Duration = Duration::from_secs(30);

struct Frame {
    kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Two calls of GetSession, the second of which names its authority and its path by their place in the HPACK table.
fn two_calls(authority: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let path = text("/sfvault.v1.Sessions/GetSession");
    let kind = text("application/grpc");
    let first = [
        b"\x83\x86\x44",
        &path[..],
        b"\x41",
        &text(authority),
        b"\x5f",
        &kind,
    ];
    [
        PREFACE.to_vec(),
        frame(HEADERS, 0x4, 1, &first.concat()),
        frame(DATA, END_STREAM, 1, REQUEST),
        frame(HEADERS, 0x4, 3, b"\x83\x86\xc0\xbf\xbe"),
        frame(DATA, END_STREAM, 3, REQUEST),
    ]
    .concat()
}

/// Sends `octets` in pieces and reads until so many calls have ended; the sessions' messages.
async fn answers(scene: &Scene, octets: &[u8], piece: usize, calls: usize) -> Vec<Vec<u8>> {
    let socket = scene.sfvault.path("run/sfvault.sock");
    let mut stream = UnixStream::connect(socket).await.unwrap();
    for piece in octets.chunks(piece) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (mut messages, mut ended) = (Vec::new(), 0);
    while ended < calls {
        let frame = timeout(PATIENCE, receive(&mut stream)).await.unwrap();
        match frame.kind {
            DATA => messages.push(frame.payload),
            HEADERS if frame.flags & END_STREAM != 0 => ended += 1,
            0x3 | 0x7 => panic!("refused: {:?}", frame.payload),
            _ => {}
        }
    }
    messages
}

async fn receive(stream: &mut UnixStream) -> Frame {
    let mut header = [0; 9];
    stream.read_exact(&mut header).await.unwrap();
    let [_, b, c, kind, flags, ..] = header;
    let mut payload = vec![0; usize::from(u16::from_be_bytes([b, c]))];
    stream.read_exact(&mut payload).await.unwrap();
    Frame {
        kind,
        flags,
        payload,
    }
}

/// Each message must hold the session id.
#[track_caller]
fn assert_sessions(messages: &[Vec<u8>], calls: usize, session_id: &str) {
    let id = session_id.as_bytes();
    let right = |message: &&Vec<u8>| message.windows(id.len()).any(|part| part == id);
    assert_eq!(messages.iter().filter(right).count(), calls, "{messages:?}");
}

#[tokio::test]
async fn a_socket_path_as_authority_gets_its_sessions() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    let id = session["session_id"].as_str().unwrap();
    let path = scene.sfvault.path("run/sfvault.sock").display().to_string();
    let percent = path.trim_start_matches('/').replace('/', "%2F");
    for authority in [&path, &percent, "localhost", "localhost:50051", "a:b:c d%"] {
        for piece in [usize::MAX, 7, 1] {
            let messages = answers(&scene, &two_calls(authority), piece, 2).await;
            assert_sessions(&messages, 2, id);
        }
    }
    scene.finish().await;
}

/// Recorded from the clients that the files are named after, on their way to a daemon: three calls each on one
/// connection, one of tonic. grpc-java had its path from a name resolver and a bridge from TCP; python-h2 is no gRPC
/// client, but writes a path in Huffman's code.
#[tokio::test]
async fn what_real_clients_sent_gets_its_sessions() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    let id = session["session_id"].as_str().unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/authority");
    for (client, calls) in [
        ("grpc-java-1.41.3", 3),
        ("grpc-js-1.14.7", 3),
        ("grpcio-1.85.1", 3),
        ("grpclib-0.4.9", 3),
        ("python-h2-4.4.1", 3),
        ("tonic-0.14.9", 1),
    ] {
        let octets = fs::read(corpus.join(client)).unwrap();
        let messages = answers(&scene, &octets, usize::MAX, calls).await;
        assert_sessions(&messages, calls, id);
    }
    scene.finish().await;
}
