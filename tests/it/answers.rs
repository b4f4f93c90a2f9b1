//! Whatever Salesforce, its edge, or somebody in its place answers to a login: the real daemon and program say what it
//! is, send the password once, live on, and tell nobody a secret.

use sfvault_tests::simulator::{
    Answer, ContentType, Listener, Options, PASSWORD, Place, SECURITY_TOKEN, Simulator, USERNAME,
};

use crate::{leaks, scene::Scene};

/// A daemon that logs all it can, for Salesforce at this simulator.
async fn scene(more: &str) -> Scene {
    let simulator = Simulator::start(Options::default()).await;
    let hosts = [simulator.login_url(), simulator.instance_url()];
    let salesforce = format!(
        "allowed_hosts = {hosts:?}\nca_file = {:?}\nproxy = \"none\"\n{more}",
        simulator.ca_file()
    );
    Scene::configured(simulator, &salesforce, &[("RUST_LOG", "trace")]).await
}

/// A reason and an exit status, or none where a session is due.
type Due = Option<(&'static str, i32)>;

/// Has a record meet each answer and asks for its session twice.
async fn meet(scene: &Scene, answers: Vec<(&str, Answer, Due)>) {
    let mut said = String::new();
    for (number, (name, answer, reason)) in answers.into_iter().enumerate() {
        let record = format!("record-{number}");
        scene.add(&record).await;
        let before = requests(scene);
        scene.simulator.script(Place::Login, [answer]);
        // The operator says so, for the record before may have found the host silent.
        for command in [&["check", &record, "--release"][..], &["get", &record]] {
            let ended = scene.run(&[command, &["--json"]].concat()).await;
            match reason {
                Some((reason, status)) => {
                    assert_eq!(ended.status, status, "{name}: {}", ended.stderr);
                    assert!(
                        ended.stderr.contains(&format!("\"reason\":\"{reason}\"")),
                        "{name}: {}",
                        ended.stderr
                    );
                    said.push_str(&ended.stdout);
                }
                None if command[0] == "check" => assert_eq!(ended.status, 0, "{name}"),
                None => {
                    assert_eq!(ended.status, 0, "{name}: {}", ended.stderr);
                    let session: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
                    let id = session["session_id"].as_str().unwrap().to_owned();
                    assert!(scene.simulator.sessions(USERNAME).contains(&id), "{name}");
                }
            }
            said.push_str(&ended.stderr);
            said.push_str(&scene.run(&["show", &record]).await.stdout);
        }
        assert_eq!(requests(scene), before + 1, "{name}");
    }
    let sessions = scene.simulator.sessions(USERNAME);
    let joined = format!("{PASSWORD}{SECURITY_TOKEN}");
    let mut secrets = vec![PASSWORD, SECURITY_TOKEN, &joined];
    secrets.extend(sessions.iter().map(String::as_str));
    leaks::assert_none("what sfvault printed", &said, &secrets);
    let log = scene.sfvault.daemon_log();
    assert!(log.contains("TRACE"), "the log is not at its loudest");
    leaks::assert_none("the daemon's log", &log, &secrets);
}

/// Those that came to the login host, even if nobody read what they are.
fn requests(scene: &Scene) -> usize {
    let requests = scene.simulator.requests();
    requests
        .iter()
        .filter(|request| request.listener == Listener::Login)
        .count()
}

fn page(status: u16) -> Answer {
    Answer::Http {
        status,
        content_type: ContentType::Html,
        body: "<html><body>Bad gateway</body></html>".to_owned(),
    }
}

const PROTOCOL: Due = Some(("PROTOCOL", 6));
const UNANSWERED: Due = Some(("LOGIN_UNANSWERED", 75));
const UNAVAILABLE: Due = Some(("SALESFORCE_UNAVAILABLE", 75));
const WRONG_HOST: Due = Some(("WRONG_HOST", 6));

/// T36, T38, T39, T43.
#[tokio::test]
async fn no_answer_makes_the_daemon_fall_swell_talk_or_try_again() {
    let scene = scene("").await;
    let elsewhere = Simulator::start(Options::default()).await;
    let peak = || peak_memory_kib(scene.sfvault.pid().unwrap());
    scene.add("warm").await;
    scene.ok(&["get", "warm"]).await;
    let before = peak();
    meet(
        &scene,
        vec![
            ("a login page", Answer::LoginPage, WRONG_HOST),
            ("half an envelope", Answer::Truncated, PROTOCOL),
            ("100 MB", Answer::Flood, PROTOCOL),
            ("closed before the body", Answer::CloseUnread, UNANSWERED),
            ("closed after the body", Answer::CloseRead, UNANSWERED),
            (
                "closed after its effect",
                Answer::CloseProcessed,
                UNANSWERED,
            ),
            ("half a body", Answer::Cut, UNANSWERED),
            ("301", Answer::Redirect(301), WRONG_HOST),
            ("302", Answer::Redirect(302), WRONG_HOST),
            ("307", Answer::Redirect(307), WRONG_HOST),
            ("308", Answer::Redirect(308), WRONG_HOST),
            ("405", Answer::MethodNotAllowed, WRONG_HOST),
            ("406", Answer::NotAcceptable, UNAVAILABLE),
            ("420", Answer::SettingUp, UNAVAILABLE),
            ("503", Answer::Unavailable, UNAVAILABLE),
            ("502", page(502), UNANSWERED),
            ("504 after its effect", Answer::Gateway(504), UNANSWERED),
            ("418", page(418), PROTOCOL),
            ("gzip", Answer::Gzip, PROTOCOL),
            ("two sessions", Answer::TwoSessionIds, PROTOCOL),
            ("a line break", Answer::SessionIdWithNewline, PROTOCOL),
            ("an entity bomb", Answer::EntityBomb, PROTOCOL),
            ("an external entity", Answer::ExternalEntity, PROTOCOL),
            (
                "a foreign host",
                Answer::ServerUrl(elsewhere.login_url()),
                WRONG_HOST,
            ),
            ("another org", Answer::OtherOrg, PROTOCOL),
            ("the password, echoed", Answer::EchoedPassword, PROTOCOL),
            ("text/html above a grant", Answer::WrongContentType, None),
        ],
    )
    .await;
    let grown = peak().saturating_sub(before);
    assert!(grown < 8 * 1024, "the daemon grew by {grown} KiB");
    assert_eq!(elsewhere.requests(), [], "nothing goes to a foreign host");
    elsewhere.finish().unwrap();
    scene.finish().await;
}

/// T38.
#[tokio::test]
async fn silence_and_dripping_end_with_the_time_that_an_answer_has() {
    let scene = scene("answer_timeout_seconds = 1").await;
    meet(
        &scene,
        vec![
            ("headers only", Answer::Silence, UNANSWERED),
            ("not a byte", Answer::Hang, UNANSWERED),
            (
                "a byte at a time",
                Answer::Drip { milliseconds: 1 },
                UNANSWERED,
            ),
        ],
    )
    .await;
    scene.finish().await;
}

#[tokio::test]
async fn elements_and_names_that_nobody_has_seen_before_do_no_harm() {
    let scene = scene("").await;
    scene.simulator.org(|org| {
        org.extra_elements = true;
        org.name = "Żółć \u{202e}\u{1f980} & <b>Söhne</b>".to_owned();
    });
    scene
        .simulator
        .user(USERNAME, |user| user.full_name = "Ñandú \"'&<>".to_owned());
    meet(&scene, vec![("extra elements", Answer::Usual, None)]).await;
    scene.finish().await;
}

fn peak_memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
