//! Wire messages to domain types and back. Secrets are moved out of a request, not copied.

use std::time::{Duration, SystemTime};

use sfvault_proto::v1;

use super::{
    changes,
    status::{failure_reason, store_reason},
};
use crate::{
    credential::{Credential, Flow, FlowKind},
    environment::Environment,
    error::Error,
    host::Host,
    record::RecordName,
    retirement::Nearness,
    salesforce::hosts::default_audience,
    secret::{ConsumerSecret, Password, PrivateKey, RefreshToken, SecurityToken},
    session::{
        Session,
        decision::{Activity, Refusal, Want},
        quota::Usage,
    },
    vault::{LockState, NewRecord, NewSecrets, RecordView, SessionRequest, watching::WatchRequest},
};

pub(super) fn record_name(text: &str) -> Result<RecordName, Error> {
    RecordName::parse(text).map_err(|problem| invalid("name", problem.to_string()))
}

pub(super) fn session_request(request: &v1::GetSessionRequest) -> Result<SessionRequest, Error> {
    let min_ttl = duration("min_ttl", request.min_ttl)?;
    let refused = Some(request.refused_generation).filter(|generation| *generation != 0);
    Ok(SessionRequest {
        want: Want {
            min_ttl,
            refused,
            fresh_proof: false,
            fresh_login: false,
        },
        expect_org: expected_org(&request.expect_org)?,
        expect_environment: environment("expect_environment", request.expect_environment)?,
        wait: duration("wait", request.wait)?,
    })
}

pub(super) fn watch_request(request: &v1::WatchSessionRequest) -> Result<WatchRequest, Error> {
    Ok(WatchRequest {
        min_ttl: duration("min_ttl", request.min_ttl)?,
        expect_org: expected_org(&request.expect_org)?,
        expect_environment: environment("expect_environment", request.expect_environment)?,
    })
}

fn expected_org(text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_org_id =
        matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if !(is_org_id && text.starts_with("00D")) {
        return Err(invalid(
            "expect_org",
            "an org id has 15 or 18 letters and digits and starts with `00D`",
        ));
    }
    Ok(Some(text.to_owned()))
}

pub(super) fn session(
    session: &Session,
    api_version: &str,
    warnings: Vec<String>,
) -> v1::GetSessionResponse {
    v1::GetSessionResponse {
        // EXPOSE: to the peer, who was let in for this.
        session_id: session.session_id.expose().to_owned(),
        instance_url: session.instance.url(),
        api_version: api_version.to_owned(),
        org_id: session.org_id.clone(),
        user_id: session.user_id.clone(),
        username: session.username.clone(),
        sandbox: session.sandbox,
        generation: session.generation,
        issued_at: Some(session.issued_at.into()),
        guaranteed_until: Some(session.guaranteed_until().into()),
        expires_at: Some(session.expires_at().into()),
        warnings,
    }
}

pub(super) fn new_record(request: v1::AddRecordRequest) -> Result<NewRecord, Error> {
    let name = record_name(&request.name)?;
    let login_host = login_host(&request.login_url)?;
    let sent = request
        .credential
        .ok_or_else(|| invalid("credential", "is missing"))?;
    let said = environment("environment", request.environment)?;
    let remind_after = reminder(request.remind_after)?.flatten();
    let (flow, credential) = login_of(
        sent,
        &login_host,
        Settings {
            username: request.username,
            consumer_key: request.consumer_key,
            audience: request.audience,
        },
    )?;
    Ok(NewRecord {
        name,
        login_host,
        flow,
        credential,
        environment: said,
        remind_after,
    })
}

pub(super) fn login_host(url: &str) -> Result<Host, Error> {
    Host::parse(url)
        .map_err(|problem| invalid("login_url", format!("`{}`: {problem}", url.escape_debug())))
}

/// What a request says about a flow beside its secrets.
struct Settings {
    username: String,
    consumer_key: String,
    audience: String,
}

