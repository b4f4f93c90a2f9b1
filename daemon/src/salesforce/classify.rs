//! From an HTTP answer to a grant, a proof or a failure. Pure: the answer has been read by `http`.

use std::time::Duration;

use super::{
    Grant, HostRefused, PasswordNotSet, Proof,
    hosts::HostRules,
    http::{Answer, HttpError},
    oauth,
    redact::redact,
    soap::{self, Body, NoGrant},
    xml::Element,
};
use crate::failure::{Class, Failure};

/// What a login's answer means. `secrets` are those that the request held.
pub(super) fn login(
    answer: &Answer,
    username: &str,
    rules: &HostRules,
    secrets: &[&str],
) -> Result<Grant, Failure> {
    let content = content(answer, secrets).map_err(of_login)?;
    soap::grant(&content, username, rules).map_err(refused)
}

/// What the answer to a session's proof means, or that there was none.
pub(super) fn proof(answer: Result<Answer, Failure>, secrets: &[&str]) -> Result<Proof, Failure> {
    let content = answer.and_then(|answer| content(&answer, secrets));
    soap::proof(&content.map_err(of_proof)?).map_err(refused)
}

/// The same by `userinfo`, which says in plain words that a session is dead ("User Info Endpoint", Salesforce Help).
pub(super) fn user_info(
    answer: Result<Answer, Failure>,
    secrets: &[&str],
) -> Result<Proof, Failure> {
    let answer = answer.map_err(of_proof)?;
    if answer.status == 200 && !answer.is_html() {
        return oauth::proof(answer.body.as_ref()).map_err(refused);
    }
    let text = str::from_utf8(answer.body.as_ref())
        .unwrap_or_default()
        .trim();
    let failure = match answer.status {
        300..400 => by_status(&answer, USER_INFO),
        403 if text == "Bad_OAuth_Token" => Failure {
            code: Some(text.to_owned()),
            ..failure(
                Class::SessionDead,
                "the session is not, or no longer, valid",
            )
        },
        403 if is_word(text) => failure(
            Class::Protocol,
            &redact(
                &format!("`userinfo` refused the session: {text}"),
                secrets,
                &[],
            ),
        ),
        _ => match oauth::rest_fault(text) {
            Some(fault) => fault.into_failure(secrets),
            None => by_status(&answer, USER_INFO),
        },
    };
    Err(of_proof(failure))
}

/// What the answer to `logout()` means. A session that was dead already is ended.
pub(super) fn logout(answer: Result<Answer, Failure>, secrets: &[&str]) -> Result<(), Failure> {
    match answer.and_then(|answer| content(&answer, secrets)) {
        Ok(content) if content.name == "logoutResponse" => Ok(()),
        Ok(_) => Err(unreadable("it answers another call")),
        Err(failure) if failure.class == Class::SessionDead => Ok(()),
        Err(failure) => Err(of_proof(failure)),
    }
}

/// What the answer of the revocation endpoint means ("Revoke OAuth Tokens", Salesforce Help). It calls a session that was
/// dead already an invalid token.
pub(super) fn revocation(answer: Result<Answer, Failure>) -> Result<(), Failure> {
    let answer = answer.map_err(of_proof)?;
    let text = str::from_utf8(answer.body.as_ref()).unwrap_or_default();
    match answer.status {
        200 if !answer.is_html() => Ok(()),
        400 if text.contains("invalid_token") => Ok(()),
        _ => Err(of_proof(by_status(&answer, "endpoint `revoke`"))),
    }
}

/// What a failure of a login is: no session was sent, so none can be dead, and whatever this is, it is not understood.
pub(super) fn of_login(mut failure: Failure) -> Failure {
    if matches!(failure.class, Class::SessionBarred | Class::SessionDead) {
        failure.class = Class::Protocol;
    }
    failure
}

/// What a failure of a proof is: no credential was sent, so none can have been counted.
fn of_proof(mut failure: Failure) -> Failure {
    if failure.class == Class::Unanswered {
        failure.class = Class::Unavailable;
    }
    failure
}

/// What the answer to a change of a password means, or that there was none. A fault says that nothing was changed,
/// unless Salesforce itself does not know what happened.
pub(super) fn password_set(
    answer: Result<Answer, Failure>,
    secrets: &[&str],
) -> Result<(), PasswordNotSet> {
    let answer = answer.map_err(|failure| PasswordNotSet {
        // What never left changed nothing.
        unchanged: failure.class == Class::Unavailable,
        failure,
    })?;
    let is_fault = matches!(Body::parse(answer.body.as_ref()), Ok(Body::Fault(_)));
    let failure = match content(&answer, secrets) {
        Ok(content) if content.name == "setPasswordResponse" => return Ok(()),
        Ok(_) => unreadable("it answers another call"),
        Err(failure) => failure,
    };
    let knows = !matches!(
        failure.code.as_deref(),
        Some("UNKNOWN_EXCEPTION" | "SERVER_UNAVAILABLE" | "REQUEST_RUNNING_TOO_LONG")
    );
    Err(PasswordNotSet {
        unchanged: is_fault && knows,
        failure,
    })
}

