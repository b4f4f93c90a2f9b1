//! How many logins a user may make in an hour, over all records that log in as that user.
//!
//! Salesforce takes 3,600 logins of one user in an hour and then refuses all of them, those of other tools included
//! ("Login Rate Exceeded", Salesforce Help). So we stop at a share of it, and once Salesforce refuses, all records of
//! the user pause. The counts are in the records' ledgers; this is their sum in memory.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::{
    failure::{Class, Failure},
    ledger::Ledger,
    recent_logins::RecentLogins,
    record::Record,
    share::{Level, Party},
};

/// What Salesforce takes from one user in an hour.
pub const SALESFORCE_LIMIT: u32 = 3_600;

/// The logins of all users.
#[derive(Debug)]
pub struct Quota {
    /// For one user and hour.
    limit: u32,
    users: Mutex<HashMap<String, User>>,
}

#[derive(Debug, Default)]
struct User {
    recent: RecentLogins,
    /// Those that calls of a unit caused, so that one unit can't use up all that there are. In memory only.
    caused: HashMap<Party, RecentLogins>,
    /// Salesforce refused one for the rate.
    paused: Option<(Failure, SystemTime, SystemTime)>,
}

/// Why a user may not log in now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Throttle {
    /// Our share is used up until then.
    Spent { limit: u32, until: SystemTime },
    /// Salesforce said so, and it is over then.
    Refused { failure: Failure, until: SystemTime },
}

/// How far a user is from the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Logins in the last hour, over all records of the user.
    pub used: u32,
    pub limit: u32,
    /// When the limit is reached if it goes on so; `None` if it is not.
    pub reached_at: Option<SystemTime>,
    /// When logins are possible again; `None` if they are now.
    pub throttled_until: Option<SystemTime>,
}

impl Quota {
    /// A share of what Salesforce takes, at least one login.
    #[must_use]
    pub fn new(percent: u32) -> Self {
        Self {
            limit: (SALESFORCE_LIMIT * percent.min(100) / 100).max(1),
            users: Mutex::default(),
        }
    }

    /// Takes over what a ledger remembers.
    pub fn adopt(&self, record: &Record, ledger: &Ledger, now: SystemTime) {
        let mut users = self.users();
        let user = users.entry(user_of(record)).or_default();
        user.recent.absorb(&ledger.recent, now);
        if let Some(hold) = &ledger.hold
            && hold.failure.class == Class::RateLimited
            && !hold.proof
            // One of the future is left from before the clock went back: it must not hide one that holds.
            && hold.since <= now
            && user
                .paused
                .as_ref()
                .is_none_or(|(_, _, until)| *until < hold.until)
        {
            user.paused = Some((hold.failure.clone(), hold.since, hold.until));
        }
    }

    /// Counts a login that is about to be entered.
    ///
    /// # Errors
    /// Why it may not be made; then nothing was counted.
    pub fn admit(&self, record: &Record, now: SystemTime) -> Result<(), Throttle> {
        let mut users = self.users();
        let user = users.entry(user_of(record)).or_default();
        if let Some((failure, until)) = user.pause(now) {
            return Err(Throttle::Refused {
                failure: failure.clone(),
                until,
            });
        }
        if let Some(until) = user.recent.frees_at(self.limit, now) {
            let limit = self.limit;
            return Err(Throttle::Spent { limit, until });
        }
        user.recent.count(now);
        Ok(())
    }

    /// A login that was admitted was not sent.
    pub fn take_back(&self, record: &Record) {
        if let Some(user) = self.users().get_mut(&user_of(record)) {
            user.recent.take_back();
        }
    }

    /// A login that was admitted is sent, because of a call of this one.
    pub fn charge(&self, record: &Record, party: &Party, now: SystemTime) {
        let mut users = self.users();
        let user = users.entry(user_of(record)).or_default();
        user.caused.retain(|_, caused| caused.used(now) > 0);
        user.caused.entry(party.clone()).or_default().count(now);
    }

