//! A record as operators and clients are told of it.

use sfvault_proto::v1;

use super::problem::Problem;
use crate::{
    api::changes,
    credential::{Flow, FlowKind},
    retirement::Nearness,
    session::{
        decision::{Activity, Refusal},
        quota::Usage,
    },
    vault::RecordView,
};

pub(in crate::api) fn record_status(view: &RecordView) -> v1::RecordStatus {
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
                advice: retirement
                    .event
                    .advice(record.name.as_str(), record.flow.kind()),
                over: *nearness == Nearness::Over,
            })
            .collect(),
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

pub(in crate::api) fn flow(flow: FlowKind) -> v1::Flow {
    match flow {
        FlowKind::SoapLogin => v1::Flow::SoapLogin,
        FlowKind::UsernamePassword => v1::Flow::UsernamePassword,
        FlowKind::ClientCredentials => v1::Flow::ClientCredentials,
        FlowKind::JwtBearer => v1::Flow::JwtBearer,
        FlowKind::RefreshToken => v1::Flow::RefreshToken,
    }
}

fn login_usage(usage: Usage) -> v1::LoginUsage {
    v1::LoginUsage {
        used: usage.used,
        limit: usage.limit,
        reached_at: usage.reached_at.map(Into::into),
        throttled_until: usage.throttled_until.map(Into::into),
    }
}
