//! Jobs that outlive a session: what they are told, what is kept alive for them, and what that costs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
    time::{Duration, SystemTime},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sfvault::{
    News, Passphrase, Places, Reason, RecordName, SessionRequest, SessionsClient, Watch,
    WatchRequest, WatchState,
};
use sfvault_tests::{
    clock::ManualClock,
    simulator::{Options, Org, Simulator, USERNAME},
};
use sfvaultd::clock::Clock as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::{
    inside::{Inside, way_to},
    scene::{Scene, watching},
    start::soon,
};

fn prod() -> WatchRequest {
    watching("prod")
}

struct Night {
    clock: ManualClock,
    simulator: Simulator,
    inside: Inside,
    client: SessionsClient,
}

impl Night {
    async fn new() -> Self {
        Self::with(Org::default()).await
    }

    async fn with(org: Org) -> Self {
        let clock = ManualClock::new();
        let simulator = Simulator::start(Options {
            clock: clock.clone(),
            org,
            ..Options::default()
        })
        .await;
        let inside = Inside::start(way_to(&simulator), clock.clone()).await;
        inside.add("prod", &simulator.login_url()).await;
        let places = Places::at(&inside.installation.path("run"));
        let client = SessionsClient::connect(&places).await.unwrap();
        Self {
            clock,
            simulator,
            inside,
            client,
        }
    }

    async fn watch(&self) -> Watch {
        self.client.watch(&prod()).await.unwrap()
    }

    async fn finish(self) {
        drop(self.client);
        self.inside.finish().await;
        self.simulator.finish().unwrap();
    }
}

/// The next news in that state, whatever comes before it.
pub(crate) async fn until(watch: &mut Watch, state: WatchState) -> News {
    let news = async {
        loop {
            let news = watch.next().await.unwrap();
            if news.state == state {
                return news;
            }
        }
    };
    soon("in that state", news).await
}

#[tokio::test]
async fn a_job_of_ten_hours_keeps_its_session_with_one_call_an_hour() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    let first = until(&mut watch, WatchState::Ready).await;
    let session = first.session.unwrap().session_id;
    let begin = night.clock.now();
    let mut sure = first.guaranteed_until.unwrap();
    let mut calls = 0;
    while sure < begin + Duration::from_hours(10) {
        // The timeout is two hours: a minute behind the first half, and at most another by chance.
        night.clock.set(sure + Duration::from_secs(121));
        let news = watch.next().await.unwrap();
        assert_eq!((news.state, news.generation), (WatchState::Ready, 1));
        // EXPOSE: compared in a test.
        assert_eq!(news.session.unwrap().session_id.expose(), session.expose());
        sure = news.guaranteed_until.unwrap();
        assert_eq!(sure, night.clock.now() + Duration::from_hours(1));
        calls += 1;
    }
    assert_eq!(calls, 9);
    // One login, the proof of its session, and the calls: nothing else was sent all night.
    assert_eq!(night.simulator.requests().len(), 2 + calls);
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    assert_eq!(night.simulator.sessions(USERNAME).len(), 1);
    drop(watch);
    night.finish().await;
}

#[tokio::test]
async fn who_watches_is_told_of_every_session_and_never_handed_a_dead_one() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    assert_eq!(until(&mut watch, WatchState::Ready).await.generation, 1);
    night.simulator.expire_sessions(USERNAME);
    let mut request = sfvault::SessionRequest::new(RecordName::parse("prod").unwrap());
    request.refused_generation = std::num::NonZeroU64::new(1);
    assert_eq!(night.client.session(&request).await.unwrap().generation, 2);
    let news = until(&mut watch, WatchState::Ready).await;
    assert_eq!((news.generation, news.session.unwrap().generation), (2, 2));
    assert_eq!(night.simulator.logins(USERNAME).total, 2);
    drop(watch);
    night.finish().await;
}

#[tokio::test]
async fn a_session_that_died_unseen_is_replaced_by_one_login() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    let first = until(&mut watch, WatchState::Ready).await;
    night.simulator.expire_sessions(USERNAME);
    let late = first.guaranteed_until.unwrap() + Duration::from_secs(121);
    night.clock.set(late);
    let mut news = watch.next().await.unwrap();
    while news.generation == 1 || news.state != WatchState::Ready {
        news = watch.next().await.unwrap();
    }
    assert_eq!(news.generation, 2);
    assert_eq!(night.simulator.logins(USERNAME).total, 2);
    drop(watch);
    night.finish().await;
}

