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
    /// The day, which must be one of the calendar.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Self {
        Self { year, month, day }
    }

    /// The day of this number, counted from 1970-01-01; the last one for any beyond it.
    ///
    /// Years are counted from March, so that the leap day is the last one; 400 years have 146,097 days.
    #[must_use]
    pub fn of_number(number: u64) -> Self {
        let from_march = number.min(LAST) + FROM_MARCH;
        let (cycle, of_cycle) = (from_march / 146_097, from_march % 146_097);
        let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
        let of_year = of_cycle - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, turn) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        // All of them are far below what the types hold.
        Self {
            year: u16::try_from(cycle * 400 + year + turn).unwrap_or(u16::MAX),
            month: u8::try_from(month).unwrap_or(u8::MAX),
            day: u8::try_from(day).unwrap_or(u8::MAX),
        }
    }

    /// Its number, as in [`Day::of_number`].
    #[must_use]
    pub fn number(self) -> u64 {
        let (year, month, day) = (
            u64::from(self.year),
            u64::from(self.month),
            u64::from(self.day),
        );
        let (year, month) = if month > 2 {
            (year, month - 3)
        } else {
            (year.saturating_sub(1), month + 9)
        };
        let of_cycle = year % 400;
        let of_year = (153 * month + 2) / 5 + day;
        let days = (year / 400) * 146_097 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100;
        (days + of_year).saturating_sub(FROM_MARCH + 1)
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
        let day = Self::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        let is_one = parts.next().is_none() && Self::of_number(day.number()) == day;
        is_one.then_some(day)
    }

    /// Its first moment.
    #[must_use]
    pub fn begins(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(24 * self.number())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const FROM_MARCH: u64 = 719_468;
/// The number of 9999-12-31.
const LAST: u64 = 2_932_896;

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
            "2026-01-00",
            "2026-99-99",
            "0000-00-00",
            "0000-03-01",
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
    fn every_day_follows_the_one_before_and_is_known_by_its_number() {
        let is_leap = |year: u16| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let mut expected = Day::new(1970, 1, 1);
        for number in 0..=LAST {
            let day = Day::of_number(number);
            assert_eq!((day, day.number()), (expected, number));
            let length = match day.month {
                2 => 28 + u8::from(is_leap(day.year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match day {
                Day {
                    year,
                    month: 12,
                    day: 31,
                } => Day::new(year + 1, 1, 1),
                Day { year, month, day } if day == length => Day::new(year, month + 1, 1),
                Day { year, month, day } => Day::new(year, month, day + 1),
            };
        }
        assert_eq!(Day::of_number(u64::MAX), Day::new(9999, 12, 31));
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
