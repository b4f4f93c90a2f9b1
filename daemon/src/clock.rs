//! The only place that reads a clock.
//!
//! Deadlines come from a server, so they are wall-clock times. A wall clock jumps; whoever compares
//! two times must expect the later one to look earlier.

use std::{
    fmt,
    pin::Pin,
    time::{Duration, SystemTime},
};

/// A timer does not run while the machine sleeps, nor follow when its clock is set: so it is looked at so often.
const LONGEST_NAP: Duration = Duration::from_mins(5);

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall-clock time now.
    fn now(&self) -> SystemTime;

    /// Returns at `until`, or earlier: whoever waits looks at the clock again.
    fn nap(&self, until: SystemTime) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let pause = until.duration_since(self.now()).unwrap_or_default();
        Box::pin(tokio::time::sleep(pause.min(LONGEST_NAP)))
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