/// A job that took its session by GetSession, and then works for a while without a call.
#[tokio::test]
async fn who_took_a_session_holds_it_for_half_an_hour_and_no_longer() {
    let quarter = Duration::from_mins(15);
    let night = Night::with(Org {
        session_timeout: quarter,
        ..Org::default()
    })
    .await;
    night.inside.session("prod").await.unwrap();
    let name = RecordName::parse("prod").unwrap();
    let sent = night.simulator.requests().len();
    for calls in 1..=3 {
        // Half the timeout, and a sixtieth of it at most.
        night.clock.advance(quarter / 2 + quarter / 60);
        let sure = night.clock.now() + quarter / 2;
        let kept = async {
            let admin = &night.inside.admin;
            while admin.describe(&name).await.unwrap().guaranteed_until != Some(sure) {
                tokio::task::yield_now().await;
            }
        };
        soon("kept alive", kept).await;
        assert_eq!(night.simulator.requests().len(), sent + calls);
    }
    night.clock.advance(quarter);
    night.inside.session("prod").await.unwrap();
    // The session died meanwhile: a login and its proof, and nothing before them.
    assert_eq!(night.simulator.requests().len(), sent + 3 + 2);
    assert_eq!(night.simulator.logins(USERNAME).total, 2);
    night.finish().await;
}

#[tokio::test]
async fn a_locked_vault_silences_the_stream_and_an_unlocked_one_goes_on() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    until(&mut watch, WatchState::Ready).await;
    night.inside.admin.lock().await.unwrap();
    let news = until(&mut watch, WatchState::Locked).await;
    assert!(news.session.is_none() && news.expires_at.is_none());
    assert_eq!(news.reason, Some(Reason::VaultLocked));
    let passphrase = Passphrase::new(b"correct horse".to_vec());
    night.inside.admin.unlock(passphrase).await.unwrap();
    // The vault had kept the session, sealed.
    let news = until(&mut watch, WatchState::Ready).await;
    assert_eq!(news.generation, 1);
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    let name = RecordName::parse("prod").unwrap();
    night.inside.admin.remove(&name).await.unwrap();
    let end = watch.next().await.map(drop).unwrap_err();
    assert_eq!(end.reason(), Reason::RecordNotFound);
    drop(watch);
    night.finish().await;
}

#[tokio::test]
async fn what_can_not_be_had_is_refused_before_it_costs_a_login() {
    let night = Night::new().await;
    let refused = async |request: WatchRequest| {
        let mut watch = night.client.watch(&request).await.unwrap();
        loop {
            if let Err(error) = watch.next().await {
                return error.reason();
            }
        }
    };
    let nobody = RecordName::parse("nobody").unwrap();
    let unknown = WatchRequest {
        record: nobody,
        ..prod()
    };
    assert_eq!(refused(unknown).await, Reason::RecordNotFound);
    assert_eq!(night.simulator.requests().len(), 0);
    night.inside.session("prod").await.unwrap();
    let sent = night.simulator.requests().len();
    let elsewhere = WatchRequest {
        expect_org: Some("00Dxx0000009999".to_owned()),
        ..prod()
    };
    assert_eq!(refused(elsewhere).await, Reason::UnexpectedOrg);
    let greedy = WatchRequest {
        min_ttl: Some(Duration::from_mins(59)),
        ..prod()
    };
    assert_eq!(refused(greedy).await, Reason::MinTtlTooLong);
    // Past the end of all clocks: no call breaks off.
    let forever = Some(Duration::from_secs(u64::try_from(i64::MAX).unwrap()));
    let endless = WatchRequest {
        min_ttl: forever,
        ..prod()
    };
    let error = night.client.watch(&endless).await.map(drop).unwrap_err();
    assert_eq!(error.reason(), Reason::InvalidArgument);
    let endless = SessionRequest {
        min_ttl: forever,
        ..SessionRequest::new(RecordName::parse("prod").unwrap())
    };
    let error = night.client.session(&endless).await.map(drop).unwrap_err();
    assert_eq!(error.reason(), Reason::InvalidArgument);
    assert_eq!(night.simulator.requests().len(), sent);
    night.finish().await;
}

#[tokio::test]
async fn a_rejected_credential_is_told_once_and_watching_it_costs_nothing() {
    let night = Night::new().await;
    night.simulator.reset_security_token(USERNAME);
    let mut watch = night.watch().await;
    let news = until(&mut watch, WatchState::Latched).await;
    assert_eq!(news.reason, Some(Reason::CredentialRejected));
    let mut others = Vec::new();
    for _ in 0..50 {
        let mut other = night.watch().await;
        until(&mut other, WatchState::Latched).await;
        others.push(other);
    }
    night.clock.advance(Duration::from_hours(10));
    until(&mut night.watch().await, WatchState::Latched).await;
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    drop((watch, others));
    night.finish().await;
}

#[tokio::test]
async fn a_connection_has_room_for_so_many_streams_and_others_are_served_meanwhile() {
    let night = Night::new().await;
    night.inside.session("prod").await.unwrap();
    let mut watches = Vec::new();
    let full = loop {
        match night.client.watch(&prod()).await {
            Ok(watch) => watches.push(watch),
            Err(error) => break error,
        }
    };
    assert_eq!(full.reason(), Reason::TooManyStreams);
    assert_eq!(watches.len(), sfvaultd::seats::WAITING_PER_CONNECTION);
    night.inside.session("prod").await.unwrap();
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    drop(watches);
    night.finish().await;
}

