//! Hosts that are down: one record finds out, and the others of that host do not each try for themselves.
//!
//! Which host is down stands in the ledgers of the records that found out; this is what they say together.
//!
//! The pause is a host's as [`BackOff`] is a record's. When it is over, one record tries; the others follow once the
//! host has answered it, whatever the answer is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::back_off::BackOff;
use crate::{
    failure::{Class, Failure},
    host::Host,
    ledger::HostDown,
};

/// How long the others wait for the one that tries, should it never say how it went.
const TRIAL: Duration = Duration::from_mins(2);

/// The hosts that did not answer last time.
#[derive(Debug, Default)]
pub struct Outages(Mutex<HashMap<Host, Outage>>);

#[derive(Debug)]
struct Outage {
    back_off: BackOff,
    /// Since when one record tries for all.
    trial: Option<SystemTime>,
}

/// Leave to ask a host. Who lets go of it without a word did not ask.
#[derive(Debug)]
#[must_use]
pub struct Asking {
    outages: Arc<Outages>,
    host: Host,
    told: bool,
}

impl Asking {
    /// The host answered.
    pub fn answered(mut self) {
        self.told = true;
        self.outages.answered(&self.host);
    }

    /// The exchange failed. `jitter` as in [`BackOff::after`]. Returns what a ledger must remember, if the host is down.
    pub fn failed(mut self, failure: &Failure, now: SystemTime, jitter: u8) -> Option<HostDown> {
        self.told = true;
        self.outages.failed(&self.host, failure, now, jitter)
    }

    /// The host that is asked.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.told {
            self.outages.not_asked(&self.host);
        }
    }
}

impl Outages {
    /// Leave to ask the host now, if it is not down.
    ///
    /// # Errors
    /// Why not, and until when.
    pub fn ask(
        self: &Arc<Self>,
        host: &Host,
        now: SystemTime,
    ) -> Result<Asking, (Failure, SystemTime)> {
        self.enter(host, now)?;
        Ok(Asking {
            outages: Arc::clone(self),
            host: host.clone(),
            told: false,
        })
    }

    /// Whether a record may ask the host now. Who may, says how it went: [`Outages::answered`], [`Outages::failed`] or
    /// [`Outages::not_asked`].
    ///
    /// # Errors
    /// Why not, and until when.
    fn enter(&self, host: &Host, now: SystemTime) -> Result<(), (Failure, SystemTime)> {
        let mut hosts = self.hosts();
        let Some(outage) = hosts.get_mut(host) else {
            return Ok(());
        };
        let until = match outage.trial {
            // One of the future is left from before the clock went back.
            Some(since) if since <= now && now < since + TRIAL => Some(since + TRIAL),
            Some(_) | None => outage.back_off.lasts(now).then_some(outage.back_off.until),
        };
        if let Some(until) = until {
            return Err((outage.as_told(host), until));
        }
        outage.trial = Some(now);
        Ok(())
    }

    /// The host answered. Returns whether it had been down.
    pub fn answered(&self, host: &Host) -> bool {
        self.hosts().remove(host).is_some()
    }

    /// The exchange failed. `jitter` as in [`BackOff::after`].
    fn failed(
        &self,
        host: &Host,
        failure: &Failure,
        now: SystemTime,
        jitter: u8,
    ) -> Option<HostDown> {
        if !matches!(failure.class, Class::Unavailable | Class::Unanswered) {
            self.answered(host);
            return None;
        }
        let mut hosts = self.hosts();
        let before = hosts.get(host);
        let lasting = before.filter(|outage| outage.trial.is_none() && outage.back_off.lasts(now));
        // What was under way when the first one failed says the same, and makes it no worse.
        let back_off = lasting.map_or_else(
            || {
                let before = before.map(|outage| &outage.back_off);
                BackOff::after(before, failure.clone(), now, jitter)
            },
            |outage| outage.back_off.clone(),
        );
        let hold = back_off.hold(now);
        let outage = Outage {
            back_off,
            trial: None,
        };
        hosts.insert(host.clone(), outage);
        let host = host.clone();
        Some(HostDown { host, hold })
    }

    /// Takes over what a ledger remembers, unless that is over.
    pub fn adopt(&self, down: &HostDown, now: SystemTime) {
        let back_off = BackOff::from(down.hold.clone());
        // One of the future is left from before the clock went back.
        if down.hold.since > now || !back_off.lasts(now) {
            return;
        }
        let mut hosts = self.hosts();
        let longer = |outage: &Outage| outage.back_off.until >= back_off.until;
        if !hosts.get(&down.host).is_some_and(longer) {
            let outage = Outage {
                back_off,
                trial: None,
            };
            hosts.insert(down.host.clone(), outage);
        }
    }