/// The flow and the credential that a request means. What the flow does not use must not be there.
fn login_of(
    sent: v1::add_record_request::Credential,
    login_host: &Host,
    settings: Settings,
) -> Result<(Flow, Credential), Error> {
    use v1::add_record_request::Credential as Sent;
    let Settings {
        username,
        consumer_key,
        audience,
    } = settings;
    let none = |field, text: &str| match text {
        "" => Ok(()),
        _ => Err(invalid(field, "is not used by this flow: leave it out")),
    };
    if !matches!(sent, Sent::JwtBearer(_)) {
        none("audience", &audience)?;
    }
    Ok(match sent {
        Sent::SoapLogin(sent) => {
            none("consumer_key", &consumer_key)?;
            let credential = Credential::SoapLogin {
                password: Password::new(sent.password),
                security_token: token(sent.security_token),
            };
            (Flow::SoapLogin { username }, credential)
        }
        Sent::UsernamePassword(sent) => {
            let credential = Credential::UsernamePassword {
                password: Password::new(sent.password),
                security_token: token(sent.security_token),
                consumer_secret: consumer_secret(sent.consumer_secret),
            };
            let flow = Flow::UsernamePassword {
                username,
                consumer_key,
            };
            (flow, credential)
        }
        Sent::ClientCredentials(sent) => {
            none("username", &username)?;
            let credential = Credential::ClientCredentials {
                consumer_secret: ConsumerSecret::new(sent.consumer_secret),
            };
            (Flow::ClientCredentials { consumer_key }, credential)
        }
        Sent::JwtBearer(sent) => {
            let credential = Credential::JwtBearer {
                private_key: PrivateKey::new(sent.private_key),
                consumer_secret: consumer_secret(sent.consumer_secret),
            };
            let audience = match audience.as_str() {
                "" => default_audience(login_host).to_owned(),
                _ => audience,
            };
            let flow = Flow::JwtBearer {
                username,
                consumer_key,
                audience,
            };
            (flow, credential)
        }
        Sent::RefreshToken(sent) => {
            none("username", &username)?;
            let credential = Credential::RefreshToken {
                refresh_token: RefreshToken::new(sent.refresh_token),
                consumer_secret: consumer_secret(sent.consumer_secret),
            };
            (Flow::RefreshToken { consumer_key }, credential)
        }
    })
}

pub(super) fn new_secrets(request: v1::SetCredentialRequest) -> Result<NewSecrets, Error> {
    Ok(NewSecrets {
        remind_after: reminder(request.remind_after)?,
        password: request.password.map(Password::new),
        security_token: request.security_token.map(token),
        consumer_secret: request.consumer_secret.map(consumer_secret),
        private_key: request.private_key.map(PrivateKey::new),
        refresh_token: request.refresh_token.map(RefreshToken::new),
    })
}

fn login_usage(usage: Usage) -> v1::LoginUsage {
    v1::LoginUsage {
        used: usage.used,
        limit: usage.limit,
        reached_at: usage.reached_at.map(Into::into),
        throttled_until: usage.throttled_until.map(Into::into),
    }
}

pub(super) fn record_status(view: &RecordView) -> v1::RecordStatus {
    let record = &view.record;
    let problem = Problem::of(view);
    let pin = record.pin.clone();
    let (org_id, user_id) = pin.map_or_else(Default::default, |pin| (pin.org_id, pin.user_id));
    v1::RecordStatus {
        name: record.name.to_string(),
        username: record.username().unwrap_or_default().to_owned(),
        login_url: record.login_host.url(),
        flow: flow(record.flow.kind()).into(),
        state: record_state(&view.activity).into(),
        reason: problem.reason.into(),
        problem: problem.text,
        failed_at: problem.failed_at.map(Into::into),
        retry_at: problem.retry_at.map(Into::into),
        org_id,
        user_id,
        generation: view.generation,
        created_at: Some(record.created_at.into()),
        credential_changed_at: Some(record.credential_changed_at.into()),
        session_issued_at: view
            .session
            .as_ref()
            .map(|session| session.issued_at.into()),
        guaranteed_until: view
            .session
            .as_ref()
            .map(|session| session.guaranteed_until().into()),
        logins: view.logins,
        login_usage: view.usage.map(login_usage),
        consumer_key: record.flow.consumer_key().unwrap_or_default().to_owned(),
        refresh_token_idle_until: view.token_idle_until.map(Into::into),
        kept_login: changes::kept_login(&record.aside),
        generated_password: changes::generated_password(&record.aside).into(),
        audience: match &record.flow {
            Flow::JwtBearer { audience, .. } => audience.clone(),
            Flow::SoapLogin { .. }
            | Flow::UsernamePassword { .. }
            | Flow::ClientCredentials { .. }
            | Flow::RefreshToken { .. } => String::new(),
        },
        remind_after: record.remind_after.and_then(|span| span.try_into().ok()),
        retirements: view
            .retirements
            .iter()
            .map(|(retirement, nearness)| v1::Retirement {
                event: retirement.event.name().to_owned(),
                text: retirement.text.to_string(),
                day: retirement
                    .day
                    .map(|day| day.to_string())
                    .unwrap_or_default(),
                certainty: retirement.certainty.name().to_owned(),
                source: retirement.source().to_owned(),
                advice: retirement.event.advice(record.name.as_str()),
                over: *nearness == Nearness::Over,
            })
            .collect(),
    }
}

