//! Points in time as text: RFC 3339 in UTC for programs, with the distance for people.

use std::time::{Duration, SystemTime};

use super::{day, span};

/// Such as `2026-11-21T20:42:44Z`; fractions of a second are cut off.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = unix_seconds(time);
    let (year, month, day) = day::date(seconds.div_euclid(SECONDS_A_DAY));
    let of_day = seconds.rem_euclid(SECONDS_A_DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Such as `2026-11-21T20:42:44Z (in 58 min)`.
pub(crate) fn for_people(time: SystemTime, now: SystemTime) -> String {
    format!("{} ({})", rfc3339(time), distance(time, now))
}

/// Such as `in 58 min`, `3 h ago` or `now`.
pub(crate) fn distance(time: SystemTime, now: SystemTime) -> String {
    let second = Duration::from_secs(1);
    match time.duration_since(now) {
        Ok(ahead) if ahead < second => "now".to_owned(),
        Ok(ahead) => format!("in {}", span::words(ahead)),
        Err(passed) if passed.duration() < second => "now".to_owned(),
        Err(passed) => format!("{} ago", span::words(passed.duration())),
    }
}

const SECONDS_A_DAY: i64 = 86_400;

fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(error) => {
            let before = error.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            // A part of a second before the epoch lies in the second that begins earlier.
            (-whole).saturating_sub(i64::from(before.subsec_nanos() > 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_293_764, "2026-11-21T20:42:44Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(at(seconds)), text);
        }
    }

    #[test]
    fn times_before_the_epoch_and_at_the_end_of_time_do_no_harm() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(rfc3339(before), "1969-12-31T23:59:59Z");
        if let Some(end) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1 << 62)) {
            assert!(rfc3339(end).ends_with('Z'));
        }
    }

    #[test]
    fn the_distance_goes_both_ways() {
        let now = at(1_000_000);
        assert_eq!(distance(now + Duration::from_mins(58), now), "in 58 min");
        assert_eq!(distance(now - Duration::from_hours(3), now), "3 h ago");
        assert_eq!(distance(now + Duration::from_millis(999), now), "now");
        assert_eq!(distance(now - Duration::from_millis(999), now), "now");
    }
}
