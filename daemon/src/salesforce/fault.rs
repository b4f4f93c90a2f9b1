//! What a SOAP fault means: a table from code and words to a class.
//!
//! The codes are the `ExceptionCode` values of the partner WSDL; the words are those that Salesforce is
//! known to send with them. What is not in the table is not understood, and so is never retried.

use std::time::Duration;

use super::{redact::redact, soap::Fault};
use crate::failure::{Class, Failure};

impl Fault {
    /// Sorts the fault. `secrets` are those that the request held.
    pub(super) fn into_failure(self, secrets: &[&str]) -> Failure {
        let code = self.code.as_deref().unwrap_or_default();
        let words = self.text.to_ascii_lowercase();
        let rule = RULES
            .iter()
            .find(|rule| rule.code == code && words.contains(rule.words));
        Failure {
            class: rule.map_or(Class::Protocol, |rule| rule.class),
            // A code that nobody knows could be anything, a password in capitals included.
            code: shown_code(code, secrets),
            message: match redact(&self.text, secrets, KNOWN_WORDS) {
                message if message.trim().is_empty() => "Salesforce gave no reason".to_owned(),
                message => message,
            },
            pause: rule.map(|rule| rule.pause).filter(|pause| !pause.is_zero()),
        }
    }
}

/// The code, if the table knows it or it has nothing of a secret.
fn shown_code(code: &str, secrets: &[&str]) -> Option<String> {
    let known = RULES.iter().any(|rule| rule.code == code);
    let harmless = !code.is_empty() && redact(code, secrets, &[]) == code;
    (known || harmless).then(|| code.to_owned())
}

/// A fault of this code whose text contains these words, in lower case, is of this class.
struct Rule {
    code: &'static str,
    words: &'static str,
    class: Class,
    /// Zero if the class needs no pause of its own.
    pause: Duration,
}

const fn any(code: &'static str, class: Class) -> Rule {
    said(code, "", class)
}

const fn said(code: &'static str, words: &'static str, class: Class) -> Rule {
    Rule {
        code,
        words,
        class,
        pause: Duration::ZERO,
    }
}

const fn after(minutes: u64, rule: Rule) -> Rule {
    Rule {
        pause: Duration::from_mins(minutes),
        ..rule
    }
}

/// 3,600 logins per user and hour are allowed ("Login Rate Limits", Salesforce Help): after an hour without
/// one, the window is empty.
const LOGIN_RATE: u64 = 60;
/// Login hours are set in whole half hours or more.
const LOGIN_HOURS: u64 = 30;
/// Something is being mended by people.
const MENDING: u64 = 5;

