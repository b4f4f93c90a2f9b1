//! `--since`: a time, or how long ago.

use std::time::{Duration, SystemTime};

use super::{clock, day, span};

/// Parses `2026-11-21T20:42:44Z`, the same without the time of day (midnight in UTC), or a span before now.
///
/// # Errors
/// Says what is wrong, without repeating the text.
pub(crate) fn parse(text: &str) -> Result<SystemTime, String> {
    parse_at(text, clock::now())
}

fn parse_at(text: &str, now: SystemTime) -> Result<SystemTime, String> {
    if let Ok(span) = span::parse(text) {
        return Ok(now.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH));
    }
    instant(text).ok_or_else(|| {
        "use a time such as `2026-11-21T20:42:44Z` or `2026-11-21`, or a span such as `2h`"
            .to_owned()
    })
}

fn instant(text: &str) -> Option<SystemTime> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, of_month] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = day::number(year, month, of_month)?;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Three numbers of so many digits.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::instant::rfc3339;

    #[test]
    fn a_time_a_date_or_a_span_is_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_293_764);
        for (text, read) in [
            ("2026-11-21T20:42:44Z", "2026-11-21T20:42:44Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2100-03-01", "2100-03-01T00:00:00Z"),
            ("1970-01-01", "1970-01-01T00:00:00Z"),
            ("1h30m", "2026-11-21T19:12:44Z"),
            ("0", "2026-11-21T20:42:44Z"),
        ] {
            assert_eq!(
                parse_at(text, now).map(rfc3339).as_deref(),
                Ok(read),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "26-11-21",
            "2026-11-21T20:42Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T20:42:44",
            "2026-11-21T20:42:44Z ",
            "1969-12-31",
            "99999-01-01",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
