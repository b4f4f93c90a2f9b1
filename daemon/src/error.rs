//! Why a request to the vault failed. One enum; `api/status.rs` alone turns it into what goes over the wire.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use crate::{
    environment::Environment, failure::Failure, record::RecordName, salesforce::HostRefused,
    share::Party, store::StoreError,
};

/// Why a request failed.
#[derive(Debug, Clone)]
pub enum Error {
    /// A login in a browser can't be finished.
    BrowserLogin { problem: String },
    /// Salesforce gave no refresh token for the code that a browser brought, or none for this record.
    CodeRefused {
        record: RecordName,
        failure: Failure,
    },
    /// The audit can't be written or read; the text says why.
    AuditUnavailable(String),
    /// The peer may not call.
    Denied,
    /// A credential may not go to this host.
    HostNotAllowed(HostRefused),
    /// A defect; the text says where.
    Internal(&'static str),
    /// A field of the request is wrong.
    InvalidArgument {
        field: &'static str,
        problem: String,
    },
    /// Salesforce rejected the credential; no login until it changes or is released.
    Latched {
        record: RecordName,
        failure: Failure,
        since: SystemTime,
    },
    /// Too many failed logins in too short a time.
    LoginBudgetSpent {
        record: RecordName,
        retry_after: Duration,
    },
    /// The record's user has made as many logins in an hour as we may make.
    LoginShareSpent {
        record: RecordName,
        limit: u32,
        retry_after: Duration,
    },
    /// The login failed for a reason that may pass.
    LoginFailed {
        record: RecordName,
        failure: Failure,
        retry_after: Duration,
    },
    /// Salesforce did not say that it ended the session.
    LogoutFailed {
        record: RecordName,
        failure: Failure,
    },
    /// No session of this org is guaranteed for so long.
    MinTtlTooLong { asked: Duration, possible: Duration },
    /// There is a record of this name.
    RecordExists(RecordName),
    /// There is no record of this name.
    RecordNotFound(RecordName),
    /// The session was called refused, and it works; or one after the other was, and each was dead.
    SessionRefusedAgain {
        record: RecordName,
        lives: bool,
        retry_after: Duration,
    },
    /// The daemon is going down.
    ShuttingDown,
    /// The vault file.
    Store(StoreError),
    /// The peer's unit or user has all that it may have, others may have more.
    Throttled {
        party: Party,
        excess: Excess,
        retry_after: Duration,
    },
    /// A generated password of the record may be in force; until that has ended, nothing else of the record is changed.
    TokenAwaited(RecordName),
    /// Too many calls are open that wait or watch.
    TooManyStreams,
    /// A login brought another refresh token, which could not be saved; until it is, no login is made.
    TokenUnsaved {
        record: RecordName,
        problem: StoreError,
    },
    /// What was tried for a record did not work; the record is as it was.
    TrialFailed {
        record: RecordName,
        /// In words: what was tried.
        tried: String,
        failure: Failure,
    },
    /// The record belongs to an org of another kind than the caller expects.
    UnexpectedEnvironment { expected: Environment },
    /// The record belongs to another org than the caller expects.
    UnexpectedOrg { expected: String, actual: String },
    /// There is a vault.
    VaultExists(PathBuf),
    /// The vault is locked.
    VaultLocked,
    /// There is no vault.
    VaultMissing(PathBuf),
}

/// What somebody has too much of.
#[derive(Debug, Clone)]
pub enum Excess {
    Bytes,
    Calls,
    /// Logins of the record's user.
    Logins {
        record: RecordName,
    },
    /// Logins that came of calling a session refused.
    Reports {
        record: RecordName,
        most: usize,
    },
}

impl Error {
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::InvalidArgument {
            field,
            problem: problem.into(),
        }
    }

    /// Whether somebody guessed, and wrongly.
    #[must_use]
    pub fn is_wrong_passphrase(&self) -> bool {
        matches!(self, Self::Store(StoreError::WrongPassphrase { .. }))
    }

