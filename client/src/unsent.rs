//! Calls that the daemon never saw, because it ended their connection while they were on their way to it.
//!
//! It does so when the vault forgets secrets. A new connection is made for the next call; but a call that was handed to
//! the old one a moment before is given back by HTTP/2, unsent, and nobody but the caller can make it anew.

use tonic::Status;

use crate::error::find_source;

/// Each takes another end of a connection within microseconds.
const ATTEMPTS: u32 = 4;

/// Makes the call again if it was not sent.
pub(crate) async fn repeat<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut attempts = 1;
    loop {
        match call().await {
            Err(status) if attempts < ATTEMPTS && is_unsent(&status) => attempts += 1,
            result => return result,
        }
    }
}

/// Whether HTTP/2 says that the call never reached the daemon. A connection that breaks says nothing of the kind, and no
/// status that the daemon sends can.
fn is_unsent(status: &Status) -> bool {
    let told = find_source(status, |source| {
        let unsent = match (
            source.downcast_ref::<hyper::Error>(),
            source.downcast_ref::<h2::Error>(),
        ) {
            // It was still waiting for its turn.
            (Some(error), _) => error.is_canceled(),
            // The daemon named its last call, and this is a later one (RFC 9113, 6.8).
            (None, Some(error)) => {
                error.is_go_away()
                    && error.is_remote()
                    && error.reason() == Some(h2::Reason::NO_ERROR)
            }
            (None, None) => false,
        };
        unsent.then_some(())
    });
    told.is_some()
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, error::Error as _, io, sync::Arc};

    use tonic::Code;

    use super::*;

    /// What the transport makes of a failure.
    fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Status {
        let mut status = Status::new(Code::Internal, "h2 protocol error");
        status.set_source(Arc::new(source));
        assert!(status.source().is_some());
        status
    }

    async fn attempts(failure: impl Fn() -> Status) -> u32 {
        let made = Cell::new(0);
        let result = repeat(|| {
            made.set(made.get() + 1);
            std::future::ready(Err::<(), _>(failure()))
        })
        .await;
        result.unwrap_err();
        made.get()
    }

    #[tokio::test]
    async fn what_may_have_been_seen_is_not_repeated() {
        let broken = || failed(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(attempts(broken).await, 1);
        let reset = || failed(h2::Error::from(h2::Reason::REFUSED_STREAM));
        assert_eq!(attempts(reset).await, 1);
        assert_eq!(attempts(|| Status::cancelled("x")).await, 1);
        assert_eq!(attempts(|| Status::unavailable("x")).await, 1);
    }
}
