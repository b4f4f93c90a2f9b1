//! A Salesforce session, and how to ask for one.

use std::{
    num::NonZeroU64,
    time::{Duration, SystemTime},
};

use crate::{RecordName, SessionId};

/// What is asked of the daemon. "Give me one", "give me one that lasts" and "the one you gave me was
/// refused" are this one request; to make it twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    /// Whose session.
    pub record: RecordName,
    /// The session must be guaranteed for at least this long. None: any session that is still good.
    pub min_ttl: Option<Duration>,
    /// The generation of a session that Salesforce refused.
    pub refused_generation: Option<NonZeroU64>,
    /// Fail unless the record belongs to this org (15 or 18 characters).
    pub expect_org: Option<String>,
    /// Fail unless the org is of this kind.
    pub expect_environment: Option<Environment>,
    /// How long to wait for a locked vault, a latched record or an outage to be mended. None: not at all.
    pub wait: Option<Duration>,
    /// Hold the session until this process has exited, though it makes no calls and its connection is closed: it is kept
    /// alive for that long. Becoming another program does not end it. Where the kernel does not name this process to the
    /// daemon, or too much is held so already, it is held for a while only, as without.
    pub hold_until_exit: bool,
}

/// What kind of org a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Production, Developer Edition or a trial.
    Production,
    /// A sandbox or a scratch org.
    Sandbox,
}

impl SessionRequest {
    /// Any session of this record that is still good.
    #[must_use]
    pub fn new(record: RecordName) -> Self {
        Self {
            record,
            min_ttl: None,
            refused_generation: None,
            expect_org: None,
            expect_environment: None,
            wait: None,
            hold_until_exit: false,
        }
    }
}

/// A working session. Its texts hold no control character: they are safe in a header and in the
/// environment of a process.
pub struct Session {
    /// The session id: a bearer token.
    pub session_id: SessionId,
    /// Where API calls go: scheme and host, without a path.
    pub instance_url: String,
    /// The API version to use for data calls, such as "64.0".
    pub api_version: String,
    /// The org's id, 18 characters.
    pub org_id: String,
    /// The user's id, 18 characters.
    pub user_id: String,
    /// The user name that logged in.
    pub username: String,
    /// Whether the org is a sandbox.
    pub sandbox: bool,
    /// The stamp of this session. Name it in [`SessionRequest::refused_generation`].
    pub generation: u64,
    /// When the login was made.
    pub issued_at: SystemTime,
    /// Until then the session lives even if nobody uses it, unless somebody ends it.
    pub guaranteed_until: SystemTime,
    /// When the session ends if nobody uses it and Salesforce counts its last use in full.
    pub expires_at: SystemTime,
    /// What will end the record's way of logging in soon, in words. They may hold control characters.
    pub warnings: Vec<String>,
}
