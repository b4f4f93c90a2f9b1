//! OAuth 2.0: apps, approvals, and the endpoints below `/services/oauth2/`.

mod app;
mod approval;
mod assertion;
mod attempt;
mod authorize;
mod code;
mod error;
mod flows;
mod hands;
mod introspect;
mod key;
mod mint;
mod policy;
mod request;
mod revoke;
mod token;

use std::{collections::BTreeMap, time::SystemTime};

pub use app::{App, PermittedUsers};
pub(super) use attempt::attempt;
pub use error::{OAUTH_ERRORS, OAuthError};
pub use key::{PRIVATE_KEY, certificate};
pub use policy::{Browser, OAuthPolicy, StateSent};
pub(super) use request::Request;

use super::{reply::Reply, state::World};
use approval::{Approval, Approvals};
use code::Codes;

/// What the simulator knows of OAuth.
#[derive(Debug, Default)]
pub(super) struct OAuth {
    pub(super) apps: Vec<App>,
    approvals: Approvals,
    codes: Codes,
    /// The assertions so far, and the first use of each.
    assertions: BTreeMap<String, SystemTime>,
    errors_sent: u64,
}

impl OAuth {
    pub(super) fn new(apps: Vec<App>) -> Self {
        Self {
            apps,
            ..Self::default()
        }
    }

    /// The app of a consumer key.
    pub(super) fn app(&self, consumer_key: &str) -> Option<&App> {
        let mut apps = self.apps.iter();
        apps.find(|app| app.consumer_key == consumer_key)
    }

    /// What is scripted for the next request of an app.
    fn next_error(&mut self, consumer_key: &str) -> Option<OAuthError> {
        let mut apps = self.apps.iter_mut();
        let app = apps.find(|app| app.consumer_key == consumer_key)?;
        app.next_errors.pop_front()
    }
}

/// Answers a request to an endpoint, if there is one of this name.
pub(super) fn answer(world: &mut World, endpoint: &str, request: &Request<'_>) -> Option<Reply> {
    Some(match endpoint {
        "authorize" => authorize::answer(world, request),
        "introspect" => introspect::answer(world, request),
        "revoke" => revoke::answer(world, request),
        "token" => token::answer(world, request),
        _ => return None,
    })
}

impl World {
    /// Lets a user approve an app. Returns the approval's number and its refresh token.
    fn approve(&mut self, consumer_key: &str, user: usize) -> (u64, String) {
        let username = &self.users[user].username;
        let max = self.org.oauth.approvals_max;
        let granted = self
            .oauth
            .approvals
            .grant(consumer_key, username, max, self.now);
        let (approval, dropped) = granted;
        for number in dropped {
            self.sessions.close_all_through(number);
        }
        (approval.number, approval.token.clone())
    }

    /// Ends approvals with their sessions, and says whether there were any.
    fn end_approvals(&mut self, which: impl FnMut(&Approval) -> bool) -> bool {
        let ended = self.oauth.approvals.end(which);
        for number in &ended {
            self.sessions.close_all_through(*number);
        }
        !ended.is_empty()
    }

    /// Ends the approvals that nobody used for too long.
    fn end_idle_approvals(&mut self) {
        if let Some(idle) = self.org.oauth.refresh_idle {
            for number in self.oauth.approvals.end_idle(idle, self.now) {
                self.sessions.close_all_through(number);
            }
        }
    }

    /// What another password does to the approvals of a user.
    pub(super) fn password_changed(&mut self, username: &str) {
        if self.org.oauth.password_change_ends_approvals {
            for number in self.oauth.approvals.change_password(username) {
                self.sessions.close_all_through(number);
            }
        }
    }
}
