//! Sessions: how they live, and how each API says that one is dead.

use std::time::Duration;

use http_body_util::Full;
use sfvault_tests::simulator::{Options, Simulator, USERNAME};

use super::client::{Answer, call, get, login, request, send, session};

const LIMITS: &str = "/services/data/v64.0/limits";

async fn is_alive(sim: &Simulator, id: &str) -> bool {
    get(sim, id, LIMITS).await.status == 200
}

#[tokio::test]
async fn activity_in_the_first_half_of_the_timeout_keeps_no_session_alive() {
    let sim = Simulator::start(Options::default()).await;
    let minutes = |n: u64| sim.clock().advance(Duration::from_secs(60 * n));
    let id = session(&sim).await;
    minutes(59);
    assert!(is_alive(&sim, &id).await);
    minutes(61);
    assert!(!is_alive(&sim, &id).await);

    let id = session(&sim).await;
    minutes(60);
    assert!(is_alive(&sim, &id).await);
    minutes(119);
    assert!(is_alive(&sim, &id).await);
    minutes(120);
    assert!(!is_alive(&sim, &id).await);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_login_that_returns_a_living_session_is_no_activity_unless_the_org_is_told_so() {
    let sim = Simulator::start(Options::default()).await;
    for restamps in [false, true] {
        sim.org(|org| org.login_restamps = restamps);
        let id = session(&sim).await;
        sim.clock().advance(Duration::from_secs(7199));
        assert_eq!(session(&sim).await, id);
        sim.clock().advance(Duration::from_secs(1));
        assert_eq!(is_alive(&sim, &id).await, restamps);
    }
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_timeout_is_told_in_full_however_old_the_session_is() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.session_timeout = Duration::from_secs(900));
    let id = session(&sim).await;
    sim.clock().advance(Duration::from_secs(899));
    let answer = login(&sim).await;
    assert_eq!(answer.text("sessionId"), Some(id.as_str()));
    assert_eq!(answer.text("sessionSecondsValid"), Some("900"));
    sim.clock().advance(Duration::from_secs(1));
    assert!(!is_alive(&sim, &id).await);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_logout_ends_the_session_for_all_who_share_it() {
    let sim = Simulator::start(Options::default()).await;
    let (mine, theirs) = (session(&sim).await, session(&sim).await);
    let answer = call(&sim, &mine, "<u:logout/>").await;
    assert!(answer.body.contains("<logoutResponse></logoutResponse>"));
    assert!(!is_alive(&sim, &theirs).await);
    assert_eq!(call(&sim, &mine, "<u:logout/>").await.status, 500);
    assert_ne!(session(&sim).await, mine);
    sim.finish().unwrap();
}

#[tokio::test]
async fn sessions_end_with_the_user_by_hand_and_with_the_password_if_the_org_says_so() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    sim.user(USERNAME, |user| user.frozen = true);
    assert!(!is_alive(&sim, &id).await);
    sim.user(USERNAME, |user| user.frozen = false);
    assert!(is_alive(&sim, &id).await);
    let token = sim.change_password(USERNAME, "new");
    assert!(is_alive(&sim, &id).await);
    sim.org(|org| org.password_change_ends_sessions = true);
    assert_ne!(sim.change_password(USERNAME, "newer"), token);
    assert!(!is_alive(&sim, &id).await);
    assert!(sim.sessions(USERNAME).is_empty());
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_cheap_soap_calls_tell_whose_the_session_is_and_what_time_it_is() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    let answer = call(&sim, &id, "<u:getUserInfo/>").await;
    assert_eq!(answer.text("organizationId"), Some("00Dxx0000001gPLEAY"));
    assert_eq!(answer.text("sessionSecondsValid"), Some("7200"));
    assert_eq!(answer.text("current"), Some("1"));
    let answer = call(&sim, &id, "<u:getServerTimestamp/>").await;
    assert_eq!(answer.text("timestamp"), Some("2026-11-21T00:00:00.000Z"));
    sim.org(|org| org.limit_info = false);
    let answer = call(&sim, &id, "<u:getUserInfo/>").await;
    assert!(!answer.body.contains("LimitInfoHeader"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_session_is_of_its_org_only() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    let url = format!(
        "{}/services/Soap/u/64.0/00Dyy0000009ZZZ",
        sim.instance_url()
    );
    let headers = format!("<u:SessionHeader><u:sessionId>{id}</u:sessionId></u:SessionHeader>");
    let envelope = super::client::envelope(&headers, "<u:getUserInfo/>");
    let answer = super::client::post(&sim, &url, envelope).await.unwrap();
    assert_eq!(answer.text("faultcode"), Some("sf:INVALID_SESSION_ID"));
    // The name of another My Domain.
    let url = format!("{}{LIMITS}", sim.instance_url());
    let request = http::Request::get(LIMITS)
        .header("host", "other.my.salesforce.com")
        .header("authorization", format!("Bearer {id}"))
        .body(Full::default())
        .unwrap();
    assert_eq!(send(&sim, &url, request).await.unwrap().status, 401);
    sim.finish().unwrap();
}

#[tokio::test]
async fn every_api_has_its_own_way_to_say_that_a_session_is_dead() {
    let sim = Simulator::start(Options::default()).await;
    let dead = session(&sim).await;
    sim.expire_sessions(USERNAME);

    let answer = get(&sim, &dead, LIMITS).await;
    let json = r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#;
    assert_eq!((answer.status, answer.body.as_str()), (401, json));

    let answer = ask(
        &sim,
        LIMITS,
        "authorization",
        &format!("OAuth {dead}"),
        "application/xml",
    )
    .await;
    let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Errors><Error><errorCode>INVALID_SESSION_ID\
               </errorCode><message>Session expired or invalid</message></Error></Errors>";
    assert_eq!((answer.status, answer.body.as_str()), (401, xml));

    let answer = ask(&sim, LIMITS, "authorization", "Basic QQ==", "*/*").await;
    assert_eq!(
        (answer.status, &answer.json()[0]["errorCode"]),
        (401, &"INVALID_AUTH_HEADER".into())
    );

    let bulk = "/services/async/64.0/job";
    let answer = ask(&sim, bulk, "x-sfdc-session", &dead, "*/*").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.text("exceptionCode"), Some("InvalidSessionId"));
    let answer = ask(&sim, bulk, "x-sfdc-session", &dead, "application/json").await;
    let json = r#"{"exceptionCode":"InvalidSessionId","exceptionMessage":"Invalid session id"}"#;
    assert_eq!((answer.status, answer.body.as_str()), (400, json));

    let answer = get(&sim, &dead, "/services/oauth2/userinfo").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (403, "Bad_OAuth_Token")
    );

    let answer = call(&sim, &dead, "<u:getUserInfo/>").await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.text("faultcode"), Some("sf:INVALID_SESSION_ID"));
    let text = answer.text("faultstring").unwrap();
    assert!(
        text.contains("Illegal Session. Session not found, missing session hash: "),
        "{text}"
    );
    assert!(
        text.contains("\nThis error usually occurs after a session expires"),
        "{text}"
    );
    assert!(!answer.body.contains(&dead));
    sim.finish().unwrap();
}

async fn ask(sim: &Simulator, path: &str, header: &str, value: &str, accept: &str) -> Answer {
    let url = format!("{}{path}", sim.instance_url());
    let request = request("GET", &url)
        .header(header, value)
        .header("accept", accept)
        .body(Full::default())
        .unwrap();
    send(sim, &url, request).await.unwrap()
}
