//! Scripted answers, where the request is OAuth.

use sfvault_tests::simulator::{
    Answer, CONSUMER_KEY, Flow, OAUTH_ERRORS, OAuthError, Options, Place, Simulator, USERNAME,
};

use super::client::{CLIENT, client_credentials, error, post_to, refresh};

#[tokio::test]
async fn every_known_error_can_be_scripted() {
    let sim = Simulator::start(Options::default()).await;
    for (code, text) in OAUTH_ERRORS {
        sim.script(
            Place::Instance,
            [Answer::OAuth(OAuthError::new(code, text))],
        );
        let answer = client_credentials(&sim).await;
        assert_eq!(error(&answer), (code.to_owned(), text.to_owned()));
    }
    let mut teapot = OAuthError::new("invalid_client", "x");
    teapot.status = 401;
    sim.script(Place::Instance, [Answer::OAuth(teapot)]);
    assert_eq!(client_credentials(&sim).await.status, 401);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_login_that_meets_noise_is_counted_and_has_no_effect() {
    let sim = Simulator::start(Options::default()).await;
    sim.app(CONSUMER_KEY, |app| app.rotates = true);
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    sim.script(
        Place::Instance,
        [Answer::Unavailable, Answer::NotAcceptable],
    );
    assert_eq!(refresh(&sim, &token).await.status, 503);
    assert_eq!(client_credentials(&sim).await.status, 406);
    let by_flow = sim.logins_by_flow(USERNAME);
    for flow in [Flow::RefreshToken, Flow::ClientCredentials] {
        assert_eq!((by_flow[&flow].total, by_flow[&flow].accepted), (1, 0));
    }
    assert_eq!(sim.refresh_tokens(USERNAME, CONSUMER_KEY), [token]);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_good_answer_is_spoiled_as_a_soap_one_is() {
    let sim = Simulator::start(Options::default()).await;
    for (answer, part) in [
        (
            Answer::ServerUrl("https://evil.example".to_owned()),
            "\"instance_url\":\"https://evil.example\"",
        ),
        (Answer::TwoSessionIds, "!second\""),
        (
            Answer::SessionIdWithNewline,
            "\"access_token\":\"X\\r\\nX-Injected: 1",
        ),
        (Answer::OtherOrg, "/id/00Dyy0000009ZZZEA2/"),
    ] {
        sim.script(Place::Instance, [answer]);
        let body = client_credentials(&sim).await.body;
        assert!(body.contains(part), "{body}");
        let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(parsed["access_token"].is_string());
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn an_error_may_repeat_half_of_the_password() {
    let sim = Simulator::start(Options::default()).await;
    sim.script(Place::Login, [Answer::EchoedPassword]);
    let own = [
        ("grant_type", "password"),
        ("username", USERNAME),
        ("password", "abcdefgh"),
    ];
    let form = [&CLIENT[..], &own].concat();
    let answer = post_to(&sim, &sim.login_url(), "token", &form).await;
    assert!(error(&answer).1.contains("\"abcd\""));
    sim.finish().unwrap();
}
