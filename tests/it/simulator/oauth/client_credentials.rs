//! The client credentials flow.

use std::net::IpAddr;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::hmac;
use sfvault_tests::simulator::{
    App, CONSUMER_KEY, CONSUMER_SECRET, Flow, IpRange, LoginCount, OAuthError, Options,
    PermittedUsers, Simulator, USERNAME, User,
};

use super::client::{
    access_token, basic, client_credentials, description, error, post_form, post_to, text, token,
};
use crate::simulator::client::{get, session};

/// A change to an app.
type Change = fn(&mut App);

#[tokio::test]
async fn the_answer_has_every_field_as_a_string_and_never_says_how_long() {
    let sim = Simulator::start(Options::default()).await;
    let answer = client_credentials(&sim).await;
    let json = answer.json();
    assert!(
        json.as_object()
            .unwrap()
            .values()
            .all(serde_json::Value::is_string)
    );
    assert!(json.get("expires_in").is_none() && json.get("refresh_token").is_none());
    assert_eq!(json["instance_url"], sim.instance_url().as_str());
    let id = "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001Sv6AAAS";
    assert_eq!(
        (&json["id"], &json["token_type"]),
        (&id.into(), &"Bearer".into())
    );
    // 21 November 2026, in milliseconds.
    assert_eq!(json["issued_at"], "1795219200000");
    let key = hmac::Key::new(hmac::HMAC_SHA256, CONSUMER_SECRET.as_bytes());
    let signed = hmac::sign(&key, format!("{id}1795219200000").as_bytes());
    assert_eq!(json["signature"], BASE64_STANDARD.encode(signed));
    assert!(access_token(&answer).starts_with("00Dxx0000001gPL!"));
    let limits = get(&sim, &access_token(&answer), "/services/data/v64.0/limits").await;
    assert_eq!(limits.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn only_my_domain_has_the_flow() {
    let sim = Simulator::start(Options::default()).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CONSUMER_KEY),
        ("client_secret", CONSUMER_SECRET),
    ];
    let answer = post_to(&sim, &sim.login_url(), "token", &form).await;
    assert_eq!(description(&answer), "request not supported on this domain");
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_secret_may_come_in_the_header_and_must_be_right() {
    let sim = Simulator::start(Options::default()).await;
    let url = format!("{}/services/oauth2/token", sim.instance_url());
    let form = [("grant_type", "client_credentials")];
    for (key, secret, expected) in [
        (CONSUMER_KEY, CONSUMER_SECRET, None),
        (
            CONSUMER_KEY,
            "wrong",
            Some(("invalid_client", "invalid client credentials")),
        ),
        (
            CONSUMER_KEY,
            "",
            Some(("invalid_client", "invalid client credentials")),
        ),
        (
            "unknown",
            CONSUMER_SECRET,
            Some(("invalid_client_id", "client identifier invalid")),
        ),
    ] {
        let header = [("authorization", basic(key, secret))];
        let header = header
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let answer = post_form(&sim, &url, &header, &form).await.unwrap();
        match expected {
            None => assert_eq!(answer.status, 200),
            Some((code, text)) => assert_eq!(error(&answer), (code.to_owned(), text.to_owned())),
        }
    }
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CONSUMER_KEY),
    ];
    let answer = post_form(&sim, &url, &[], &form).await.unwrap();
    assert_eq!(error(&answer).0, "invalid_client");
    sim.finish().unwrap();
}

