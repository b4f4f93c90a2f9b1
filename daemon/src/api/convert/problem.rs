//! What keeps a record from logging in, in words and times.

use std::time::SystemTime;

use sfvault_proto::v1;

use crate::{
    api::status::{failure_reason, store_reason},
    session::decision::{Activity, Refusal},
    vault::RecordView,
};

/// What keeps a record from logging in.
pub(in crate::api) struct Problem {
    pub(in crate::api) reason: v1::Reason,
    pub(in crate::api) text: String,
    pub(super) failed_at: Option<SystemTime>,
    pub(in crate::api) retry_at: Option<SystemTime>,
}

impl Problem {
    pub(super) fn of(view: &RecordView) -> Self {
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

    pub(in crate::api) fn of_activity(activity: &Activity) -> Self {
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
            Refusal::RefusedAgain { until, .. } => Self {
                reason: v1::Reason::SessionRefusedAgain,
                retry_at: Some(*until),
                ..none
            },
        }
    }
}
