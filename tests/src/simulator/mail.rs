//! The mail that Salesforce sends to users.

use std::time::SystemTime;

use serde::Serialize;

/// A mail to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    #[serde(skip)]
    pub at: SystemTime,
    pub subject: String,
    pub body: String,
}

impl Mail {
    /// The mail that follows a reset of the security token: nothing else ever shows the token.
    pub(super) fn of_new_token(username: &str, token: &str, at: SystemTime) -> Self {
        Self {
            at,
            subject: "Your new Salesforce security token".to_owned(),
            body: format!("Username: {username}\n{TOKEN}{token}\n"),
        }
    }

    /// The security token in it.
    #[must_use]
    pub fn security_token(&self) -> Option<&str> {
        self.body.lines().find_map(|line| line.strip_prefix(TOKEN))
    }
}

const TOKEN: &str = "Security token (case-sensitive): ";
