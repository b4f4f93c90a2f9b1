//! Waiting that would block everything: on a thread of its own, so that a signal still ends it.

use std::thread;

use tokio::sync::oneshot;

use super::failure::Failure;

/// Does `work`, which may block for as long as it likes. Who stops waiting leaves the thread behind; it goes with the process.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().spawn(move || drop(tell.send(work())));
    thread.map_err(|error| Failure::local(format!("can't start a thread: {error}")))?;
    told.await
        .map_err(|_| Failure::local("a thread of sfvault ended before its work"))
}
