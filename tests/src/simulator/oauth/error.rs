//! Errors of the OAuth endpoints.

use serde::Deserialize;
use serde_json::json;

use crate::simulator::{form, reply::Reply, state::World};

/// One error, as the token endpoint sends it in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthError {
    /// Such as `invalid_grant`.
    pub error: String,
    /// Such as `authentication failure`.
    pub description: String,
    #[serde(default = "bad_request")]
    pub status: u16,
}

impl OAuthError {
    /// An error with status 400.
    #[must_use]
    pub fn new(error: &str, description: &str) -> Self {
        Self {
            error: error.to_owned(),
            description: description.to_owned(),
            status: bad_request(),
        }
    }

    /// `invalid_grant`, which is most of them.
    #[must_use]
    pub fn grant(description: &str) -> Self {
        Self::new("invalid_grant", description)
    }

    pub(super) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The answer of an endpoint that speaks JSON.
    pub(in crate::simulator) fn to_json(&self, world: &mut World) -> Reply {
        let description = self.description(world);
        let body = json!({ "error": self.error, "error_description": description });
        Reply::json(self.status, &body)
    }

    /// The answer of an endpoint that speaks as forms do.
    pub(super) fn to_form(&self, world: &mut World) -> Reply {
        let body = self.to_query(world);
        Reply::new(self.status, "application/x-www-form-urlencoded", body)
    }

    /// `error=…&error_description=…`.
    pub(super) fn to_query(&self, world: &mut World) -> String {
        let description = form::encode(&self.description(world));
        format!("error={}&error_description={description}", self.error)
    }

    /// Nodes of Salesforce differ in how they capitalise: here every second answer does it.
    fn description(&self, world: &mut World) -> String {
        world.oauth.errors_sent += 1;
        if !world.org.oauth.varied_case || world.oauth.errors_sent % 2 == 1 {
            return self.description.clone();
        }
        let words = self.description.split(' ').map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn bad_request() -> u16 {
    400
}

/// Every error and description that the token endpoint is known to send, to script and to classify.
pub const OAUTH_ERRORS: [(&str, &str); 32] = [
    ("invalid_grant", "authentication failure"),
    (
        "invalid_grant",
        "authentication failure - Failed: API security token required",
    ),
    ("invalid_grant", "authentication failure - Invalid Password"),
    ("invalid_grant", "expired access/refresh token"),
    ("invalid_grant", "token validity expired"),
    ("invalid_grant", "expired authorization code"),
    ("invalid_grant", "user hasn't approved this consumer"),
    ("invalid_grant", "invalid assertion"),
    ("invalid_grant", "audience is invalid"),
    ("invalid_grant", "invalid audience"),
    ("invalid_grant", "Audience validation failed"),
    ("invalid_grant", "inactive user"),
    ("invalid_grant", "ip restricted"),
    ("invalid_grant", "ip restricted or invalid login hours"),
    ("invalid_grant", "no client credentials user enabled"),
    ("invalid_grant", "client credentials flow not enabled"),
    ("invalid_grant", "request not supported on this domain"),
    ("invalid_grant", "invalid user credentials"),
    ("invalid_grant", "login rate exceeded"),
    ("invalid_grant", "Maximum Logins Exceeded"),
    ("invalid_grant", "activation secret invalid"),
    ("invalid_grant", "invalid code verifier"),
    ("invalid_client_id", "client identifier invalid"),
    ("invalid_client", "invalid client credentials"),
    (
        "invalid_app_access",
        "user is not admin approved to access this app",
    ),
    ("unsupported_grant_type", "grant type not supported"),
    ("invalid_request", "must use HTTP POST"),
    ("invalid_scope", "the requested scope is not allowed"),
    (
        "redirect_uri_mismatch",
        "redirect_uri must match configuration",
    ),
    ("inactive_org", "this org is not active"),
    ("rate_limit_exceeded", "number of login attempts exceeded"),
    (
        "OAUTH_EC_APP_NOT_FOUND",
        "External client app is not installed in this org",
    ),
];
