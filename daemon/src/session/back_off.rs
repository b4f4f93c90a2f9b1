//! The pause after a failure that may pass.

use std::time::{Duration, SystemTime};

use crate::failure::Failure;

/// The first pause after a failure that may pass; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Where doubling stops: jobs at night should go on within minutes of an outage's end.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// No login before `until`.
#[derive(Debug, Clone)]
pub struct BackOff {
    pub failure: Failure,
    pub until: SystemTime,
    /// How many failures came in a row before this one.
    round: u32,
}

impl BackOff {
    /// The pause after one more failure. `jitter` adds up to a quarter, so that records that failed together do not
    /// come back together.
    #[must_use]
    pub fn after(previous: Option<&Self>, failure: Failure, now: SystemTime, jitter: u8) -> Self {
        let round = previous.map_or(0, |previous| previous.round.saturating_add(1));
        let doubled = FIRST_PAUSE * 2_u32.saturating_pow(round.min(16));
        let pause = doubled
            .min(LONGEST_PAUSE)
            .max(failure.pause.unwrap_or_default());
        let spread = pause / 4 * u32::from(jitter) / 255;
        Self {
            failure,
            until: now + pause + spread,
            round,
        }
    }

    /// Whether it lasts. One that is longer than any we set means that the clock went back: then it is over.
    #[must_use]
    pub fn lasts(&self, now: SystemTime) -> bool {
        let longest = self.failure.pause.unwrap_or_default().max(LONGEST_PAUSE) * 2;
        now < self.until && self.until <= now + longest
    }
}
