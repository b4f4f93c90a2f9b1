//! The days on which Salesforce ends the old ways to log in.

use std::time::{Duration, SystemTime};

/// When each event comes. `None`: never.
///
/// The dates move in Salesforce's own release notes: every one is a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retirement {
    /// From then on SOAP `login()` needs the user permission "Use Any API Auth" in every org.
    pub any_api_auth: Option<SystemTime>,
    /// From then on there is no OAuth username-password flow.
    pub password_flow: Option<SystemTime>,
    /// From then on there is no SOAP `login()`; sessions and the other calls live on.
    pub soap_login: Option<SystemTime>,
}

impl Retirement {
    /// As announced in the Winter '27 release notes: 1 December 2026, 20 February 2027, 1 June 2027.
    #[must_use]
    pub fn announced() -> Self {
        Self {
            any_api_auth: Some(day(20_788)),
            password_flow: Some(day(20_869)),
            soap_login: Some(day(20_970)),
        }
    }

    /// Everything stays as it is: for clocks that run with the machine's.
    #[must_use]
    pub fn never() -> Self {
        Self {
            any_api_auth: None,
            password_flow: None,
            soap_login: None,
        }
    }
}

/// Whether an event has come.
pub(super) fn has_come(event: Option<SystemTime>, now: SystemTime) -> bool {
    event.is_some_and(|event| now >= event)
}

fn day(days: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::time::iso;

    #[test]
    fn the_announced_days_are_these() {
        let Retirement {
            any_api_auth,
            password_flow,
            soap_login,
        } = Retirement::announced();
        let days = [any_api_auth, password_flow, soap_login].map(|day| iso(day.unwrap()));
        let expected =
            ["2026-12-01", "2027-02-20", "2027-06-01"].map(|day| format!("{day}T00:00:00.000Z"));
        assert_eq!(days, expected);
    }
}