    /// The record that was let in did not ask after all.
    fn not_asked(&self, host: &Host) {
        if let Some(outage) = self.hosts().get_mut(host) {
            outage.trial = None;
        }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<Host, Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outage {
    /// What records hear that did not ask themselves: their credential was not sent, whatever became of the other.
    fn as_told(&self, host: &Host) -> Failure {
        let heard = &self.back_off.failure.message;
        let message = format!("`{host}` did not answer another record: {heard}");
        Failure {
            class: Class::Unavailable,
            code: None,
            message: message.chars().take(300).collect(),
            pause: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn failure(class: Class) -> Failure {
        Failure {
            class,
            code: None,
            message: "connection refused".to_owned(),
            pause: None,
        }
    }

    fn host(name: &str) -> Host {
        Host::parse(name).unwrap()
    }

    #[test]
    fn one_failure_pauses_a_host_for_all_and_no_other_host() {
        let outages = Outages::default();
        let (down, up) = (host("login.salesforce.com"), host("test.salesforce.com"));
        assert!(outages.enter(&down, at(0)).is_ok());
        outages.failed(&down, &failure(Class::Unavailable), at(0), 0);
        let (told, until) = outages.enter(&down, at(9)).unwrap_err();
        assert_eq!((told.class, until), (Class::Unavailable, at(10)));
        assert!(told.message.contains("connection refused"), "{told}");
        assert!(outages.enter(&up, at(9)).is_ok());
    }

    #[test]
    fn after_the_pause_one_tries_and_the_others_follow_its_success() {
        let outages = Outages::default();
        let host = host("login.salesforce.com");
        outages.failed(&host, &failure(Class::Unanswered), at(0), 0);
        assert!(outages.enter(&host, at(10)).is_ok());
        assert!(outages.enter(&host, at(10)).is_err());
        outages.failed(&host, &failure(Class::Unavailable), at(11), 0);
        assert_eq!(outages.enter(&host, at(12)).unwrap_err().1, at(41));
        assert!(outages.enter(&host, at(41)).is_ok());
        assert!(outages.answered(&host));
        for _ in 0..3 {
            assert!(outages.enter(&host, at(41)).is_ok());
        }
    }

    #[test]
    fn a_thousand_records_ask_a_host_that_is_down_a_few_times_in_an_hour() {
        let outages = Outages::default();
        let host = host("login.salesforce.com");
        let mut asked = 0;
        for second in 0..3600 {
            for _ in 0..1000 {
                if outages.enter(&host, at(second)).is_ok() {
                    asked += 1;
                    outages.failed(&host, &failure(Class::Unavailable), at(second), 0);
                }
            }
        }
        assert!((10..=20).contains(&asked), "{asked}");
    }

    #[test]
    fn an_answer_of_any_kind_ends_the_outage() {
        for class in Class::ALL {
            let outages = Outages::default();
            let host = host("login.salesforce.com");
            outages.failed(&host, &failure(Class::Unavailable), at(0), 0);
            assert!(outages.enter(&host, at(10)).is_ok());
            outages.failed(&host, &failure(class), at(10), 0);
            let silent = matches!(class, Class::Unavailable | Class::Unanswered);
            assert_eq!(outages.enter(&host, at(10)).is_err(), silent, "{class:?}");
        }
    }

    #[test]
    fn failures_that_were_under_way_make_a_pause_no_longer() {
        let outages = Outages::default();
        let host = host("login.salesforce.com");
        for _ in 0..100 {
            outages.failed(&host, &failure(Class::Unavailable), at(0), 0);
        }
        assert!(outages.enter(&host, at(10)).is_ok());
    }

    #[test]
    fn a_clock_that_jumps_and_a_trial_that_ends_without_a_word_block_nobody_for_long() {
        let outages = Outages::default();
        let host = host("login.salesforce.com");
        outages.failed(&host, &failure(Class::Unavailable), at(100_000), 0);
        assert!(outages.enter(&host, at(0)).is_ok());
        assert!(outages.enter(&host, at(119)).is_err());
        assert!(outages.enter(&host, at(120)).is_ok());
        outages.not_asked(&host);
        assert!(outages.enter(&host, at(120)).is_ok());
    }

    #[test]
    fn what_ledgers_remember_of_a_host_holds_as_before_and_not_for_ever() {
        let (outages, host) = (Outages::default(), host("login.salesforce.com"));
        outages.failed(&host, &failure(Class::Unavailable), at(0), 0);
        let first = outages.failed(&host, &failure(Class::Unavailable), at(5), 0);
        assert!(outages.enter(&host, at(10)).is_ok());
        let second = outages.failed(&host, &failure(Class::Unavailable), at(10), 0);
        let (first, second) = (first.unwrap(), second.unwrap());
        let after = Outages::default();
        for down in [&second, &first] {
            after.adopt(down, at(11));
        }
        assert_eq!(after.enter(&host, at(39)).unwrap_err().1, at(40));
        assert!(after.enter(&host, at(40)).is_ok());
        let third = after.failed(&host, &failure(Class::Unavailable), at(40), 0);
        assert_eq!(third.unwrap().hold.until, at(40 + 90));
        for now in [at(40), at(0)] {
            let later = Outages::default();
            later.adopt(&second, now);
            assert!(later.enter(&host, now).is_ok());
        }
    }
}