/// T52
#[tokio::test]
async fn a_daemon_that_goes_down_says_so_to_those_who_watch() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    until(&mut watch, WatchState::Ready).await;
    let Night {
        inside,
        simulator,
        client,
        ..
    } = night;
    let ending = tokio::spawn(inside.finish());
    let end = watch.next().await.map(drop).unwrap_err();
    assert_eq!(end.reason(), Reason::ShuttingDown);
    drop((watch, client));
    ending.await.unwrap();
    simulator.finish().unwrap();
}

/// Who asks for no session gets none, and what holds one shows nothing of it.
#[tokio::test]
async fn a_session_is_told_only_to_those_who_ask_for_it_and_shown_to_nobody() {
    let night = Night::new().await;
    let silent = WatchRequest {
        include_session: false,
        ..prod()
    };
    let mut watch = night.client.watch(&silent).await.unwrap();
    let news = until(&mut watch, WatchState::Ready).await;
    assert!(news.session.is_none() && news.generation == 1);
    assert!(news.guaranteed_until > Some(SystemTime::UNIX_EPOCH));
    let message = sfvault_proto::v1::WatchSessionResponse {
        session: Some(sfvault_proto::v1::GetSessionResponse {
            session_id: "00Dxx!secret".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert!(!format!("{message:?}").contains("secret"));
    drop(watch);
    night.finish().await;
}

/// What is in the file, which only its owner can read.
fn read(path: &std::path::Path) -> Value {
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_refresh_file_has_the_session_of_the_moment_and_goes_with_the_job() {
    let scene = Scene::with_record().await;
    let path = scene.sfvault.path("session.json");
    // As a job that was killed leaves it.
    fs::write(&path, r#"{"session_id":"old","generation":1}"#).unwrap();
    let script = "echo \"$SF_SESSION_FILE\"; trap 'exit 7' TERM; read go; echo again; while :; do read more; done";
    let file = path.to_str().unwrap().to_owned();
    let mut command = scene.command(&[
        "exec",
        "prod",
        "--refresh-file",
        &file,
        "--",
        "sh",
        "-c",
        script,
    ]);
    let mut job = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(job.stdout.take().unwrap()).lines();
    assert_eq!(said.next_line().await.unwrap(), Some(file));
    let first = read(&path);
    assert_eq!(first, scene.session(&[]).await);
    scene.simulator.expire_sessions(USERNAME);
    let second = scene.session(&["--refused-generation", "1"]).await;
    let written = async {
        while read(&path) != second {
            tokio::task::yield_now().await;
        }
    };
    soon("written", written).await;
    let mut stdin = job.stdin.take().unwrap();
    stdin.write_all(b"go\n").await.unwrap();
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some("again"));
    let pid = Pid::from_raw(i32::try_from(job.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    stdin.write_all(b"\n").await.unwrap();
    assert_eq!(job.wait().await.unwrap().code(), Some(7));
    assert!(!path.exists());
    for (script, status) in [
        ("exit 0", 0),
        ("exit 75", 75),
        ("exit 255", 255),
        ("kill -9 $$", 137),
    ] {
        let file = path.to_str().unwrap();
        let ran = scene
            .run(&[
                "exec",
                "prod",
                "--refresh-file",
                file,
                "--",
                "sh",
                "-c",
                script,
            ])
            .await;
        assert_eq!((ran.status, ran.stderr.as_str()), (status, ""), "{script}");
        assert!(!path.exists());
    }
    scene.assert_logins(2, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_refresh_file_is_put_only_where_nobody_else_can_put_one() {
    let scene = Scene::with_record().await;
    let open = scene.sfvault.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let (open, directory) = (open.join("session.json"), scene.sfvault.path("run"));
    for path in [
        open.to_str().unwrap(),
        directory.to_str().unwrap(),
        "/nowhere/at/all",
    ] {
        let (status, error) = scene
            .fails(&[
                "exec",
                "prod",
                "--refresh-file",
                path,
                "--json",
                "--",
                "true",
            ])
            .await;
        assert_eq!(
            (status, error["reason"].as_str()),
            (2, Some("USAGE")),
            "{path}"
        );
    }
    scene.assert_logins(0, 0);
    scene.finish().await;
}

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

/// T15: a rule that is taken back ends the streams that lived by it, and who has no rule opens none.
#[tokio::test]
async fn a_stream_ends_when_its_peer_may_no_longer_use_the_record() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    until(&mut watch, WatchState::Ready).await;
    let name = RecordName::parse("prod").unwrap();
    assert!(night.inside.admin.deny(&name, None).await.unwrap().changed);
    let error = loop {
        match watch.next().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), Reason::RecordNotFound);
    let refused = match night.client.watch(&prod()).await {
        Ok(mut watch) => watch.next().await.err(),
        Err(error) => Some(error),
    };
    let reason = refused.map(|error| error.reason());
    // With no rule for anybody left, the door itself may say no.
    assert!(
        matches!(reason, Some(Reason::RecordNotFound | Reason::Denied)),
        "{reason:?}"
    );
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    night.finish().await;
}
