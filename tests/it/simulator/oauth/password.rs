//! The username-password flow.

use sfvault_tests::simulator::{
    CONSUMER_KEY, Flow, Lock, Options, PASSWORD, SECURITY_TOKEN, Simulator, USERNAME,
};

use super::client::{CLIENT, access_token, description, introspect, post_to, text};
use crate::simulator::client::{Answer, get, login, login_with, right_password};

async fn password(sim: &Simulator, password: &str) -> Answer {
    let own = [
        ("grant_type", "password"),
        ("username", USERNAME),
        ("password", password),
    ];
    let form = [&CLIENT[..], &own].concat();
    post_to(sim, &sim.login_url(), "token", &form).await
}

#[tokio::test]
async fn the_token_is_a_session_that_nobody_can_introspect() {
    let sim = Simulator::start(Options::default()).await;
    let answer = password(&sim, &right_password()).await;
    assert!(answer.json().get("scope").is_none());
    assert!(answer.json().get("refresh_token").is_none());
    let id = access_token(&answer);
    assert_eq!(
        introspect(&sim, &id).await,
        serde_json::json!({ "active": false })
    );
    let info = get(&sim, &id, "/services/oauth2/userinfo").await;
    assert_eq!(text(&info, "preferred_username"), USERNAME);
    sim.finish().unwrap();
}

#[tokio::test]
async fn every_wrong_password_is_the_same_failure_and_counts_for_login_too() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.attempts_max = Some(3));
    for wrong in ["wrong", PASSWORD] {
        assert_eq!(
            description(&password(&sim, wrong).await),
            "authentication failure"
        );
    }
    assert_eq!(sim.user(USERNAME, |user| user.failed_logins), 2);
    assert_eq!(login_with(&sim, "wrong").await.status, 500);
    assert!(matches!(
        sim.user(USERNAME, |user| user.lock),
        Some(Lock::Until(_))
    ));
    // The right one is no better while the user is locked, through either door.
    let answer = password(&sim, &right_password()).await;
    assert_eq!(description(&answer), "authentication failure");
    assert_eq!(login(&sim).await.status, 500);
    assert_eq!(sim.logins_by_flow(USERNAME)[&Flow::Password].rejected, 3);
    sim.finish().unwrap();
}

#[tokio::test]
async fn an_older_org_says_what_was_wrong() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.oauth.precise_errors = true);
    let missing = "authentication failure - Failed: API security token required";
    assert_eq!(description(&password(&sim, PASSWORD).await), missing);
    let stale = format!("{PASSWORD}{}", SECURITY_TOKEN.to_lowercase());
    let wrong = "authentication failure - Invalid Password";
    assert_eq!(description(&password(&sim, &stale).await), wrong);
    sim.finish().unwrap();
}

#[tokio::test]
async fn where_the_flow_is_off_the_password_is_not_even_looked_at() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.oauth.password_flow_allowed = false);
    assert_eq!(
        description(&password(&sim, "wrong").await),
        "authentication failure"
    );
    sim.org(|org| org.oauth.password_flow_allowed = true);
    sim.app(CONSUMER_KEY, |app| app.external = true);
    let answer = password(&sim, &right_password()).await;
    assert_eq!(description(&answer), "authentication failure");
    assert_eq!(sim.user(USERNAME, |user| user.failed_logins), 0);
    sim.finish().unwrap();
}
