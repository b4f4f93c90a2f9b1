//! Threads in step: for tests that must go the same way each time.

use std::{cell::RefCell, thread};

use tokio::{
    runtime::Handle,
    task::{self, JoinHandle, yield_now},
};

type Turns = Box<dyn FnMut() -> u64>;

thread_local! {
    static TURNS: RefCell<Option<Turns>> = RefCell::default();
}

/// While it lives, whatever the runtime of this thread has others do is done at once, and told after as many turns of
/// its tasks as `turns` says. So what else happens between the two is `turns`' choice, and not the scheduler's.
///
/// Work that waits for a task never ends.
pub(crate) struct InStep(());

impl InStep {
    pub(crate) fn begin(turns: impl FnMut() -> u64 + 'static) -> Self {
        TURNS.set(Some(Box::new(turns)));
        Self(())
    }
}

impl Drop for InStep {
    fn drop(&mut self) {
        TURNS.set(None);
    }
}

/// # Errors
/// The work, if this thread is not in step.
pub(super) fn in_step<T, W>(work: W) -> Result<JoinHandle<T>, W>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let turns = TURNS.with_borrow_mut(|turns| turns.as_mut().map(|turns| turns()));
    let Some(turns) = turns else {
        return Err(work);
    };
    let runtime = Handle::current();
    // Not on this thread, on which nothing may block.
    let done = thread::spawn(move || {
        let _runtime = runtime.enter();
        work()
    })
    .join();
    Ok(task::spawn(async move {
        for _ in 0..turns {
            yield_now().await;
        }
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }))
}
