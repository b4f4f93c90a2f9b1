//! Who called sessions refused so that logins came of it: each unit answers for its own.
//!
//! Without this, one job that ends the shared session after every run would soon use up what
//! [`Refusals`](super::refusals::Refusals) leaves to all callers of the record, and they would wait because of it.

use std::{collections::VecDeque, time::SystemTime};

use super::refusals::{LOGINS, WINDOW};
use crate::{ledger::Ledger, share::Party};

/// How many logins the reports of one unit may cause in 5 minutes; more than a few in minutes is no accident.
pub const LOGINS_OF_UNIT: usize = 3;
/// The same of all units of a user, for jobs whose every run is a unit of its own.
pub const LOGINS_OF_USER: usize = 6;

/// The logins that reports on one record caused lately. Of those before a restart nobody knows whose reports they were.
#[derive(Debug, Default)]
pub struct Reported(VecDeque<(Option<Party>, SystemTime)>);

/// Nobody listens to the reports of this one before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unheard {
    /// The limit that was reached.
    pub most: usize,
    pub until: SystemTime,
}

impl Reported {
    /// What a ledger remembers. It counts for everybody, so that a restart allows nothing that was forbidden.
    #[must_use]
    pub fn remembered(ledger: &Ledger) -> Self {
        Self(ledger.refusal_logins.iter().map(|at| (None, *at)).collect())
    }

    /// A report of this one caused a login.
    pub fn count(&mut self, party: &Party, now: SystemTime) {
        self.0.push_back((Some(party.clone()), now));
        if self.0.len() > LOGINS {
            self.0.pop_front();
        }
    }

    /// Whether it caused too many.
    #[must_use]
    pub fn unheard(&self, party: &Party, now: SystemTime) -> Option<Unheard> {
        let of_unit = self.spent(LOGINS_OF_UNIT, now, |other| other == party);
        let of_user = self.spent(LOGINS_OF_USER, now, |other| other.uid == party.uid);
        of_unit.into_iter().chain(of_user).max_by_key(|it| it.until)
    }

    fn spent(
        &self,
        most: usize,
        now: SystemTime,
        is_meant: impl Fn(&Party) -> bool,
    ) -> Option<Unheard> {
        // One of the future is left from before the clock went back.
        let lately = |(_, at): &&(Option<Party>, SystemTime)| *at <= now && now < *at + WINDOW;
        let meant = self
            .0
            .iter()
            .filter(|(party, _)| party.as_ref().is_none_or(&is_meant));
        // The one whose end makes room again.
        let (_, oldest) = meant.filter(lately).rev().nth(most - 1)?;
        Some(Unheard {
            most,
            until: *oldest + WINDOW,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + second)
    }

    fn party(uid: u32, unit: &str) -> Party {
        Party {
            uid,
            unit: Some(unit.into()),
        }
    }

    /// T21
    #[test]
    fn a_unit_whose_reports_cost_three_logins_is_not_heard_and_others_are() {
        let mut reported = Reported::default();
        let (storm, other) = (party(1, "storm.service"), party(1, "calm.service"));
        for second in [0, 60, 120] {
            assert_eq!(reported.unheard(&storm, at(second)), None);
            reported.count(&storm, at(second));
        }
        let unheard = Unheard {
            most: LOGINS_OF_UNIT,
            until: at(0) + WINDOW,
        };
        assert_eq!(reported.unheard(&storm, at(121)), Some(unheard));
        assert_eq!(reported.unheard(&other, at(121)), None);
        assert_eq!(reported.unheard(&storm, at(300)), None);
        reported.count(&storm, at(300));
        assert_eq!(
            reported.unheard(&storm, at(301)).unwrap().until,
            at(60) + WINDOW
        );
        assert_eq!(reported.unheard(&storm, at(0)), None, "the clock went back");
    }

    #[test]
    fn what_reports_cost_before_a_restart_counts_for_everybody() {
        let ledger = Ledger {
            refusal_logins: vec![at(0), at(10)],
            ..Ledger::default()
        };
        let mut reported = Reported::remembered(&ledger);
        let (storm, other) = (party(1, "storm.service"), party(2, "calm.service"));
        assert_eq!(reported.unheard(&storm, at(20)), None);
        reported.count(&storm, at(20));
        assert!(reported.unheard(&storm, at(21)).is_some());
        assert_eq!(reported.unheard(&other, at(21)), None);
    }

    #[test]
    fn runs_that_are_each_a_unit_of_its_own_answer_for_their_user() {
        let mut reported = Reported::default();
        for run in 0..LOGINS_OF_USER as u64 {
            let run_unit = party(1, &format!("run-{run}.scope"));
            assert_eq!(reported.unheard(&run_unit, at(run)), None);
            reported.count(&run_unit, at(run));
        }
        let late = party(1, "run-late.scope");
        let unheard = Unheard {
            most: LOGINS_OF_USER,
            until: at(0) + WINDOW,
        };
        assert_eq!(reported.unheard(&late, at(9)), Some(unheard));
        let other_user = party(2, "run-late.scope");
        assert_eq!(reported.unheard(&other_user, at(9)), None);
    }
}
