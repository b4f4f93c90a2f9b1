//! How long a session lasts, by the clocks of both ends: what is promised is kept, and a proof is made where one will do.

use std::time::{Duration, SystemTime};

use sfvault::{Reason, RecordName, Session};
use sfvault_tests::{
    https,
    simulator::{Answer, Options, Place, Simulator, USERNAME},
};

use crate::inside::{Inside, way_to};

/// A simulator with the usual timeout of two hours, and a daemon by the same clock.
async fn both() -> (Simulator, Inside) {
    let simulator = Simulator::start(Options::default()).await;
    let inside = Inside::start(way_to(&simulator), simulator.clock()).await;
    inside.add("prod", &simulator.login_url()).await;
    (simulator, inside)
}

async fn session(inside: &Inside) -> Session {
    inside
        .session("prod")
        .await
        .unwrap_or_else(|e| panic!("{e}"))
}

fn seconds(from: SystemTime, to: SystemTime) -> u64 {
    to.duration_since(from).unwrap().as_secs()
}

/// Whether a job's call with the session succeeds.
async fn works(simulator: &Simulator, session: &Session) -> bool {
    let url = format!("{}/services/data/v64.0/limits", session.instance_url);
    // EXPOSE: the simulator
    let id = session.session_id.expose();
    let (status, _) = https::get(&url, id, &simulator.ca_file()).await.unwrap();
    status.is_success()
}

#[tokio::test]
async fn the_first_half_costs_nothing_the_second_a_proof_and_the_end_a_login() {
    let (simulator, inside) = both().await;
    let clock = simulator.clock();
    let first = session(&inside).await;
    assert_eq!(seconds(first.issued_at, first.guaranteed_until), 3600);
    assert_eq!(seconds(first.issued_at, first.expires_at), 7200);
    assert_ne!(first.instance_url, simulator.login_url());
    let after_login = simulator.requests().len();

    clock.advance(Duration::from_secs(3599));
    assert_eq!(session(&inside).await.generation, first.generation);
    assert_eq!(simulator.requests().len(), after_login);

    clock.advance(Duration::from_secs(1));
    let proven = session(&inside).await;
    assert_eq!(proven.generation, first.generation);
    assert_eq!(
        seconds(first.guaranteed_until, proven.guaranteed_until),
        3600
    );
    let calls: Vec<_> = simulator.requests().split_off(after_login);
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].operation.as_deref(), Some("getUserInfo"));

    clock.advance(Duration::from_secs(7200));
    assert!(!works(&simulator, &proven).await);
    let second = session(&inside).await;
    assert!(second.generation > first.generation);
    assert!(works(&simulator, &second).await);
    assert_eq!(simulator.logins(USERNAME).accepted, 2);
    inside.finish().await;
    simulator.finish().unwrap();
}

/// Salesforce may not count a call in the first half of the timeout, and a login may return a session that somebody
/// else began: the promise must hold all the same, to its last second.
#[tokio::test]
async fn what_is_guaranteed_is_kept_whenever_the_session_was_proved() {
    for proved_after in [0, 10, 1800, 3599, 3600, 5000, 7199] {
        let (simulator, inside) = both().await;
        let clock = simulator.clock();
        inside.add("other", &simulator.login_url()).await;
        inside
            .session("other")
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        clock.advance(Duration::from_secs(proved_after));
        let promised = session(&inside).await;
        clock.set(promised.guaranteed_until - Duration::from_secs(1));
        assert!(works(&simulator, &promised).await, "{proved_after}");
        inside.finish().await;
        simulator.finish().unwrap();
    }
}

/// A session may end before its time, as when somebody logs out with it: then the proof finds out, and one login follows.
#[tokio::test]
async fn a_session_that_died_early_is_replaced_when_its_promise_is_over() {
    let (simulator, inside) = both().await;
    let first = session(&inside).await;
    simulator.expire_sessions(USERNAME);
    simulator.clock().advance(Duration::from_secs(3600));
    let second = session(&inside).await;
    assert!(second.generation > first.generation && works(&simulator, &second).await);
    assert_eq!(simulator.logins(USERNAME).accepted, 2);
    inside.finish().await;
    simulator.finish().unwrap();
}

#[tokio::test]
async fn an_odd_session_timeout_counts_as_the_shortest_there_is() {
    let (simulator, inside) = both().await;
    for (number, (text, guaranteed)) in [
        ("900", 450),
        ("86400", 43_200),
        ("0", 450),
        ("-7200", 450),
        ("", 450),
        ("two hours", 450),
        ("7200.5", 450),
        ("86401", 450),
        ("99999999999999999999", 450),
    ]
    .into_iter()
    .enumerate()
    {
        let odd = || Answer::Edited {
            from: "<sessionSecondsValid>7200<".to_owned(),
            to: format!("<sessionSecondsValid>{text}<"),
        };
        simulator.script(Place::Login, [odd()]);
        simulator.script(Place::Instance, [odd()]);
        let record = format!("record-{number}");
        inside.add(&record, &simulator.login_url()).await;
        let session = inside
            .session(&record)
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            seconds(session.issued_at, session.guaranteed_until),
            guaranteed,
            "{text}"
        );
    }
    inside.finish().await;
    simulator.finish().unwrap();
}

#[tokio::test]
async fn a_version_that_salesforce_does_not_serve_is_no_fault_of_the_credential() {
    let (simulator, inside) = both().await;
    let name = RecordName::parse("prod").unwrap();
    simulator.org(|org| org.max_login_version = 63);
    assert_eq!(
        inside.session("prod").await.map(drop).unwrap_err().reason(),
        Reason::ApiVersion
    );
    simulator.org(|org| (org.max_login_version, org.min_version) = (64, 65));
    let error = inside.admin.check(&name, true).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ApiVersion);
    simulator.org(|org| org.min_version = 31);
    inside.admin.check(&name, true).await.unwrap();
    let total = simulator.logins(USERNAME).total;
    assert_eq!(total, 3, "each was sent once");
    inside.finish().await;
    simulator.finish().unwrap();
}
