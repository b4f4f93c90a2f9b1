//! The only place that reads a clock.
//!
//! Deadlines come from a server, so they are wall-clock times. A wall clock jumps; whoever compares
//! two times must expect the later one to look earlier.

use std::{fmt, time::SystemTime};

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall-clock time now.
    fn now(&self) -> SystemTime;
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