/// What a request without an answer means. The texts are the system's and the TLS and HTTP libraries', who
/// quote certificates but no request; looking for secrets in them could only show where one resembles them.
pub(super) fn unanswered(error: HttpError) -> Failure {
    let (class, message) = match error {
        HttpError::NotSent(message) => (Class::Unavailable, message),
        HttpError::NoAnswer(message) => (Class::Unanswered, message),
        HttpError::BadAnswer(message) => (Class::Protocol, message),
    };
    failure(class, &redact(&message, &[], &[]))
}

/// Nothing is sent to this host, be it the record's or the one that a session is for.
pub(super) fn wrong_host(refused: &HostRefused) -> Failure {
    let host = &refused.host;
    let message = match &refused.hint {
        Some(hint) => format!("no credential or session goes to `{host}`: {hint}"),
        None => format!("no credential or session goes to `{host}`"),
    };
    failure(Class::WrongHost, &redact(&message, &[], &[]))
}

/// A failure that Salesforce gave no code for.
pub(super) fn failure(class: Class, message: &str) -> Failure {
    Failure {
        class,
        code: None,
        message: message.to_owned(),
        pause: None,
    }
}

/// The element in the SOAP body of an answer that is no fault.
fn content(answer: &Answer, secrets: &[&str]) -> Result<Element, Failure> {
    // A redirect first: whatever else it says, the host is not the one to ask.
    if (300..400).contains(&answer.status) {
        return Err(by_status(answer, SOAP));
    }
    match Body::parse(answer.body.as_ref()) {
        Ok(Body::Fault(fault)) => Err(fault.into_failure(secrets)),
        Ok(Body::Content(content)) if answer.status == 200 => Ok(content),
        Ok(Body::Content(_)) => Err(by_status(answer, SOAP)),
        Err(problem) if answer.status == 200 && !answer.is_html() => Err(unreadable(problem.0)),
        Err(_) => Err(by_status(answer, SOAP)),
    }
}

const SOAP: &str = "SOAP API";
const USER_INFO: &str = "endpoint `userinfo`";

/// What an answer that `api` would not give means. A page's text is for people in browsers and is not quoted.
pub(super) fn by_status(answer: &Answer, api: &str) -> Failure {
    let status = answer.status;
    let (class, message) = match status {
        200 => (
            Class::WrongHost,
            "the host answered with a web page, not as an API host does".to_owned(),
        ),
        300..400 => (
            Class::WrongHost,
            match &answer.redirects_to {
                Some(host) => format!(
                    "the host redirects to `{host}` (HTTP {status}); credentials follow no redirect"
                ),
                None => {
                    format!("the host redirects (HTTP {status}); credentials follow no redirect")
                }
            },
        ),
        404 | 405 => (
            Class::WrongHost,
            format!("the host does not serve the {api} (HTTP {status})"),
        ),
        406 | 420 | 503 => (
            Class::Unavailable,
            format!("Salesforce is not available (HTTP {status})"),
        ),
        // A gateway speaks for a server that got the request and may have judged it (RFC 9110, 15.6.3 and 15.6.5).
        502 | 504 => (
            Class::Unanswered,
            format!("a gateway had no answer of Salesforce's to give (HTTP {status})"),
        ),
        410 => (
            Class::ApiVersion,
            "Salesforce no longer serves this API version (HTTP 410)".to_owned(),
        ),
        429 => (
            Class::RateLimited,
            "Salesforce limits the rate of requests (HTTP 429)".to_owned(),
        ),
        _ => (
            Class::Protocol,
            format!("Salesforce answered HTTP {status}, as the {api} does not"),
        ),
    };
    let pause = match status {
        429 => Some(answer.retry_after.unwrap_or(Duration::from_hours(1))),
        406 | 420 | 502..=504 => answer.retry_after,
        _ => None,
    };
    Failure {
        pause,
        ..failure(class, &message)
    }
}

pub(super) fn refused(problem: NoGrant) -> Failure {
    match problem {
        NoGrant::HostRefused(refused) => wrong_host(&refused),
        NoGrant::OtherVersion => failure(
            Class::ApiVersion,
            "Salesforce served another API version than 64.0",
        ),
        NoGrant::PasswordExpired => failure(
            Class::PasswordExpired,
            "the password has expired: change it, and the security token that follows by mail",
        ),
        NoGrant::Unreadable(problem) => unreadable(problem),
    }
}

/// One word, as plain answers have it.
fn is_word(text: &str) -> bool {
    (1..=60).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub(super) fn unreadable(problem: &str) -> Failure {
    failure(
        Class::Protocol,
        &format!("Salesforce's answer is not understood: {problem}"),
    )
}

#[cfg(test)]
mod tests;
