//! Where a user, or an app for him, is let in.

/// What lets in, and whom.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// Whose sessions it gives.
    pub(super) user: String,
    /// The only one that is valid; empty if none is.
    pub(super) secret: String,
    /// Refresh tokens that were replaced: whoever sends one is taken for a thief.
    pub(super) spent: Vec<String>,
    /// The token that the vault last had on its disk, from which the present one comes by logins.
    pub(super) vaulted: Option<String>,
    /// The daemon died with the only copy of the present token: it can't but send a spent one.
    pub(super) orphaned: bool,
}

impl Door {
    pub(super) fn new(user: &str, secret: &str) -> Self {
        Self {
            user: user.to_owned(),
            secret: secret.to_owned(),
            spent: Vec::new(),
            vaulted: None,
            orphaned: false,
        }
    }

    /// Somebody at Salesforce changes what lets in: it is another password, or another approval.
    pub(super) fn change(&mut self, secret: &str) {
        *self = Self::new(&self.user, secret);
    }

    /// A login was made with the present token, and another takes its place.
    pub(super) fn replace(&mut self, next: &str) {
        let spent = std::mem::replace(&mut self.secret, next.to_owned());
        self.spent.push(spent);
    }

    /// A token was sent that is not the present one. Returns whether it was a spent one: then the approval ends.
    pub(super) fn is_reused(&mut self, token: &str) -> bool {
        let reused = self.spent.iter().any(|spent| spent == token);
        if reused {
            self.secret.clear();
            self.vaulted = None;
        }
        reused
    }
}
