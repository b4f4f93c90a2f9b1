//! Work that waits for the disk or takes long, on threads of its own.

use tokio::task::{self, JoinHandle};

/// Does `work` beside the tasks, to its end even if nobody waits for it.
pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    #[cfg(test)]
    let work = match tests::in_step(work) {
        Ok(done) => return done,
        Err(work) => work,
    };
    task::spawn_blocking(work)
}

#[cfg(test)]
pub(crate) mod tests;
