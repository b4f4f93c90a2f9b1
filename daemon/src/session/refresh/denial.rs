//! Why a caller gets no session, as an error that says so.

use std::time::SystemTime;

use crate::{
    error::Error,
    failure::Failure,
    record::{Record, RecordName},
    session::{
        decision::{Refusal, Want},
        entry::State,
        quota::Throttle,
    },
    store::StoreError,
};

pub(in crate::session) fn as_error(
    refusal: Refusal,
    state: &State,
    want: Want,
    now: SystemTime,
) -> Error {
    let record = state.record.name.clone();
    let retry_after = |until: SystemTime| until.duration_since(now).unwrap_or_default();
    match refusal {
        Refusal::BackingOff { failure, until } => Error::LoginFailed {
            record,
            failure,
            retry_after: retry_after(until),
        },
        Refusal::BudgetSpent { until } => Error::LoginBudgetSpent {
            record,
            retry_after: retry_after(until),
        },
        Refusal::Latched { failure, since } => Error::Latched {
            record,
            failure,
            since,
        },
        Refusal::MinTtlTooLong { possible } => Error::MinTtlTooLong {
            asked: want.min_ttl,
            possible,
        },
        Refusal::RefusedAgain { until, lives } => Error::SessionRefusedAgain {
            record,
            lives,
            retry_after: retry_after(until),
        },
        Refusal::TokenUnsaved => match state.unsaved_token() {
            Some(problem) => token_unsaved(&record, problem),
            None => Error::Internal("a refresh token that nobody tried to save"),
        },
    }
}

pub(in crate::session) fn as_throttled(
    throttle: Throttle,
    record: &Record,
    now: SystemTime,
) -> Error {
    let name = record.name.clone();
    let retry_after = |until: SystemTime| until.duration_since(now).unwrap_or_default();
    match throttle {
        Throttle::Spent { limit, until } => Error::LoginShareSpent {
            record: name,
            limit,
            retry_after: retry_after(until),
        },
        Throttle::Refused { failure, until } => Error::LoginFailed {
            record: name,
            failure,
            retry_after: retry_after(until),
        },
    }
}

pub(super) fn token_unsaved(record: &RecordName, problem: &StoreError) -> Error {
    Error::TokenUnsaved {
        record: record.clone(),
        problem: problem.clone(),
    }
}

/// A host does not answer, as another record found out.
pub(in crate::session) fn host_down(
    record: RecordName,
    (failure, until): (Failure, SystemTime),
    now: SystemTime,
) -> Error {
    Error::LoginFailed {
        record,
        failure,
        retry_after: until.duration_since(now).unwrap_or_default(),
    }
}
