//! What an error of the token endpoint means: a table from error and words to a class.
//!
//! Salesforce puts most causes into the description, whose capitals differ from node to node ("OAuth 2.0 Error Codes",
//! Salesforce Help). What is not in the table is not understood, and so is never retried.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    super::{
        classify, form,
        http::Answer,
        redact::redact,
        soap::{Fault, as_code},
    },
    fields::{self, Text},
};
use crate::{
    credential::FlowKind,
    failure::{Class, Failure},
};

/// What an answer without a grant means; `None` if it may be one. `secrets` are those that the request held; `now` is
/// our clock's time.
pub(super) fn read(
    answer: &Answer,
    flow: FlowKind,
    secrets: &[&str],
    now: SystemTime,
) -> Option<Failure> {
    // A redirect first: whatever else it says, the host is not the one to ask.
    if (300..400).contains(&answer.status) {
        return Some(classify::by_status(answer, ENDPOINT));
    }
    let body = str::from_utf8(answer.body.as_ref()).unwrap_or_default();
    Some(match Refusal::read(body) {
        Some(Refusal::OAuth { error, description }) => {
            let words = description.to_ascii_lowercase();
            let rule = RULES.iter().find(|rule| rule.fits(&error, &words, flow));
            if rule.is_none() && matches!(answer.status, 406 | 420 | 429 | 502..=504) {
                return Some(classify::by_status(answer, ENDPOINT));
            }
            told(rule, &error, &description, answer, secrets, now)
        }
        Some(Refusal::Rest(fault)) => classify::of_login(fault.into_failure(secrets)),
        None if answer.status == 200 && !answer.is_html() => return None,
        None => classify::by_status(answer, ENDPOINT),
    })
}

/// An error as the REST API says it: an array of one object with a code and words.
pub(in super::super) fn rest_fault(body: &str) -> Option<Fault> {
    let inner = body.trim().strip_prefix('[')?.strip_suffix(']')?;
    let wire: RestWire = fields::parse(inner.trim().as_bytes())?;
    Some(Fault {
        code: wire.error_code.get().and_then(as_code).map(str::to_owned),
        text: Zeroizing::new(wire.message.get().unwrap_or_default().to_owned()),
    })
}

/// What a host that answers otherwise does not serve.
const ENDPOINT: &str = "OAuth token endpoint";