    /// When it makes sense to ask again, for errors that pass or that somebody may mend meanwhile.
    #[must_use]
    pub fn may_pass_in(&self) -> Option<Duration> {
        match self {
            Self::LoginBudgetSpent { retry_after, .. }
            | Self::LoginFailed { retry_after, .. }
            | Self::LoginShareSpent { retry_after, .. }
            | Self::SessionRefusedAgain { retry_after, .. }
            | Self::Throttled { retry_after, .. } => Some(*retry_after),
            Self::TrialFailed { failure, .. } => failure.pause,
            // Nothing but a change ends these, and a change wakes whoever waits.
            Self::Latched { .. } | Self::VaultLocked => Some(Duration::MAX),
            // The next daemon may be there by then.
            Self::TooManyStreams | Self::ShuttingDown => Some(Duration::from_secs(1)),
            Self::AuditUnavailable(_)
            | Self::BrowserLogin { .. }
            | Self::CodeRefused { .. }
            | Self::Denied
            | Self::HostNotAllowed(_)
            | Self::Internal(_)
            | Self::InvalidArgument { .. }
            | Self::LogoutFailed { .. }
            | Self::MinTtlTooLong { .. }
            | Self::RecordExists(_)
            | Self::RecordNotFound(_)
            | Self::Store(_)
            | Self::TokenAwaited(_)
            | Self::TokenUnsaved { .. }
            | Self::UnexpectedEnvironment { .. }
            | Self::UnexpectedOrg { .. }
            | Self::VaultExists(_)
            | Self::VaultMissing(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrowserLogin { problem } => write!(f, "the login in the browser: {problem}"),
            Self::CodeRefused { record, failure } => {
                write!(f, "no refresh token for `{record}`: {failure}")
            }
            Self::AuditUnavailable(problem) => write!(f, "the audit is not available: {problem}"),
            Self::Denied => f.write_str("this user may not call sfvaultd"),
            Self::HostNotAllowed(HostRefused { host, hint }) => {
                write!(f, "no credential is sent to `{host}`")?;
                match hint {
                    Some(hint) => write!(f, ": {hint}"),
                    None => Ok(()),
                }
            }
            Self::Internal(place) => write!(f, "defect in sfvaultd: {place}"),
            Self::InvalidArgument { field, problem } => write!(f, "`{field}`: {problem}"),
            Self::Latched {
                record, failure, ..
            } => write!(f, "Salesforce rejected `{record}`: {failure}"),
            Self::LoginBudgetSpent { record, .. } => {
                write!(f, "too many failed logins of `{record}` lately")
            }
            Self::LoginShareSpent { record, limit, .. } => write!(
                f,
                "the user of `{record}` has made {limit} logins in an hour, which is all that \
                 `login_share_percent` allows"
            ),
            Self::LoginFailed {
                record, failure, ..
            } => write!(f, "login of `{record}` failed: {failure}"),
            Self::LogoutFailed { record, failure } => write!(
                f,
                "Salesforce did not say that it ended the session of `{record}`: {failure}"
            ),
            Self::MinTtlTooLong { asked, possible } => write!(
                f,
                "a session of this org can be promised for {} s at most; {} s were asked for",
                possible.as_secs(),
                asked.as_secs()
            ),
            Self::RecordExists(name) => write!(f, "there is a record `{name}` already"),
            Self::RecordNotFound(name) => write!(f, "there is no record `{name}`"),
            Self::SessionRefusedAgain {
                record,
                lives: true,
                ..
            } => write!(
                f,
                "the session of `{record}` was called refused, and yet it works"
            ),
            Self::SessionRefusedAgain { record, .. } => write!(
                f,
                "one session of `{record}` after the other was ended before its time: the next is got after a pause"
            ),
            Self::ShuttingDown => f.write_str("sfvaultd is shutting down"),
            Self::Store(error) => error.fmt(f),
            Self::TokenAwaited(record) => write!(
                f,
                "a new password of `{record}` awaits its security token: end that first with `sfvault rotate {record}`"
            ),
            Self::Throttled { party, excess, .. } => match excess {
                Excess::Bytes => write!(
                    f,
                    "{party} is held back: too much of its requests and answers is under way"
                ),
                Excess::Calls => write!(f, "{party} is held back: it has too many calls under way"),
                Excess::Logins { record } => write!(
                    f,
                    "{party} is held back: it has caused all the logins of the user of `{record}` in an hour that others \
                     leave to it"
                ),
                Excess::Reports { record, most } => write!(
                    f,
                    "{party} is held back: {most} logins in 5 minutes came of its calling the session of `{record}` \
                     refused, or of its finding it dead before its time"
                ),
            },
            Self::TooManyStreams => f.write_str("too many calls are open that wait or watch"),
            Self::TokenUnsaved { record, problem } => write!(
                f,
                "the new refresh token of `{record}` is in memory only: {problem}"
            ),
            Self::TrialFailed {
                record,
                tried,
                failure,
            } => write!(f, "`{record}` is as it was: {tried} failed: {failure}"),
            Self::UnexpectedEnvironment { expected } => match expected {
                Environment::Production => {
                    f.write_str("the record belongs to a sandbox; a production org is expected")
                }
                Environment::Sandbox => {
                    f.write_str("the record belongs to a production org; a sandbox is expected")
                }
            },
            Self::UnexpectedOrg { expected, actual } => {
                write!(f, "the record belongs to org {actual}, not to {expected}")
            }
            Self::VaultExists(path) => write!(f, "there is a vault already: {}", path.display()),
            Self::VaultLocked => f.write_str("the vault is locked"),
            Self::VaultMissing(path) => write!(f, "there is no vault yet at {}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
