//! What else than credentials decides about a login.

use std::{net::IpAddr, time::Duration};

use sfvault_tests::simulator::{
    Detail, Fault, IpRange, Options, Org, PASSWORD, PolicyChecks, Simulator, USERNAME, User,
};

use super::client::{
    call, get, login, login_envelope, login_with, partner, post, right_password, session,
};

fn here() -> IpAddr {
    Org::default().caller
}

/// A change to a user.
type Change = fn(&mut User);

#[tokio::test]
async fn the_org_switch_answers_before_any_credential_is_looked_at() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.soap_login_enabled = false);
    for password in ["wrong", &right_password()] {
        let answer = login_with(&sim, password).await;
        assert_eq!(answer.text("faultcode"), Some("sf:INVALID_OPERATION"));
        let text = "SOAP API login() is disabled by default in this org.";
        assert!(answer.body.contains(text));
    }
    assert_eq!(sim.user(USERNAME, |user| user.failed_logins), 0);
    sim.org(|org| org.fault_style.policy_detail = Some(Detail::LoginFault));
    assert!(login(&sim).await.body.contains("<sf:LoginFault"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn policies_stand_behind_the_password_or_before_it() {
    let sim = Simulator::start(Options::default()).await;
    let no_permission = |user: &mut User| user.use_any_api_auth = false;
    let no_api = |user: &mut User| user.api_enabled = false;
    let night_only = |user: &mut User| user.login_hours = Some(22..24);
    let office_only = |user: &mut User| {
        user.login_ips = vec![IpRange::only(IpAddr::from([198, 51, 100, 1]))];
    };
    let cases: [(Change, &str); 4] = [
        (no_permission, "sf:INSUFFICIENT_ACCESS"),
        (no_api, "sf:API_CURRENTLY_DISABLED"),
        (night_only, "sf:LOGIN_DURING_RESTRICTED_TIME"),
        (office_only, "sf:LOGIN_DURING_RESTRICTED_DOMAIN"),
    ];
    for (change, code) in cases {
        let before = sim.user(USERNAME, |user| user.clone());
        sim.user(USERNAME, change);
        sim.org(|org| org.policy_checks = PolicyChecks::AfterPassword);
        assert_eq!(login(&sim).await.text("faultcode"), Some(code));
        let wrong = login_with(&sim, "wrong").await;
        assert_eq!(wrong.text("faultcode"), Some("INVALID_LOGIN"));
        sim.org(|org| org.policy_checks = PolicyChecks::BeforePassword);
        assert_eq!(
            login_with(&sim, "wrong").await.text("faultcode"),
            Some(code)
        );
        sim.user(USERNAME, |user| *user = before);
    }
    sim.org(|org| org.any_api_auth_enforced = false);
    sim.user(USERNAME, no_permission);
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn login_hours_open_when_the_clock_says_so() {
    let sim = Simulator::start(Options::default()).await;
    sim.user(USERNAME, |user| user.login_hours = Some(1..2));
    assert_eq!(login(&sim).await.status, 500);
    sim.clock().advance(Duration::from_secs(3600));
    assert_eq!(login(&sim).await.status, 200);
    sim.clock().advance(Duration::from_secs(3600));
    assert_eq!(login(&sim).await.status, 500);
    sim.finish().unwrap();
}

#[tokio::test]
async fn trusted_addresses_need_no_token_and_a_stale_one_fails_there() {
    let sim = Simulator::start(Options::default()).await;
    let stale = format!("{PASSWORD}stale");
    sim.org(|org| org.trusted = vec![IpRange::only(here())]);
    assert_eq!(login_with(&sim, PASSWORD).await.status, 200);
    assert_eq!(login(&sim).await.status, 200);
    assert_eq!(login_with(&sim, &stale).await.status, 500);
    sim.org(|org| org.token_from_trusted_ok = false);
    assert_eq!(login(&sim).await.status, 500);

    sim.org(|org| org.trusted.clear());
    assert_eq!(login_with(&sim, PASSWORD).await.status, 500);
    sim.user(USERNAME, |user| {
        user.login_ips = vec![IpRange::only(here())]
    });
    assert_eq!(login_with(&sim, PASSWORD).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_my_domain_policy_closes_the_login_host_and_not_the_instance() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.my_domain_only = true);
    let refused = login(&sim).await;
    assert_eq!(
        refused.text("faultcode"),
        Some("sf:LOGIN_DURING_RESTRICTED_DOMAIN")
    );
    sim.org(|org| org.my_domain_fault = Fault::invalid_login());
    assert_eq!(login(&sim).await.text("faultcode"), Some("INVALID_LOGIN"));
    let envelope = login_envelope(USERNAME, &right_password());
    let answer = post(&sim, &partner(&sim.instance_url()), envelope).await;
    assert_eq!(answer.unwrap().status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn logins_above_the_hourly_rate_are_refused_until_the_hour_has_rolled() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.logins_per_hour = 2);
    assert_eq!(login(&sim).await.status, 200);
    sim.clock().advance(Duration::from_secs(1800));
    assert_eq!(login(&sim).await.status, 200);
    assert_eq!(login(&sim).await.text("faultcode"), Some("INVALID_LOGIN"));
    sim.org(|org| org.rate_fault = Fault::login("INVALID_LOGIN", "login rate exceeded"));
    assert!(login(&sim).await.body.contains("login rate exceeded"));
    sim.clock().advance(Duration::from_secs(3600));
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn an_address_with_many_failures_is_blocked_for_right_logins_too() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| (org.failures_per_address, org.attempts_max) = (Some(3), None));
    for _ in 0..3 {
        login_with(&sim, "wrong").await;
    }
    assert_eq!(login(&sim).await.status, 500);
    sim.clock().advance(Duration::from_secs(3600));
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_session_locked_to_an_address_is_dead_elsewhere() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    sim.org(|org| org.caller = IpAddr::from([198, 51, 100, 1]));
    assert_eq!(
        get(&sim, &id, "/services/data/v64.0/limits").await.status,
        200
    );
    sim.org(|org| org.sessions_locked_to_ip = true);
    assert_eq!(
        get(&sim, &id, "/services/data/v64.0/limits").await.status,
        401
    );
    sim.org(|org| org.caller = here());
    assert_eq!(
        get(&sim, &id, "/services/data/v64.0/limits").await.status,
        200
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_barred_session_is_refused_in_words_of_its_own_and_a_login_gives_it_again() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    sim.user(USERNAME, |user| user.sessions_barred = true);
    let refused = get(&sim, &id, "/services/data/v64.0/limits").await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.json()[0]["message"],
        "This session is not valid for use with the REST API"
    );
    let refused = call(&sim, &id, "<u:getUserInfo/>").await;
    assert_eq!(
        refused.text("faultstring"),
        Some("INVALID_SESSION_ID: This session is not valid for use with the API")
    );
    assert_eq!(session(&sim).await, id);
    sim.finish().unwrap();
}
