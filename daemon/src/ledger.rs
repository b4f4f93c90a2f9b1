//! What must be remembered about a record's logins whatever happens to the daemon.
//!
//! The store keeps it sealed beside the record. A login is entered here, durably, before it is sent; so a
//! crash can hide what Salesforce answered, but never that it was asked.

use std::time::{Duration, SystemTime};

use crate::{
    failure::Failure, host::Host, kept::KeptSession, recent_logins::RecentLogins,
    secret::Fingerprint,
};

/// The login book of one record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The stamp of the newest session or login, 0 before the first. It never goes back.
    pub generation: u64,
    /// How many logins were entered, whatever came of them.
    pub logins: u64,
    /// A login that was entered and whose answer is not known yet.
    pub pending: Option<Pending>,
    /// Set when Salesforce rejected the credential.
    pub latch: Option<Latch>,
    /// When logins failed in a way that Salesforce may have counted, oldest first; at most [`Ledger::BUDGET`].
    pub failed_at: Vec<SystemTime>,
    /// When a login last succeeded.
    pub succeeded_at: Option<SystemTime>,
    /// How often user name, password or token were rejected since the last login that succeeded.
    pub rejections: u32,
    /// The logins of the last hour, entered like [`Ledger::logins`].
    pub recent: RecentLogins,
    /// The pause after the last exchange, if that failed.
    pub hold: Option<Hold>,
    /// Hosts that did not answer this record, by when they failed; at most [`Ledger::HOSTS`].
    pub hosts_down: Vec<HostDown>,
    /// When callers' reports of refused sessions caused logins, oldest first.
    pub refusal_logins: Vec<SystemTime>,
    /// The next login is due to such a report.
    pub refusal_login_due: bool,
    /// The session that a restart may go on with. The store keeps it in a row of its own.
    pub kept: Option<KeptSession>,
    /// Credentials that were tried for this record and rejected, oldest first; at most [`Ledger::REMEMBERED`].
    pub rejected_trials: Vec<Fingerprint>,
}

/// A login under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    pub credential_version: u64,
    pub since: SystemTime,
}

/// No login with this version of the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latch {
    pub credential_version: u64,
    pub failure: Failure,
    pub since: SystemTime,
}

/// No login before `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub failure: Failure,
    pub since: SystemTime,
    pub until: SystemTime,
    /// How many failures came in a row before this one.
    pub round: u32,
    /// A call with a session failed, and no login.
    pub proof: bool,
}

/// No record asks this host before the hold ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDown {
    pub host: Host,
    pub hold: Hold,
}

impl Ledger {
    /// How many failed logins one record may cause in one [`Ledger::WINDOW`].
    /// Salesforce locks a user after 3, 5 or 10 (profile password policy); 2 stay below all of them.
    pub const BUDGET: usize = 2;
    /// The shortest lockout that Salesforce offers, in which it counts failed logins.
    pub const WINDOW: Duration = Duration::from_mins(15);

    /// How many rejected trials are remembered.
    pub const REMEMBERED: usize = 8;
    /// How many hosts may be remembered as down: the login host and the instance before and after a move.
    pub const HOSTS: usize = 3;

    /// Until when no login may be made because too many failed; `None` if one may be made now.
    #[must_use]
    pub fn barred_until(&self, now: SystemTime) -> Option<SystemTime> {
        let recent = self
            .failed_at
            .iter()
            .filter(|at| **at <= now && **at + Self::WINDOW > now);
        let oldest = recent.clone().min()?;
        (recent.count() >= Self::BUDGET).then(|| *oldest + Self::WINDOW)
    }

    /// Enters a failed login.
    pub fn count_failure(&mut self, at: SystemTime) {
        self.failed_at.push(at);
        if self.failed_at.len() > Self::BUDGET {
            self.failed_at.remove(0);
        }
    }

    /// Remembers that a host is down.
    pub fn host_failed(&mut self, down: HostDown) {
        self.host_answered(&down.host);
        if self.hosts_down.len() >= Self::HOSTS {
            self.hosts_down.remove(0);
        }
        self.hosts_down.push(down);
    }

    /// A host answered, whatever it said.
    pub fn host_answered(&mut self, host: &Host) {
        self.hosts_down.retain(|down| down.host != *host);
    }

    /// Remembers a credential that was tried and rejected.
    pub fn remember_rejected(&mut self, fingerprint: Fingerprint) {
        self.rejected_trials.push(fingerprint);
        if self.rejected_trials.len() > Self::REMEMBERED {
            self.rejected_trials.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn the_budget_is_two_failures_in_a_quarter_of_an_hour() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.barred_until(at(0)), None);
        ledger.count_failure(at(0));
        assert_eq!(ledger.barred_until(at(1)), None);
        ledger.count_failure(at(60));
        assert_eq!(ledger.barred_until(at(61)), Some(at(900)));
        assert_eq!(ledger.barred_until(at(900)), None);
        ledger.count_failure(at(900));
        assert_eq!(ledger.barred_until(at(901)), Some(at(960)));
    }

    /// T42
    #[test]
    fn a_clock_that_went_back_does_not_bar_for_ever() {
        let mut ledger = Ledger::default();
        ledger.count_failure(at(100_000));
        ledger.count_failure(at(100_001));
        assert_eq!(ledger.barred_until(at(0)), None);
    }
}
