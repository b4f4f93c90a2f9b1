//! Messages that are too long, too deep, or none.

use tokio::task::spawn_blocking;
use tonic::{Code, transport::Endpoint};

use super::{
    REFLECTION, all_served, assert_unharmed,
    bytes::BytesCodec,
    health::Health,
    scene,
    wire::{DATA, END_HEADERS, HEADERS, Wire, frame, head_of},
};

const HEALTH: &str = "/grpc.health.v1.Health/Check";

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
