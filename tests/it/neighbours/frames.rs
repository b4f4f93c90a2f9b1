//! Floods of HTTP/2 frames.

use std::{fs, thread};

use tokio::task::spawn_blocking;

use super::{
    all_served, assert_unharmed,
    health::Health,
    scene,
    wire::{
        CONTINUATION, DATA, END_HEADERS, HEADERS, NO_WINDOW, PING, RST_STREAM, SETTINGS,
        WINDOW_UPDATE, Wire, call, field, frame, head,
    },
};

/// The n-th piece of an attack.
type Noise = fn(u32) -> Vec<u8>;

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
