//! The ends of the old ways to log in, as the clock passes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sfvault_tests::simulator::{
    CONSUMER_KEY, CONSUMER_SECRET, Options, Retirement, Simulator, USERNAME,
};

use super::client::{call, login, request, right_password, send, session};

fn days(days: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(days * 86_400)
}

/// The status and the error of a login by the password flow.
async fn password_flow(sim: &Simulator) -> (u16, String) {
    let url = format!("{}/services/oauth2/token", sim.login_url());
    let password = right_password()
        .replace('%', "%25")
        .replace('&', "%26")
        .replace(';', "%3B");
    let form = format!(
        "grant_type=password&client_id={CONSUMER_KEY}&client_secret={CONSUMER_SECRET}\
         &username={USERNAME}&password={password}"
    );
    let request = request("POST", &url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into())
        .unwrap();
    let answer = send(sim, &url, request).await.unwrap();
    let error = answer.json()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status, error)
}

#[tokio::test]
async fn from_december_2026_on_every_org_asks_for_the_permission() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.any_api_auth_enforced = false);
    sim.user(USERNAME, |user| user.use_any_api_auth = false);
    sim.clock().set(days(20_788) - Duration::from_secs(1));
    assert_eq!(login(&sim).await.status, 200);
    sim.clock().advance(Duration::from_secs(1));
    assert_eq!(
        login(&sim).await.text("faultcode"),
        Some("sf:INSUFFICIENT_ACCESS")
    );
    sim.user(USERNAME, |user| user.use_any_api_auth = true);
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_password_flow_goes_before_login_does() {
    let sim = Simulator::start(Options::default()).await;
    sim.clock().set(days(20_869) - Duration::from_secs(1));
    assert_eq!(password_flow(&sim).await.0, 200);
    sim.clock().advance(Duration::from_secs(1));
    let refused = (400, "unsupported_grant_type".to_owned());
    assert_eq!(password_flow(&sim).await, refused);
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn login_ends_in_june_2027_and_sessions_do_not() {
    let sim = Simulator::start(Options::default()).await;
    sim.clock().set(days(20_970) - Duration::from_secs(1));
    let alive = session(&sim).await;
    sim.clock().advance(Duration::from_secs(1));
    let answer = login(&sim).await;
    assert_eq!(answer.text("faultcode"), Some("sf:INVALID_OPERATION"));
    assert!(
        answer
            .body
            .contains("not available in the API version specified (64.0)")
    );
    assert_eq!(call(&sim, &alive, "<u:getUserInfo/>").await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn every_date_can_be_moved_or_taken_away() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.retirement = Retirement::never());
    sim.clock().set(days(30_000));
    assert_eq!(
        (login(&sim).await.status, password_flow(&sim).await.0),
        (200, 200)
    );
    sim.org(|org| {
        org.retirement.soap_login = Some(days(29_999));
        org.retirement.password_flow = Some(days(30_001));
    });
    assert_eq!(
        (login(&sim).await.status, password_flow(&sim).await.0),
        (500, 200)
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_new_password_brings_a_new_token_by_mail() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    let user = sim.user(USERNAME, |user| user.id_18());
    let body = format!(
        "<u:setPassword><u:userId>{user}</u:userId><u:password>new</u:password></u:setPassword>"
    );
    assert_eq!(call(&sim, &id, &body).await.status, 200);
    let mail = sim.mail(USERNAME);
    assert_eq!(mail.len(), 1);
    let token = mail[0].security_token().unwrap().to_owned();
    assert_eq!(
        sim.user(USERNAME, |user| user.security_token.clone()),
        token
    );
    let answer = super::client::login_with(&sim, &format!("new{token}")).await;
    assert_eq!(answer.status, 200);

    sim.user(USERNAME, |user| {
        user.login_ips = vec![sfvault_tests::simulator::IpRange::only(
            [203, 0, 113, 7].into(),
        )];
    });
    sim.reset_security_token(USERNAME);
    // Inside login IP ranges nobody needs a token, and so nobody gets one.
    assert_eq!(sim.mail(USERNAME).len(), 1);
    sim.finish().unwrap();
}