#[tokio::test]
async fn each_thing_that_is_wrong_with_the_app_has_its_own_words() {
    let sim = Simulator::start(Options::default()).await;
    let elsewhere = || vec![IpRange::only(IpAddr::from([198, 51, 100, 1]))];
    let cases: [(Change, &str); 5] = [
        (
            |app| app.flows.clear(),
            "client credentials flow not enabled",
        ),
        (
            |app| app.run_as = None,
            "no client credentials user enabled",
        ),
        (
            |app| app.run_as = Some("gone@acme.example".to_owned()),
            "invalid user credentials",
        ),
        (
            |app| {
                app.next_errors
                    .push_back(OAuthError::grant("activation secret invalid"))
            },
            "activation secret invalid",
        ),
        (
            |app| app.allowed_ips = vec![IpRange::only(IpAddr::from([198, 51, 100, 1]))],
            "ip restricted",
        ),
    ];
    for (change, text) in cases {
        let before = sim.app(CONSUMER_KEY, |app| app.clone());
        sim.app(CONSUMER_KEY, change);
        assert_eq!(description(&client_credentials(&sim).await), text);
        sim.app(CONSUMER_KEY, |app| *app = before);
    }
    sim.app(CONSUMER_KEY, |app| {
        app.permitted_users = PermittedUsers::AdminApproved(Vec::new())
    });
    let expected = (
        "invalid_app_access",
        "user is not admin approved to access this app",
    );
    let (code, text) = error(&client_credentials(&sim).await);
    assert_eq!((code.as_str(), text.as_str()), expected);
    sim.app(CONSUMER_KEY, |app| {
        app.permitted_users = PermittedUsers::SelfAuthorized
    });
    assert_eq!(client_credentials(&sim).await.status, 200);

    sim.user(USERNAME, |user| user.login_ips = elsewhere());
    assert_eq!(
        description(&client_credentials(&sim).await),
        "ip restricted"
    );
    sim.user(USERNAME, |user| {
        (user.login_ips, user.login_hours) = (Vec::new(), Some(22..24))
    });
    let text = "ip restricted or invalid login hours";
    assert_eq!(description(&client_credentials(&sim).await), text);
    sim.user(USERNAME, |user| {
        (user.login_hours, user.frozen) = (None, true)
    });
    assert_eq!(
        description(&client_credentials(&sim).await),
        "invalid user credentials"
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn every_mint_returns_the_living_session_of_the_app_and_no_other() {
    let sim = Simulator::start(Options::default()).await;
    let first = access_token(&client_credentials(&sim).await);
    for _ in 0..3 {
        assert_eq!(access_token(&client_credentials(&sim).await), first);
    }
    assert_ne!(session(&sim).await, first);
    sim.add_app(App::new("other", "secret", USERNAME));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "other"),
        ("client_secret", "secret"),
    ];
    let answer = post_to(&sim, &sim.instance_url(), "token", &form).await;
    assert_ne!(access_token(&answer), first);
    sim.org(|org| org.distinct_sessions = true);
    assert_ne!(access_token(&client_credentials(&sim).await), first);
    sim.finish().unwrap();
}

#[tokio::test]
async fn logins_are_counted_by_user_and_by_flow() {
    let sim = Simulator::start(Options::default()).await;
    client_credentials(&sim).await;
    session(&sim).await;
    sim.app(CONSUMER_KEY, |app| app.flows.clear());
    client_credentials(&sim).await;
    let by_flow = sim.logins_by_flow("ETL@acme.example");
    let count = |accepted, rejected| LoginCount {
        accepted,
        rejected,
        total: accepted + rejected,
    };
    assert_eq!(by_flow[&Flow::ClientCredentials], count(1, 1));
    assert_eq!(by_flow[&Flow::SoapLogin], count(1, 0));
    assert_eq!(by_flow.len(), 2);
    assert_eq!(sim.logins(USERNAME), count(2, 1));
    let requests = sim.requests();
    let operations: Vec<_> = requests
        .iter()
        .filter_map(|r| r.operation.as_deref())
        .collect();
    assert_eq!(
        operations,
        ["client_credentials", "login", "client_credentials"]
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_login_rate_counts_logins_of_every_kind() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.logins_per_hour = 2);
    session(&sim).await;
    assert_eq!(client_credentials(&sim).await.status, 200);
    assert_eq!(
        description(&client_credentials(&sim).await),
        "login rate exceeded"
    );
    sim.org(|org| org.oauth.rate_error = "Maximum Logins Exceeded".to_owned());
    assert_eq!(
        description(&client_credentials(&sim).await),
        "Maximum Logins Exceeded"
    );
    sim.clock().advance(std::time::Duration::from_secs(3600));
    assert_eq!(client_credentials(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn descriptions_are_capitalised_now_so_now_so() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.oauth.varied_case = true);
    sim.app(CONSUMER_KEY, |app| app.run_as = None);
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(description(&client_credentials(&sim).await));
    }
    let other = "No Client Credentials User Enabled";
    assert_eq!(seen, ["no client credentials user enabled", other]);
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_session_lives_as_the_app_says() {
    let sim = Simulator::start(Options::default()).await;
    sim.add_user(User::new("other@acme.example", "p", "t"));
    sim.app(CONSUMER_KEY, |app| {
        app.session_timeout = Some(std::time::Duration::from_secs(900));
    });
    let id = text(
        &token(&sim, &[("grant_type", "client_credentials")]).await,
        "access_token",
    );
    sim.clock().advance(std::time::Duration::from_secs(899));
    assert_eq!(sim.sessions(USERNAME), [id]);
    sim.clock().advance(std::time::Duration::from_secs(1));
    assert!(sim.sessions(USERNAME).is_empty());
    sim.finish().unwrap();
}
