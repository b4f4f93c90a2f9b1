//! What migration and rotation have in common: a login is tried, and its result goes on into the record.

use crate::{
    credential::Credential,
    error::Error,
    failure::Failure,
    record::{Pin, Record},
    session::{decision::Passed, trial::NotPassed, turn::Turn},
};

/// What of a login that was tried goes on into the record.
pub(super) fn pin(passed: &Passed) -> Pin {
    Pin {
        org_id: passed.grant.org_id.clone(),
        user_id: passed.grant.user_id.clone(),
        username: username(passed),
    }
}

pub(super) fn username(passed: &Passed) -> Option<String> {
    let Passed { grant, proof, .. } = passed;
    grant
        .username
        .clone()
        .or_else(|| proof.as_ref()?.username.clone())
}

/// The credential after the login: Salesforce may have replaced a refresh token.
pub(super) fn renewed(credential: Credential, passed: &Passed) -> Credential {
    match (credential, &passed.grant.rotated) {
        (
            Credential::RefreshToken {
                consumer_secret, ..
            },
            Some(refresh_token),
        ) => Credential::RefreshToken {
            refresh_token: refresh_token.clone(),
            consumer_secret,
        },
        (credential, _) => credential,
    }
}

/// A record with a password whose fate is open is changed in one way only: by ending that.
pub(super) fn no_drawn_password(record: &Record) -> Result<(), Error> {
    match record.aside.drawn {
        None => Ok(()),
        Some(_) => Err(Error::TokenAwaited(record.name.clone())),
    }
}

/// What Salesforce took would be known to nobody.
pub(super) fn no_drawn_password_to_lose(record: &Record) -> Result<(), Error> {
    match record.aside.drawn {
        None => Ok(()),
        Some(_) => Err(Error::invalid(
            "name",
            format!(
                "`{0}` has the only copy of a generated password that may be in force: end that first with \
                 `sfvault rotate {0}`, or see it with `sfvault rotate {0} --reveal-pending`; to remove it too, say \
                 `--with-generated-password`",
                record.name
            ),
        )),
    }
}

pub(super) fn failed(turn: &Turn, tried: String, not: NotPassed) -> Error {
    match not {
        NotPassed::Failed(failure) => trial_failed(turn, tried, failure),
        NotPassed::NotSent(error) => error,
    }
}

pub(super) fn trial_failed(turn: &Turn, tried: String, failure: Failure) -> Error {
    Error::TrialFailed {
        record: turn.record().name.clone(),
        tried,
        failure,
    }
}