/// The first that fits counts.
const RULES: &[Rule] = &[
    said(
        "API_CURRENTLY_DISABLED",
        "trial has expired",
        Class::OrgState,
    ),
    any("API_CURRENTLY_DISABLED", Class::AccessPolicy),
    any("API_DISABLED_FOR_ORG", Class::AccessPolicy),
    any("CLIENT_NOT_ACCESSIBLE_FOR_USER", Class::AccessPolicy),
    any("CLIENT_REQUIRE_UPDATE_FOR_USER", Class::AccessPolicy),
    any("FUNCTIONALITY_NOT_ENABLED", Class::AccessPolicy),
    any("FUNCTIONALITY_TEMPORARILY_UNAVAILABLE", Class::Unavailable),
    any(
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        Class::Unavailable,
    ),
    said(
        "INSUFFICIENT_ACCESS",
        "use any api auth",
        Class::LoginDisabled,
    ),
    any("INSUFFICIENT_ACCESS", Class::AccessPolicy),
    any("INVALID_CLIENT", Class::AccessPolicy),
    after(
        LOGIN_RATE,
        said("INVALID_LOGIN", "login rate exceeded", Class::RateLimited),
    ),
    after(
        LOGIN_RATE,
        said(
            "INVALID_LOGIN",
            "maximum logins exceeded",
            Class::RateLimited,
        ),
    ),
    any("INVALID_LOGIN", Class::BadCredentials),
    // `setPassword` only: the password policy does not take the new one.
    any("INVALID_NEW_PASSWORD", Class::AccessPolicy),
    said(
        "INVALID_OPERATION",
        "login() is disabled",
        Class::LoginDisabled,
    ),
    said(
        "INVALID_OPERATION",
        "not available in the api version",
        Class::ApiVersion,
    ),
    any(
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        Class::PasswordExpired,
    ),
    said(
        "INVALID_SESSION_ID",
        "not valid for use with",
        Class::SessionBarred,
    ),
    said(
        "INVALID_SESSION_ID",
        "not attached to agent",
        Class::SessionBarred,
    ),
    any("INVALID_SESSION_ID", Class::SessionDead),
    any("INVALID_SOAP_HEADER", Class::Protocol),
    any("INVALID_SSO_GATEWAY_URL", Class::LoginDisabled),
    any("LOGIN_CHALLENGE_ISSUED", Class::AccessPolicy),
    any("LOGIN_CHALLENGE_PENDING", Class::AccessPolicy),
    any("LOGIN_DURING_RESTRICTED_DOMAIN", Class::AccessPolicy),
    after(
        LOGIN_HOURS,
        any("LOGIN_DURING_RESTRICTED_TIME", Class::RestrictedHours),
    ),
    after(
        LOGIN_RATE,
        any("LOGIN_ERROR_RATE_EXCEEDED", Class::RateLimited),
    ),
    any("LOGIN_MUST_USE_SECURITY_TOKEN", Class::BadCredentials),
    after(LOGIN_RATE, any("LOGIN_RATE_EXCEEDED", Class::RateLimited)),
    any("MUTUAL_AUTHENTICATION_FAILED", Class::AccessPolicy),
    any("ORG_IN_MAINTENANCE", Class::Unavailable),
    any("ORG_IS_SIGNING_UP", Class::Unavailable),
    any("ORG_LOCKED", Class::OrgState),
    any("ORG_NOT_OWNED_BY_INSTANCE", Class::WrongHost),
    any("PASSWORD_LOCKOUT", Class::LockedOut),
    after(
        1,
        said("REQUEST_LIMIT_EXCEEDED", "concurrent", Class::RateLimited),
    ),
    after(
        LOGIN_RATE,
        any("REQUEST_LIMIT_EXCEEDED", Class::RateLimited),
    ),
    any("REQUEST_RUNNING_TOO_LONG", Class::Unavailable),
    any("SERVER_UNAVAILABLE", Class::Unavailable),
    after(MENDING, any("SSO_SERVICE_DOWN", Class::Unavailable)),
    any("TRIAL_EXPIRED", Class::OrgState),
    any("TXN_SECURITY_END_A_SESSION", Class::AccessPolicy),
    any("TXN_SECURITY_FAIL_CLOSE", Class::AccessPolicy),
    after(
        MENDING,
        any("TXN_SECURITY_METERING_ERROR", Class::Unavailable),
    ),
    any("TXN_SECURITY_NO_ACCESS", Class::AccessPolicy),
    after(
        MENDING,
        any("TXN_SECURITY_RUNTIME_ERROR", Class::Unavailable),
    ),
    any("TXN_SECURITY_TWO_FA_REQUIRED", Class::AccessPolicy),
    said(
        "UNKNOWN_EXCEPTION",
        "destination url not reset",
        Class::WrongHost,
    ),
    any("UNKNOWN_EXCEPTION", Class::Protocol),
    any("UNSUPPORTED_API_VERSION", Class::ApiVersion),
    any("UNSUPPORTED_CLIENT", Class::AccessPolicy),
    any("XML_PARSER_ERROR", Class::Protocol),
];

/// Texts that Salesforce sends whatever the credential is, so that nothing in them tells about it.
const KNOWN_WORDS: &[&str] = &[
    "API is disabled for this User",
    "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    "Destination URL not reset. The URL returned from login must be set in the SforceService",
    "Invalid Api version specified on URL",
    "Invalid Session ID found in SessionHeader: Illegal Session.",
    "Invalid username or password, locked out or Self-Service portal is not enabled",
    "Invalid username, password, security token, user not active, or user locked out",
    "Invalid username, password, security token; or user locked out.",
    "Invalid username, password, security token; or user locked out. Are you at a new location? When \
     accessing Salesforce--either via a desktop client or the API--from outside of your company's \
     trusted networks, you must add a security token to your password to log in.",
    "SOAP API login() is disabled by default in this org. Contact the org administrator to enable SOAP \
     API login().",
    "SOAP API login() requires the Use Any API Auth user permission.",
    "Server Unavailable",
    "The REST API is not enabled for this Organization.",
    "The users password has expired, you must call SetPassword before attempting any other API operations",
    "This session is not valid for use with the API",
    "TotalRequests Limit exceeded.",
    "Your trial has expired.",
    "cannot log in during restricted time",
    "cannot log in from current domain",
];
