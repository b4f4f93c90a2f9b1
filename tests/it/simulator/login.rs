//! `login()`: its result, its versions, and the many causes of one fault.

use std::time::Duration;

use sfvault_tests::simulator::{
    Detail, Fault, FaultStyle, LoginCount, Options, Outcome, PASSWORD, SECURITY_TOKEN, Simulator,
    USERNAME, User,
};

use super::client::{
    call, envelope, get, login, login_as, login_envelope, login_with, partner, post,
    right_password, session,
};

/// A change to a user.
type Change = fn(&mut User);

#[tokio::test]
async fn a_login_names_another_host_and_both_forms_of_the_org_id() {
    let sim = Simulator::start(Options::default()).await;
    let answer = login(&sim).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/xml; charset=utf-8");
    assert_ne!(sim.login_url(), sim.instance_url());
    let server_url = format!(
        "{}/services/Soap/u/64.0/00Dxx0000001gPL",
        sim.instance_url()
    );
    assert_eq!(answer.text("serverUrl"), Some(server_url.as_str()));
    let session = answer.text("sessionId").unwrap();
    assert!(session.starts_with("00Dxx0000001gPL!"), "{session}");
    for (tag, text) in [
        ("passwordExpired", "false"),
        ("sandbox", "false"),
        ("organizationId", "00Dxx0000001gPLEAY"),
        ("organizationName", "Ærø &amp; Søn &lt;GmbH&gt; 株式会社"),
        ("sessionSecondsValid", "7200"),
        ("userId", "005xx000001Sv6AAAS"),
        ("userName", USERNAME),
        ("userUiSkin", "Theme3"),
    ] {
        assert_eq!(answer.text(tag), Some(text), "{tag}");
    }
    assert!(answer.body.contains("<roleId xsi:nil=\"true\"/>"));
    // Not even in the same case: Salesforce's user names have none.
    assert_eq!(
        login_as(&sim, "ETL@Acme.Example", &right_password())
            .await
            .status,
        200
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_enterprise_api_has_its_own_namespace_and_a_longer_url() {
    let sim = Simulator::start(Options::default()).await;
    let url = format!("{}/services/Soap/c/64.0", sim.login_url());
    let enterprise = |password: &str| {
        login_envelope(USERNAME, password).replace("urn:partner", "urn:enterprise")
    };
    let answer = post(&sim, &url, enterprise(&right_password()))
        .await
        .unwrap();
    assert!(
        answer
            .body
            .contains("xmlns=\"urn:enterprise.soap.sforce.com\"")
    );
    let server_url = answer.text("serverUrl").unwrap();
    assert!(server_url.ends_with("/services/Soap/c/64.0/00Dxx0000001gPL/0DFxx0000000001"));
    let answer = post(&sim, &url, enterprise("wrong")).await.unwrap();
    assert!(answer.body.contains("urn:fault.enterprise.soap.sforce.com"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn elements_that_no_wsdl_knows_can_stand_between_the_known_ones() {
    let sim = Simulator::start(Options::default()).await;
    assert!(!login(&sim).await.body.contains("Flavour"));
    sim.org(|org| org.extra_elements = true);
    let answer = login(&sim).await;
    assert!(
        answer
            .body
            .contains("</sessionId><sessionFlavour flavour=\"new\">")
    );
    assert!(answer.body.contains("<userPreferenceFlavour/>"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn every_cause_around_the_credentials_gets_the_very_same_fault() {
    let sim = Simulator::start(Options::default()).await;
    let unknown = login_as(&sim, "nobody@acme.example", &right_password()).await;
    assert_eq!(unknown.status, 500);
    assert_eq!(unknown.text("faultcode"), Some("INVALID_LOGIN"));
    assert_eq!(
        unknown.text("faultstring"),
        Some("INVALID_LOGIN: Invalid username, password, security token; or user locked out.")
    );
    assert_eq!(unknown.text("sf:exceptionCode"), Some("INVALID_LOGIN"));
    assert!(
        unknown
            .body
            .contains("<sf:LoginFault xsi:type=\"sf:LoginFault\">")
    );

    let frozen = |user: &mut User| user.frozen = true;
    let inactive = |user: &mut User| user.active = false;
    let untouched = |_: &mut User| {};
    let wrong_password = format!("wrong{SECURITY_TOKEN}");
    let wrong_token = format!("{PASSWORD}wrong");
    let doubled_token = format!("{}{SECURITY_TOKEN}", right_password());
    let cases: [(Change, &str); 6] = [
        (untouched, &wrong_password),
        (untouched, &wrong_token),
        (untouched, &doubled_token),
        (untouched, ""),
        (frozen, &right_password()),
        (inactive, &right_password()),
    ];
    for (change, password) in cases {
        sim.user(USERNAME, change);
        let answer = login_with(&sim, password).await;
        assert_eq!((answer.status, &answer.body), (500, &unknown.body));
        sim.user(USERNAME, |user| (user.frozen, user.active) = (false, true));
    }
    sim.org(|org| org.failures_per_address = Some(1));
    assert_eq!(login(&sim).await.body, unknown.body);
    let causes: Vec<_> = sim.requests().iter().map(|r| r.outcome).collect();
    assert_eq!(causes.first(), Some(&Outcome::LoginRefused("no such user")));
    assert_eq!(
        causes.last(),
        Some(&Outcome::LoginRefused("the caller's address is blocked"))
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_locked_user_is_refused_the_right_password_and_keeps_its_session() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.attempts_max = Some(3));
    let alive = session(&sim).await;
    for _ in 0..2 {
        login_with(&sim, "wrong").await;
    }
    // A success starts a new count.
    assert_eq!(login(&sim).await.status, 200);
    for _ in 0..3 {
        login_with(&sim, "wrong").await;
    }
    let locked = login(&sim).await;
    assert_eq!(locked.text("faultcode"), Some("INVALID_LOGIN"));
    assert_eq!(
        get(&sim, &alive, "/services/data/v64.0/limits")
            .await
            .status,
        200
    );
    sim.clock().advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(login(&sim).await.status, 500);
    sim.clock().advance(Duration::from_secs(1));
    assert_eq!(login(&sim).await.status, 200);
    assert_eq!(
        sim.logins(USERNAME),
        LoginCount {
            accepted: 3,
            rejected: 7,
            total: 10
        }
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_lock_for_ever_ends_with_the_administrator() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| (org.attempts_max, org.lockout) = (Some(1), None));
    login_with(&sim, "wrong").await;
    sim.clock().advance(Duration::from_secs(100 * 86_400));
    assert_eq!(login(&sim).await.status, 500);
    sim.user(USERNAME, |user| user.lock = None);
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn only_a_right_password_without_its_token_is_told_so() {
    let sim = Simulator::start(Options::default()).await;
    sim.org(|org| org.attempts_max = Some(2));
    let answer = login_with(&sim, PASSWORD).await;
    assert_eq!(
        answer.text("faultcode"),
        Some("LOGIN_MUST_USE_SECURITY_TOKEN")
    );
    assert!(answer.body.contains("Are you at a new location?"));
    assert!(answer.body.contains("company\u{2019}s trusted networks"));
    // It counts towards the lockout, unless the org is told otherwise.
    login_with(&sim, PASSWORD).await;
    assert_eq!(login(&sim).await.status, 500);
    sim.user(USERNAME, |user| user.lock = None);
    sim.org(|org| org.missing_token_counts = false);
    for _ in 0..5 {
        login_with(&sim, PASSWORD).await;
    }
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_new_token_ends_the_old_one_at_once_and_no_session() {
    let sim = Simulator::start(Options::default()).await;
    let alive = session(&sim).await;
    let token = sim.reset_security_token(USERNAME);
    assert_eq!(login(&sim).await.status, 500);
    assert_eq!(
        login_with(&sim, &format!("{PASSWORD}{token}")).await.status,
        200
    );
    assert_eq!(
        get(&sim, &alive, "/services/data/v64.0/limits")
            .await
            .status,
        200
    );
    let token = sim.change_password(USERNAME, "new");
    assert_eq!(
        login_with(&sim, &format!("{PASSWORD}{token}")).await.status,
        500
    );
    assert_eq!(login_with(&sim, &format!("new{token}")).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn each_version_of_the_endpoint_has_its_answer() {
    let sim = Simulator::start(Options::default()).await;
    for (version, code) in [
        ("7.0", Some("sf:UNSUPPORTED_API_VERSION")),
        ("30.0", Some("sf:UNSUPPORTED_API_VERSION")),
        ("31.0", None),
        ("64.0", None),
        ("65.0", Some("sf:INVALID_OPERATION")),
        ("68.0", Some("sf:INVALID_OPERATION")),
        ("69.0", Some("sf:UNSUPPORTED_API_VERSION")),
        ("64", Some("sf:UNSUPPORTED_API_VERSION")),
        ("latest", Some("sf:UNSUPPORTED_API_VERSION")),
    ] {
        let url = format!("{}/services/Soap/u/{version}", sim.login_url());
        let envelope = login_envelope(USERNAME, &right_password());
        let answer = post(&sim, &url, envelope).await.unwrap();
        assert_eq!(answer.text("faultcode"), code, "{version}");
        if version == "65.0" {
            let text =
                "The SOAP Login operation is not available in the API version specified (65.0).";
            assert!(answer.body.contains(text), "{}", answer.body);
        }
    }
    // What looks like the version of a REST path is taken for a very old one.
    let url = format!("{}/services/Soap/u/v64.0", sim.login_url());
    let answer = post(&sim, &url, login_envelope(USERNAME, &right_password()))
        .await
        .unwrap();
    let server_url = answer.text("serverUrl").unwrap();
    assert!(server_url.contains("/services/Soap/u/7.0/"), "{server_url}");
    // Retired altogether.
    sim.org(|org| org.max_login_version = 0);
    assert_eq!(
        login(&sim).await.text("faultcode"),
        Some("sf:INVALID_OPERATION")
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn repeated_logins_get_the_living_session_unless_the_org_makes_new_ones() {
    let sim = Simulator::start(Options::default()).await;
    let first = session(&sim).await;
    assert_eq!(session(&sim).await, first);
    sim.org(|org| org.distinct_sessions = true);
    let second = session(&sim).await;
    assert_ne!(second, first);
    assert_eq!(sim.sessions(USERNAME), [first, second]);
    sim.add_user(User::new("other@acme.example", "p", "t"));
    sim.org(|org| org.distinct_sessions = false);
    let other = login_as(&sim, "other@acme.example", "pt").await;
    assert!(
        !sim.sessions(USERNAME)
            .contains(&other.text("sessionId").unwrap().to_owned())
    );
    assert_ne!(other.text("userId"), Some("005xx000001Sv6AAAS"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn an_expired_password_gives_a_session_that_can_only_set_a_new_one() {
    let sim = Simulator::start(Options::default()).await;
    sim.user(USERNAME, |user| user.password_expired = true);
    let answer = login(&sim).await;
    assert_eq!(
        (answer.status, answer.text("passwordExpired")),
        (200, Some("true"))
    );
    let id = answer.text("sessionId").unwrap();
    let refused = call(&sim, id, "<u:getUserInfo/>").await;
    assert_eq!(
        refused.text("faultcode"),
        Some("sf:INVALID_OPERATION_WITH_EXPIRED_PASSWORD")
    );
    let refused = get(&sim, id, "/services/data/v64.0/limits").await;
    assert_eq!(refused.status, 403);
    let code = &refused.json()[0]["errorCode"];
    assert_eq!(code, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD");
    assert_eq!(get(&sim, id, "/services/oauth2/userinfo").await.status, 200);

    let other_user = "<u:setPassword><u:userId>005xx0000000000</u:userId><u:password>n</u:password></u:setPassword>";
    assert_eq!(call(&sim, id, other_user).await.status, 500);
    let body = "<u:setPassword><u:userId>005xx000001Sv6AAAS</u:userId><u:password>new</u:password></u:setPassword>";
    assert!(
        call(&sim, id, body)
            .await
            .body
            .contains("<setPasswordResponse><result/>")
    );
    assert_eq!(call(&sim, id, "<u:getUserInfo/>").await.status, 200);
    // A new password brings a new token.
    assert_eq!(
        login_with(&sim, &format!("new{SECURITY_TOKEN}"))
            .await
            .status,
        500
    );
    let token = sim.user(USERNAME, |user| user.security_token.clone());
    let answer = login_with(&sim, &format!("new{token}")).await;
    assert_eq!(answer.text("passwordExpired"), Some("false"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_fault_can_be_any_with_and_without_detail_and_prefix() {
    let sim = Simulator::start(Options::default()).await;
    let fault = Fault {
        detail: Detail::InvalidIdFault,
        ..Fault::login("ORG_LOCKED", "a < b & \"c\"")
    };
    sim.user(USERNAME, |user| {
        user.next_faults.extend([fault.clone(), fault])
    });
    let answer = login(&sim).await;
    assert_eq!(answer.text("faultcode"), Some("ORG_LOCKED"));
    assert!(
        answer
            .body
            .contains("<sf:InvalidIdFault xsi:type=\"sf:InvalidIdFault\">")
    );
    let message = "ORG_LOCKED: a &lt; b &amp; &quot;c&quot;";
    assert_eq!(answer.text("faultstring"), Some(message));
    sim.org(|org| {
        org.fault_style = FaultStyle {
            no_detail: true,
            prefixed: Some(true),
            policy_detail: None,
        };
    });
    let answer = login(&sim).await;
    assert_eq!(answer.text("faultcode"), Some("sf:ORG_LOCKED"));
    assert!(!answer.body.contains("detail"));
    assert_eq!(login(&sim).await.status, 200);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_portal_scope_changes_the_words_of_a_refusal() {
    let sim = Simulator::start(Options::default()).await;
    let scope = "<u:LoginScopeHeader><u:organizationId>00Dxx0000001gPL</u:organizationId></u:LoginScopeHeader>";
    let body = "<u:login><u:username>a</u:username><u:password>b</u:password></u:login>";
    let answer = post(&sim, &partner(&sim.login_url()), envelope(scope, body))
        .await
        .unwrap();
    let text = answer.text("faultstring").unwrap();
    assert!(
        text.ends_with("locked out or Self-Service portal is not enabled"),
        "{text}"
    );
    sim.finish().unwrap();
}
