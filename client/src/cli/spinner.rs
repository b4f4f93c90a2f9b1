//! A sign of life on stderr while something takes its time. Needs no thread.

use std::{future::Future, pin::pin, time::Duration};

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
    let mut tick = interval(PACE);
    let mut frames = FRAMES.iter().cycle();
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = tick.tick() => {
                let frame = frames.next().unwrap_or(&"");
                output.passing(&format!("{frame} {what}"));
            }
        }
    };
    output.clear_line();
    done
}

/// Below this, people see a flicker and no progress.
const PATIENCE: Duration = Duration::from_millis(300);
const PACE: Duration = Duration::from_millis(125);
const FRAMES: [&str; 4] = ["|", "/", "-", "\\"];
