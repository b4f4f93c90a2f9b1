//! Does what [`keep_alive`](super::keep_alive) says for one record, while somebody holds its session.
//!
//! Its task is there only while it has something to wait for: for a record that nobody holds there is no task and no
//! timer. It asks for sessions as any caller does, so every guard before a login holds for it too.

use std::{sync::Arc, thread, time::Duration};

use tokio::task;
use tracing::debug;

use super::{
    entry::Entry,
    keep_alive::{Care, care},
    refresh::Refresher,
};

/// After a failure that left no trace in the machine, such as a disk that is full.
const PAUSE: Duration = Duration::from_secs(30);

impl Refresher {
    /// Sees to it that somebody keeps the record's session for those who hold it.
    pub fn keep(self: &Arc<Self>, entry: &Arc<Entry>) {
        let mut state = entry.lock();
        let now = self.clock.now();
        let jitter = entry.id().0[0];
        let idle = matches!(
            care(
                &state.machine,
                &state.holds,
                self.hold_after_get,
                jitter,
                now
            ),
            Care::Rest
        );
        if idle || state.kept || state.closed.is_some() {
            return;
        }
        state.kept = true;
        drop(state);
        let keeper = Keeper {
            refresher: Arc::clone(self),
            entry: Arc::clone(entry),
        };
        task::spawn(async move { keeper.run().await });
    }
}

struct Keeper {
    refresher: Arc<Refresher>,
    entry: Arc<Entry>,
}

impl Drop for Keeper {
    /// In `run` this is done under the lock that saw that nobody holds the session, and another keeper may be there
    /// since. Here it is done for a task that broke.
    fn drop(&mut self) {
        if thread::panicking() {
            self.entry.lock().kept = false;
        }
    }
}

impl Keeper {
    async fn run(&self) {
        let Self { refresher, entry } = self;
        let clock = &refresher.clock;
        let mut not_before = None;
        loop {
            // Before the look, so that no change falls between looking and waiting.
            let mut changed = entry.changes();
            let now = clock.now();
            let care = {
                let mut state = entry.lock();
                let jitter = entry.id().0[0];
                let care = care(
                    &state.machine,
                    &state.holds,
                    refresher.hold_after_get,
                    jitter,
                    now,
                );
                if state.closed.is_some() || matches!(care, Care::Rest) {
                    state.kept = false;
                    return;
                }
                care
            };
            // Only what is wanted again at once is put off.
            not_before = not_before.filter(|_| matches!(care, Care::Now(_)));
            let care = match (care, not_before) {
                (Care::Now(_), Some(time)) if now < time && time <= now + PAUSE => Care::At(time),
                (care, _) => care,
            };
            match care {
                Care::Rest => return,
                Care::Watch => drop(changed.changed().await),
                Care::At(time) => tokio::select! {
                    _ = changed.changed() => {}
                    () = clock.nap(time) => {}
                },
                Care::Now(want) => {
                    let kept = if want.no_login {
                        refresher.prove(entry, want).await
                    } else {
                        refresher.session(entry, want).await.map(drop)
                    };
                    not_before = match kept {
                        Ok(()) => None,
                        Err(error) => {
                            debug!(%error, "a held session could not be kept");
                            Some(clock.now() + PAUSE)
                        }
                    };
                }
            }
        }
    }
}
