//! Single fields of requests.

use std::time::{Duration, SystemTime};

use sfvault_proto::v1::{self, LONGEST_REMINDER, LONGEST_REMINDER_DAYS};

use crate::{environment::Environment, error::Error, host::Host, record::RecordName};

/// The longest that `google.protobuf.Duration` describes, 10,000 years: any time that a clock tells can be so much later.
const LONGEST: Duration = Duration::from_secs(315_576_000_000);

pub(in crate::api) fn record_name(text: &str) -> Result<RecordName, Error> {
    RecordName::parse(text).map_err(|problem| Error::invalid("name", problem.to_string()))
}

pub(in crate::api) fn login_host(url: &str) -> Result<Host, Error> {
    Host::parse(url).map_err(|problem| {
        Error::invalid("login_url", format!("`{}`: {problem}", url.escape_debug()))
    })
}

pub(super) fn environment(field: &'static str, sent: i32) -> Result<Option<Environment>, Error> {
    match v1::Environment::try_from(sent) {
        Ok(v1::Environment::Unspecified) => Ok(None),
        Ok(v1::Environment::Production) => Ok(Some(Environment::Production)),
        Ok(v1::Environment::Sandbox) => Ok(Some(Environment::Sandbox)),
        // To serve a caller who expects what is not understood would be to ignore the expectation.
        Err(_) => Err(Error::invalid(
            field,
            "is no kind of org that this sfvaultd knows",
        )),
    }
}

/// What a request says of the reminder; zero takes it away.
pub(super) fn reminder(
    sent: Option<prost_types::Duration>,
) -> Result<Option<Option<Duration>>, Error> {
    if sent.is_none() {
        return Ok(None);
    }
    let span = duration("remind_after", sent)?;
    if span > LONGEST_REMINDER {
        let problem = format!("is longer than {LONGEST_REMINDER_DAYS} days");
        return Err(Error::invalid("remind_after", problem));
    }
    Ok(Some((!span.is_zero()).then_some(span)))
}

pub(in crate::api) fn duration(
    field: &'static str,
    sent: Option<prost_types::Duration>,
) -> Result<Duration, Error> {
    let span = match sent {
        None => Some(Duration::ZERO),
        // What is converted must be within bounds: prost-types negates what is not, and of `i64::MIN` that overflows.
        Some(sent) => Some(sent)
            .filter(|sent| (0..=LONGEST.as_secs().cast_signed()).contains(&sent.seconds))
            .and_then(|sent| Duration::try_from(sent).ok()),
    };
    span.filter(|span| *span <= LONGEST)
        .ok_or_else(|| Error::invalid(field, "is not a time span of 0 to 10,000 years"))
}

pub(in crate::api) fn instant(
    field: &'static str,
    sent: Option<prost_types::Timestamp>,
) -> Result<Option<SystemTime>, Error> {
    sent.map(SystemTime::try_from)
        .transpose()
        .map_err(|_| Error::invalid(field, "is no time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_no_clock_survives_is_refused() {
        let span = |seconds| duration("min_ttl", Some(prost_types::Duration { seconds, nanos: 0 }));
        assert_eq!(span(315_576_000_000).unwrap(), LONGEST);
        for wrong in [-1, 315_576_000_001, i64::MAX, i64::MIN] {
            let problem = span(wrong).unwrap_err().to_string();
            assert!(problem.starts_with("`min_ttl`"), "{problem}");
        }
    }

    #[test]
    fn a_reminder_is_absent_never_or_within_ten_years() {
        let days = |days: i64| {
            reminder(Some(prost_types::Duration {
                seconds: days * 86_400,
                nanos: 0,
            }))
        };
        assert_eq!(reminder(None).unwrap(), None);
        assert_eq!(days(0).unwrap(), Some(None));
        assert_eq!(days(3_660).unwrap(), Some(Some(LONGEST_REMINDER)));
        for wrong in [days(-1), days(3_661), days(i64::MAX / 86_400)] {
            let problem = wrong.unwrap_err().to_string();
            assert!(problem.starts_with("`remind_after`"), "{problem}");
        }
    }
}
