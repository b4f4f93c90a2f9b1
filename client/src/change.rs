//! How a record's login and secrets change: migration and rotation.

use std::time::{Duration, SystemTime};

use crate::{CredentialChange, Flow, NewRecord, RecordStatus};

/// A migration to make: another way to log in under the same name.
pub struct Migration {
    /// The record's name and how it is to log in; `remind_after` stays as it is.
    pub to: NewRecord,
    /// Rehearse only.
    pub dry_run: bool,
    /// The id of the user that the new login must lead to, if it is another than the present one.
    pub expect_user: Option<String>,
    /// The same for the org.
    pub expect_org: Option<String>,
}

/// A migration that was rehearsed, and made unless it was to be rehearsed only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The record as it is now.
    pub record: RecordStatus,
    /// The login that it had.
    pub before: LoginFacts,
    /// The login that was tried.
    pub after: LoginFacts,
    /// What looks odd but was accepted, in words.
    pub warnings: Vec<String>,
}

/// What is known of one way to log in. The texts are the daemon's and may hold control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFacts {
    /// How it logs in.
    pub flow: Flow,
    /// Where it logs in.
    pub login_url: String,
    /// The consumer key of the app that logs in.
    pub consumer_key: Option<String>,
    /// The org that it leads to.
    pub org_id: Option<String>,
    /// The user that it leads to.
    pub user_id: Option<String>,
    /// The name of that user.
    pub username: Option<String>,
    /// Where API calls go.
    pub instance_url: Option<String>,
    /// How long a session may be idle.
    pub timeout: Option<Duration>,
    /// Whether a call with a session succeeded just now.
    pub proven: bool,
}

/// What to do about a record's secrets.
pub enum Rotation {
    /// Try these, with the present ones for the rest.
    To(CredentialChange),
    /// Generate a password and set it at Salesforce.
    Generate,
    /// A generated password did not reach Salesforce: try the old one once, and drop the generated one.
    KeepOld,
}

/// What became of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationResult {
    /// The new secrets work and are the record's.
    Replaced,
    /// They are those that the record has; nothing was sent.
    Same,
    /// The password was changed at Salesforce; the security token that it mails is needed.
    TokenAwaited,
    /// The old secrets work and stay.
    KeptOld,
    /// One that this client does not know: the daemon is newer.
    Unrecognised,
}

/// A rotation that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The record as it is now.
    pub record: RecordStatus,
    /// What became of it.
    pub result: RotationResult,
    /// What looks odd but was accepted, in words.
    pub warnings: Vec<String>,
}

/// A login that a record can return to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLogin {
    /// How it logs in.
    pub flow: Flow,
    /// Where it logs in.
    pub login_url: String,
    /// When the record left it.
    pub since: Option<SystemTime>,
}

/// What is known of a password that sfvault generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneratedPassword {
    /// It may be in force, or the old one.
    Unknown,
    /// It is in force.
    InForce,
}
