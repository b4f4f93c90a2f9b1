//! Apps: who may log in through them, by which flow, and what they get.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use super::{error::OAuthError, key};
use crate::simulator::{
    flow::Flow,
    org::{IpRange, Org},
};

/// A connected app or an External Client App. Every field can be changed while the simulator runs.
#[derive(Debug, Clone)]
pub struct App {
    pub consumer_key: String,
    pub consumer_secret: String,
    /// "Require Secret" for the web server, refresh and password flows. Client credentials always need it.
    pub secret_required: bool,
    /// The certificate in PEM whose key signs JWT bearer assertions.
    pub certificate: Option<String>,
    /// Where a browser may be sent, compared to the letter.
    pub callbacks: Vec<String>,

    /// An External Client App, for which there is no username-password flow.
    pub external: bool,
    /// Whether it is installed in the org: nobody can approve one that is not.
    pub installed: bool,
    pub flows: BTreeSet<Flow>,
    /// The user of the client credentials flow.
    pub run_as: Option<String>,
    pub permitted_users: PermittedUsers,
    /// "Enforce IP restrictions". Empty: none.
    pub allowed_ips: Vec<IpRange>,
    pub pkce_required: bool,
    /// There is a refresh token only with `refresh_token` or `offline_access` in it.
    pub scope: String,

    /// The session policy of the app. `None`: the org's.
    pub session_timeout: Option<Duration>,
    /// Access tokens in JWT format.
    pub jwt_tokens: bool,
    /// Refresh token rotation.
    pub rotates: bool,
    /// "Expire refresh token after": not prolonged by use.
    pub refresh_validity: Option<Duration>,
    /// "Introspect all tokens": those of other apps too.
    pub introspects_all: bool,

    /// What the next requests to the token endpoint are answered with, whatever they bring.
    pub next_errors: VecDeque<OAuthError>,
}

/// "Permitted Users" of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PermittedUsers {
    /// "All users may self-authorize": each must have approved the app once, as in a browser.
    SelfAuthorized,
    /// "Admin approved users are pre-authorized".
    AdminApproved(Vec<String>),
}

impl App {
    /// An app with every flow, whose one admin-approved user is also its run-as user.
    #[must_use]
    pub fn new(consumer_key: &str, consumer_secret: &str, username: &str) -> Self {
        Self {
            consumer_key: consumer_key.to_owned(),
            consumer_secret: consumer_secret.to_owned(),
            secret_required: true,
            certificate: Some(key::certificate(key::PRIVATE_KEY)),
            callbacks: vec![CALLBACK.to_owned()],
            external: false,
            installed: true,
            flows: BTreeSet::from([
                Flow::Password,
                Flow::ClientCredentials,
                Flow::JwtBearer,
                Flow::RefreshToken,
                Flow::AuthorizationCode,
            ]),
            run_as: Some(username.to_owned()),
            permitted_users: PermittedUsers::AdminApproved(vec![username.to_owned()]),
            allowed_ips: Vec::new(),
            pkce_required: false,
            scope: "api refresh_token".to_owned(),
            session_timeout: None,
            jwt_tokens: false,
            rotates: false,
            refresh_validity: None,
            introspects_all: false,
            next_errors: VecDeque::new(),
        }
    }

    pub(super) fn is_self_authorized(&self) -> bool {
        self.permitted_users == PermittedUsers::SelfAuthorized
    }

    /// Whether an administrator keeps this user out.
    pub(super) fn excludes(&self, username: &str) -> bool {
        match &self.permitted_users {
            PermittedUsers::SelfAuthorized => false,
            PermittedUsers::AdminApproved(users) => {
                !users.iter().any(|user| user.eq_ignore_ascii_case(username))
            }
        }
    }

    pub(super) fn bars_address(&self, org: &Org) -> bool {
        let ranges = &self.allowed_ips;
        !ranges.is_empty() && !ranges.iter().any(|range| range.contains(org.caller))
    }

    pub(super) fn gives_refresh_tokens(&self) -> bool {
        self.scope
            .split(' ')
            .any(|word| matches!(word, "refresh_token" | "offline_access" | "full"))
    }
}

/// Where the `sf` command line listens.
const CALLBACK: &str = "http://localhost:1717/OauthRedirect";
