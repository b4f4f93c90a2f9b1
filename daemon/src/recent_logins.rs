//! How many logins were made in the last hour, in a few numbers that fit into every ledger.

use std::time::{Duration, SystemTime};

/// Logins by the five minutes in which they were made, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecentLogins(Vec<(SystemTime, u32)>);

impl RecentLogins {
    /// The span in which Salesforce counts.
    pub const WINDOW: Duration = Duration::from_hours(1);
    const SLICE: Duration = Duration::from_mins(5);
    /// An hour touches so many slices; more means that the clock jumped.
    const MOST: usize = 13;

    /// Enters a login.
    pub fn count(&mut self, now: SystemTime) {
        self.add(slice(now), 1, now);
    }

    /// Takes back a login that was entered and not sent.
    pub fn take_back(&mut self) {
        if let Some((_, count)) = self.0.last_mut() {
            *count = count.saturating_sub(1);
        }
    }

    /// Adds what another ledger counted.
    pub fn absorb(&mut self, other: &Self, now: SystemTime) {
        for (slice, count) in &other.0 {
            self.add(*slice, *count, now);
        }
    }

    /// How many there were in the last hour, and at most the five minutes before it.
    #[must_use]
    pub fn used(&self, now: SystemTime) -> u32 {
        self.living(now).map(|(_, count)| count).sum()
    }

    /// When there are fewer than `limit`; `None` if that is so now.
    #[must_use]
    pub fn frees_at(&self, limit: u32, now: SystemTime) -> Option<SystemTime> {
        let mut left = self.used(now);
        let mut frees = None;
        for (slice, count) in self.living(now) {
            if left < limit {
                break;
            }
            left -= count;
            frees = Some(slice + Self::SLICE + Self::WINDOW);
        }
        frees
    }

    /// When `limit` is reached if logins go on as in the last ten minutes; `None` if it is not.
    #[must_use]
    pub fn reaches(&self, limit: u32, now: SystemTime) -> Option<SystemTime> {
        const LATELY: Duration = Duration::from_mins(10);
        let lately: u32 = self
            .living(now)
            .filter(|(slice, _)| *slice + LATELY > now)
            .map(|(_, count)| count)
            .sum();
        let in_an_hour = u64::from(lately) * (Self::WINDOW.as_secs() / LATELY.as_secs());
        if in_an_hour < u64::from(limit) || lately == 0 {
            return None;
        }
        let left = limit.saturating_sub(self.used(now));
        Some(now + LATELY * left / lately)
    }

    /// What the store keeps, oldest first.
    pub fn slices(&self) -> impl Iterator<Item = (SystemTime, u32)> + '_ {
        self.0.iter().copied()
    }

    /// The reverse of [`RecentLogins::slices`].
    #[must_use]
    pub fn from_slices(slices: impl IntoIterator<Item = (SystemTime, u32)>) -> Self {
        let mut slices: Vec<_> = slices.into_iter().map(|(at, n)| (slice(at), n)).collect();
        slices.sort_unstable();
        slices.drain(..slices.len().saturating_sub(Self::MOST));
        Self(slices)
    }

    /// Slices of the last hour. One of the future is left from before the clock went back, and does not count.
    fn living(&self, now: SystemTime) -> impl Iterator<Item = (SystemTime, u32)> + '_ {
        self.slices()
            .filter(move |(slice, _)| *slice <= now && *slice + Self::SLICE + Self::WINDOW > now)
    }

    fn add(&mut self, slice: SystemTime, more: u32, now: SystemTime) {
        self.0 = self.living(now).collect();
        match self.0.binary_search_by_key(&slice, |(slice, _)| *slice) {
            Ok(place) => {
                if let Some((_, count)) = self.0.get_mut(place) {
                    *count = count.saturating_add(more);
                }
            }
            Err(place) => self.0.insert(place, (slice, more)),
        }
    }
}

fn slice(at: SystemTime) -> SystemTime {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let seconds = RecentLogins::SLICE.as_secs();
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(since / seconds * seconds))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_mins(1_000_000 * 5 + minute)
    }

    #[test]
    fn a_login_counts_for_an_hour_and_at_most_five_minutes_more() {
        let mut logins = RecentLogins::default();
        logins.count(at(4));
        for (minute, used) in [(4, 1), (63, 1), (64, 1), (65, 0)] {
            assert_eq!(logins.used(at(minute)), used, "{minute}");
        }
        assert_eq!(logins.frees_at(1, at(10)), Some(at(65)));
        assert_eq!(logins.frees_at(2, at(10)), None);
    }

    #[test]
    fn years_of_logins_stay_a_few_numbers() {
        let mut logins = RecentLogins::default();
        for minute in 0..100_000 {
            logins.count(at(minute));
            assert!(logins.slices().count() <= RecentLogins::MOST);
        }
        assert!((60..=65).contains(&logins.used(at(99_999))));
    }

    #[test]
    fn what_is_taken_back_does_not_count() {
        let mut logins = RecentLogins::default();
        logins.take_back();
        logins.count(at(0));
        logins.count(at(0));
        logins.take_back();
        assert_eq!(logins.used(at(1)), 1);
    }

    /// T42
    #[test]
    fn a_clock_that_goes_back_a_day_bars_nobody_and_keeps_little() {
        let mut logins = RecentLogins::default();
        for minute in 0..60 {
            logins.count(at(100_000 + minute));
        }
        assert_eq!(logins.used(at(100_000 - 1440)), 0);
        logins.count(at(100_000 - 1440));
        assert_eq!(logins.slices().count(), 1);
    }

    #[test]
    fn the_forecast_tells_when_the_limit_is_reached_and_only_if_it_is() {
        let mut logins = RecentLogins::default();
        for minute in 0..20 {
            for _ in 0..6 {
                logins.count(at(minute));
            }
        }
        // 6 a minute make 360 an hour; 120 are used.
        assert_eq!(logins.reaches(361, at(19)), None);
        let reached = logins.reaches(300, at(19)).unwrap();
        assert_eq!(reached, at(19) + Duration::from_mins(30));
        assert_eq!(logins.reaches(120, at(19)), Some(at(19)));
        assert_eq!(RecentLogins::default().reaches(0, at(0)), None);
    }
}
