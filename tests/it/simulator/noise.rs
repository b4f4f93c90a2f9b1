//! The answers that nobody wants, each as a client sees it.

use std::sync::Arc;

use http_body_util::Full;
use sfvault_tests::simulator::{
    Answer as Scripted, Certificate, ContentType, Fault, Options, Outcome, Place, Simulator,
    USERNAME,
};

use super::client::{
    Answer, Failure, get, login, login_envelope, partner, post, request, right_password, send,
    session,
};

async fn try_login(sim: &Simulator) -> Result<Answer, Failure> {
    let envelope = login_envelope(USERNAME, &right_password());
    post(sim, &partner(&sim.login_url()), envelope).await
}

#[tokio::test]
async fn each_page_of_the_edge_comes_once_and_then_the_usual_answer() {
    let sim = Simulator::start(Options::default()).await;
    for (answer, status, content_type, part) in [
        (
            Scripted::SettingUp,
            420,
            "text/html; charset=UTF-8",
            "We are setting things up",
        ),
        (Scripted::NotAcceptable, 406, "", ""),
        (
            Scripted::Unavailable,
            503,
            "text/html; charset=UTF-8",
            "maintenance",
        ),
        (
            Scripted::MethodNotAllowed,
            405,
            "text/html; charset=UTF-8",
            "not supported",
        ),
        (
            Scripted::LoginPage,
            200,
            "text/html; charset=UTF-8",
            "Login | Salesforce",
        ),
        (
            Scripted::EntityBomb,
            200,
            "text/xml; charset=utf-8",
            "<!ENTITY e9 \"&e8;&e8;",
        ),
        (
            Scripted::ExternalEntity,
            200,
            "text/xml; charset=utf-8",
            "SYSTEM \"https://localhost:",
        ),
        (
            Scripted::Http {
                status: 502,
                content_type: ContentType::Json,
                body: "{}".to_owned(),
            },
            502,
            "application/json;charset=UTF-8",
            "{}",
        ),
    ] {
        sim.script(Place::Login, [answer.clone()]);
        let seen = login(&sim).await;
        assert_eq!(seen.status, status, "{answer:?}");
        assert_eq!(seen.header("content-type"), content_type, "{answer:?}");
        assert!(seen.body.contains(part), "{answer:?}: {}", seen.body);
        assert_eq!(sim.requests().last().unwrap().outcome, Outcome::Noise);
        assert!(
            sim.sessions(USERNAME).is_empty(),
            "{answer:?} has no effect"
        );
    }
    sim.script(Place::Login, [Scripted::Unavailable]);
    assert_ne!(login(&sim).await.header("x-sfdc-edge-err"), "");
    assert_eq!(login(&sim).await.status, 200);
    let count = sim.logins(USERNAME);
    assert_eq!((count.accepted, count.rejected, count.total), (1, 0, 10));
    sim.finish().unwrap();
}

