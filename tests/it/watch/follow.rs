//! `sfvault get --follow`.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sfvault_tests::simulator::USERNAME;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::scene::Scene;

#[tokio::test]
async fn follow_writes_a_line_for_each_session_and_ends_well() {
    let mut scene = Scene::with_record().await;
    let mut follower = scene
        .command(&["get", "prod", "--follow", "--no-autostart"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(follower.stderr.take().unwrap()).lines();
    let mut said = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut line = async || -> Value {
        serde_json::from_str(&said.next_line().await.unwrap().unwrap()).unwrap()
    };
    assert_eq!(line().await, scene.session(&[]).await);
    scene.simulator.expire_sessions(USERNAME);
    let second = scene.session(&["--refused-generation", "1"]).await;
    assert_eq!(line().await, second);
    // A new daemon, which has to be unlocked first: the follower waits for both.
    scene.sfvault.kill().unwrap();
    let waits = told.next_line().await.unwrap().unwrap();
    assert!(waits.contains("sfvaultd is not running"), "{waits}");
    scene.sfvault.start().unwrap();
    for (what, hint) in [
        ("tells of `prod` again", ""),
        (
            "can't be had now",
            "; unlock the vault with `sfvault unlock`",
        ),
    ] {
        let line = told.next_line().await.unwrap().unwrap();
        assert!(line.contains(what) && line.ends_with(hint), "{line}");
    }
    scene.unlock().await;
    // It goes on with the session that the vault had kept, until that ends too.
    scene.simulator.expire_sessions(USERNAME);
    scene.session(&["--refused-generation", "2"]).await;
    assert_eq!(line().await["generation"], 3);
    let pid = Pid::from_raw(i32::try_from(follower.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(follower.wait().await.unwrap().code(), Some(0));
    scene.finish().await;
}
