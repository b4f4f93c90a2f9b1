//! Times in the file: RFC 3339 in UTC with milliseconds, always 24 characters long.

use std::time::{Duration, SystemTime};

use crate::day::Day;

/// Such as `2026-11-21T20:42:44.123Z`. A time before 1970 is written as 1970, one after 9999 as the end of 9999.
#[must_use]
pub fn text(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .min(LAST);
    let (seconds, ms) = (since.as_secs(), since.subsec_millis());
    let day = Day::of_number(seconds / DAY);
    let (hour, minute, second) = (seconds % DAY / 3600, seconds / 60 % 60, seconds % 60);
    format!("{day}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// The reverse of [`text`]; `None` for anything else.
#[must_use]
pub fn parse(text: &str) -> Option<SystemTime> {
    let bytes: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let number = |from: usize, to: usize| {
        bytes.get(from..to)?.iter().try_fold(0_u64, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + u64::from(byte - b'0'))
        })
    };
    let day = Day::parse(text.get(..10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let ms = number(20, 23)?;
    let seconds = hour * 3600 + minute * 60 + second;
    let time = day.begins() + Duration::from_millis(seconds * 1000 + ms);
    // The separators, and times that no day has.
    (self::text(time) == text).then_some(time)
}

const DAY: u64 = 86_400;
/// The last millisecond of 9999.
const LAST: Duration = Duration::from_millis(253_402_300_799_999);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_was_written() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_795_293_764_123, "2026-11-21T20:42:44.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
            assert_eq!(text(time), expected);
            assert_eq!(parse(expected), Some(time));
        }
        for day in 0..200_000 {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(day * DAY + 1);
            assert_eq!(parse(&text(time)), Some(time));
        }
    }

    #[test]
    fn times_outside_what_can_be_written_do_no_harm() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(text(before), "1970-01-01T00:00:00.000Z");
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60);
        assert_eq!(text(far), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "2026-11-21T20:42:44Z",
            "2026-02-30T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-11-21 20:42:44.123Z",
            "2026-11-21T24:00:00.000Z",
            "2026-11-21T20:60:00.000Z",
            "2026-11-21T20:00:60.000Z",
            "1969-12-31T23:59:59.999Z",
            "２026-11-21T20:42:44.1Z",
            "+026-11-21T20:42:44.123Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