pub(super) fn lock_state(state: LockState) -> v1::VaultState {
    match state {
        LockState::Missing => v1::VaultState::Missing,
        LockState::Locked => v1::VaultState::Locked,
        LockState::Unlocked => v1::VaultState::Unlocked,
    }
}

pub(super) fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What keeps a record from logging in.
pub(super) struct Problem {
    pub(super) reason: v1::Reason,
    pub(super) text: String,
    failed_at: Option<SystemTime>,
    pub(super) retry_at: Option<SystemTime>,
}

impl Problem {
    fn of(view: &RecordView) -> Self {
        match &view.token_unsaved {
            Some(problem) => Self {
                reason: store_reason(problem),
                text: format!("the new refresh token is in memory only: {problem}"),
                failed_at: None,
                retry_at: None,
            },
            None => Self::of_activity(&view.activity),
        }
    }

    pub(super) fn of_activity(activity: &Activity) -> Self {
        let none = Self {
            reason: v1::Reason::Unspecified,
            text: String::new(),
            failed_at: None,
            retry_at: None,
        };
        let Activity::Barred(refusal) = activity else {
            return none;
        };
        match refusal {
            Refusal::BackingOff { failure, until } => Self {
                reason: failure_reason(failure.class),
                text: failure.to_string(),
                retry_at: Some(*until),
                ..none
            },
            Refusal::BudgetSpent { until } => Self {
                reason: v1::Reason::LoginBudgetSpent,
                retry_at: Some(*until),
                ..none
            },
            Refusal::Latched { failure, since } => Self {
                reason: failure_reason(failure.class),
                text: failure.to_string(),
                failed_at: Some(*since),
                ..none
            },
            // What is to be said of it does not depend on what the record does.
            Refusal::MinTtlTooLong { .. } | Refusal::TokenUnsaved => none,
            Refusal::RefusedAgain { until } => Self {
                reason: v1::Reason::SessionRefusedAgain,
                retry_at: Some(*until),
                ..none
            },
        }
    }
}

fn record_state(activity: &Activity) -> v1::RecordState {
    match activity {
        Activity::Barred(Refusal::Latched { .. }) => v1::RecordState::Latched,
        Activity::Barred(
            Refusal::BackingOff { .. }
            | Refusal::BudgetSpent { .. }
            | Refusal::MinTtlTooLong { .. }
            | Refusal::RefusedAgain { .. }
            | Refusal::TokenUnsaved,
        ) => v1::RecordState::BackingOff,
        Activity::Idle => v1::RecordState::Idle,
        Activity::InFlight => v1::RecordState::LoggingIn,
        Activity::Ready => v1::RecordState::Ready,
    }
}

pub(super) fn flow(flow: FlowKind) -> v1::Flow {
    match flow {
        FlowKind::SoapLogin => v1::Flow::SoapLogin,
        FlowKind::UsernamePassword => v1::Flow::UsernamePassword,
        FlowKind::ClientCredentials => v1::Flow::ClientCredentials,
        FlowKind::JwtBearer => v1::Flow::JwtBearer,
        FlowKind::RefreshToken => v1::Flow::RefreshToken,
    }
}

fn environment(field: &'static str, sent: i32) -> Result<Option<Environment>, Error> {
    match v1::Environment::try_from(sent) {
        Ok(v1::Environment::Unspecified) => Ok(None),
        Ok(v1::Environment::Production) => Ok(Some(Environment::Production)),
        Ok(v1::Environment::Sandbox) => Ok(Some(Environment::Sandbox)),
        // To serve a caller who expects what is not understood would be to ignore the expectation.
        Err(_) => Err(invalid(field, "is no kind of org that this sfvaultd knows")),
    }
}

/// What a request says of the reminder; zero takes it away.
fn reminder(sent: Option<prost_types::Duration>) -> Result<Option<Option<Duration>>, Error> {
    if sent.is_none() {
        return Ok(None);
    }
    let span = duration("remind_after", sent)?;
    if span > LONGEST_REMINDER {
        return Err(invalid("remind_after", "is longer than 3,660 days"));
    }
    Ok(Some((!span.is_zero()).then_some(span)))
}

