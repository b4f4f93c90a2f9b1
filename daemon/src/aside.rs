//! What a record keeps beside the login that it uses: the login before a migration, and a password that sfvault has
//! drawn and that is not known to be in force.

use std::time::SystemTime;

use crate::{
    credential::Flow,
    host::Host,
    record::{Pin, Record},
};

/// What a record keeps aside. Its secrets are sealed in the store, each under the version named here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aside {
    /// The login before the last migration.
    pub kept: Option<KeptLogin>,
    /// A password that was drawn to replace the record's.
    pub drawn: Option<DrawnPassword>,
    /// The highest version of a credential that was dropped: none is ever sealed under it again.
    pub dropped_version: u64,
}

/// A login that a record can return to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLogin {
    pub login_host: Host,
    pub flow: Flow,
    /// Where its logins led.
    pub pin: Option<Pin>,
    pub credential_version: u64,
    pub credential_changed_at: SystemTime,
    /// When the record left it.
    pub since: SystemTime,
}

/// A password that was drawn at random, with the rest of the credential that it will be part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawnPassword {
    pub credential_version: u64,
    pub since: SystemTime,
    pub state: DrawnState,
}

/// What is known of a drawn password at Salesforce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawnState {
    /// It may have been sent, and no answer is known: the old password or this one is in force.
    Unknown,
    /// Salesforce took it: it is in force, and the security token that belongs to it comes by mail.
    InForce,
}

impl DrawnState {
    /// The name that the store knows it by: it never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::InForce => "in-force",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Unknown, Self::InForce]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

impl Aside {
    /// The versions of the credentials that are kept aside.
    pub fn versions(&self) -> impl Iterator<Item = u64> + '_ {
        let kept = self.kept.iter().map(|kept| kept.credential_version);
        kept.chain(self.drawn.iter().map(|drawn| drawn.credential_version))
    }

    /// Drops the drawn password.
    pub fn drop_drawn(&mut self) {
        if let Some(drawn) = self.drawn.take() {
            self.dropped_version = self.dropped_version.max(drawn.credential_version);
        }
    }
}

impl Record {
    /// The version of a credential to come: higher than that of any that this record ever had.
    #[must_use]
    pub fn next_version(&self) -> u64 {
        self.aside
            .versions()
            .chain([self.credential_version, self.aside.dropped_version])
            .max()
            .unwrap_or_default()
            .saturating_add(1)
    }

    /// Whether it can return to a password while its own logins, which send none, say nothing about it: then what they
    /// achieve must not renew the budget of failed ones, or a way forth and back would lock the user.
    #[must_use]
    pub fn keeps_password_aside(&self) -> bool {
        let kept = self.aside.kept.as_ref();
        !self.flow.sends_password() && kept.is_some_and(|kept| kept.flow.sends_password())
    }

    /// The login that it has now, as one that can be returned to.
    #[must_use]
    pub fn to_keep(&self, now: SystemTime) -> KeptLogin {
        KeptLogin {
            login_host: self.login_host.clone(),
            flow: self.flow.clone(),
            pin: self.pin.clone(),
            credential_version: self.credential_version,
            credential_changed_at: self.credential_changed_at,
            since: now,
        }
    }
}
