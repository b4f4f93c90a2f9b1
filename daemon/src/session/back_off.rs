//! The pause after a failure that may pass.

use std::time::{Duration, SystemTime};

use super::decision::Refusal;
use crate::{failure::Failure, ledger::Hold};

/// The first pause after a failure that may pass; each further failure triples it. So a hiccup costs seconds, and yet
/// no two minutes see more than three logins fail: should an overloaded Salesforce judge what it then has no answer
/// for, a user is not locked by our haste.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const FACTOR: u32 = 3;
/// Where that stops: jobs at night should go on within minutes of an outage's end.
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
        let grown = FIRST_PAUSE * FACTOR.saturating_pow(round.min(8));
        let pause = grown
            .min(LONGEST_PAUSE)
            .max(failure.pause.unwrap_or_default());
        let spread = pause / 4 * u32::from(jitter) / 255;
        Self {
            failure,
            until: now + pause + spread,
            round,
        }
    }

    /// What the ledger keeps of it.
    #[must_use]
    pub fn hold(&self, since: SystemTime) -> Hold {
        Hold {
            failure: self.failure.clone(),
            since,
            until: self.until,
            round: self.round,
            proof: false,
        }
    }

    /// What callers hear while it lasts.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal::BackingOff {
            failure: self.failure.clone(),
            until: self.until,
        }
    }

    /// Whether it lasts. One that is longer than any we set means that the clock went back: then it is over.
    #[must_use]
    pub fn lasts(&self, now: SystemTime) -> bool {
        let longest = self.failure.pause.unwrap_or_default().max(LONGEST_PAUSE) * 2;
        now < self.until && self.until <= now + longest
    }
}

impl From<Hold> for BackOff {
    fn from(hold: Hold) -> Self {
        Self {
            failure: hold.failure,
            until: hold.until,
            round: hold.round,
        }
    }
}