    /// Until when a unit, or its user, has caused all the logins that the others leave to it, if that is so.
    #[must_use]
    pub fn spent_by(&self, record: &Record, party: &Party, now: SystemTime) -> Option<SystemTime> {
        let users = self.users();
        let user = users.get(&user_of(record))?;
        let left = self.limit.saturating_sub(user.recent.used(now));
        if left == 0 {
            // Nobody can log in, which is told to all alike.
            return None;
        }
        let mut all = RecentLogins::default();
        for (other, caused) in &user.caused {
            if other.uid == party.uid {
                all.absorb(caused, now);
            }
        }
        let own = user.caused.get(party);
        let spent = |level: Level, caused: &RecentLogins| {
            let used = caused.used(now);
            let fits = level.fits(used as usize, left as usize);
            (!fits).then(|| caused.frees_at(used, now)).flatten()
        };
        own.and_then(|own| spent(Level::Unit, own))
            .max(spent(Level::User, &all))
    }

    /// Salesforce refused a login for the rate: the user's records pause until then.
    pub fn refused(&self, record: &Record, failure: &Failure, now: SystemTime, until: SystemTime) {
        let mut users = self.users();
        let user = users.entry(user_of(record)).or_default();
        user.paused = Some((failure.clone(), now, until));
    }

    /// An operator allows one more login in spite of Salesforce's refusal.
    pub fn release(&self, record: &Record) {
        if let Some(user) = self.users().get_mut(&user_of(record)) {
            user.paused = None;
        }
    }

    /// Whether two records log in as one user, as far as is known.
    #[must_use]
    pub fn is_same_user(&self, one: &Record, other: &Record) -> bool {
        user_of(one) == user_of(other)
    }

