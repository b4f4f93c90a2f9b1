//! The chain of lines is whole after kills, and tells where it was tampered with (T46).

use std::{fs, time::Duration};

use serde_json::Value;
use tokio::time::sleep;

use super::{assert_whole, brief, verified};
use crate::{dice::Dice, scene::Scene};

fn log(scene: &Scene) -> Vec<Value> {
    let text = fs::read_to_string(scene.sfvault.path("data/audit.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// T46: killed at any moment, the audit is whole, and what was acknowledged has its line.
#[tokio::test]
async fn kills_at_any_moment_leave_the_audit_whole() {
    let mut dice = Dice(46);
    let mut scene = Scene::with_record().await;
    let mut acknowledged = 0;
    for _ in 0..8 {
        let mut set = scene.command(&["set", "prod", "--token-file", "@token"]);
        let set = set
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = set.spawn().unwrap();
        let life = Duration::from_micros(dice.below(120_000) as u64);
        tokio::select! {
            ended = child.wait() => acknowledged += usize::from(ended.unwrap().success()),
            // The moment of death is the test's subject, not a wait for something.
            () = sleep(life) => {}
        }
        scene.sfvault.kill().unwrap();
        scene.sfvault.start().unwrap();
        scene.unlock().await;
        assert_whole(&verified(&scene).await);
    }
    let begun = log(&scene);
    let begun = begun
        .iter()
        .filter(|entry| brief(entry) == "set begun prod");
    assert!(begun.count() >= acknowledged);
    scene.finish().await;
}

/// T46
#[tokio::test]
async fn tampering_is_told_with_its_place_and_status_one() {
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.sfvault.stop().unwrap();
    let path = scene.sfvault.path("data/audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"add\"", "\"get\"", 1)).unwrap();
    scene.sfvault.start().unwrap();
    // Locked, there is no key to check with.
    assert_eq!(
        scene.fails(&["log", "verify"]).await.1["reason"],
        "VAULT_LOCKED"
    );
    scene.unlock().await;
    let (status, report) = verified(&scene).await;
    assert_eq!(status, 1);
    assert_eq!(
        (
            &report["findings"][0]["file"],
            &report["findings"][0]["line"]
        ),
        (&"audit.jsonl".into(), &4.into()),
        "{report}"
    );
    let said = scene.run(&["log", "verify"]).await;
    assert!(
        said.stdout.starts_with("audit.jsonl:4: is not line 4"),
        "{said:?}"
    );
    scene.finish().await;
}
