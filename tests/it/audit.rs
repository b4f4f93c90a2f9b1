//! The audit of a real daemon: who had what, proof of it, and what happens without it (T43, T45, T46).

use std::{fs, time::Duration};

use serde_json::Value;
use sfvault_tests::simulator::{Answer, PASSWORD, Place, SECURITY_TOKEN};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::sleep,
};
use tonic::transport::Endpoint;

use crate::{dice::Dice, scene::Scene, start::soon, storage::limit_files};

fn log(scene: &Scene) -> Vec<Value> {
    let text = fs::read_to_string(scene.sfvault.path("data/audit.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

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
async fn usage_tells_who_used_a_record_and_survives_restarts() {
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.session(&[]).await;
    // Whoever reads gets all that was told before; so it is written.
    lines(&scene, &[]).await;
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    scene.fails(&["get", "prod"]).await;
    scene.unlock().await;
    let usage: Value = serde_json::from_str(&scene.ok(&["usage", "prod", "--json"]).await).unwrap();
    let user = &usage["users"][0];
    assert_eq!(
        (&user["served"], &user["refused"]),
        (&2.into(), &1.into()),
        "{usage}"
    );
    assert_eq!(user["flow"], "soap-login");
    assert_eq!(user["uid"], rustix::process::geteuid().as_raw());
    assert!(user["exe"].as_str().unwrap().ends_with("/sfvault"));
    assert!(user["first"].as_str() <= user["last"].as_str());
    assert_eq!(usage["logins"], 1);
    // Who was handed a session, after a restart too; who was not did not use it.
    let shown: Value = serde_json::from_str(&scene.ok(&["show", "prod", "--json"]).await).unwrap();
    let last = &shown["last_users"];
    assert_eq!(last.as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(
        (&last[0]["uid"], &last[0]["exe"]),
        (&user["uid"], &user["exe"])
    );
    // Only administration is told.
    let listed: Value = serde_json::from_str(&scene.ok(&["list", "--json"]).await).unwrap();
    assert_eq!(listed["records"][0]["last_users"], Value::Null);
    let nobody = scene.run(&["usage", "other"]).await;
    assert!(nobody.stderr.contains("nobody used `other`"), "{nobody:?}");
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

/// T45: a busy job costs a line a second, and none is lost.
#[tokio::test]
async fn many_reads_of_one_process_share_lines() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    let places = sfvault::Places::at(&scene.sfvault.path("run"));
    let client = sfvault::SessionsClient::connect(&places).await.unwrap();
    let name = sfvault::RecordName::parse("prod").unwrap();
    let request = sfvault::SessionRequest::new(name);
    for _ in 0..500 {
        client
            .session(&request)
            .await
            .unwrap_or_else(|e| panic!("{e}"));
    }
    let pid = std::process::id();
    let ours = lines(&scene, &["--action", "get"]).await;
    let ours: Vec<_> = ours.iter().filter(|entry| entry["pid"] == pid).collect();
    let count: u64 = ours
        .iter()
        .map(|entry| entry["count"].as_u64().unwrap())
        .sum();
    assert_eq!(count, 500);
    assert!(ours.len() < 50, "{} lines", ours.len());
    scene.finish().await;
}

/// T46: on a disk that takes no more, administration is refused and sessions are handed out.
#[tokio::test]
async fn without_the_audit_there_is_no_administration_but_there_are_sessions() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    limit_files(&scene.sfvault, Some(0));
    for command in [
        &["set", "prod", "--password-file", "@passphrase"][..],
        &["remove", "prod", "--yes"],
        &["check", "prod"],
        &["unlock", "--passphrase-file", "@passphrase"],
        &["allow", "prod", "--uid", "4242"],
        &["deny", "prod", "--all"],
    ] {
        let (status, error) = scene.fails(command).await;
        assert_eq!(
            (status, &error["reason"]),
            (1, &"AUDIT_UNAVAILABLE".into()),
            "{error}"
        );
    }
    assert_eq!(scene.session(&[]).await, session);
    let status: Value = serde_json::from_str(&scene.ok(&["status", "--json"]).await).unwrap();
    let warnings = status["warnings"].to_string();
    assert!(
        warnings.contains("the audit can't be written"),
        "{warnings}"
    );
    // What only tells goes on, and says so.
    scene.ok(&["access", "prod"]).await;
    let report = scene.run(&["doctor", "--offline", "--json"]).await;
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(grades(&report, "audit"), ["problem"], "{report}");
    // It examines; but the login of its `--login` is administration.
    let report = scene.run(&["doctor", "prod", "--login", "--json"]).await;
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(grades(&report, "login"), ["problem"], "{report}");
    assert_eq!(grades(&report, "reach"), ["good"], "{report}");
    // Secrets can leave the memory all the same.
    scene.ok(&["lock"]).await;
    limit_files(&scene.sfvault, None);
    scene.unlock().await;
    let status: Value = serde_json::from_str(&scene.ok(&["status", "--json"]).await).unwrap();
    assert!(
        !status["warnings"].to_string().contains("audit"),
        "{status}"
    );
    assert!(
        lines(&scene, &[])
            .await
            .iter()
            .any(|entry| brief(entry) == "lock done -")
    );
    assert_whole(&verified(&scene).await);
    scene.finish().await;
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
