//! Watching a record: its session now, and each that follows.

use std::{
    error::Error as _,
    time::{Duration, SystemTime},
};

use sfvault_proto::v1::WatchSessionResponse;
use tonic::Streaming;

use crate::{Environment, Error, Reason, RecordName, Session, convert};

/// What is to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchRequest {
    /// Whose session.
    pub record: RecordName,
    /// Whether the session itself is to be told, not only that there is one.
    pub include_session: bool,
    /// The session shall be guaranteed for at least this long at any time. None: it is kept alive.
    pub min_ttl: Option<Duration>,
    /// Fail unless the record belongs to this org (15 or 18 characters).
    pub expect_org: Option<String>,
    /// Fail unless the org is of this kind.
    pub expect_environment: Option<Environment>,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchState {
    /// There is a session.
    Ready,
    /// None yet: the daemon is about to get one.
    LoggingIn,
    /// None: the last login failed for a reason that may pass.
    BackingOff,
    /// None: Salesforce rejected the credential.
    Latched,
    /// None: the vault is locked.
    Locked,
    /// What this client does not know.
    Unrecognised,
}

/// What is known at one moment.
pub struct News {
    /// What there is.
    pub state: WatchState,
    /// The stamp of the session, or of the newest attempt to get one.
    pub generation: u64,
    /// The session, if there is one and it was asked for.
    pub session: Option<Session>,
    /// Until then the session lives even if nobody uses it.
    pub guaranteed_until: Option<SystemTime>,
    /// When the session ends if nobody uses it. It moves on while it is kept alive.
    pub expires_at: Option<SystemTime>,
    /// When something is tried again, after a failure that may pass.
    pub retry_at: Option<SystemTime>,
    /// Why there is no session, or why the one there is may not last.
    pub reason: Option<Reason>,
    /// The same in words. They may hold control characters.
    pub problem: Option<String>,
}

/// Tells about a record's session. While it is there, the daemon keeps that session alive.
pub struct Watch {
    stream: Streaming<WatchSessionResponse>,
}

impl Watch {
    pub(crate) fn of(stream: Streaming<WatchSessionResponse>) -> Self {
        Self { stream }
    }

    /// What there is: the first time at once, then when it has changed. Who reads seldom misses what was true in between.
    /// Dropping this future loses nothing.
    ///
    /// # Errors
    /// As the daemon says, or if the connection breaks: then nothing more comes.
    pub async fn next(&mut self) -> Result<News, Error> {
        match self.stream.message().await {
            Ok(Some(news)) => convert::news(news),
            // The daemon ends a stream with a reason; only one that is going away might not.
            Ok(None) => Err(Error::new(Reason::Disconnected, "sfvaultd ended the call")),
            Err(status) => {
                let error = Error::from_status(&status);
                // What the daemon says has no source here; a connection that breaks amid a stream has one of many kinds.
                let broken = status.source().is_some() && error.reason() == Reason::MalformedAnswer;
                Err(if broken {
                    Error::new(Reason::Disconnected, "the connection to sfvaultd broke")
                } else {
                    error
                })
            }
        }
    }
}
