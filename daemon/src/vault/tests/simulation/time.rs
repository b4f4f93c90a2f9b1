//! The true time, and what the daemon's clock makes of it. Timers are tokio's, whose time stands still while anything is
//! to be done: so whoever lets time pass finds everything done that was due.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep};

use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct Time {
    began: Instant,
    skew: Mutex<Skew>,
}

#[derive(Debug, Default)]
struct Skew {
    /// The time that no timer noticed.
    asleep: Duration,
    /// The daemon's clock against the true time.
    ahead: Duration,
    behind: Duration,
}

impl Time {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            skew: Mutex::default(),
        }
    }

    pub(super) fn truly(&self) -> SystemTime {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200);
        start + self.began.elapsed() + self.skew().asleep
    }

    pub(super) async fn pass(&self, by: Duration) {
        sleep(by).await;
    }

    /// Until nothing is left to do.
    pub(super) async fn settle(&self) {
        self.pass(Duration::from_millis(1)).await;
    }

    /// The machine sleeps, and no timer runs.
    pub(super) fn suspend(&self, by: Duration) {
        self.skew().asleep += by;
    }

    /// The daemon's clock alone.
    pub(super) fn jump(&self, ahead: bool, by: Duration) {
        let mut skew = self.skew();
        if ahead {
            skew.ahead += by;
        } else {
            skew.behind += by;
        }
    }

    fn skew(&self) -> MutexGuard<'_, Skew> {
        self.skew.lock().unwrap()
    }
}

impl Clock for Time {
    fn now(&self) -> SystemTime {
        let truly = self.truly();
        let skew = self.skew();
        truly + skew.ahead - skew.behind
    }
}
