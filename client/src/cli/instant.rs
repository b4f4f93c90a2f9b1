//! Points in time as text: RFC 3339 in UTC for programs, with the distance for people.

use std::time::{Duration, SystemTime};

use super::span;

/// Such as `2026-11-21T20:42:44Z`; fractions of a second are cut off.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = unix_seconds(time);
    let (year, month, day) = civil_date(seconds.div_euclid(SECONDS_A_DAY));
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

/// The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that the leap
/// day is the last; 400 years are a cycle of 146,097 days.
fn civil_date(day: i64) -> (i64, i64, i64) {
    let from_march = day + 719_468; // from 0000-03-01 to 1970-01-01
    let cycle = from_march.div_euclid(146_097);
    let of_cycle = from_march.rem_euclid(146_097);
    let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    // From March on, five months have 153 days.
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (cycle * 400 + year + turn, month, of_month)
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
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let mut before = civil_date(-1);
        assert_eq!(before, (1969, 12, 31));
        for day in 0..292_194 {
            let (year, month, of_month) = civil_date(day);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match before.1 {
                2 if before.0 % 4 == 0 && (before.0 % 100 != 0 || before.0 % 400 == 0) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = if before.2 < last {
                (before.0, before.1, before.2 + 1)
            } else if before.1 < 12 {
                (before.0, before.1 + 1, 1)
            } else {
                (before.0 + 1, 1, 1)
            };
            assert_eq!((year, month, of_month), expected, "leap: {leap}");
            before = expected;
        }
        assert_eq!(before, (2769, 12, 31));
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
