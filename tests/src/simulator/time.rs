//! Times as Salesforce writes them.

use std::time::SystemTime;

/// `2026-11-21T22:54:42.014Z`.
pub(super) fn iso(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis()
    )
}

/// Seconds since 1970.
pub(super) fn whole_seconds(time: SystemTime) -> u64 {
    milliseconds(time) / 1000
}

/// Milliseconds since 1970.
pub(super) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Days from 1970 until a date such as `2026-12-01`. `None`: there is no such day.
pub(super) fn days_until(text: &str) -> Option<u64> {
    let mut numbers = text.splitn(3, '-').map(str::parse::<u64>);
    let year = numbers
        .next()?
        .ok()
        .filter(|year| (1970..10_000).contains(year))?;
    let (month, day) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let first = (year - 1970) * 365;
    // Behind it come the leap days, fewer than 2,000, and the days of the year.
    (first..first + 366 + 2000).find(|days| date(*days) == (year, month, day))
}

/// The date of a day since 1970, counted in years that start in March: so the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let january_or_february = month >= 10;
    (
        era * 400 + year_of_era + u64::from(january_or_february),
        if january_or_february {
            month - 9
        } else {
            month + 3
        },
        day,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn days_are_counted_from_1970_and_some_do_not_exist() {
        for (text, days) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(11_016)),
            ("2026-12-01", Some(20_788)),
            ("9999-12-31", Some(2_932_896)),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("1969-12-31", None),
            ("2026-12", None),
            ("2026-12-01-1", None),
            ("+", None),
        ] {
            assert_eq!(days_until(text), days, "{text}");
        }
    }

    #[test]
    fn leap_days_and_year_ends_are_right() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.014Z"),
            (951_782_400, "2000-02-29T00:00:00.014Z"),
            (1_709_251_199, "2024-02-29T23:59:59.014Z"),
            (1_735_689_599, "2024-12-31T23:59:59.014Z"),
            (1_795_301_682, "2026-11-21T22:54:42.014Z"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 14);
            assert_eq!(iso(time), text);
        }
    }
}
