//! A sign of life on stderr while something takes its time. Needs no thread.

use std::{future::Future, pin::pin, time::Duration};

use sfvault::RecordName;
use tokio::time::{interval, sleep};

use super::output::Output;

/// Waits for `work`. If that takes long and a person looks on, shows that something happens.
pub(crate) async fn watch<T>(output: Output, what: &str, work: impl Future<Output = T>) -> T {
    if !output.is_lively() {
        return work.await;
    }
    let mut work = pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = sleep(PATIENCE) => {}
    }
    let _line = Line(output);
    let mut tick = interval(PACE);
    let mut frames = FRAMES.iter().cycle();
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = tick.tick() => {
                let frame = frames.next().unwrap_or(&"");
                output.passing(&format!("{frame} {what}"));
            }
        }
    }
}

/// What passes is gone when the waiting ends, also by a signal.
struct Line(Output);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.clear_line();
    }
}

/// The same for work that changes a record: who interrupts it is told how to learn what became of it.
pub(crate) async fn watch_change<T>(
    output: Output,
    what: &str,
    name: &RecordName,
    work: impl Future<Output = T>,
) -> T {
    let open = Open { output, name };
    let done = watch(output, what, work).await;
    std::mem::forget(open);
    done
}

struct Open<'a> {
    output: Output,
    name: &'a RecordName,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let name = self.name;
        self.output.warning(&format!(
            "sfvaultd may go on with it: `sfvault show {name}` tells what became of `{name}`"
        ));
    }
}

/// Below this, people see a flicker and no progress.
const PATIENCE: Duration = Duration::from_millis(300);
const PACE: Duration = Duration::from_millis(125);
const FRAMES: [&str; 4] = ["|", "/", "-", "\\"];
