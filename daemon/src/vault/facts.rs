//! What a migration compares.

use std::time::Duration;

use super::trial::username;
use crate::{
    credential::FlowKind,
    host::Host,
    record::Record,
    salesforce::LoginRequest,
    session::{Session, decision::Passed},
};

/// What is known of one way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub flow: FlowKind,
    pub login_host: Host,
    pub consumer_key: Option<String>,
    pub org_id: Option<String>,
    pub user_id: Option<String>,
    pub username: Option<String>,
    pub instance: Option<Host>,
    /// How long its sessions may be idle.
    pub timeout: Option<Duration>,
    /// Whether a call with a session of it succeeded just now. More can't be told without touching data: what the
    /// user may read and write is the user's, and an app's scopes may narrow it.
    pub proven: bool,
}

impl Facts {
    pub(super) fn of_session(record: &Record, session: &Session) -> Self {
        Self {
            org_id: Some(session.org_id.clone()),
            user_id: Some(session.user_id.clone()),
            username: Some(session.username.clone()),
            instance: Some(session.instance.clone()),
            timeout: Some(session.timeout),
            proven: true,
            ..Self::of_pin(record)
        }
    }

    /// What the record's earlier logins told.
    pub(super) fn of_pin(record: &Record) -> Self {
        let pin = record.pin.as_ref();
        Self {
            flow: record.flow.kind(),
            login_host: record.login_host.clone(),
            consumer_key: record.flow.consumer_key().map(str::to_owned),
            org_id: pin.map(|pin| pin.org_id.clone()),
            user_id: pin.map(|pin| pin.user_id.clone()),
            username: record.username().map(str::to_owned),
            instance: None,
            timeout: None,
            proven: false,
        }
    }

    pub(super) fn of_login(request: &LoginRequest, passed: &Passed) -> Self {
        let Passed { grant, proof, .. } = passed;
        Self {
            flow: request.flow.kind(),
            login_host: request.login_host.clone(),
            consumer_key: request.flow.consumer_key().map(str::to_owned),
            org_id: Some(grant.org_id.clone()),
            user_id: Some(grant.user_id.clone()),
            username: username(passed),
            instance: Some(grant.instance.clone()),
            timeout: proof
                .as_ref()
                .and_then(|proof| proof.timeout)
                .or(grant.timeout),
            proven: proof.is_some(),
        }
    }
}
