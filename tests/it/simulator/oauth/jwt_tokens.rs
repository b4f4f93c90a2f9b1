//! Access tokens in JWT format.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use sfvault_tests::simulator::{CONSUMER_KEY, Options, Simulator, USERNAME};

use super::client::{access_token, client_credentials, introspect, revoke};
use crate::simulator::client::{Answer, call, get};

async fn mint(sim: &Simulator) -> Answer {
    sim.app(CONSUMER_KEY, |app| app.jwt_tokens = true);
    client_credentials(sim).await
}

#[tokio::test]
async fn such_a_token_names_its_end_and_its_user() {
    let sim = Simulator::start(Options::default()).await;
    let answer = mint(&sim).await;
    assert_eq!(answer.json()["token_format"], "jwt");
    let token = access_token(&answer);
    assert!(token.starts_with("eyJ"));
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let claims: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(claims["exp"], 1_795_219_200 + 7200);
    assert_eq!(claims["sub"], "uid:005xx000001Sv6AAAS");
    assert_eq!(introspect(&sim, &token).await["exp"], claims["exp"]);
    // Each is new: it says when it was made.
    assert_ne!(access_token(&mint(&sim).await), token);
    sim.finish().unwrap();
}

#[tokio::test]
async fn rest_takes_it_until_its_end_whatever_it_is_used_for() {
    let sim = Simulator::start(Options::default()).await;
    let token = access_token(&mint(&sim).await);
    for (wait, status) in [(0, 200), (7199, 200), (1, 401)] {
        sim.clock().advance(Duration::from_secs(wait));
        let answer = get(&sim, &token, "/services/data/v64.0/limits").await;
        assert_eq!(answer.status, status);
    }
    let token = access_token(&mint(&sim).await);
    assert_eq!(revoke(&sim, &token).await.status, 200);
    assert!(sim.sessions(USERNAME).is_empty());
    sim.finish().unwrap();
}

#[tokio::test]
async fn soap_does_not_know_it() {
    let sim = Simulator::start(Options::default()).await;
    let token = access_token(&mint(&sim).await);
    let answer = call(&sim, &token, "<u:getUserInfo/>").await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.text("faultcode"), Some("sf:INVALID_SESSION_ID"));
    sim.finish().unwrap();
}