    /// How far the record's user is from the limit.
    #[must_use]
    pub fn usage(&self, record: &Record, now: SystemTime) -> Usage {
        let users = self.users();
        let fresh = User::default();
        let user = users.get(&user_of(record)).unwrap_or(&fresh);
        let paused = user.pause(now).map(|(_, until)| until);
        Usage {
            used: user.recent.used(now),
            limit: self.limit,
            reached_at: user.recent.reaches(self.limit, now),
            throttled_until: paused.max(user.recent.frees_at(self.limit, now)),
        }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, User>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl User {
    /// A pause whose beginning lies ahead means that the clock went back: then it is over.
    fn pause(&self, now: SystemTime) -> Option<(&Failure, SystemTime)> {
        let (failure, since, until) = self.paused.as_ref()?;
        (*since <= now && now < *until).then_some((failure, *until))
    }
}

/// Salesforce's user names are unique over all its orgs and ignore case. Where none is known yet, the app and its host
/// stand for the user.
fn user_of(record: &Record) -> String {
    record.username().map_or_else(
        || {
            let key = record.flow.consumer_key().unwrap_or_default();
            format!("{key} {}", record.login_host)
        },
        str::to_lowercase,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        credential::Flow,
        host::Host,
        record::{RecordId, RecordName},
    };
    use std::time::Duration;

    fn at(minute: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_mins(1_000_000 * 5 + minute)
    }

    fn record(name: &str, username: &str, host: &str) -> Record {
        Record {
            id: RecordId([1; 16]),
            name: RecordName::parse(name).unwrap(),
            login_host: Host::parse(host).unwrap(),
            flow: Flow::SoapLogin {
                username: username.to_owned(),
            },
            pin: None,
            credential_version: 1,
            created_at: at(0),
            credential_changed_at: at(0),
            remind_after: None,
            aside: crate::aside::Aside::default(),
            rules: None,
        }
    }

    fn rate() -> Failure {
        Failure {
            class: Class::RateLimited,
            code: None,
            message: "too many".to_owned(),
            pause: None,
        }
    }

    #[test]
    fn all_records_of_a_user_share_one_limit_and_others_have_their_own() {
        let quota = Quota::new(50);
        let one = record("one", "etl@acme.example", "login.salesforce.com");
        let two = record("two", "ETL@acme.example", "acme.my.salesforce.com");
        for n in 0..1_800 {
            let record = if n % 2 == 0 { &one } else { &two };
            assert_eq!(quota.admit(record, at(0)), Ok(()), "{n}");
        }
        for record in [&one, &two] {
            let spent = Throttle::Spent {
                limit: 1_800,
                until: at(65),
            };
            assert_eq!(quota.admit(record, at(1)), Err(spent));
            let usage = quota.usage(record, at(1));
            assert_eq!((usage.used, usage.throttled_until), (1_800, Some(at(65))));
            assert_eq!(usage.reached_at, Some(at(1)));
        }
        assert_eq!(quota.admit(&one, at(65)), Ok(()));
        let other = record("other", "bi@acme.example", "login.salesforce.com");
        assert_eq!(quota.admit(&other, at(1)), Ok(()));
        assert_eq!(quota.usage(&other, at(1)).used, 1);
    }

    /// T21
    #[test]
    fn one_unit_leaves_a_quarter_of_the_logins_to_others_and_one_user_an_eighth() {
        let quota = Quota::new(50);
        let record = record("one", "etl@acme.example", "login.salesforce.com");
        let party = |uid, unit: &str| Party {
            uid,
            unit: Some(unit.into()),
        };
        let storm = |party: &Party| {
            let mut caused = 0;
            while quota.spent_by(&record, party, at(0)).is_none() {
                quota.admit(&record, at(0)).unwrap();
                quota.charge(&record, party, at(0));
                caused += 1;
            }
            caused
        };
        let (one, two, other) = (
            party(1, "one.service"),
            party(1, "two.service"),
            party(2, "x.service"),
        );
        assert_eq!(storm(&one), 1_350);
        assert_eq!(storm(&one), 0);
        assert_eq!(storm(&two), 225);
        assert_eq!(quota.spent_by(&record, &one, at(1)), Some(at(65)));
        assert_eq!(quota.spent_by(&record, &other, at(1)), None);
        assert_eq!(quota.usage(&record, at(1)).throttled_until, None);
        assert_eq!(quota.spent_by(&record, &one, at(65)), None);
    }

    #[test]
    fn what_was_not_sent_leaves_room_again() {
        let quota = Quota::new(0);
        let record = record("one", "etl@acme.example", "login.salesforce.com");
        quota.admit(&record, at(0)).unwrap();
        assert!(quota.admit(&record, at(0)).is_err());
        quota.take_back(&record);
        assert_eq!(quota.admit(&record, at(0)), Ok(()));
    }

    #[test]
    fn a_refusal_of_salesforce_pauses_the_user_and_not_for_ever() {
        let quota = Quota::new(50);
        let one = record("one", "etl@acme.example", "login.salesforce.com");
        quota.refused(&one, &rate(), at(0), at(30));
        let two = record("two", "etl@acme.example", "acme.my.salesforce.com");
        let refused = Throttle::Refused {
            failure: rate(),
            until: at(30),
        };
        assert_eq!(quota.admit(&two, at(29)), Err(refused));
        assert_eq!(quota.usage(&two, at(29)).throttled_until, Some(at(30)));
        assert_eq!(quota.admit(&two, at(30)), Ok(()));
        quota.release(&two);
        assert_eq!(quota.admit(&one, at(1)), Ok(()));
        quota.refused(&one, &rate(), at(0), at(30));
        assert_eq!(quota.admit(&two, at(0) - Duration::from_hours(24)), Ok(()));
    }

    #[test]
    fn a_refusal_from_before_the_clock_went_back_hides_none_that_holds() {
        let quota = Quota::new(50);
        let record = record("one", "etl@acme.example", "login.salesforce.com");
        for (since, until) in [(at(5), at(25)), (at(1440), at(1460))] {
            let hold = crate::ledger::Hold {
                failure: rate(),
                since,
                until,
                round: 0,
                proof: false,
            };
            let ledger = Ledger {
                hold: Some(hold),
                ..Ledger::default()
            };
            quota.adopt(&record, &ledger, at(10));
        }
        assert_eq!(quota.usage(&record, at(10)).throttled_until, Some(at(25)));
    }

    #[test]
    fn what_ledgers_remember_counts_together() {
        let quota = Quota::new(1);
        let (one, two) = (
            record("one", "etl@acme.example", "login.salesforce.com"),
            record("two", "etl@acme.example", "login.salesforce.com"),
        );
        let mut ledger = Ledger::default();
        for _ in 0..18 {
            ledger.recent.count(at(0));
        }
        quota.adopt(&one, &ledger, at(3));
        quota.adopt(&two, &ledger, at(3));
        assert_eq!(quota.usage(&one, at(3)).used, 36);
        assert!(quota.admit(&two, at(3)).is_err());
    }
}
