//! What of an org concerns OAuth, and how its answers look.

use std::time::Duration;

/// The OAuth side of an [`crate::simulator::Org`].
#[derive(Debug, Clone)]
pub struct OAuthPolicy {
    /// "Allow OAuth Username-Password Flows", off by default in orgs created since Summer '23.
    pub password_flow_allowed: bool,
    /// How long a refresh token may lie idle. `None`: for ever.
    pub refresh_idle: Option<Duration>,
    /// Approvals of one app by one user; the next one ends the oldest.
    pub approvals_max: usize,
    /// Whether a new password ends the user's approvals.
    pub password_change_ends_approvals: bool,
    /// How far ahead the `exp` of an assertion may lie. `None`: as far as it likes. Uncertain.
    pub longest_assertion: Option<Duration>,
    /// Whether the org's My Domain is an `aud` of assertions. Uncertain.
    pub my_domain_audience: bool,
    /// Whom a browser belongs to, and what it does.
    pub browser: Browser,

    /// Whether descriptions are capitalised now so, now so.
    pub varied_case: bool,
    /// Whether the password flow says what was wrong, as it once did.
    pub precise_errors: bool,
    /// What it says of a wrong `aud`; three texts have been seen.
    pub audience_error: String,
    /// What it says above the login rate; two texts have been seen.
    pub rate_error: String,
    /// Whether JWT bearer says `invalid_app_access` of a user whom no administrator approved, as client
    /// credentials do. Uncertain.
    pub jwt_names_admin_approval: bool,
    /// Whether answers to JWT bearer lack `issued_at` and `signature`.
    pub bare_jwt_answers: bool,
    /// Whether errors of `revoke` are form-encoded.
    pub form_errors_on_revoke: bool,
}

impl Default for OAuthPolicy {
    fn default() -> Self {
        Self {
            password_flow_allowed: true,
            refresh_idle: Some(Duration::from_secs(30 * 86_400)),
            approvals_max: 5,
            password_change_ends_approvals: true,
            longest_assertion: Some(Duration::from_secs(5 * 60)),
            my_domain_audience: true,
            browser: Browser::default(),
            varied_case: false,
            precise_errors: false,
            audience_error: "audience is invalid".to_owned(),
            rate_error: "login rate exceeded".to_owned(),
            jwt_names_admin_approval: false,
            bare_jwt_answers: false,
            form_errors_on_revoke: false,
        }
    }
}

/// The person at a browser on the authorize page, who needs no time and no password.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    /// Who is logged in. `None`: the first user.
    pub username: Option<String>,
    /// Whether the person clicks "Deny".
    pub denies: bool,
    pub state: StateSent,
    /// The `iss` parameter of RFC 9207. `None`: absent, as Salesforce has it.
    pub issuer: Option<String>,
}

/// What becomes of `state` on its way through the browser.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StateSent {
    #[default]
    Kept,
    Lost,
    /// As if somebody else had begun.
    Another,
}
