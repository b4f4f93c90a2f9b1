//! Why a call failed, and how that is read from what gRPC says.

use std::{error::Error as _, fmt, io, time::Duration};

use sfvault_proto::v1::ERROR_DOMAIN;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::{Reason, connect::ConnectError};

/// A call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    reason: Reason,
    message: String,
    retry_after: Option<Duration>,
}

impl Error {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What happened, in words for people: no secret, but perhaps control characters, since some of
    /// these words come from the daemon.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long to wait before the same call may succeed, if waiting helps and somebody knows.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            retry_after: None,
        }
    }

    /// The answer lacks something, or holds something that can't be.
    pub(crate) fn malformed(what: &str) -> Self {
        Self::new(
            Reason::MalformedAnswer,
            format!("the answer of sfvaultd is malformed: {what}"),
        )
    }

    /// Reads what a failed call says. Only `ErrorInfo` of sfvault's domain tells a reason: the gRPC code
    /// alone means too many things.
    pub(crate) fn from_status(status: &Status) -> Self {
        if let Some(error) = find_source(status, |source| {
            source.downcast_ref::<ConnectError>().map(Self::from)
        }) {
            return error;
        }
        if let Some(info) = status.get_details_error_info()
            && info.domain == ERROR_DOMAIN
        {
            return Self {
                reason: Reason::from_wire(&info.reason),
                message: status.message().to_owned(),
                retry_after: status
                    .get_details_retry_info()
                    .and_then(|info| info.retry_delay),
            };
        }
        let timed_out = find_source(status, |source| {
            source.downcast_ref::<TimeoutExpired>().map(drop)
        });
        if timed_out.is_some() {
            return Self::new(Reason::NoAnswer, "sfvaultd did not answer in time");
        }
        let broken = find_source(status, |source| {
            let transport = source.is::<io::Error>() || source.is::<tonic::transport::Error>();
            transport.then_some(())
        });
        if broken.is_some() {
            return Self::new(
                Reason::Disconnected,
                "the connection to sfvaultd broke during the call",
            );
        }
        from_code(status)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<&ConnectError> for Error {
    fn from(error: &ConnectError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

/// The first of a status's causes that the probe takes for one.
pub(crate) fn find_source<T>(
    status: &Status,
    probe: impl Fn(&(dyn std::error::Error + 'static)) -> Option<T>,
) -> Option<T> {
    let mut source = status.source();
    while let Some(error) = source {
        if let Some(found) = probe(error) {
            return Some(found);
        }
        source = error.source();
    }
    None
}

/// Without `ErrorInfo` it was not sfvaultd's code that answered, but gRPC's own.
fn from_code(status: &Status) -> Error {
    let (reason, message) = match status.code() {
        Code::DeadlineExceeded | Code::Cancelled => (
            Reason::NoAnswer,
            "sfvaultd did not answer in time".to_owned(),
        ),
        Code::Unimplemented => (
            Reason::Unimplemented,
            "what answers on the socket does not know this call".to_owned(),
        ),
        Code::Unavailable => (
            Reason::Disconnected,
            "the connection to sfvaultd broke during the call".to_owned(),
        ),
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => (
            Reason::MalformedAnswer,
            format!(
                "the call failed and gave no reason that sfvault knows ({:?}: {})",
                status.code(),
                status.message()
            ),
        ),
    };
    Error::new(reason, message)
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn status(domain: &str, reason: &str, retry: Option<Duration>) -> Status {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, domain, [("record".to_owned(), "prod".to_owned())]);
        if retry.is_some() {
            details.set_retry_info(retry);
        }
        Status::with_error_details(Code::Unavailable, "so it is", details)
    }

    #[test]
    fn the_reason_comes_from_the_details_and_not_from_the_code() {
        let wait = Some(Duration::from_secs(61));
        let error = Error::from_status(&status(ERROR_DOMAIN, "LOGIN_BUDGET_SPENT", wait));
        assert_eq!(error.reason(), Reason::LoginBudgetSpent);
        assert_eq!((error.message(), error.retry_after()), ("so it is", wait));
    }

    #[test]
    fn the_details_of_another_domain_say_nothing() {
        let error = Error::from_status(&status("googleapis.com", "VAULT_LOCKED", None));
        assert_eq!(error.reason(), Reason::Disconnected);
    }

    #[test]
    fn the_client_s_own_reasons_can_not_be_sent() {
        let error = Error::from_status(&status(ERROR_DOMAIN, "FOREIGN_DAEMON", None));
        assert_eq!(error.reason(), Reason::Unrecognised);
    }

    #[test]
    fn a_status_without_details_never_passes_for_a_reason_of_the_daemon() {
        for number in 0..20 {
            let code = Code::from_i32(number);
            let reason = Error::from_status(&Status::new(code, "x")).reason();
            assert!(
                matches!(
                    reason,
                    Reason::NoAnswer
                        | Reason::Unimplemented
                        | Reason::Disconnected
                        | Reason::MalformedAnswer
                ),
                "{code:?} {reason:?}"
            );
        }
    }
}
