//! More connections than there are seats or descriptors for.

use std::time::Duration;

use super::{
    all_served, assert_unharmed,
    health::{Health, limit_descriptors},
    scene,
    wire::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, SETTINGS, Wire, call, frame, head},
};
use crate::scene::Scene;

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
