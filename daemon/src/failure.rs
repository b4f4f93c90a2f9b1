//! Why Salesforce gave no session, sorted by what the vault may do next.

use std::{fmt, time::Duration};

/// The class of a failure. Each fixes what happens next, so an unknown answer is never retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// An IP range, domain, API or client policy forbids it.
    AccessPolicy,
    /// The connected app or external client app is not set up for this login.
    AppConfig,
    /// Salesforce does not offer this login in the API version asked for.
    ApiVersion,
    /// The user name, password or security token is wrong, or the user is locked, frozen or inactive.
    BadCredentials,
    /// The assertion was expired when it came, or the session was: this host's clock is wrong, or Salesforce was slow.
    ClockSkew,
    /// The user is locked, or has probably been.
    LockedOut,
    /// This way of logging in is switched off.
    LoginDisabled,
    /// The org is locked, expired or gone.
    OrgState,
    /// The password has expired.
    PasswordExpired,
    /// The login led to another org or user than the record's.
    PinnedElsewhere,
    /// An answer that can't be understood.
    Protocol,
    /// The rate of logins or calls is limited.
    RateLimited,
    /// The refresh token is spent, revoked or expired.
    RefreshDead,
    /// The user's login hours forbid it now.
    RestrictedHours,
    /// The session is alive, but a policy bars it from this API: a new login would not help.
    SessionBarred,
    /// The session that was used is not, or no longer, valid.
    SessionDead,
    /// The password was changed by sfvault, or may have been, and its security token is not known yet.
    TokenAwaited,
    /// The credential was sent, and no answer of Salesforce's came: none at all, or a gateway's.
    Unanswered,
    /// Salesforce or the network is down; the credential was not judged, by all that can be told.
    Unavailable,
    /// The host is not the API host of an org.
    WrongHost,
}

/// What may follow a failed login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until the credential changes or an operator releases it.
    Latch,
    /// Another login after a pause; the attempt cost nothing.
    BackOff,
    /// One more login after a pause; the attempt counts as failed.
    CountAndBackOff,
}

impl Class {
    /// All classes, in the order of their names.
    pub const ALL: [Self; 20] = [
        Self::AccessPolicy,
        Self::AppConfig,
        Self::ApiVersion,
        Self::BadCredentials,
        Self::ClockSkew,
        Self::LockedOut,
        Self::LoginDisabled,
        Self::OrgState,
        Self::PasswordExpired,
        Self::PinnedElsewhere,
        Self::Protocol,
        Self::RateLimited,
        Self::RefreshDead,
        Self::RestrictedHours,
        Self::SessionBarred,
        Self::SessionDead,
        Self::TokenAwaited,
        Self::Unanswered,
        Self::Unavailable,
        Self::WrongHost,
    ];

    /// The name under which the store and the logs know it: it never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessPolicy => "access-policy",
            Self::ApiVersion => "api-version",
            Self::AppConfig => "app-config",
            Self::BadCredentials => "bad-credentials",
            Self::ClockSkew => "clock-skew",
            Self::LockedOut => "locked-out",
            Self::LoginDisabled => "login-disabled",
            Self::OrgState => "org-state",
            Self::PasswordExpired => "password-expired",
            Self::PinnedElsewhere => "pinned-elsewhere",
            Self::Protocol => "protocol",
            Self::RateLimited => "rate-limited",
            Self::RefreshDead => "refresh-dead",
            Self::RestrictedHours => "restricted-hours",
            Self::SessionBarred => "session-barred",
            Self::SessionDead => "session-dead",
            Self::TokenAwaited => "token-awaited",
            Self::Unanswered => "unanswered",
            Self::Unavailable => "unavailable",
            Self::WrongHost => "wrong-host",
        }
    }

    /// The class of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// What may follow a login that failed so.
    #[must_use]
    pub fn next(self) -> Next {
        match self {
            Self::AccessPolicy
            | Self::ApiVersion
            | Self::AppConfig
            | Self::BadCredentials
            | Self::LockedOut
            | Self::LoginDisabled
            | Self::OrgState
            | Self::PasswordExpired
            | Self::PinnedElsewhere
            | Self::Protocol
            | Self::RefreshDead
            | Self::SessionBarred
            | Self::TokenAwaited
            | Self::WrongHost => Next::Latch,
            Self::RateLimited | Self::RestrictedHours | Self::SessionDead | Self::Unavailable => {
                Next::BackOff
            }
            Self::ClockSkew | Self::Unanswered => Next::CountAndBackOff,
        }
    }
}

/// One failed exchange with Salesforce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub class: Class,
    /// Salesforce's own code, such as `INVALID_LOGIN`, if it sent one.
    pub code: Option<String>,
    /// What happened, in words: no secret, no control character, at most 300 characters.
    pub message: String,
    /// The shortest pause that Salesforce asks for or that the class needs.
    pub pause: Option<Duration>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}
