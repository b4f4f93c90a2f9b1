//! Refresh tokens: how they live, and everything that ends them.

use std::time::Duration;

use sfvault_tests::simulator::{App, CONSUMER_KEY, Options, Simulator, USERNAME};

use super::client::{access_token, description, error, post_to, refresh, revoke, text};
use crate::simulator::client::get;

const EXPIRED: &str = "expired access/refresh token";
const DAY: Duration = Duration::from_secs(86_400);

async fn is_alive(sim: &Simulator, id: &str) -> bool {
    get(sim, id, "/services/data/v64.0/limits").await.status == 200
}

#[tokio::test]
async fn a_refresh_keeps_the_token_unless_the_app_rotates() {
    let sim = Simulator::start(Options::default()).await;
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    let answer = refresh(&sim, &token).await;
    assert!(answer.json().get("refresh_token").is_none());
    assert_eq!(
        access_token(&refresh(&sim, &token).await),
        access_token(&answer)
    );

    sim.app(CONSUMER_KEY, |app| app.rotates = true);
    let next = text(&refresh(&sim, &token).await, "refresh_token");
    assert_ne!(next, token);
    assert_eq!(sim.refresh_tokens(USERNAME, CONSUMER_KEY), [next.as_str()]);
    assert_eq!(refresh(&sim, &next).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_rotated_token_used_again_ends_the_approval_and_its_sessions() {
    let sim = Simulator::start(Options::default()).await;
    sim.app(CONSUMER_KEY, |app| app.rotates = true);
    let (robbed, other) = (
        sim.approve(USERNAME, CONSUMER_KEY),
        sim.approve(USERNAME, CONSUMER_KEY),
    );
    let answer = refresh(&sim, &robbed).await;
    let next = text(&answer, "refresh_token");
    let others = access_token(&refresh(&sim, &other).await);
    assert_eq!(description(&refresh(&sim, &robbed).await), EXPIRED);
    assert_eq!(
        sim.take_unexpected(),
        ["a refresh token used after its rotation (POST /services/oauth2/token)"]
    );
    assert_eq!(description(&refresh(&sim, &next).await), EXPIRED);
    assert!(!is_alive(&sim, &access_token(&answer)).await);
    assert!(is_alive(&sim, &others).await);
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_sixth_approval_ends_the_first() {
    let sim = Simulator::start(Options::default()).await;
    let first = sim.approve(USERNAME, CONSUMER_KEY);
    let session = access_token(&refresh(&sim, &first).await);
    let mut others: Vec<String> = (0..4)
        .map(|_| sim.approve(USERNAME, CONSUMER_KEY))
        .collect();
    assert!(is_alive(&sim, &session).await);
    others.push(sim.approve(USERNAME, CONSUMER_KEY));
    assert_eq!(sim.refresh_tokens(USERNAME, CONSUMER_KEY), others);
    assert_eq!(description(&refresh(&sim, &first).await), EXPIRED);
    assert!(!is_alive(&sim, &session).await);
    sim.finish().unwrap();
}

#[tokio::test]
async fn thirty_idle_days_end_it_and_every_use_starts_them_anew() {
    let sim = Simulator::start(Options::default()).await;
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    for _ in 0..3 {
        sim.clock().advance(30 * DAY - Duration::from_secs(1));
        assert_eq!(refresh(&sim, &token).await.status, 200);
    }
    sim.clock().advance(30 * DAY);
    assert_eq!(description(&refresh(&sim, &token).await), EXPIRED);
    sim.org(|org| org.oauth.refresh_idle = None);
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    sim.clock().advance(300 * DAY);
    assert_eq!(refresh(&sim, &token).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn its_validity_is_not_prolonged_by_use() {
    let sim = Simulator::start(Options::default()).await;
    sim.app(CONSUMER_KEY, |app| app.refresh_validity = Some(2 * DAY));
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    sim.clock().advance(DAY);
    assert_eq!(refresh(&sim, &token).await.status, 200);
    sim.clock().advance(DAY);
    assert_eq!(
        description(&refresh(&sim, &token).await),
        "token validity expired"
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_new_password_a_freeze_and_an_administrator_end_it() {
    let sim = Simulator::start(Options::default()).await;
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    let session = access_token(&refresh(&sim, &token).await);
    let _token = sim.change_password(USERNAME, "another");
    assert_eq!(
        description(&refresh(&sim, &token).await),
        "authentication failure"
    );
    assert!(!is_alive(&sim, &session).await);

    let token = sim.approve(USERNAME, CONSUMER_KEY);
    sim.user(USERNAME, |user| user.frozen = true);
    assert_eq!(description(&refresh(&sim, &token).await), "inactive user");
    sim.user(USERNAME, |user| user.frozen = false);
    let session = access_token(&refresh(&sim, &token).await);
    sim.revoke_approvals(USERNAME, CONSUMER_KEY);
    assert_eq!(description(&refresh(&sim, &token).await), EXPIRED);
    assert!(!is_alive(&sim, &session).await);
    sim.finish().unwrap();
}

#[tokio::test]
async fn revoking_it_ends_its_sessions_and_revoking_a_session_ends_that_alone() {
    let sim = Simulator::start(Options::default()).await;
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    let session = access_token(&refresh(&sim, &token).await);
    let answer = revoke(&sim, &session).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(!is_alive(&sim, &session).await);
    let session = access_token(&refresh(&sim, &token).await);
    assert_eq!(revoke(&sim, &token).await.status, 200);
    assert!(!is_alive(&sim, &session).await);
    assert_eq!(description(&refresh(&sim, &token).await), EXPIRED);
    sim.finish().unwrap();
}

#[tokio::test]
async fn another_app_can_do_nothing_with_it() {
    let sim = Simulator::start(Options::default()).await;
    sim.add_app(App::new("other", "secret", USERNAME));
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
    ];
    let other = [
        &[("client_id", "other"), ("client_secret", "secret")],
        &form[..],
    ]
    .concat();
    let answer = post_to(&sim, &sim.login_url(), "token", &other).await;
    assert_eq!(description(&answer), EXPIRED);
    // A public app needs no secret; a wrong one is wrong all the same.
    sim.app(CONSUMER_KEY, |app| app.secret_required = false);
    let public = [&[("client_id", CONSUMER_KEY)], &form[..]].concat();
    let answer = post_to(&sim, &sim.login_url(), "token", &public).await;
    assert_eq!(answer.status, 200);
    let wrong = [&public[..], &[("client_secret", "wrong")]].concat();
    let answer = post_to(&sim, &sim.login_url(), "token", &wrong).await;
    assert_eq!(error(&answer).0, "invalid_client");
    sim.finish().unwrap();
}
