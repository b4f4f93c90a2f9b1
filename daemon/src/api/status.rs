//! Domain errors become `Status` here and nowhere else. What clients match on is the reason, never the message.

use std::time::Duration;

use sfvault_proto::v1::{ERROR_DOMAIN, Reason};
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{error::Error, failure::Class, store::StoreError};

/// The answer of a handler.
pub(super) fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result
        .map(Response::new)
        .map_err(|error| from_error(&error))
}

/// The status of an error, with its reason and, where waiting helps, how long.
pub(super) fn from_error(error: &Error) -> Status {
    let reason = reason(error);
    let mut details = ErrorDetails::with_error_info(reason_name(error), ERROR_DOMAIN, []);
    if let Some(wait) = retry_after(error) {
        details.set_retry_info(Some(wait));
    }
    Status::with_error_details(code(reason), error.to_string(), details)
}

/// The name under which clients and the audit know why a request failed.
pub(super) fn reason_name(error: &Error) -> &'static str {
    reason(error).as_str_name().trim_start_matches("REASON_")
}

/// Why Salesforce gave no session.
pub(super) fn failure_reason(class: Class) -> Reason {
    match class {
        Class::AccessPolicy | Class::SessionBarred => Reason::AccessPolicy,
        Class::ApiVersion => Reason::ApiVersion,
        Class::AppConfig => Reason::AppConfig,
        Class::BadCredentials => Reason::CredentialRejected,
        Class::ClockSkew => Reason::ClockSkew,
        Class::LockedOut => Reason::UserLockedOut,
        Class::LoginDisabled => Reason::LoginDisabled,
        Class::OrgState => Reason::OrgState,
        Class::PasswordExpired => Reason::PasswordExpired,
        Class::PinnedElsewhere => Reason::PinnedElsewhere,
        Class::Protocol => Reason::Protocol,
        Class::RateLimited => Reason::RateLimited,
        Class::RefreshDead => Reason::RefreshTokenDead,
        Class::RestrictedHours => Reason::RestrictedHours,
        Class::SessionDead | Class::Unavailable => Reason::SalesforceUnavailable,
        Class::TokenAwaited => Reason::TokenAwaited,
        Class::Unanswered => Reason::LoginUnanswered,
        Class::WrongHost => Reason::WrongHost,
    }
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::BrowserLogin { .. } => Reason::BrowserLogin,
        Error::AuditUnavailable(_) => Reason::AuditUnavailable,
        Error::Denied => Reason::Denied,
        Error::HostNotAllowed(_) => Reason::HostNotAllowed,
        Error::Internal(_) => Reason::Internal,
        Error::InvalidArgument { .. } => Reason::InvalidArgument,
        Error::CodeRefused { failure, .. }
        | Error::Latched { failure, .. }
        | Error::LoginFailed { failure, .. }
        | Error::LogoutFailed { failure, .. }
        | Error::TrialFailed { failure, .. } => failure_reason(failure.class),
        Error::LoginBudgetSpent { .. } => Reason::LoginBudgetSpent,
        Error::LoginShareSpent { .. } => Reason::RateLimited,
        Error::MinTtlTooLong { .. } => Reason::MinTtlTooLong,
        Error::RecordExists(_) => Reason::RecordExists,
        Error::RecordNotFound(_) => Reason::RecordNotFound,
        Error::SessionRefusedAgain { .. } => Reason::SessionRefusedAgain,
        Error::ShuttingDown => Reason::ShuttingDown,
        Error::Store(error) | Error::TokenUnsaved { problem: error, .. } => store_reason(error),
        Error::Throttled { .. } => Reason::Throttled,
        Error::TokenAwaited(_) => Reason::TokenAwaited,
        Error::TooManyStreams => Reason::TooManyStreams,
        Error::UnexpectedEnvironment { .. } | Error::UnexpectedOrg { .. } => Reason::UnexpectedOrg,
        Error::VaultExists(_) => Reason::VaultExists,
        Error::VaultLocked => Reason::VaultLocked,
        Error::VaultMissing(_) => Reason::VaultMissing,
    }
}

pub(super) fn store_reason(error: &StoreError) -> Reason {
    match error {
        StoreError::BadCost { .. } => Reason::InvalidArgument,
        StoreError::Damaged { .. } => Reason::VaultDamaged,
        StoreError::Exists { .. } => Reason::VaultExists,
        StoreError::Foreign { .. } | StoreError::NewerFormat { .. } => Reason::VaultForeign,
        StoreError::Full { .. }
        | StoreError::InUse { .. }
        | StoreError::Io { .. }
        | StoreError::NotPrivate { .. }
        | StoreError::ReadOnly { .. } => Reason::Storage,
        StoreError::Changed { .. } | StoreError::Refused { .. } => Reason::Internal,
        StoreError::WrongPassphrase { .. } => Reason::WrongPassphrase,
    }
}

fn retry_after(error: &Error) -> Option<Duration> {
    error.may_pass_in().filter(|wait| *wait != Duration::MAX)
}

fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidArgument | Reason::HostNotAllowed | Reason::MinTtlTooLong => {
            Code::InvalidArgument
        }
        Reason::RecordNotFound => Code::NotFound,
        Reason::RecordExists | Reason::VaultExists => Code::AlreadyExists,
        Reason::Denied => Code::PermissionDenied,
        Reason::WrongPassphrase => Code::Unauthenticated,
        Reason::VaultDamaged | Reason::VaultForeign => Code::DataLoss,
        Reason::AccessPolicy
        | Reason::ApiVersion
        | Reason::AppConfig
        | Reason::BrowserLogin
        | Reason::CredentialRejected
        | Reason::LoginDisabled
        | Reason::OrgState
        | Reason::PasswordExpired
        | Reason::PinnedElsewhere
        | Reason::Protocol
        | Reason::RefreshTokenDead
        | Reason::TokenAwaited
        | Reason::UnexpectedOrg
        | Reason::UserLockedOut
        | Reason::VaultLocked
        | Reason::VaultMissing
        | Reason::WrongHost => Code::FailedPrecondition,
        Reason::LoginBudgetSpent
        | Reason::RateLimited
        | Reason::Throttled
        | Reason::TooManyStreams => Code::ResourceExhausted,
        Reason::ClockSkew
        | Reason::LoginUnanswered
        | Reason::RestrictedHours
        | Reason::SalesforceUnavailable
        | Reason::SessionRefusedAgain
        | Reason::ShuttingDown => Code::Unavailable,
        Reason::AuditUnavailable | Reason::Internal | Reason::Storage | Reason::Unspecified => {
            Code::Internal
        }
    }
}
