//! Spans of time as people type and read them: `30m`, `1h30m`, `58 min`.

use std::time::Duration;

/// Parses `90s`, `30m`, `2h`, `1d`, these joined from large to small (`1h30m`), or plain seconds.
///
/// # Errors
/// Says what is wrong, without repeating the text.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    parse_within(text, LONGEST)
}

/// The same, with another limit.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_within(text: &str, longest: Duration) -> Result<Duration, String> {
    let too_long = || format!("it is longer than {}, the longest possible", words(longest));
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut total: u64 = 0;
    let mut number: Option<u64> = None;
    let mut smallest = u64::MAX;
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            let grown = number.unwrap_or(0).checked_mul(10);
            number = Some(
                grown
                    .and_then(|n| n.checked_add(digit.into()))
                    .ok_or_else(too_long)?,
            );
            continue;
        }
        let unit = match character {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return Err("use numbers with `d`, `h`, `m` or `s`, such as `1h30m`".to_owned()),
        };
        let Some(count) = number.take() else {
            return Err(format!("there is no number before `{character}`"));
        };
        if unit >= smallest {
            return Err("name each unit once, the larger before the smaller".to_owned());
        }
        smallest = unit;
        let more = count.checked_mul(unit).ok_or_else(too_long)?;
        total = total.checked_add(more).ok_or_else(too_long)?;
    }
    match number {
        // Digits after a unit have none themselves; digits alone are seconds.
        Some(_) if smallest != u64::MAX => {
            return Err("the last number has no unit".to_owned());
        }
        Some(seconds) => total = seconds,
        None => {}
    }
    if total > longest.as_secs() {
        return Err(too_long());
    }
    Ok(Duration::from_secs(total))
}

/// A span in its largest unit of which there are at least two, cut down: `90 s`, `58 min`, `3 h`, `2 d`.
pub(crate) fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The same for a span that must be over: rounded up, so that who comes back then does not come too early.
pub(crate) fn words_up(span: Duration) -> String {
    let seconds = span
        .as_secs()
        .saturating_add(u64::from(span.subsec_nanos() > 0));
    let unit = match seconds {
        0..120 => 1,
        120..7_200 => 60,
        7_200..172_800 => 3_600,
        _ => 86_400,
    };
    words(Duration::from_secs(
        seconds.div_ceil(unit).saturating_mul(unit),
    ))
}

/// Nothing here lasts for longer: Salesforce sessions end within a day, and people wait less than a year.
const LONGEST: Duration = Duration::from_hours(365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("0", 0),
            ("45", 45),
            ("90s", 90),
            ("30m", 1_800),
            ("2h", 7_200),
            ("1h30m", 5_400),
            ("1d2h3m4s", 93_784),
            ("365d", 31_536_000),
            ("007m", 420),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            " ",
            "m",
            "1x",
            "1.5h",
            "-1",
            "+1",
            "1h30",
            "30m1h",
            "1m1m",
            "1 h",
            "1H",
            "٣m",
            "1h\n",
            "366d",
            "31536001",
            "18446744073709551615",
            "18446744073709551616",
            "18446744073709551615d",
            "99999999999999999999999s",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_told_the_limit() {
        let longest = Duration::from_hours(24);
        for text in ["24h", "1d", "86400"] {
            assert_eq!(parse_within(text, longest), Ok(longest), "{text}");
        }
        for text in ["24h1s", "365d", "18446744073709551616"] {
            let problem = parse_within(text, longest).unwrap_err();
            assert!(problem.contains("24 h"), "{problem}");
        }
    }

    #[test]
    fn a_span_that_must_be_over_is_rounded_up() {
        for (millis, text) in [
            (0, "0 s"),
            (1, "1 s"),
            (10_500, "11 s"),
            (11_000, "11 s"),
            (119_001, "2 min"),
            (121_000, "3 min"),
            (7_199_000, "2 h"),
            (7_201_000, "3 h"),
            (172_801_000, "3 d"),
        ] {
            assert_eq!(words_up(Duration::from_millis(millis)), text);
        }
        words_up(Duration::MAX);
    }

    #[test]
    fn words_take_the_unit_that_fits() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
            (u64::MAX, "213503982334601 d"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), text);
        }
    }
}
