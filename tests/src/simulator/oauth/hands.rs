//! What tests do with apps and approvals by hand: the part of an administrator, or of a person at a browser.

use std::collections::BTreeMap;

use super::{App, approval::Approval};
use crate::simulator::{Flow, LoginCount, Simulator};

impl Simulator {
    /// Looks at an app or changes it.
    ///
    /// # Panics
    /// If there is no such app.
    pub fn app<T>(&self, consumer_key: &str, change: impl FnOnce(&mut App) -> T) -> T {
        let found = self.state.with(|world| {
            let mut apps = world.oauth.apps.iter_mut();
            apps.find(|app| app.consumer_key == consumer_key)
                .map(change)
        });
        match found {
            Some(value) => value,
            None => panic!("the simulator has no app `{consumer_key}`"),
        }
    }

    /// The consumer keys of all apps.
    #[must_use]
    pub fn consumer_keys(&self) -> Vec<String> {
        self.state.with(|world| {
            let apps = world.oauth.apps.iter();
            apps.map(|app| app.consumer_key.clone()).collect()
        })
    }

    /// Adds an app.
    pub fn add_app(&self, app: App) {
        self.state.with(|world| world.oauth.apps.push(app));
    }

    /// Lets a user approve an app, as in a browser, and returns the refresh token.
    ///
    /// # Panics
    /// If there is no such user.
    #[must_use]
    pub fn approve(&self, username: &str, consumer_key: &str) -> String {
        self.at(username, |world, place| {
            world.approve(consumer_key, place).1
        })
    }

    /// The refresh tokens in use of a user's approvals of an app, the oldest first.
    #[must_use]
    pub fn refresh_tokens(&self, username: &str, consumer_key: &str) -> Vec<String> {
        self.state.with(|world| {
            world.end_idle_approvals();
            let approvals = world.oauth.approvals.of(consumer_key, username);
            approvals.map(|approval| approval.token.clone()).collect()
        })
    }

    /// Ends a user's approvals of an app, and their sessions, as an administrator does.
    pub fn revoke_approvals(&self, username: &str, consumer_key: &str) {
        let which = |approval: &Approval| approval.is_of(consumer_key, username);
        self.state.with(|world| world.end_approvals(which));
    }

    /// How often a user logged in, by flow; a flow that was never tried is absent.
    #[must_use]
    pub fn logins_by_flow(&self, username: &str) -> BTreeMap<Flow, LoginCount> {
        self.state
            .with(|world| world.journal.logins_by_flow(username))
    }
}
