//! An app that rotates refresh tokens: each login spends one, and a spent one that comes again ends everything.

use std::time::Duration;

use serde_json::Value;
use sfvault::{AdminClient, Places, Reason, RecordName, SessionRequest, SessionsClient};
use sfvault_tests::{
    clock::ManualClock,
    simulator::{App, CONSUMER_KEY, CONSUMER_SECRET, Options, Place, Simulator, USERNAME},
};
use tokio::task::JoinSet;

use crate::{
    inside::{Inside, way_to},
    oauth::new_record,
    scene::Scene,
    start::soon,
    storage::limit_files,
};

const REUSED: &str = "a refresh token used after its rotation (POST /services/oauth2/token)";

fn rotating() -> App {
    App {
        rotates: true,
        secret_required: false,
        ..App::new(CONSUMER_KEY, CONSUMER_SECRET, USERNAME)
    }
}

/// A daemon with the record `prod`, which nobody has used yet.
async fn scene() -> Scene {
    let scene = Scene::empty().await;
    scene.simulator.app(CONSUMER_KEY, |app| *app = rotating());
    let token = scene.simulator.approve(USERNAME, CONSUMER_KEY);
    let admin = AdminClient::connect(&Places::at(&scene.sfvault.path("run")))
        .await
        .unwrap();
    let url = scene.simulator.instance_url();
    admin
        .add(new_record("prod", "refresh-token", &url, &token))
        .await
        .unwrap();
    scene
}

/// A session by a new login.
async fn login(scene: &Scene) -> Value {
    scene.simulator.expire_sessions(USERNAME);
    let generation = shown(scene).await["generation"].to_string();
    match generation.as_str() {
        "0" => scene.session(&[]).await,
        _ => scene.session(&["--refused-generation", &generation]).await,
    }
}

async fn shown(scene: &Scene) -> Value {
    serde_json::from_str(&scene.ok(&["show", "prod", "--json"]).await).unwrap()
}

fn tokens_asked(scene: &Scene) -> usize {
    let requests = scene.simulator.requests();
    let token = |path: &str| path.ends_with("/token");
    requests.iter().filter(|it| token(&it.path)).count()
}

async fn restart(scene: &mut Scene) {
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
}

/// T40
#[tokio::test]
async fn two_hundred_clients_spend_one_token() {
    let scene = scene().await;
    let places = Places::at(&scene.sfvault.path("run"));
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let places = places.clone();
        clients.spawn(async move {
            let client = SessionsClient::connect(&places).await.unwrap();
            let request = SessionRequest::new(RecordName::parse("prod").unwrap());
            client
                .session(&request)
                .await
                .map(|session| session.generation)
                .map_err(|e| e.reason())
        });
    }
    let got = clients.join_all().await;
    assert!(
        got.iter().all(|it: &Result<u64, Reason>| *it == Ok(1)),
        "{got:?}"
    );
    assert_eq!(tokens_asked(&scene), 1);
    scene.finish().await;
}

#[tokio::test]
async fn a_chain_of_tokens_outlives_kills_between_logins() {
    let mut scene = scene().await;
    for number in 1..=4 {
        login(&scene).await;
        assert_eq!(tokens_asked(&scene), number);
        restart(&mut scene).await;
    }
    let shown = shown(&scene).await;
    assert_eq!(shown["state"], "ready", "{shown}");
    assert!(shown["refresh_token_idle_until"].is_string(), "{shown}");
    scene.finish().await;
}

/// T31
#[tokio::test]
async fn on_a_full_disk_the_only_token_is_kept_and_no_login_made() {
    for lock in [false, true] {
        let mut scene = scene().await;
        let gate = scene.simulator.hold_next(Place::Instance);
        let client = scene.command(&["get", "prod", "--json"]).spawn().unwrap();
        gate.reached().await;
        // To unlock, the audit must have room for its lines; the vault's pages lie beyond that.
        limit_files(&scene.sfvault, Some(if lock { 10_000 } else { 0 }));
        gate.open();
        client.wait_with_output().await.unwrap();
        for _ in 0..3 {
            let (status, error) = scene.fails(&["get", "prod"]).await;
            assert_eq!(
                (status, &error["reason"]),
                (1, &"STORAGE".into()),
                "{error}"
            );
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains("the new refresh token of `prod` is in memory only"),
                "{message}"
            );
        }
        let shown = shown(&scene).await;
        assert_eq!(
            (&shown["reason"], &shown["state"]),
            (&"STORAGE".into(), &"backing-off".into())
        );
        assert_eq!(tokens_asked(&scene), 1, "no login, new or old token");
        if lock {
            scene.ok(&["lock"]).await;
            scene.unlock().await;
        }
        limit_files(&scene.sfvault, None);
        soon("served", served(&scene)).await;
        if !lock {
            assert_eq!(tokens_asked(&scene), 1, "the session of that login");
        }
        restart(&mut scene).await;
        login(&scene).await;
        scene.finish().await;
    }
}