/// An error, in the form it came in.
enum Refusal {
    OAuth {
        error: Zeroizing<String>,
        description: Zeroizing<String>,
    },
    /// As the REST API says it.
    Rest(Fault),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OAuthWire {
    error: Text,
    error_description: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RestWire {
    error_code: Text,
    message: Text,
}

impl Refusal {
    fn read(body: &str) -> Option<Self> {
        let body = body.trim();
        if body.starts_with('[') {
            return rest_fault(body).map(Self::Rest);
        }
        if body.starts_with('{') {
            let wire: OAuthWire = fields::parse(body.as_bytes())?;
            let text = |text: &Text| Zeroizing::new(text.get().unwrap_or_default().to_owned());
            wire.error.get()?;
            return Some(Self::OAuth {
                error: text(&wire.error),
                description: text(&wire.error_description),
            });
        }
        let within = body.len() <= fields::LONGEST_ANSWER && !body.contains(['<', '\n']);
        let error = within.then(|| form::field(body, "error")).flatten()?;
        Some(Self::OAuth {
            error,
            description: form::field(body, "error_description").unwrap_or_default(),
        })
    }
}

fn told(
    rule: Option<&Rule>,
    error: &str,
    description: &str,
    answer: &Answer,
    secrets: &[&str],
    now: SystemTime,
) -> Failure {
    let known = RULES.iter().any(|rule| rule.error == error);
    let harmless = (1..=80).contains(&error.len()) && redact(error, secrets, &[]) == error;
    let class = rule.map_or(Class::Protocol, |rule| rule.class);
    let message = match redact(description, secrets, KNOWN_WORDS) {
        message if message.trim().is_empty() => "Salesforce gave no reason".to_owned(),
        message => message,
    };
    Failure {
        class,
        // An error that nobody knows could be anything, a piece of a password included.
        code: (known || harmless).then(|| error.to_owned()),
        message: if class == Class::ClockSkew {
            format!("{message}: {}", clocks(answer.date, now))
        } else {
            message
        },
        pause: rule.map(|rule| rule.pause).filter(|pause| !pause.is_zero()),
    }
}

/// How far this host's clock is from Salesforce's, as far as its answer shows.
fn clocks(theirs: Option<SystemTime>, ours: SystemTime) -> String {
    /// `Date` has whole seconds, and the answer was on its way for some.
    const SAME: Duration = Duration::from_secs(10);
    let Some(theirs) = theirs else {
        return "see whether this host's clock is right".to_owned();
    };
    let (off, way) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if off <= SAME {
        return "though this host's clock agrees with Salesforce's".to_owned();
    }
    format!(
        "this host's clock is {} s {way} Salesforce's",
        off.as_secs()
    )
}

/// An error of this name whose description contains these words, in lower case, is of this class.
struct Rule {
    /// Empty: any.
    error: &'static str,
    words: &'static str,
    /// Empty: any.
    flows: &'static [FlowKind],
    class: Class,
    /// Zero if the class needs no pause of its own.
    pause: Duration,
}

impl Rule {
    fn fits(&self, error: &str, words: &str, flow: FlowKind) -> bool {
        (self.error.is_empty() || self.error == error)
            && words.contains(self.words)
            && (self.flows.is_empty() || self.flows.contains(&flow))
    }
}

const fn any(error: &'static str, class: Class) -> Rule {
    Rule {
        error,
        words: "",
        flows: &[],
        class,
        pause: Duration::ZERO,
    }
}

const fn grant(words: &'static str, class: Class) -> Rule {
    Rule {
        words,
        ..any("invalid_grant", class)
    }
}

const fn of(flows: &'static [FlowKind], rule: Rule) -> Rule {
    Rule { flows, ..rule }
}

const fn limited(rule: Rule) -> Rule {
    /// 3,600 logins per user and hour are allowed ("Login Rate Limits", Salesforce Help): after an hour without one,
    /// the window is empty.
    const LOGIN_RATE: Duration = Duration::from_hours(1);
    Rule {
        class: Class::RateLimited,
        pause: LOGIN_RATE,
        ..rule
    }
}

const REFRESH: &[FlowKind] = &[FlowKind::RefreshToken];
const JWT: &[FlowKind] = &[FlowKind::JwtBearer];

/// The first that fits counts.
const RULES: &[Rule] = &[
    Rule {
        words: "username-password flow disabled",
        ..any("", Class::LoginDisabled)
    },
    Rule {
        words: "trial has expired",
        ..any("", Class::OrgState)
    },
    limited(grant("login rate exceeded", Class::RateLimited)),
    limited(grant("maximum logins exceeded", Class::RateLimited)),
    // The user's password was changed, or the user deactivated: only another approval helps.
    of(REFRESH, grant("authentication failure", Class::RefreshDead)),
    grant("authentication failure", Class::BadCredentials),
    of(
        REFRESH,
        grant("expired access/refresh token", Class::RefreshDead),
    ),
    of(REFRESH, grant("token validity expired", Class::RefreshDead)),
    of(JWT, grant("expired authorization code", Class::ClockSkew)),
    grant("hasn't approved this consumer", Class::AppConfig),
    grant("invalid assertion", Class::AppConfig),
    of(JWT, grant("audience", Class::AppConfig)),
    grant("inactive user", Class::BadCredentials),
    grant("ip restricted", Class::AccessPolicy),
    grant("no client credentials user enabled", Class::AppConfig),
    grant("client credentials flow not enabled", Class::AppConfig),
    grant("request not supported on this domain", Class::AppConfig),
    grant("invalid user credentials", Class::BadCredentials),
    grant("inactive org", Class::OrgState),
    any("inactive_org", Class::OrgState),
    any("inactive_user", Class::BadCredentials),
    any("invalid_app_access", Class::AccessPolicy),
    // The app's secret is wrong, as after its rotation in Salesforce, where two are good only until the new one is applied.
    // It is not the user's: no lockout counts it, and what mends it is a new secret or the app.
    any("invalid_client", Class::AppConfig),
    any("invalid_client_id", Class::AppConfig),
    any("OAUTH_APPROVAL_ERROR_GENERIC", Class::AppConfig),
    any("OAUTH_EC_APP_NOT_FOUND", Class::AppConfig),
    limited(any("rate_limit_exceeded", Class::RateLimited)),
    // Of RFC 6749 (4.1.2.1), for a server that is overloaded.
    any("temporarily_unavailable", Class::Unavailable),
    any("unsupported_grant_type", Class::LoginDisabled),
    // Known, and a fault of ours.
    any("invalid_grant", Class::Protocol),
    any("invalid_request", Class::Protocol),
    any("invalid_scope", Class::Protocol),
    any("unsupported_response_type", Class::Protocol),
];

/// Texts that Salesforce sends whatever the credential is, so that nothing in them tells about it.
const KNOWN_WORDS: &[&str] = &[
    "Audience validation failed",
    "External client app is not installed in this org",
    "Maximum Logins Exceeded",
    "audience is invalid",
    "authentication failure",
    "authentication failure - Failed: API security token required",
    "authentication failure - Invalid Password",
    "client credentials flow not enabled",
    "client identifier invalid",
    "expired access/refresh token",
    "expired authorization code",
    "grant type not supported",
    "inactive user",
    "invalid assertion",
    "invalid audience",
    "invalid client credentials",
    "invalid user credentials",
    "ip restricted",
    "ip restricted or invalid login hours",
    "login rate exceeded",
    "no client credentials user enabled",
    "request not supported on this domain",
    "token validity expired",
    "user hasn't approved this consumer",
    "user is not admin approved to access this app",
];

#[cfg(test)]
mod tests;
