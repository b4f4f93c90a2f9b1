//! Each way in which an org turns a login down, in every dress that the fault may wear: the same reason, one attempt.

use std::{net::IpAddr, time::Duration};

use sfvault::Reason;
use sfvault_tests::simulator::{
    Detail, Fault, FaultStyle, IpRange, Lock, Options, Org, PolicyChecks, Simulator, USERNAME, User,
};

use crate::inside::{Inside, way_to};

type Turn = fn(&mut Org, &mut User);

/// What an administrator, or Salesforce, may have done; and the reason that it must come out as.
const REFUSALS: [(&str, Turn, Reason); 15] = [
    (
        "another token",
        |_, user| user.security_token = "Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2".to_owned(),
        Reason::CredentialRejected,
    ),
    (
        "locked out",
        |_, user| user.lock = Some(Lock::Forever),
        Reason::CredentialRejected,
    ),
    (
        "frozen",
        |_, user| user.frozen = true,
        Reason::CredentialRejected,
    ),
    (
        "inactive",
        |_, user| user.active = false,
        Reason::CredentialRejected,
    ),
    (
        "the lockout said aloud",
        |_, user| user.next_faults = [Fault::login("PASSWORD_LOCKOUT", "")].into(),
        Reason::UserLockedOut,
    ),
    (
        "org switch off",
        |org, _| org.soap_login_enabled = false,
        Reason::LoginDisabled,
    ),
    (
        "Use Any API Auth missing",
        |_, user| user.use_any_api_auth = false,
        Reason::LoginDisabled,
    ),
    (
        "API Enabled missing",
        |_, user| user.api_enabled = false,
        Reason::AccessPolicy,
    ),
    (
        "login hours",
        |_, user| user.login_hours = Some(22..24),
        Reason::RestrictedHours,
    ),
    (
        "login IP ranges",
        |_, user| user.login_ips = vec![IpRange::only(IpAddr::from([198, 51, 100, 1]))],
        Reason::AccessPolicy,
    ),
    (
        "My Domain only",
        |org, _| org.my_domain_only = true,
        Reason::AccessPolicy,
    ),
    (
        "My Domain only, in the words of a wrong password",
        |org, _| {
            org.my_domain_only = true;
            org.my_domain_fault = Fault::invalid_login();
        },
        Reason::CredentialRejected,
    ),
    (
        "trial over",
        |_, user| {
            let fault = Fault::unexpected("API_CURRENTLY_DISABLED", "Your trial has expired.");
            user.next_faults = [fault].into();
        },
        Reason::OrgState,
    ),
    (
        "org locked",
        |_, user| user.next_faults = [Fault::unexpected("ORG_LOCKED", "")].into(),
        Reason::OrgState,
    ),
    (
        "login rate, said aloud",
        |org, _| {
            org.logins_per_hour = 0;
            org.rate_fault = Fault::login("INVALID_LOGIN", "Login Rate Exceeded");
        },
        Reason::RateLimited,
    ),
];

/// Bare, prefixed or as each code is known; without detail; in either detail element.
const STYLES: [FaultStyle; 5] = [
    FaultStyle {
        no_detail: false,
        prefixed: None,
        policy_detail: None,
    },
    FaultStyle {
        no_detail: false,
        prefixed: Some(true),
        policy_detail: Some(Detail::LoginFault),
    },
    FaultStyle {
        no_detail: false,
        prefixed: Some(false),
        policy_detail: Some(Detail::UnexpectedErrorFault),
    },
    FaultStyle {
        no_detail: true,
        prefixed: Some(true),
        policy_detail: None,
    },
    FaultStyle {
        no_detail: true,
        prefixed: Some(false),
        policy_detail: None,
    },
];

/// T39.
#[tokio::test]
async fn a_refusal_is_known_in_every_dress_and_costs_one_attempt() {
    let simulator = Simulator::start(Options::default()).await;
    let inside = Inside::start(way_to(&simulator), simulator.clock()).await;
    let (org, user) = (
        simulator.org(|org| org.clone()),
        simulator.user(USERNAME, |user| user.clone()),
    );
    let mut attempts = 0;
    for checks in [PolicyChecks::AfterPassword, PolicyChecks::BeforePassword] {
        for (number, style) in STYLES.into_iter().enumerate() {
            for (name, turn, reason) in &REFUSALS {
                let record = format!("{checks:?}-{number}-{attempts}").to_lowercase();
                inside.add(&record, &simulator.login_url()).await;
                // What the one before meant for the user's other records is over.
                simulator.clock().advance(Duration::from_hours(2));
                let (mut org, mut user) = (org.clone(), user.clone());
                (org.policy_checks, org.fault_style) = (checks, style);
                turn(&mut org, &mut user);
                simulator.org(|place| *place = org);
                simulator.user(USERNAME, |place| *place = user);
                for _ in 0..3 {
                    let error = inside.session(&record).await.map(drop).unwrap_err();
                    assert_eq!(error.reason(), *reason, "{name}, {checks:?}, {style:?}");
                }
                attempts += 1;
                assert_eq!(simulator.logins(USERNAME).total, attempts, "{name}");
            }
        }
    }
    inside.finish().await;
    simulator.finish().unwrap();
}

/// Whether the policies are looked at before the password or after it: a wrong one is found out once they let it pass.
#[tokio::test]
async fn a_wrong_password_behind_a_policy_is_sent_once_for_each_release() {
    let simulator = Simulator::start(Options::default()).await;
    let inside = Inside::start(way_to(&simulator), simulator.clock()).await;
    simulator.org(|org| org.policy_checks = PolicyChecks::BeforePassword);
    simulator.user(USERNAME, |user| user.api_enabled = false);
    simulator.reset_security_token(USERNAME);
    inside.add("prod", &simulator.login_url()).await;
    let name = sfvault::RecordName::parse("prod").unwrap();
    for (reason, released) in [
        (Reason::AccessPolicy, false),
        (Reason::AccessPolicy, false),
        (Reason::CredentialRejected, true),
        (Reason::CredentialRejected, false),
    ] {
        if released {
            simulator.user(USERNAME, |user| user.api_enabled = true);
        }
        let error = inside.admin.check(&name, released).await.unwrap_err();
        assert_eq!(error.reason(), reason);
    }
    assert_eq!(simulator.logins(USERNAME).total, 2);
    inside.finish().await;
    simulator.finish().unwrap();
}

/// Nobody does anything, and the job gets its session when the hours begin.
#[tokio::test]
async fn login_hours_and_rates_pass_by_themselves() {
    let simulator = Simulator::start(Options::default()).await;
    let inside = Inside::start(way_to(&simulator), simulator.clock()).await;
    simulator.user(USERNAME, |user| user.login_hours = Some(1..24));
    inside.add("prod", &simulator.login_url()).await;
    let mut told = Vec::new();
    let granted = loop {
        match inside.session("prod").await {
            Ok(session) => break session,
            Err(error) => {
                assert_eq!(error.reason(), Reason::RestrictedHours);
                let pause = error.retry_after().unwrap();
                told.push(pause);
                simulator.clock().advance(pause + Duration::from_secs(1));
            }
        }
    };
    assert_eq!(granted.generation, told.len() as u64 + 1);
    assert!((2..=3).contains(&told.len()), "{told:?}");
    inside.finish().await;
    simulator.finish().unwrap();
}
