//! When a credential is due for a change.

use std::time::{Duration, SystemTime};

use sfvault::{LONGEST_REMINDER_DAYS, RecordStatus};

use super::{instant::distance, span};

/// Parses a span as in `90d`, or `never`, which is a span of zero.
///
/// # Errors
/// Says what is wrong, without repeating the text.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text == "never" {
        return Ok(Duration::ZERO);
    }
    match span::parse_within(text, Duration::from_hours(24 * LONGEST_REMINDER_DAYS)) {
        Ok(Duration::ZERO) => Err("say `never` for no reminder".to_owned()),
        parsed => parsed,
    }
}

/// How old a record's credential is and when it is due: `91 d old, due 1 d ago`.
pub(crate) fn age(record: &RecordStatus, now: SystemTime) -> Option<String> {
    let changed = record.credential_changed_at?;
    let age = span::words(now.duration_since(changed).unwrap_or_default());
    Some(match record.credential_due_at() {
        Some(due) => format!("{age} old, due {}", distance(due, now)),
        None => format!("{age} old"),
    })
}

/// What to say of a record whose credential is due.
pub(crate) fn overdue(record: &RecordStatus, now: SystemTime) -> Option<String> {
    let due = due_since(record, now)?;
    let (name, cure) = (&record.name, cure(record));
    let when = distance(due, now);
    Some(format!(
        "the credential of `{name}` was due for a change {when}: {cure}"
    ))
}

/// Since when its credential is due, if it is.
pub(crate) fn due_since(record: &RecordStatus, now: SystemTime) -> Option<SystemTime> {
    record.credential_due_at().filter(|due| *due <= now)
}

/// What to do about that.
pub(crate) fn cure(record: &RecordStatus) -> String {
    let name = &record.name;
    format!("change it in Salesforce, then `sfvault set {name}`")
}

#[cfg(test)]
pub(crate) mod tests {
    use sfvault::{Flow, RecordState};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    pub(crate) fn record(remind_after: Option<Duration>) -> RecordStatus {
        RecordStatus {
            name: "prod".to_owned(),
            username: "u".to_owned(),
            login_url: "https://login.salesforce.com".to_owned(),
            flow: Flow::SoapLogin,
            state: RecordState::Idle,
            reason: None,
            problem: None,
            failed_at: None,
            retry_at: None,
            org_id: None,
            user_id: None,
            generation: 0,
            created_at: None,
            credential_changed_at: Some(SystemTime::UNIX_EPOCH),
            session_issued_at: None,
            guaranteed_until: None,
            logins: 0,
            login_usage: None,
            consumer_key: None,
            audience: None,
            refresh_token_idle_until: None,
            kept_login: None,
            generated_password: None,
            remind_after,
            retirements: Vec::new(),
            last_use: None,
        }
    }

    #[test]
    fn a_credential_tells_its_age_and_when_it_is_due() {
        let at = |days: u32| SystemTime::UNIX_EPOCH + DAY * days;
        let reminded = record(Some(DAY * 90));
        for (day, text, is_due) in [
            (3, "3 d old, due in 87 d", false),
            (90, "90 d old, due now", true),
            (93, "93 d old, due 3 d ago", true),
        ] {
            assert_eq!(age(&reminded, at(day)).as_deref(), Some(text));
            assert_eq!(overdue(&reminded, at(day)).is_some(), is_due, "{day}");
        }
        let said = overdue(&reminded, at(93)).unwrap();
        assert!(
            said.contains("`prod` was due for a change 3 d ago"),
            "{said}"
        );
        assert_eq!(age(&record(None), at(93)).as_deref(), Some("93 d old"));
        assert_eq!(overdue(&record(None), at(93)), None);
    }

    #[test]
    fn a_clock_that_went_back_and_a_span_without_end_do_no_harm() {
        let early = SystemTime::UNIX_EPOCH - DAY;
        assert_eq!(age(&record(None), early).as_deref(), Some("0 s old"));
        let endless = record(Some(Duration::MAX));
        assert_eq!(endless.credential_due_at(), None);
        assert_eq!(
            age(&endless, SystemTime::UNIX_EPOCH).as_deref(),
            Some("0 s old")
        );
    }

    #[test]
    fn a_reminder_is_a_span_or_never() {
        assert_eq!(parse("90d"), Ok(DAY * 90));
        assert_eq!(parse("never"), Ok(Duration::ZERO));
        // As far as sfvaultd takes it.
        assert_eq!(parse("3660d"), Ok(DAY * 3_660));
        for text in ["0", "0d", "", "always", "Never", "3661d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
