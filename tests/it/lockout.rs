//! The worst that sfvault could do: lock the user whose password it keeps. Salesforce's strictest policy locks after
//! three failed logins, so two must be the most, whoever asks, whatever breaks.

use std::time::{Duration, SystemTime};

use sfvault::{Places, Reason, RecordName, SessionRequest, SessionsClient};
use sfvault_tests::simulator::{Answer, Options, Place, Simulator, USERNAME};
use tokio::task::JoinSet;

use crate::{
    inside::{Inside, way_to},
    scene::Scene,
};

const CLIENTS: usize = 50;
const RESTARTS: usize = 5;

/// Fifty clients at once, none of which gets a session.
fn crowd(scene: &Scene) -> JoinSet<Reason> {
    let places = Places::at(&scene.sfvault.path("run"));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let places = places.clone();
        clients.spawn(async move {
            let request = SessionRequest::new(RecordName::parse("prod").unwrap());
            match SessionsClient::connect(&places).await {
                Ok(client) => client.session(&request).await.map(drop).unwrap_err(),
                Err(error) => error,
            }
            .reason()
        });
    }
    clients
}

/// The daemon is killed at moments that the seed picks: before, in and after the login that the crowd causes.
async fn besiege(seed: u64, answer: Answer, last: Reason) {
    let mut scene = Scene::with_record().await;
    scene.simulator.org(|org| {
        org.attempts_max = Some(3);
        org.lockout = None;
    });
    scene.simulator.reset_security_token(USERNAME);
    scene.simulator.script_ever(Place::Login, Some(answer));
    let mut dice = seed;
    for round in 0..RESTARTS {
        let clients = crowd(&scene);
        // Knuth's multiplier; a login takes some 30 ms here.
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = Duration::from_micros((dice >> 33) % 50_000);
        if round == 0 {
            // One login is cut off for sure; the other crashes may come before theirs.
            scene.simulator.until(|requests| !requests.is_empty()).await;
        } else {
            // Nothing is waited for: this is the moment.
            tokio::time::sleep(moment).await;
        }
        scene.sfvault.kill().unwrap();
        clients.join_all().await;
        scene.sfvault.start().unwrap();
        scene.unlock().await;
    }
    for _ in 0..2 {
        for reason in crowd(&scene).join_all().await {
            assert!(
                reason == last || reason == Reason::LoginBudgetSpent,
                "seed {seed}: {reason:?}"
            );
        }
    }
    let logins = scene.logins().total;
    assert!((1..=2).contains(&logins), "seed {seed}: {logins} logins");
    let (locked, failed) = scene
        .simulator
        .user(USERNAME, |user| (user.lock, user.failed_logins));
    assert!(locked.is_none() && failed <= 2, "seed {seed}: {failed}");
    // Elsewhere, so that the crowd's connections are closed here meanwhile: the daemon waits for that.
    scene.finish().await;
}

/// T40
#[tokio::test]
async fn no_crowd_and_no_crash_locks_a_user_whose_token_was_reset() {
    for seed in [1, 2] {
        besiege(seed, Answer::Usual, Reason::CredentialRejected).await;
    }
}

#[tokio::test]
async fn no_crowd_and_no_crash_locks_a_user_behind_a_line_that_breaks() {
    besiege(3, Answer::CloseProcessed, Reason::LoginUnanswered).await;
}

#[tokio::test]
async fn no_crowd_and_no_crash_locks_a_user_behind_a_gateway_that_gives_up() {
    besiege(4, Answer::Gateway(504), Reason::LoginUnanswered).await;
}

/// When logins came in a quarter of an hour in which somebody asks every five seconds.
async fn logins_in_a_quarter_of_an_hour(answer: Answer) -> Vec<SystemTime> {
    let simulator = Simulator::start(Options::default()).await;
    let inside = Inside::start(way_to(&simulator), simulator.clock()).await;
    inside.add("prod", &simulator.login_url()).await;
    simulator.reset_security_token(USERNAME);
    simulator.script_ever(Place::Login, Some(answer));
    for _ in 0..900 / 5 {
        assert!(inside.session("prod").await.is_err());
        simulator.clock().advance(Duration::from_secs(5));
    }
    inside.finish().await;
    simulator.requests().iter().map(|login| login.at).collect()
}

#[tokio::test]
async fn what_may_have_been_judged_is_sent_twice_in_a_quarter_of_an_hour() {
    for answer in [
        Answer::Gateway(502),
        Answer::Gateway(504),
        Answer::CloseProcessed,
    ] {
        let shown = format!("{answer:?}");
        let logins = logins_in_a_quarter_of_an_hour(answer).await;
        assert_eq!(logins.len(), 2, "{shown}");
    }
}

#[tokio::test]
async fn what_salesforce_is_too_busy_for_is_sent_three_times_in_two_minutes_at_most() {
    for answer in [
        Answer::Unavailable,
        Answer::SettingUp,
        Answer::NotAcceptable,
    ] {
        let shown = format!("{answer:?}");
        let logins = logins_in_a_quarter_of_an_hour(answer).await;
        assert!(logins.len() > 3, "{shown}: nobody looks whether it is over");
        for four in logins.windows(4) {
            let spread = four[3].duration_since(four[0]).unwrap();
            assert!(spread > Duration::from_secs(120), "{shown}: {spread:?}");
        }
    }
}