/// Ten years: whoever means "never" says so.
const LONGEST_REMINDER: Duration = Duration::from_hours(3_660 * 24);

fn token(text: String) -> Option<SecurityToken> {
    (!text.is_empty()).then(|| SecurityToken::new(text))
}

fn consumer_secret(text: String) -> Option<ConsumerSecret> {
    (!text.is_empty()).then(|| ConsumerSecret::new(text))
}

pub(super) fn duration(
    field: &'static str,
    sent: Option<prost_types::Duration>,
) -> Result<Duration, Error> {
    sent.map_or(Ok(Duration::ZERO), Duration::try_from)
        .map_err(|_| invalid(field, "is not a time span of 0 or more"))
}

pub(super) fn instant(
    field: &'static str,
    sent: Option<prost_types::Timestamp>,
) -> Result<Option<SystemTime>, Error> {
    sent.map(SystemTime::try_from)
        .transpose()
        .map_err(|_| invalid(field, "is no time"))
}

pub(super) fn invalid(field: &'static str, problem: impl Into<String>) -> Error {
    Error::InvalidArgument {
        field,
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> v1::GetSessionRequest {
        v1::GetSessionRequest {
            record: "prod".to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn an_empty_request_wants_any_session_of_any_org() {
        let wanted = session_request(&request()).unwrap();
        assert_eq!(
            (wanted.want.min_ttl, wanted.want.refused, wanted.wait),
            (Duration::ZERO, None, Duration::ZERO)
        );
        assert_eq!(wanted.expect_org, None);
    }

    #[test]
    fn negative_spans_and_odd_org_ids_are_refused_by_field() {
        let negative = Some(prost_types::Duration {
            seconds: -1,
            nanos: 0,
        });
        for (request, field) in [
            (
                v1::GetSessionRequest {
                    min_ttl: negative,
                    ..request()
                },
                "min_ttl",
            ),
            (
                v1::GetSessionRequest {
                    wait: negative,
                    ..request()
                },
                "wait",
            ),
            (
                v1::GetSessionRequest {
                    expect_org: "prod".to_owned(),
                    ..request()
                },
                "expect_org",
            ),
            (
                v1::GetSessionRequest {
                    expect_org: "005xx000001Sv6A".to_owned(),
                    ..request()
                },
                "expect_org",
            ),
        ] {
            let error = session_request(&request).unwrap_err();
            assert!(
                matches!(&error, Error::InvalidArgument { field: named, .. } if *named == field),
                "{error:?}"
            );
        }
    }

    #[test]
    fn an_expectation_that_is_not_understood_is_refused_not_ignored() {
        for (sent, wanted) in [
            (0, None),
            (1, Some(Environment::Production)),
            (2, Some(Environment::Sandbox)),
        ] {
            let request = v1::GetSessionRequest {
                expect_environment: sent,
                ..request()
            };
            let read = session_request(&request).unwrap();
            assert_eq!(read.expect_environment, wanted);
        }
        for sent in [3, -1, i32::MAX] {
            let request = v1::GetSessionRequest {
                expect_environment: sent,
                ..request()
            };
            assert!(session_request(&request).is_err(), "{sent}");
        }
    }

    #[test]
    fn a_reminder_is_absent_never_or_within_ten_years() {
        let days = |days: i64| {
            reminder(Some(prost_types::Duration {
                seconds: days * 86_400,
                nanos: 0,
            }))
        };
        assert_eq!(reminder(None).unwrap(), None);
        assert_eq!(days(0).unwrap(), Some(None));
        assert_eq!(days(3_660).unwrap(), Some(Some(LONGEST_REMINDER)));
        for wrong in [days(-1), days(3_661), days(i64::MAX / 86_400)] {
            let problem = wrong.unwrap_err().to_string();
            assert!(problem.starts_with("`remind_after`"), "{problem}");
        }
    }

    #[test]
    fn a_record_needs_a_credential_and_a_host() {
        let request = |login_url: &str| v1::AddRecordRequest {
            name: "prod".to_owned(),
            username: "u@example.com".to_owned(),
            login_url: login_url.to_owned(),
            ..Default::default()
        };
        let error = new_record(request("https://login.salesforce.com")).unwrap_err();
        assert!(matches!(
            error,
            Error::InvalidArgument {
                field: "credential",
                ..
            }
        ));
        let error = new_record(request("http://login.salesforce.com")).unwrap_err();
        assert!(matches!(
            error,
            Error::InvalidArgument {
                field: "login_url",
                ..
            }
        ));
    }
}
