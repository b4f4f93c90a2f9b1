//! Every class of failure, and the budget that is spent by some, without a Salesforce.

use std::time::Duration;

use serde_json::Value;
use sfvault_tests::clock::ManualClock;
use sfvaultd::{
    clock::Clock as _,
    failure::{Class, Failure, Next},
    host::Host,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRequest, Proof,
        Survey,
    },
    secret::SessionId,
};

use super::follow;
use crate::inside::Inside;

/// A Salesforce that fails every login in the way that the username names.
#[derive(Debug)]
struct Failing;

impl Login for Failing {
    fn permit(&self, _: &Host) -> Result<(), HostRefused> {
        Ok(())
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        let class = request.login_host.name().split('.').next();
        let class = class.and_then(Class::from_name).unwrap();
        Box::pin(async move {
            Err(Failure {
                class,
                code: None,
                message: "as scripted".to_owned(),
                pause: None,
            }
            .into())
        })
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        unreachable!("nobody logs in in a browser")
    }

    fn prove<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, Proof> {
        unreachable!("no login gave a session")
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        unreachable!("no login gave a session")
    }

    fn survey<'a>(&'a self, _: &'a Host) -> Exchange<'a, Survey> {
        Box::pin(async { unreachable!("nobody asks") })
    }
}

#[tokio::test]
async fn every_class_of_failure_has_its_reason_its_status_and_a_hint_that_helps() {
    let clock = ManualClock::new();
    let inside = Inside::start(Failing, clock.clone()).await;
    for class in Class::ALL {
        clock.set(clock.now() - Duration::from_hours(2));
        let reason = match class {
            Class::AccessPolicy | Class::SessionBarred => "ACCESS_POLICY",
            Class::ApiVersion => "API_VERSION",
            Class::AppConfig => "APP_CONFIG",
            Class::BadCredentials => "CREDENTIAL_REJECTED",
            Class::ClockSkew => "CLOCK_SKEW",
            Class::LockedOut => "USER_LOCKED_OUT",
            Class::LoginDisabled => "LOGIN_DISABLED",
            Class::OrgState => "ORG_STATE",
            Class::PasswordExpired => "PASSWORD_EXPIRED",
            Class::PinnedElsewhere => "PINNED_ELSEWHERE",
            Class::Protocol => "PROTOCOL",
            Class::RateLimited => "RATE_LIMITED",
            Class::RefreshDead => "REFRESH_TOKEN_DEAD",
            Class::RestrictedHours => "RESTRICTED_HOURS",
            Class::SessionDead | Class::Unavailable => "SALESFORCE_UNAVAILABLE",
            Class::TokenAwaited => "TOKEN_AWAITED",
            Class::Unanswered => "LOGIN_UNANSWERED",
            Class::WrongHost => "WRONG_HOST",
        };
        // Only what ends by itself may tell a scheduler to come back.
        let exit = match class.next() {
            Next::Latch => 6,
            Next::BackOff | Next::CountAndBackOff => 75,
        };
        let name = class.name();
        inside.add(name, &format!("https://{name}.example")).await;
        follow(&inside, name, reason, exit, name).await;
    }
    inside.finish().await;
}

/// The budget is the last thing between a broken line and a locked user: what it says must not be mistaken.
#[tokio::test]
async fn a_spent_budget_says_that_it_protects_the_user_and_when_it_ends() {
    let clock = ManualClock::new();
    let inside = Inside::start(Failing, clock.clone()).await;
    inside.add("prod", "https://unanswered.example").await;
    for _ in 0..2 {
        let error = inside.session("prod").await.map(drop).unwrap_err();
        assert_eq!(error.reason(), sfvault::Reason::LoginUnanswered);
        clock.advance(Duration::from_secs(60));
    }
    let (ended, error) = inside.sfvault(&["get", "prod"]).await;
    assert_eq!(
        (
            ended.status,
            &error["reason"],
            &error["retry_after_seconds"]
        ),
        (75, &Value::from("LOGIN_BUDGET_SPENT"), &Value::from(780)),
    );
    let hint = error["hint"].as_str().unwrap();
    for words in [
        "does not lock the user",
        "`sfvault check prod --release`",
        "try again in",
    ] {
        assert!(hint.contains(words), "{hint}");
    }
    inside.finish().await;
}
