//! Sessions in JWT format: they say when they end, and SOAP knows nothing of them.

use std::time::Duration;

use sfvault::{Reason, RecordName, SessionRequest};
use sfvault_tests::simulator::{CONSUMER_KEY, USERNAME};
use sfvaultd::clock::Clock as _;

use super::{OAuth, assert_about};

#[tokio::test]
async fn a_token_in_jwt_format_is_proved_by_userinfo_and_ends_when_it_says() {
    let oauth = OAuth::start().await;
    oauth.simulator.app(CONSUMER_KEY, |app| {
        app.jwt_tokens = true;
        app.session_timeout = Some(Duration::from_mins(40));
    });
    for flow in ["client-credentials", "jwt-bearer", "refresh-token"] {
        let first = oauth.session(flow).await;
        assert!(first.session_id.expose().starts_with("eyJ"), "{flow}");
        assert_eq!(first.username, USERNAME, "{flow}");
    }
    let requests = oauth.simulator.requests();
    let paths: Vec<&str> = requests
        .iter()
        .map(|request| request.path.as_str())
        .collect();
    assert!(paths.contains(&"/services/oauth2/userinfo"), "{paths:?}");
    assert!(
        !paths.iter().any(|path| path.contains("/Soap/")),
        "{paths:?}"
    );

    let flow = "jwt-bearer";
    assert_about(oauth.guaranteed(flow).await, Duration::from_mins(20), flow);
    let logins = oauth.logins();
    // Proved after half an hour, it lives on, but not beyond its end.
    oauth.simulator.clock().advance(Duration::from_mins(30));
    assert_about(oauth.guaranteed(flow).await, Duration::from_mins(10), flow);
    assert_eq!(oauth.logins(), logins);
    // Who needs it for longer than that gets another.
    let longer = SessionRequest {
        min_ttl: Some(Duration::from_mins(15)),
        ..SessionRequest::new(RecordName::parse(flow).unwrap())
    };
    oauth.client().await.session(&longer).await.unwrap();
    assert_eq!(oauth.logins(), logins + 1);
    oauth.simulator.clock().advance(Duration::from_mins(41));
    oauth.session(flow).await;
    assert_eq!(oauth.logins(), logins + 2);
    // Nothing that this app gives lasts so long: no login is wasted on it.
    let too_long = SessionRequest {
        min_ttl: Some(Duration::from_mins(20)),
        ..SessionRequest::new(RecordName::parse(flow).unwrap())
    };
    let error = oauth.client().await.session(&too_long).await;
    assert_eq!(error.map(drop).unwrap_err().reason(), Reason::MinTtlTooLong);
    assert_eq!(oauth.logins(), logins + 2);
    oauth.finish().await;
}

#[tokio::test]
async fn a_jwt_that_died_early_costs_one_login() {
    let oauth = OAuth::start().await;
    oauth
        .simulator
        .app(CONSUMER_KEY, |app| app.jwt_tokens = true);
    let first = oauth.session("jwt-bearer").await;
    oauth.simulator.expire_sessions(USERNAME);
    let next = oauth.refused("jwt-bearer", first.generation).await.unwrap();
    assert_ne!(first.session_id.expose(), next.session_id.expose());
    assert_eq!(oauth.logins(), 2);
    oauth.finish().await;
}

/// SOAP knows no such session, so it is not SOAP that ends it.
#[tokio::test]
async fn a_jwt_is_ended_by_revocation_and_a_dead_one_counts_as_ended() {
    let oauth = OAuth::start().await;
    oauth
        .simulator
        .app(CONSUMER_KEY, |app| app.jwt_tokens = true);
    let name = RecordName::parse("jwt-bearer").unwrap();
    oauth.session("jwt-bearer").await;
    assert!(oauth.inside.admin.end_session(&name).await.unwrap());
    assert!(oauth.simulator.sessions(USERNAME).is_empty());
    oauth.session("jwt-bearer").await;
    oauth.simulator.expire_sessions(USERNAME);
    assert!(oauth.inside.admin.end_session(&name).await.unwrap());
    let revocations = oauth.simulator.requests().into_iter();
    let revocations = revocations.filter(|r| r.path == "/services/oauth2/revoke");
    assert_eq!(revocations.count(), 2);
    assert_eq!(oauth.logins(), 2);
    oauth.finish().await;
}

#[tokio::test]
async fn who_holds_a_jwt_is_given_its_successor_before_it_ends() {
    let oauth = OAuth::start().await;
    oauth
        .simulator
        .app(CONSUMER_KEY, |app| app.jwt_tokens = true);
    let request = sfvault::WatchRequest {
        record: RecordName::parse("jwt-bearer").unwrap(),
        include_session: true,
        min_ttl: None,
        expect_org: None,
        expect_environment: None,
    };
    let mut watch = oauth.client().await.watch(&request).await.unwrap();
    let first = loop {
        let news = watch.next().await.unwrap();
        if let Some(session) = news.session {
            break session;
        }
    };
    let begun = oauth.simulator.clock().now();
    let left = first.expires_at.duration_since(begun).unwrap();
    let sent = oauth.simulator.requests().len();
    // Five minutes before the end, and some chance.
    oauth
        .simulator
        .clock()
        .advance(left - Duration::from_secs(299));
    let second = loop {
        let news = watch.next().await.unwrap();
        let session = news
            .session
            .expect("the first lasts until the second is there");
        if session.generation > first.generation {
            break session;
        }
    };
    assert!(second.expires_at > first.expires_at);
    assert_eq!(oauth.logins(), 2);
    // The login and its proof; no call kept the first alive, for none could.
    assert_eq!(oauth.simulator.requests().len(), sent + 2);
    drop(watch);
    oauth.finish().await;
}
