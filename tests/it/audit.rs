//! The audit of a real daemon: who had what, proof of it, and what happens without it (T43, T45, T46).

mod chain;
mod disk;
mod usage;

use std::fs;

use serde_json::Value;
use sfvault_tests::simulator::{Answer, PASSWORD, Place, SECURITY_TOKEN};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tonic::transport::Endpoint;

use crate::{scene::Scene, start::soon};

async fn lines(scene: &Scene, arguments: &[&str]) -> Vec<Value> {
    let text = scene.ok(&[&["log"], arguments, &["--json"]].concat()).await;
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn brief(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
    format!("{} {} {}", text("action"), text("verdict"), text("record"))
}

fn of<'a>(entries: &'a [Value], what: &str) -> Vec<&'a Value> {
    let mut found: Vec<_> = entries.iter().collect();
    found.retain(|entry| brief(entry) == what);
    found
}

async fn verified(scene: &Scene) -> (i32, Value) {
    let ended = scene.run(&["log", "verify", "--json"]).await;
    (ended.status, serde_json::from_str(&ended.stdout).unwrap())
}

#[track_caller]
fn assert_whole((status, report): &(i32, Value)) {
    assert_eq!((*status, &report["whole"]), (0, &true.into()), "{report}");
}

#[tokio::test]
async fn every_decision_login_and_administration_call_has_its_line() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    scene.fails(&["get", "nowhere"]).await;
    scene.ok(&["lock"]).await;
    scene.fails(&["get", "prod"]).await;
    scene
        .fails(&["unlock", "--passphrase-file", "@password"])
        .await;
    scene.unlock().await;
    // The vault kept the session over the lock; a job calls it dead.
    scene
        .simulator
        .expire_sessions(sfvault_tests::simulator::USERNAME);
    scene.simulator.script(Place::Login, [Answer::LoginPage]);
    scene
        .fails(&["get", "prod", "--refused-generation", "1"])
        .await;
    scene.ok(&["show", "prod"]).await;
    scene.ok(&["remove", "prod", "--yes"]).await;

    let all = lines(&scene, &[]).await;
    let told: Vec<_> = all.iter().map(brief).collect();
    let expected = [
        "audit-chain noted -",
        "init begun -",
        "init done -",
        "add begun prod",
        "add done prod",
        "login done prod",
        "get served prod",
        "get refused nowhere",
        "lock done -",
        "get refused prod",
        "unlock begun -",
        "unlock failed -",
        "unlock begun -",
        "unlock done -",
        "login failed prod",
        "get refused prod",
        "show done prod",
        "remove begun prod",
        "remove done prod",
    ];
    assert_eq!(told, expected, "{told:#?}");
    let of = |what| of(&all, what).into_iter();
    let served = of("get served prod").next().unwrap();
    assert_eq!(served["generation"], session["generation"]);
    let login = of("login done prod").next().unwrap();
    assert_eq!(login["fingerprint"], served["fingerprint"]);
    assert_eq!(login["flow"], "soap-login");
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(served["uid"], uid);
    assert_eq!(served["rule"], format!("1: uid {uid}"));
    let exe = served["exe"].as_str().unwrap();
    assert!(exe.ends_with("/sfvault"), "{served}");
    assert!(served["pid"].as_i64().unwrap() > 1, "{served}");
    assert_eq!(
        of("unlock failed -").next().unwrap()["reason"],
        "WRONG_PASSPHRASE"
    );
    let refused: Vec<_> = of("get refused prod")
        .map(|entry| &entry["reason"])
        .collect();
    assert_eq!(refused[0], "VAULT_LOCKED");
    assert!(!of("login failed prod").next().unwrap()["class"].is_null());
    assert_whole(&verified(&scene).await);

    // The filters.
    let denied = lines(&scene, &["--denied"]).await;
    assert_eq!(denied, Vec::<Value>::new());
    let logins = lines(&scene, &["prod", "--action", "login"]).await;
    assert_eq!(logins.len(), 2);
    assert_eq!(lines(&scene, &["--peer-uid", "4294967294"]).await.len(), 0);
    let gets = lines(&scene, &["--since", "2h", "prod", "--action", "get"]).await;
    assert_eq!(gets.len(), 3);
    assert_eq!(lines(&scene, &["--since", "2999-01-01"]).await.len(), 0);
    assert_eq!(lines(&scene, &["prod", "--last", "1"]).await.len(), 1);

    // A session that turned up somewhere is traced by its id or by its fingerprint.
    let id = session["session_id"].as_str().unwrap();
    scene.sfvault.secret_file("leaked", id).unwrap();
    let by_id = lines(&scene, &["--session-file", "@leaked"]).await;
    let hex = served["fingerprint"].as_str().unwrap();
    let by_hex = lines(&scene, &["--fingerprint", hex]).await;
    assert_eq!(by_id.len(), 2);
    assert_eq!(by_id, by_hex);
    scene.finish().await;
}

