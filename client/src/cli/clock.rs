//! The only place in the client that reads a clock; only to tell people how far away a time is.

use std::time::SystemTime;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