/// Asks until there is a session. Who comes while the daemon tries by itself shares what comes of that, and it may have begun
/// before there was room.
async fn served(scene: &Scene) {
    loop {
        let ended = scene.run(&["get", "prod", "--json"]).await;
        if ended.status == 0 {
            return;
        }
        assert!(ended.stderr.contains("\"STORAGE\""), "{}", ended.stderr);
    }
}

/// T31: at the end there is one more chance.
#[tokio::test]
async fn a_daemon_that_ends_saves_what_waits() {
    let mut scene = scene().await;
    let gate = scene.simulator.hold_next(Place::Instance);
    let client = scene.command(&["get", "prod"]).spawn().unwrap();
    gate.reached().await;
    limit_files(&scene.sfvault, Some(0));
    gate.open();
    client.wait_with_output().await.unwrap();
    limit_files(&scene.sfvault, None);
    assert!(scene.sfvault.stop().unwrap().success());
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    login(&scene).await;
    scene.finish().await;
}

/// Nothing can be done about it; but it is told what happened, and what to do.
#[tokio::test]
async fn a_token_that_a_crash_lost_ends_in_a_latch_that_says_how_to_get_another() {
    let mut scene = scene().await;
    login(&scene).await;
    scene.simulator.expire_sessions(USERNAME);
    let gate = scene.simulator.hold_next(Place::Instance);
    let more = ["get", "prod", "--refused-generation", "1"];
    let mut client = scene.command(&more).spawn().unwrap();
    // The proof of the old session comes first.
    gate.reached().await;
    gate.open();
    let token = scene.simulator.hold_next(Place::Instance);
    token.reached().await;
    scene.sfvault.kill().unwrap();
    token.open();
    client.wait().await.unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    let (status, error) = scene.fails(&["get", "prod"]).await;
    assert_eq!(
        (status, &error["reason"]),
        (6, &"REFRESH_TOKEN_DEAD".into()),
        "{error}"
    );
    let hint = error["hint"].as_str().unwrap();
    assert!(
        hint.contains("`sfvault login prod`") && hint.contains("crash"),
        "{hint}"
    );
    assert_eq!(scene.simulator.take_unexpected(), [REUSED]);
    let asked = tokens_asked(&scene);
    scene.fails(&["get", "prod"]).await;
    assert_eq!(tokens_asked(&scene), asked, "latched");
    scene.finish().await;
}

/// Nobody asks for a session in all that time.
#[tokio::test]
async fn a_token_that_nobody_uses_lives_on() {
    let options = Options {
        clock: ManualClock::new(),
        apps: vec![rotating()],
        ..Options::default()
    };
    let simulator = Simulator::start(options).await;
    let inside = Inside::start(way_to(&simulator), simulator.clock()).await;
    let token = simulator.approve(USERNAME, CONSUMER_KEY);
    let new = new_record("prod", "refresh-token", &simulator.instance_url(), &token);
    let added = inside.admin.add(new).await.unwrap().record;
    let until = added.refresh_token_idle_until.unwrap();
    let day = Duration::from_secs(86_400);
    assert_eq!(until, added.created_at.unwrap() + day * 30);
    for _ in 0..4 {
        // Whoever looks after tokens may be awake already, and use this one before the lock.
        let before = simulator.requests().len();
        simulator.clock().advance(day * 21);
        // To unlock the vault wakes whoever looks after tokens, as its own timer would.
        inside.admin.lock().await.unwrap();
        let passphrase = sfvault::Passphrase::new(b"correct horse".to_vec());
        inside.admin.unlock(passphrase).await.unwrap();
        let used = simulator.until(|requests| requests.len() >= before + 2);
        let used = tokio::time::timeout(Duration::from_secs(20), used).await;
        let record = inside
            .admin
            .describe(&RecordName::parse("prod").unwrap())
            .await;
        assert!(used.is_ok(), "{record:?}");
        // It has landed before the clock goes on.
        let session = inside.session("prod").await;
        session.unwrap_or_else(|e| panic!("{e}"));
    }
    let lives = inside
        .admin
        .describe(&RecordName::parse("prod").unwrap())
        .await
        .unwrap();
    assert!(lives.logins >= 4, "{lives:?}");
    assert!(lives.refresh_token_idle_until.unwrap() >= until + day * 84);
    inside.finish().await;
    simulator.finish().unwrap();
}
