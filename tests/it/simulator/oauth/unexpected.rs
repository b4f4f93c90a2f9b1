//! What no good OAuth client does is answered, written down, and fails the test that did it.

use http_body_util::Full;
use sfvault_tests::simulator::{CONSUMER_KEY, CONSUMER_SECRET, Options, Simulator};

use super::client::{basic, encode, post_form};
use crate::simulator::client::{request, send};

/// Headers, or a form.
type Pairs<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn each_bad_habit_is_written_down() {
    let sim = Simulator::start(Options::default()).await;
    let url = format!("{}/services/oauth2/token", sim.instance_url());
    let grant = ("grant_type", "client_credentials");
    let own = [
        grant,
        ("client_id", CONSUMER_KEY),
        ("client_secret", CONSUMER_SECRET),
    ];
    let both = basic(CONSUMER_KEY, CONSUMER_SECRET);
    let in_query = format!("{url}?client_secret={CONSUMER_SECRET}");
    let cases: [(&str, Pairs<'_>, Pairs<'_>, u16, &str); 7] = [
        (
            &url,
            &[("authorization", "Bearer 00D!x")],
            &own,
            200,
            "an Authorization header that is not Basic",
        ),
        (
            &url,
            &[("authorization", &both)],
            &own,
            200,
            "client credentials in the header and in the body",
        ),
        (
            &in_query,
            &[],
            &own[..2],
            200,
            "the secret `client_secret` in a query",
        ),
        (
            &url,
            &[],
            &[own[0], own[1], own[2], grant],
            200,
            "the parameter `grant_type` twice",
        ),
        (
            &url,
            &[],
            &[("grant_type", "implicit")],
            400,
            "an unknown grant_type",
        ),
        (&url, &[], &[], 400, "an unknown grant_type"),
        (
            &url,
            &[],
            &[own[1], own[2], ("grant_type", "password")],
            400,
            "the password flow without username or password",
        ),
    ];
    for (url, headers, form, status, complaint) in cases {
        let answer = post_form(&sim, url, headers, form).await.unwrap();
        assert_eq!(answer.status, status, "{complaint}: {}", answer.body);
        let expected = format!("{complaint} (POST /services/oauth2/token)");
        assert_eq!(sim.take_unexpected(), [expected]);
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_token_request_is_a_posted_form_and_nothing_else() {
    let sim = Simulator::start(Options::default()).await;
    let url = format!("{}/services/oauth2/token", sim.instance_url());
    let form = encode(&[
        ("grant_type", "client_credentials"),
        ("client_id", CONSUMER_KEY),
        ("client_secret", CONSUMER_SECRET),
    ]);
    let get = request("GET", &format!("{url}?{form}"))
        .body(Full::default())
        .unwrap();
    let answer = send(&sim, &url, get).await.unwrap();
    assert_eq!(answer.json()["error_description"], "must use HTTP POST");
    let written = sim.take_unexpected().join("; ");
    assert!(written.contains("OAuth other than POST"), "{written}");
    assert!(
        written.contains("the secret `client_secret` in a query"),
        "{written}"
    );
    assert!(!written.contains(CONSUMER_SECRET));

    for (content_type, body) in [
        (
            "application/json",
            "{\"grant_type\":\"client_credentials\"}",
        ),
        ("application/x-www-form-urlencoded", "grant_type=%zz"),
    ] {
        let post = request("POST", &url)
            .header("content-type", content_type)
            .body(Full::from(body))
            .unwrap();
        let answer = send(&sim, &url, post).await.unwrap();
        assert_eq!(answer.json()["error"], "unsupported_grant_type");
        assert!(!sim.take_unexpected().is_empty());
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_token_in_a_url_is_revoked_and_written_down() {
    let sim = Simulator::start(Options::default()).await;
    let url = format!("{}/services/oauth2/revoke?token=x", sim.login_url());
    let get = request("GET", &url).body(Full::default()).unwrap();
    assert_eq!(send(&sim, &sim.login_url(), get).await.unwrap().status, 400);
    assert_eq!(
        sim.take_unexpected(),
        ["the secret `token` in a query (GET /services/oauth2/revoke)"]
    );
    sim.finish().unwrap();
}
