//! When a refresh token that nobody uses is used once, so that it lives on.

use std::time::{Duration, SystemTime};

use crate::{
    credential::FlowKind,
    ledger::Ledger,
    record::{Record, RecordId},
};

const DAY: Duration = Duration::from_hours(24);

/// After so long without a use Salesforce ends an approval (release notes: idle refresh tokens). An app's own refresh
/// token policy can only shorten it.
pub const IDLE_LIMIT: Duration = Duration::from_hours(30 * 24);

/// When the daemon uses a refresh token by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenUpkeep {
    /// So long after its last use; `None`: never.
    pub after: Option<Duration>,
}

impl Default for TokenUpkeep {
    /// It leaves 10 days for hosts that are off and vaults that are locked.
    fn default() -> Self {
        Self {
            after: Some(DAY * 20),
        }
    }
}

/// When Salesforce ends the approval if nobody logs in; `None` where the record has no refresh token.
#[must_use]
pub fn idle_until(record: &Record, ledger: &Ledger) -> Option<SystemTime> {
    last_used(record, ledger)?.checked_add(IDLE_LIMIT)
}

impl TokenUpkeep {
    /// When the daemon is to use the token; `None`: never. It is up to a twentieth of the time earlier, each record at
    /// a place of its own, so that tokens that were set up together are not used together.
    #[must_use]
    pub fn due(&self, record: &Record, ledger: &Ledger) -> Option<SystemTime> {
        let after = self.after?;
        let last = last_used(record, ledger)?;
        last.checked_add(after - after / 20 * spread(record.id) / 255)
    }
}

/// A token that was never used counts from when it was entered: it may be older, but nobody knows.
fn last_used(record: &Record, ledger: &Ledger) -> Option<SystemTime> {
    (record.flow.kind() == FlowKind::RefreshToken).then(|| {
        ledger
            .succeeded_at
            .map_or(record.credential_changed_at, |used| {
                used.max(record.credential_changed_at)
            })
    })
}

/// 0..=255. Ids are random.
fn spread(RecordId(id): RecordId) -> u32 {
    id.first().copied().map_or(0, u32::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{credential::Flow, host::Host, record::RecordName};

    fn at(days: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * (20_000 + days)
    }

    fn record(flow: Flow, id: u8) -> Record {
        Record {
            id: RecordId([id; 16]),
            name: RecordName::parse("prod").unwrap(),
            login_host: Host::parse("login.salesforce.com").unwrap(),
            flow,
            pin: None,
            aside: Default::default(),
            rules: None,
            credential_version: 1,
            created_at: at(0),
            credential_changed_at: at(1),
            remind_after: None,
        }
    }

    fn token() -> Flow {
        Flow::RefreshToken {
            consumer_key: "3MVG9".to_owned(),
        }
    }

    fn used(at: SystemTime) -> Ledger {
        Ledger {
            succeeded_at: Some(at),
            ..Ledger::default()
        }
    }

    #[test]
    fn the_last_use_counts_or_the_day_it_was_entered() {
        let rules = TokenUpkeep::default();
        let record = record(token(), 0);
        assert_eq!(idle_until(&record, &Ledger::default()), Some(at(31)));
        assert_eq!(idle_until(&record, &used(at(5))), Some(at(35)));
        // A login with the token before this one.
        assert_eq!(idle_until(&record, &used(at(0))), Some(at(31)));
        assert_eq!(rules.due(&record, &used(at(5))), Some(at(25)));
    }

    #[test]
    fn records_that_began_together_do_not_come_due_together() {
        let rules = TokenUpkeep::default();
        let due = |id| rules.due(&record(token(), id), &used(at(5))).unwrap();
        assert_eq!((due(0), due(255)), (at(25), at(24)));
        assert!(due(128) < due(127));
    }

    #[test]
    fn what_has_no_refresh_token_or_is_not_wanted_is_never_due() {
        let soap = Flow::SoapLogin {
            username: "u@acme.example".to_owned(),
        };
        let soap = record(soap, 0);
        let rules = TokenUpkeep::default();
        assert_eq!(rules.due(&soap, &used(at(5))), None);
        assert_eq!(idle_until(&soap, &used(at(5))), None);
        let off = TokenUpkeep { after: None };
        let record = record(token(), 0);
        assert_eq!(off.due(&record, &used(at(5))), None);
        assert_eq!(idle_until(&record, &used(at(5))), Some(at(35)));
    }
}
