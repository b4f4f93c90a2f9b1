//! A login in a browser: the authorize page, the code and PKCE.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http_body_util::Full;
use ring::digest::{SHA256, digest};
use sfvault_tests::simulator::{CONSUMER_KEY, Options, Place, Simulator, StateSent, USERNAME};

use super::client::{description, encode, error, refresh, text, token};
use crate::simulator::client::{Answer, request, send};

const CALLBACK: &str = "http://localhost:1717/OauthRedirect";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn challenge() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()))
}

async fn open(sim: &Simulator, changes: &[(&str, &str)]) -> Answer {
    let challenge = challenge();
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", CONSUMER_KEY),
        ("redirect_uri", CALLBACK),
        ("state", "s t&te"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for change in changes {
        query.retain(|(name, _)| *name != change.0);
        query.push(*change);
    }
    query.retain(|(_, value)| !value.is_empty());
    let url = format!(
        "{}/services/oauth2/authorize?{}",
        sim.login_url(),
        encode(&query)
    );
    let request = request("GET", &url).body(Full::default()).unwrap();
    send(sim, &url, request).await.unwrap()
}

/// The query with which the browser comes back.
fn brought_back(answer: &Answer) -> &str {
    assert_eq!(answer.status, 302, "{}", answer.body);
    answer
        .header("location")
        .strip_prefix(CALLBACK)
        .unwrap()
        .strip_prefix('?')
        .unwrap()
}

async fn code(sim: &Simulator) -> String {
    let answer = open(sim, &[]).await;
    let query = brought_back(&answer);
    let code = query.strip_prefix("code=").unwrap();
    let code = code.strip_suffix("&state=s%20t%26te").unwrap();
    assert!(code.ends_with("%3D%3D"), "{code}");
    code.replace("%3D", "=")
}

async fn exchange(sim: &Simulator, code: &str, callback: &str, verifier: &str) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", callback),
        ("code_verifier", verifier),
    ];
    form.retain(|(_, value)| !value.is_empty());
    token(sim, &form).await
}

#[tokio::test]
async fn a_code_is_exchanged_once_and_only_by_who_began() {
    let sim = Simulator::start(Options::default()).await;
    let first = code(&sim).await;
    let answer = exchange(&sim, &first, CALLBACK, VERIFIER).await;
    let refresh_token = text(&answer, "refresh_token");
    assert_eq!(
        sim.refresh_tokens(USERNAME, CONSUMER_KEY),
        [refresh_token.as_str()]
    );
    assert_eq!(refresh(&sim, &refresh_token).await.status, 200);
    let again = exchange(&sim, &first, CALLBACK, VERIFIER).await;
    assert_eq!(description(&again), "expired authorization code");
    let unexpected = sim.take_unexpected();
    assert_eq!(
        unexpected,
        ["an authorization code used again (POST /services/oauth2/token)"]
    );

    for verifier in ["wrong", ""] {
        let answer = exchange(&sim, &code(&sim).await, CALLBACK, verifier).await;
        assert_eq!(description(&answer), "invalid code verifier");
    }
    let answer = exchange(&sim, &code(&sim).await, "http://localhost:1", VERIFIER).await;
    assert_eq!(error(&answer).0, "redirect_uri_mismatch");
    let old = code(&sim).await;
    sim.clock().advance(std::time::Duration::from_secs(900));
    let answer = exchange(&sim, &old, CALLBACK, VERIFIER).await;
    assert_eq!(description(&answer), "expired authorization code");
    sim.finish().unwrap();
}

#[tokio::test]
async fn an_app_without_offline_access_gets_no_refresh_token() {
    let sim = Simulator::start(Options::default()).await;
    sim.app(CONSUMER_KEY, |app| app.scope = "api".to_owned());
    let answer = exchange(&sim, &code(&sim).await, CALLBACK, VERIFIER).await;
    assert_eq!(text(&answer, "scope"), "api");
    assert!(answer.json().get("refresh_token").is_none());
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_person_may_refuse_and_the_state_may_be_anothers() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.oauth.browser.denies = true);
    let denied =
        "error=access_denied&error_description=end-user%20denied%20authorization&state=s%20t%26te";
    assert_eq!(brought_back(&open(&sim, &[]).await), denied);
    sim.org(|org| {
        org.oauth.browser.denies = false;
        org.oauth.browser.state = StateSent::Another;
        org.oauth.browser.issuer = Some("https://evil.example".to_owned());
    });
    let answer = open(&sim, &[]).await;
    let end = "&state=another&iss=https%3A%2F%2Fevil.example";
    assert!(
        brought_back(&answer).ends_with(end),
        "{}",
        brought_back(&answer)
    );
    sim.org(|org| org.oauth.browser.state = StateSent::Lost);
    assert!(!brought_back(&open(&sim, &[]).await).contains("state"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_page_may_take_its_time() {
    let sim = Simulator::start(Options::default()).await;
    let gate = sim.hold_next(Place::Login);
    let (answer, ()) = tokio::join!(open(&sim, &[]), async {
        gate.reached().await;
        gate.open();
    });
    assert!(brought_back(&answer).starts_with("code="));
    sim.finish().unwrap();
}

#[tokio::test]
async fn nobody_is_sent_where_the_app_does_not_live() {
    let sim = Simulator::start(Options::default()).await;
    for (change, part) in [
        (
            ("redirect_uri", "https://evil.example"),
            "redirect_uri_mismatch",
        ),
        (
            ("redirect_uri", "http://localhost:1717/OauthRedirect/"),
            "redirect_uri_mismatch",
        ),
        (("client_id", "unknown"), "invalid_client_id"),
    ] {
        let answer = open(&sim, &[change]).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains(part) && answer.header("location").is_empty());
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn each_refusal_is_sent_back_to_the_app() {
    let sim = Simulator::start(Options::default()).await;
    for change in [
        ("response_type", "token"),
        ("code_challenge_method", "plain"),
    ] {
        let answer = open(&sim, &[change]).await;
        assert!(brought_back(&answer).starts_with("error="), "{change:?}");
    }
    sim.app(CONSUMER_KEY, |app| app.installed = false);
    let answer = open(&sim, &[]).await;
    assert!(brought_back(&answer).starts_with("error=OAUTH_APPROVAL_ERROR_GENERIC&"));
    sim.app(CONSUMER_KEY, |app| app.external = true);
    let answer = open(&sim, &[]).await;
    assert!(brought_back(&answer).starts_with("error=OAUTH_EC_APP_NOT_FOUND&"));
    assert!(sim.take_unexpected().is_empty());

    sim.app(CONSUMER_KEY, |app| {
        (app.installed, app.pkce_required) = (true, true)
    });
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let answer = open(&sim, &without).await;
    assert!(brought_back(&answer).starts_with("error=invalid_request&"));
    let unexpected = sim.take_unexpected();
    assert!(
        unexpected[0].starts_with("a login in a browser without PKCE"),
        "{unexpected:?}"
    );
    sim.finish().unwrap();
}
