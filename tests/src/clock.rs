//! A clock that tests turn by hand.

use std::{
    ops::RangeInclusive,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sfvaultd::clock::{Clock, SystemClock};
use tokio::sync::watch;

/// A clock that stands still until it is moved, or the machine's clock with a lead.
///
/// Clones are the same clock: give one to the simulator and one to the daemon.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    reading: Mutex<Reading>,
    moved: watch::Sender<()>,
    /// Until when somebody naps, whoever it is.
    naps: watch::Sender<Vec<SystemTime>>,
}

#[derive(Debug)]
enum Reading {
    Still(SystemTime),
    Running { ahead: Duration },
}

impl ManualClock {
    /// A clock that stands at 21 November 2026, 00:00 UTC: before the dates on which the old login flows end.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Reading::Still(UNIX_EPOCH + Duration::from_secs(START)))
    }

    /// The machine's clock, until it is moved.
    #[must_use]
    pub fn running() -> Self {
        Self::at(Reading::Running {
            ahead: Duration::ZERO,
        })
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        match &mut *self.reading() {
            Reading::Still(time) => *time += by,
            Reading::Running { ahead } => *ahead += by,
        }
        self.0.moved.send_replace(());
    }

    /// Stops the clock at a time, which may be in its past.
    pub fn set(&self, time: SystemTime) {
        *self.reading() = Reading::Still(time);
        self.0.moved.send_replace(());
    }

    /// Returns once somebody naps until a time in there. A daemon that does so has done what was due before; what is seen of
    /// that from outside may be seen earlier.
    pub async fn napped_until(&self, times: RangeInclusive<SystemTime>) {
        let mut naps = self.0.naps.subscribe();
        // The sender is in the clock.
        let _ = naps
            .wait_for(|naps| naps.iter().any(|until| times.contains(until)))
            .await;
    }

    fn at(reading: Reading) -> Self {
        Self(Arc::new(Inner {
            reading: Mutex::new(reading),
            moved: watch::Sender::new(()),
            naps: watch::Sender::default(),
        }))
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0
            .reading
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        match *self.reading() {
            Reading::Still(time) => time,
            Reading::Running { ahead } => SystemClock.now() + ahead,
        }
    }

    fn nap(&self, until: SystemTime) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut moved = self.0.moved.subscribe();
        Box::pin(async move {
            let _nap = Nap::of(&self.0.naps, until);
            while self.now() < until {
                let left = until.duration_since(self.now()).unwrap_or_default();
                let still = matches!(*self.reading(), Reading::Still(_));
                tokio::select! {
                    // The sender is in the clock.
                    _ = moved.changed() => {}
                    () = tokio::time::sleep(left), if !still => {}
                }
            }
        })
    }
}

/// Somebody who naps.
struct Nap<'a> {
    naps: &'a watch::Sender<Vec<SystemTime>>,
    until: SystemTime,
}

impl<'a> Nap<'a> {
    fn of(naps: &'a watch::Sender<Vec<SystemTime>>, until: SystemTime) -> Self {
        naps.send_modify(|naps| naps.push(until));
        Self { naps, until }
    }
}

impl Drop for Nap<'_> {
    fn drop(&mut self) {
        self.naps.send_modify(|naps| {
            if let Some(at) = naps.iter().position(|until| *until == self.until) {
                naps.swap_remove(at);
            }
        });
    }
}

const START: u64 = 1_795_219_200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_clock_moves_only_when_it_is_moved_and_clones_move_with_it() {
        let clock = ManualClock::new();
        let other = clock.clone();
        let start = clock.now();
        assert_eq!(other.now(), start);
        clock.advance(Duration::from_secs(5));
        assert_eq!(other.now(), start + Duration::from_secs(5));
        other.set(start - Duration::from_secs(5));
        assert_eq!(clock.now(), start - Duration::from_secs(5));
    }

    #[test]
    fn a_running_clock_keeps_its_lead() {
        let clock = ManualClock::running();
        clock.advance(Duration::from_secs(3600));
        assert!(clock.now() >= SystemClock.now() + Duration::from_secs(3599));
    }
}