#[tokio::test]
async fn follow_shows_what_happens_and_ends_with_the_daemon() {
    let scene = Scene::with_record().await;
    let mut command = scene.command(&["log", "--action", "get", "--follow", "--json"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        scene.session(&[]).await;
        let line: Value = serde_json::from_str(&shown.next_line().await.unwrap().unwrap()).unwrap();
        assert_eq!(brief(&line), "get served prod");
    }
    scene.finish().await;
    assert_eq!(shown.next_line().await.unwrap(), None);
    child.wait().await.unwrap();
}

fn grades<'a>(report: &'a Value, check: &str) -> Vec<&'a str> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["check"] == check)
        .map(|finding| finding["grade"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_changed_and_asked_about_access_has_its_line() {
    let scene = Scene::with_record().await;
    let pid = std::process::id().to_string();
    scene.ok(&["allow", "prod", "--uid", "4242"]).await;
    scene.ok(&["deny", "prod", "--uid", "4242"]).await;
    scene.ok(&["deny", "prod", "--all"]).await;
    scene.ok(&["access", "prod"]).await;
    scene.ok(&["explain", "prod", "--pid", &pid]).await;
    scene.fails(&["explain", "nowhere", "--pid", &pid]).await;
    scene.ok(&["status", "--peers"]).await;
    let report = scene.run(&["doctor", "prod", "--offline", "--json"]).await;
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(grades(&report, "audit"), ["good"], "{report}");
    scene.run(&["doctor", "prod", "--login"]).await;
    let all = lines(&scene, &[]).await;
    let told: Vec<_> = all
        .iter()
        .map(|entry| format!("{} {}", brief(entry), entry["note"].as_str().unwrap_or("")))
        .skip_while(|line| !line.starts_with("allow"))
        .collect();
    let wanted = [
        "allow begun prod uid 4242",
        "allow done prod uid 4242",
        "deny begun prod uid 4242",
        "deny done prod uid 4242",
        "deny begun prod all rules",
        "deny done prod all rules",
        "access done prod ",
        "explain done prod ",
        "explain failed nowhere ",
    ];
    assert_eq!(told[..wanted.len()], wanted, "{told:#?}");
    for wanted in [
        "peers done - ",
        "doctor done - ",
        "doctor done prod ",
        "check begun prod ",
        "check done prod ",
    ] {
        assert!(told.iter().any(|line| line == wanted), "{told:#?}");
    }
    scene.finish().await;
}

/// T22
#[tokio::test]
async fn a_guess_that_is_held_back_is_told() {
    let scene = Scene::with_record().await;
    scene.ok(&["lock"]).await;
    let guess = ["unlock", "--passphrase-file", "@password"];
    // Side by side, so that a busy machine does not itself take longer than the pause.
    let guessing = async {
        loop {
            tokio::join!(
                scene.fails(&guess),
                scene.fails(&guess),
                scene.fails(&guess)
            );
            let told = lines(&scene, &["--action", "unlock"]).await;
            if let Some(held) = of(&told, "unlock noted -").first() {
                return (*held).clone();
            }
        }
    };
    let held = soon("held back", guessing).await;
    let note = held["note"].as_str().unwrap();
    assert!(note.starts_with("held back for 1 s after "), "{note}");
    assert_eq!(held["uid"], rustix::process::geteuid().as_raw());
    scene.finish().await;
}

/// T43: whatever is typed in the place of a name, and whatever Salesforce says.
#[tokio::test]
async fn no_secret_is_in_the_audit() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    for answer in [Answer::EchoedPassword, Answer::Truncated] {
        scene.simulator.script(Place::Login, [answer]);
        scene.run(&["check", "prod", "--release"]).await;
        scene
            .run(&["get", "prod", "--refused-generation", "1"])
            .await;
    }
    let wire = sfvault_proto::v1::GetSessionRequest {
        record: format!("{PASSWORD} \u{1b}[2J"),
        ..Default::default()
    };
    let socket = scene.sfvault.path("run/sfvault.sock");
    let channel = Endpoint::try_from(format!("unix:{}", socket.display())).unwrap();
    let channel = channel.connect().await.unwrap();
    let mut client = sfvault_proto::v1::sessions_client::SessionsClient::new(channel);
    assert!(client.get_session(wire).await.is_err());
    lines(&scene, &[]).await;
    let mut text = fs::read_to_string(scene.sfvault.path("data/audit.jsonl")).unwrap();
    text.push_str(&fs::read_to_string(scene.sfvault.path("data/audit.state")).unwrap());
    let id = session["session_id"].as_str().unwrap();
    for secret in [PASSWORD, SECURITY_TOKEN, id, id.split_once('!').unwrap().1] {
        assert!(!text.contains(secret), "{} characters", secret.len());
    }
    assert!(text.contains("\"reason\":\"INVALID_ARGUMENT\""));
    scene.finish().await;
}
