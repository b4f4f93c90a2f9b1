//! The exit statuses, on which schedulers depend.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

use sfvault::Reason;

/// With what status `sfvault` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    pub(crate) const DONE: Self = Self(0);
    pub(crate) const ELSE: Self = Self(1);
    pub(crate) const USAGE: Self = Self(2);
    pub(crate) const NO_DAEMON: Self = Self(3);
    pub(crate) const NO_SUCH_RECORD: Self = Self(4);
    pub(crate) const DENIED: Self = Self(5);
    pub(crate) const HUMAN: Self = Self(6);
    /// `EX_TEMPFAIL` of sysexits.h, which mailers and schedulers know.
    pub(crate) const TRY_LATER: Self = Self(75);
    /// As `env`, `nice` and shells say it: found, and can't be run.
    pub(crate) const NOT_EXECUTABLE: Self = Self(126);
    /// As `env`, `nice` and shells say it: not found.
    pub(crate) const NOT_FOUND: Self = Self(127);

    /// As a shell tells that a command died of a signal.
    pub(crate) fn signalled(signal: u8) -> Self {
        Self(128_u8.saturating_add(signal))
    }

    /// That of a command that we ran, as a shell tells it.
    pub(crate) fn of_job(status: ExitStatus) -> Self {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        let signal = status.signal().and_then(|signal| u8::try_from(signal).ok());
        match (code, signal) {
            (Some(code), _) => Self(code),
            (None, Some(signal)) => Self::signalled(signal),
            (None, None) => Self::ELSE,
        }
    }

    pub(crate) fn code(self) -> u8 {
        self.0
    }

    /// The status for each reason.
    pub(crate) fn of(reason: Reason) -> Self {
        match reason {
            Reason::InvalidArgument
            | Reason::HostNotAllowed
            | Reason::MinTtlTooLong
            | Reason::SocketPathTooLong => Self::USAGE,

            Reason::NoSocket | Reason::NobodyListens => Self::NO_DAEMON,

            Reason::RecordNotFound | Reason::RecordExists | Reason::VaultExists => {
                Self::NO_SUCH_RECORD
            }

            Reason::Denied
            | Reason::UnexpectedOrg
            | Reason::SocketForbidden
            | Reason::ForeignDaemon => Self::DENIED,

            Reason::VaultMissing
            | Reason::VaultLocked
            | Reason::WrongPassphrase
            | Reason::CredentialRejected
            | Reason::UserLockedOut
            | Reason::PasswordExpired
            | Reason::LoginDisabled
            | Reason::AccessPolicy
            | Reason::OrgState
            | Reason::WrongHost
            | Reason::ApiVersion
            | Reason::Protocol
            | Reason::PinnedElsewhere
            | Reason::AppConfig
            | Reason::RefreshTokenDead
            | Reason::BrowserLogin
            | Reason::TokenAwaited => Self::HUMAN,

            Reason::RestrictedHours
            | Reason::RateLimited
            | Reason::SalesforceUnavailable
            | Reason::LoginUnanswered
            | Reason::ClockSkew
            | Reason::LoginBudgetSpent
            | Reason::SessionRefusedAgain
            | Reason::Throttled
            | Reason::TooManyStreams
            | Reason::ShuttingDown
            | Reason::DaemonBusy
            | Reason::Disconnected
            | Reason::NoAnswer => Self::TRY_LATER,

            Reason::VaultDamaged
            | Reason::VaultForeign
            | Reason::Storage
            | Reason::AuditUnavailable
            | Reason::Internal
            | Reason::ConnectFailed
            | Reason::Unimplemented
            | Reason::MalformedAnswer
            | Reason::Unrecognised => Self::ELSE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The protocol's comments promise the statuses; this reads them there.
    #[test]
    fn the_statuses_are_those_that_the_protocol_promises() {
        let proto = include_str!("../../../proto/sfvault/v1/reason.proto");
        let mut promised = None;
        let mut found = 0;
        for line in proto.lines().map(str::trim) {
            if let Some((_, status)) = line.rsplit_once("Exit ") {
                promised = status.trim_end_matches('.').parse::<u8>().ok();
            } else if let Some((name, _)) = line
                .strip_prefix("REASON_")
                .and_then(|rest| rest.split_once(" ="))
                && name != "UNSPECIFIED"
            {
                let reason = Reason::ALL.iter().find(|reason| reason.name() == name);
                let status = reason.map(|reason| Exit::of(*reason).code());
                assert_eq!(status, promised.take(), "{name}");
                found += 1;
            }
        }
        assert!(found > 30, "{found} reasons found");
    }
}
