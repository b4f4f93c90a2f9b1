//! A calendar day, for dates that others announce.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// A day of the Gregorian calendar from 1970 to 9999, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// The day; what is no day of the calendar becomes the nearest before it.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Self {
        Self { year, month, day }
    }

    /// Reads `YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |part: &str, length: usize| -> Option<u16> {
            let plain = part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| part.parse().ok())?
        };
        let mut parts = text.split('-');
        let (year, month, day) = (
            digits(parts.next()?, 4)?,
            digits(parts.next()?, 2)?,
            digits(parts.next()?, 2)?,
        );
        let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        let real = parts.next().is_none()
            && year >= 1970
            && (1..=12).contains(&month)
            && (1..=length(year, month)).contains(&day);
        real.then_some(Self { year, month, day })
    }

    /// Its first moment.
    #[must_use]
    pub fn begins(self) -> SystemTime {
        let year = u64::from(self.year.saturating_sub(1));
        let leaps = leap_days(year).saturating_sub(leap_days(1969));
        let years = 365 * year.saturating_sub(1969) + leaps;
        let months: u64 = (1..self.month)
            .map(|month| u64::from(length(self.year, month)))
            .sum();
        let days = years + months + u64::from(self.day.saturating_sub(1));
        SystemTime::UNIX_EPOCH + Duration::from_hours(24 * days)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// How many there were up to the end of this year.
fn leap_days(year: u64) -> u64 {
    year / 4 - year / 100 + year / 400
}

fn length(year: u16, month: u8) -> u8 {
    match month {
        2 => 28 + u8::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written_alike() {
        for text in ["1970-01-01", "2026-12-01", "2028-02-29", "9999-12-31"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026",
            "2026-12",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2026-04-31",
            "1969-12-31",
            "26-12-01",
            "2026-12-1",
            "2026-12-01-",
            "2026-12-01T00",
            "+026-12-01",
            "２０２６-12-01",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_begins_when_other_calendars_say_so() {
        // date -u -d DAY +%s
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2000-03-01", 951_868_800),
            ("2026-12-01", 1_796_083_200),
            ("2027-06-01", 1_811_808_000),
            ("2100-03-01", 4_107_542_400),
        ] {
            let begins = Day::parse(text).unwrap().begins();
            assert_eq!(
                begins,
                SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
            );
        }
    }
}
