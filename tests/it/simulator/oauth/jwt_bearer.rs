//! The JWT bearer flow.

use std::time::Duration;

use serde_json::{Value, json};
use sfvault_tests::simulator::{CONSUMER_KEY, Flow, Options, PermittedUsers, Simulator, USERNAME};

use super::client::{
    access_token, bear, bear_text, claims, client_credentials, description, error, sign,
};

#[tokio::test]
async fn an_assertion_that_is_not_the_apps_own_is_invalid() {
    let sim = Simulator::start(Options::default()).await;
    let header = json!({ "alg": "RS256" });
    let right = sign(&header, &claims(&sim));
    let (signed, signature) = right.rsplit_once('.').unwrap();
    let mut others = claims(&sim);
    others["sub"] = json!("admin@acme.example");
    let others = sign(&header, &others);
    for assertion in [
        String::new(),
        "a.b.c".to_owned(),
        format!("{signed}."),
        format!("{signed}.{}", signature.replacen(|_| true, "x", 9)),
        // The signature of another text.
        format!("{}.{signature}", others.rsplit_once('.').unwrap().0),
        sign(&json!({ "alg": "none" }), &claims(&sim)),
        sign(&json!({ "alg": "HS256" }), &claims(&sim)),
        sign(&json!({ "alg": "ES256" }), &claims(&sim)),
    ] {
        assert_eq!(
            description(&bear_text(&sim, &assertion).await),
            "invalid assertion"
        );
    }
    for certificate in [None, Some(String::new()), Some(other_certificate())] {
        sim.app(CONSUMER_KEY, |app| app.certificate = certificate);
        assert_eq!(
            description(&bear_text(&sim, &right).await),
            "invalid assertion"
        );
    }
    assert_eq!(sim.logins(USERNAME).accepted, 0);
    sim.finish().unwrap();
}

/// A certificate for another kind of key.
fn other_certificate() -> String {
    std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/it/simulator/oauth/ec.pem"
    ))
    .unwrap()
}

#[tokio::test]
async fn the_claims_decide_and_each_fault_has_its_own_words() {
    let sim = Simulator::start(Options::default()).await;
    let now = claims(&sim)["exp"].as_u64().unwrap() - 180;
    for (claim, value, expected) in [
        (
            "aud",
            json!("https://test.salesforce.com"),
            Some("audience is invalid"),
        ),
        (
            "aud",
            json!("https://evil.example"),
            Some("audience is invalid"),
        ),
        ("aud", json!("login.salesforce.com"), None),
        ("aud", json!(["https://login.salesforce.com"]), None),
        (
            "aud",
            json!("https://login.salesforce.com/services/oauth2/token"),
            None,
        ),
        ("exp", json!(now), Some("expired authorization code")),
        ("exp", json!(now - 1), Some("expired authorization code")),
        ("exp", json!(now + 301), Some("invalid assertion")),
        ("exp", Value::Null, Some("invalid assertion")),
        ("exp", json!((now + 60).to_string()), None),
        ("exp", json!((now + 60) * 1000), None),
        ("sub", json!("ETL@ACME.example"), None),
        (
            "sub",
            json!("nobody@acme.example"),
            Some("user hasn't approved this consumer"),
        ),
    ] {
        let mut claims = claims(&sim);
        claims[claim] = value;
        let answer = bear(&sim, &claims).await;
        match expected {
            None => assert_eq!(answer.status, 200, "{claims}"),
            Some(text) => assert_eq!(description(&answer), text, "{claims}"),
        }
    }
    let mut stranger = claims(&sim);
    stranger["iss"] = json!("unknown");
    assert_eq!(error(&bear(&sim, &stranger).await).0, "invalid_client_id");
    sim.finish().unwrap();
}

#[tokio::test]
async fn an_unapproved_user_is_named_otherwise_than_by_client_credentials() {
    let sim = Simulator::start(Options::default()).await;
    sim.app(CONSUMER_KEY, |app| {
        app.permitted_users = PermittedUsers::AdminApproved(Vec::new())
    });
    let text = "user hasn't approved this consumer";
    assert_eq!(description(&bear(&sim, &claims(&sim)).await), text);
    assert_eq!(
        error(&client_credentials(&sim).await).0,
        "invalid_app_access"
    );
    sim.org(|org| org.oauth.jwt_names_admin_approval = true);
    assert_eq!(
        error(&bear(&sim, &claims(&sim)).await).0,
        "invalid_app_access"
    );

    sim.app(CONSUMER_KEY, |app| {
        app.permitted_users = PermittedUsers::SelfAuthorized
    });
    assert_eq!(description(&bear(&sim, &claims(&sim)).await), text);
    let _refresh_token = sim.approve(USERNAME, CONSUMER_KEY);
    assert_eq!(bear(&sim, &claims(&sim)).await.status, 200);
    sim.revoke_approvals(USERNAME, CONSUMER_KEY);
    assert_eq!(description(&bear(&sim, &claims(&sim)).await), text);
    sim.finish().unwrap();
}

#[tokio::test]
async fn neither_a_lockout_nor_a_new_password_bars_it_but_a_freeze_does() {
    let sim = Simulator::start(Options::default()).await;
    sim.user(USERNAME, |user| {
        user.lock = Some(sfvault_tests::simulator::Lock::Forever)
    });
    let first = access_token(&bear(&sim, &claims(&sim)).await);
    let _token = sim.change_password(USERNAME, "another");
    assert_eq!(access_token(&bear(&sim, &claims(&sim)).await), first);
    sim.user(USERNAME, |user| user.frozen = true);
    assert_eq!(
        description(&bear(&sim, &claims(&sim)).await),
        "inactive user"
    );
    assert_eq!(sim.logins_by_flow(USERNAME)[&Flow::JwtBearer].total, 3);
    sim.finish().unwrap();
}

#[tokio::test]
async fn an_assertion_used_again_later_is_written_down() {
    let sim = Simulator::start(Options::default()).await;
    let assertion = sign(&json!({ "alg": "RS256" }), &claims(&sim));
    for _ in 0..2 {
        assert_eq!(bear_text(&sim, &assertion).await.status, 200);
    }
    // Within a second the same assertion may be made twice.
    assert!(sim.take_unexpected().is_empty());
    sim.clock().advance(Duration::from_secs(2));
    assert_eq!(bear_text(&sim, &assertion).await.status, 200);
    assert_eq!(
        sim.take_unexpected(),
        ["an assertion used again (POST /services/oauth2/token)"]
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_answer_may_lack_what_other_flows_have() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.oauth.bare_jwt_answers = true);
    let answer = bear(&sim, &claims(&sim)).await.json();
    assert!(answer.get("issued_at").is_none() && answer.get("signature").is_none());
    let other = client_credentials(&sim).await.json();
    assert!(other.get("issued_at").is_some());
    assert_eq!(other["access_token"], answer["access_token"]);
    sim.finish().unwrap();
}