#[tokio::test]
async fn an_answer_for_ever_lasts_until_it_is_taken_back() {
    let sim = Simulator::start(Options::default()).await;
    sim.script_ever(Place::Login, Some(Scripted::Unavailable));
    sim.script(Place::Login, [Scripted::Usual]);
    assert_eq!(login(&sim).await.status, 200);
    for _ in 0..3 {
        assert_eq!(login(&sim).await.status, 503);
    }
    // The harmless question is answered all the same, and takes no scripted answer away.
    let url = format!("{}/services/data/", sim.login_url());
    let versions = request("GET", &url).body(Full::default()).unwrap();
    assert_eq!(send(&sim, &url, versions).await.unwrap().status, 200);
    sim.script_ever(Place::Login, None);
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_instance_has_a_script_of_its_own() {
    let sim = Simulator::start(Options::default()).await;
    let fault = Fault::unexpected("SERVER_UNAVAILABLE", "Server too busy");
    sim.script(Place::Instance, [Scripted::Fault(fault)]);
    let id = session(&sim).await;
    let answer = get(&sim, &id, "/services/data/v64.0/limits").await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()[0]["errorCode"], "SERVER_UNAVAILABLE");
    assert_eq!(
        get(&sim, &id, "/services/data/v64.0/limits").await.status,
        200
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_redirect_that_is_followed_is_found_out() {
    let sim = Simulator::start(Options::default()).await;
    for status in [301, 302, 307, 308] {
        sim.script(Place::Login, [Scripted::Redirect(status)]);
        let answer = login(&sim).await;
        assert_eq!(answer.status, status);
        let location = answer.header("location").to_owned();
        assert!(location.ends_with("/services/Soap/u/64.0"), "{location}");
        assert!(sim.take_unexpected().is_empty());

        let request = request("GET", &location).body(Full::default()).unwrap();
        send(&sim, &location, request).await.unwrap();
        assert_eq!(sim.take_unexpected().len(), 2, "a connection and a request");
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn connections_break_before_and_after_the_login_took_effect() {
    let sim = Simulator::start(Options::default()).await;
    for (answer, effect) in [
        (Scripted::CloseUnread, false),
        (Scripted::CloseRead, false),
        (Scripted::CloseProcessed, true),
        (Scripted::Cut, true),
    ] {
        sim.expire_sessions(USERNAME);
        sim.script(Place::Login, [answer.clone()]);
        assert!(try_login(&sim).await.is_err(), "{answer:?}");
        assert_eq!(
            sim.sessions(USERNAME).len(),
            usize::from(effect),
            "{answer:?}"
        );
    }
    // Of the first, nobody read whose login it was.
    assert_eq!(sim.logins(USERNAME).total, 3);
    assert_eq!(sim.requests().len(), 4);
    sim.finish().unwrap();
}

#[tokio::test]
async fn silence_lasts_until_the_client_goes_away() {
    let sim = Arc::new(Simulator::start(Options::default()).await);
    for answer in [Scripted::Hang, Scripted::Silence] {
        let before = sim.requests().len();
        sim.script(Place::Login, [answer]);
        let client = tokio::spawn({
            let sim = sim.clone();
            async move { try_login(&sim).await.map(|_| ()) }
        });
        sim.until(|requests| requests.len() > before).await;
        assert_eq!(login(&sim).await.status, 200);
        assert!(!client.is_finished());
        client.abort();
    }
    assert!(sim.take_unexpected().is_empty());
}

#[tokio::test]
async fn a_held_answer_waits_for_its_gate_and_the_login_has_happened() {
    let sim = Arc::new(Simulator::start(Options::default()).await);
    let gate = sim.hold_next(Place::Login);
    let client = tokio::spawn({
        let sim = sim.clone();
        async move { session(&sim).await }
    });
    gate.reached().await;
    assert_eq!(sim.logins(USERNAME).accepted, 1);
    assert!(!client.is_finished());
    gate.open();
    assert_eq!(sim.sessions(USERNAME), [client.await.unwrap()]);
    assert!(sim.take_unexpected().is_empty());
}

#[tokio::test]
async fn right_answers_are_spoilt_on_their_way() {
    let sim = Simulator::start(Options::default()).await;
    let right = login(&sim).await.body;
    let id = sim.sessions(USERNAME).remove(0);
    let spoilt = async |answer: Scripted| {
        sim.script(Place::Login, [answer]);
        try_login(&sim).await.unwrap()
    };

    let answer = spoilt(Scripted::Truncated).await;
    assert!(
        answer.status == 200 && answer.body.len() < right.len() && right.starts_with(&answer.body)
    );
    let answer = spoilt(Scripted::WrongContentType).await;
    assert_eq!(answer.header("content-type"), "text/html; charset=UTF-8");
    assert_eq!(answer.body, right);
    let answer = spoilt(Scripted::Gzip).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.body.starts_with('\u{1f}'));
    let answer = spoilt(Scripted::TwoSessionIds).await;
    assert_eq!(answer.body.matches("<sessionId>").count(), 2);
    let answer = spoilt(Scripted::SessionIdWithNewline).await;
    let injected = format!("{id}\r\nX-Injected: 1");
    assert_eq!(answer.text("sessionId"), Some(injected.as_str()));
    let answer = spoilt(Scripted::ServerUrl("https://evil.example".to_owned())).await;
    let server_url = answer.text("serverUrl").unwrap();
    assert!(server_url.starts_with("https://evil.example/services/Soap/u/64.0/"));
    let answer = spoilt(Scripted::OtherOrg).await;
    assert_eq!(answer.text("organizationId"), Some("00Dyy0000009ZZZEA2"));
    assert_eq!(answer.text("sessionId"), Some(id.as_str()));
    let answer = spoilt(Scripted::Edited {
        from: "<sandbox>false".to_owned(),
        to: "<sandbox>true".to_owned(),
    })
    .await;
    assert_eq!(answer.text("sandbox"), Some("true"));
    let answer = spoilt(Scripted::Drip { milliseconds: 1 }).await;
    assert_eq!(answer.body, right);
    let answer = spoilt(Scripted::Usual).await;
    assert_eq!(answer.body, right);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_fault_can_repeat_half_of_the_password() {
    let sim = Simulator::start(Options::default()).await;
    sim.script(Place::Login, [Scripted::EchoedPassword]);
    let answer = login(&sim).await;
    assert_eq!(answer.text("faultcode"), Some("sf:UNKNOWN_EXCEPTION"));
    assert!(
        answer
            .body
            .contains("The reference to entity &quot;Pa&lt;s&gt;&amp;"),
        "{}",
        answer.body
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_flood_is_larger_than_any_client_should_read() {
    let sim = Simulator::start(Options::default()).await;
    sim.script(Place::Login, [Scripted::Flood]);
    // The client of these tests stops at 1 MiB.
    let error = try_login(&sim).await.unwrap_err();
    assert_eq!(error.to_string(), "length limit exceeded");
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_wrong_certificate_keeps_every_request_away() {
    for certificate in [
        Certificate::Expired,
        Certificate::OtherHost,
        Certificate::OtherIssuer,
    ] {
        let sim = Simulator::start(Options {
            certificate,
            ..Options::default()
        })
        .await;
        assert!(try_login(&sim).await.is_err(), "{certificate:?}");
        assert!(sim.requests().is_empty());
        sim.finish().unwrap();
    }
}
