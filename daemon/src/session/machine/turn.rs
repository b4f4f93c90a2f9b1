//! An operator's turn: while it lasts, no login of the record's own begins. It tries a credential that is not, or not
//! yet, the record's; what it finds changes nothing but the count of what Salesforce saw, until the record adopts it.

use std::{sync::Arc, time::SystemTime};

use super::{Machine, Refusal, Refusals, Stamp};
use crate::{
    failure::{Class, Failure, Next},
    ledger::{Ledger, Pending},
    secret::Fingerprint,
    session::{
        Session,
        back_off::BackOff,
        decision::{Effect, Passed},
        kept::keep_grant,
    },
};

impl Machine {
    /// Begins a turn; `None` while a flight or another turn is under way.
    pub fn begin_turn(&mut self) -> Option<Stamp> {
        if self.flight.is_some() {
            return None;
        }
        Some(self.take_off(false))
    }

    /// Whether a credential may be tried now. A latch on the record's own does not matter; a pause that Salesforce
    /// asked for does, and the budget does for a password, which alone can lock the user.
    ///
    /// # Errors
    /// The reason, with the time at which it ends.
    pub fn may_try(&self, sends_password: bool, now: SystemTime) -> Result<(), Refusal> {
        if let Some(back_off) = self.backing_off(now)
            && back_off.failure.class == Class::RateLimited
        {
            return Err(back_off.refusal());
        }
        match self.ledger.barred_until(now).filter(|_| sends_password) {
            Some(until) => Err(Refusal::BudgetSpent { until }),
            None => Ok(()),
        }
    }

    /// Whether this credential was tried and rejected.
    #[must_use]
    pub fn was_rejected(&self, fingerprint: Fingerprint) -> bool {
        self.ledger.rejected_trials.contains(&fingerprint)
    }

    /// Enters a login in the ledger and returns its generation. The ledger must be durable before it is sent.
    pub fn enter_trial(&mut self, stamp: Stamp, now: SystemTime) -> Option<u64> {
        self.current(stamp)?;
        self.ledger.generation += 1;
        self.ledger.logins += 1;
        self.ledger.recent.count(now);
        self.ledger.pending = Some(Pending {
            credential_version: self.credential_version,
            since: now,
        });
        Some(self.ledger.generation)
    }

    /// The login that was entered was not sent, for a reason of our own.
    pub fn trial_not_sent(&mut self) {
        if self.ledger.pending.take().is_some() {
            self.ledger.logins = self.ledger.logins.saturating_sub(1);
            self.ledger.recent.take_back();
        }
    }

    /// The login that was entered failed. A password counts; a rejected credential is not tried again.
    pub fn trial_failed(
        &mut self,
        failure: &Failure,
        sends_password: bool,
        fingerprint: Fingerprint,
        now: SystemTime,
    ) {
        self.ledger.pending = None;
        if sends_password && failure.class.next() != Next::BackOff {
            self.ledger.count_failure(now);
        }
        // Other rejections are mended at Salesforce, with the same secrets.
        if matches!(
            failure.class,
            Class::BadCredentials | Class::LockedOut | Class::RefreshDead
        ) {
            self.ledger.remember_rejected(fingerprint);
        }
    }

    /// The login that was entered was refused for the rate. Returns until when its user pauses, and the record with him
    /// if it is his `own`.
    pub fn trial_throttled(
        &mut self,
        failure: &Failure,
        own: bool,
        now: SystemTime,
        jitter: u8,
    ) -> SystemTime {
        if own {
            self.back_off_from(failure.clone(), now, jitter);
        }
        let own = self.back_off.as_ref().filter(|_| own);
        own.map_or_else(
            || BackOff::after(None, failure.clone(), now, jitter).until,
            |back_off| back_off.until,
        )
    }

    /// The login that was entered succeeded; whether the record will use it is not known yet.
    pub fn trial_succeeded(&mut self) {
        self.ledger.pending = None;
    }

    /// The record is changed.
    pub fn take_effect(&mut self, effect: &Effect, version: u64, now: SystemTime) {
        match effect {
            Effect::Nothing => {}
            Effect::Adopt(passed) => self.adopt(version, passed, now),
            Effect::ChangeOver => self.change_over(version),
            Effect::Hold(failure) => self.set_latch(failure.clone(), now),
            Effect::Unhold => {
                let latch = &mut self.ledger.latch;
                latch.take_if(|latch| latch.failure.class == Class::TokenAwaited);
            }
        }
    }

    /// The record logs in with another credential, which nobody has tried. The result of a flight that used the old one is
    /// not for us.
    pub fn change_over(&mut self, version: u64) {
        let (hold, back_off) = (self.ledger.hold.take(), self.back_off.take());
        self.changed_to(version);
        // Salesforce limits the rate of the user, however he logs in.
        let limits = |failure: &Failure| failure.class == Class::RateLimited;
        self.ledger.hold = hold.filter(|hold| limits(&hold.failure));
        self.back_off = back_off.filter(|back_off| limits(&back_off.failure));
        if let Some(flight) = &mut self.flight {
            flight.superseded = true;
        }
        self.session = None;
        self.gone = None;
    }

    /// What happened since `before` proves nothing about a password: what failed until then still counts.
    pub fn keep_failures(&mut self, before: &Ledger) {
        if self.ledger.failed_at.is_empty() {
            self.ledger.failed_at.clone_from(&before.failed_at);
        }
    }

    /// No latch, no count and no session of the old credential matters any more; a late report on one lands nowhere,
    /// unless Salesforce gave the same session again.
    fn adopt(&mut self, version: u64, passed: &Passed, now: SystemTime) {
        let Passed {
            grant,
            proof,
            generation,
        } = passed;
        let earlier = self.session.take().or_else(|| self.gone.take());
        self.changed_to(version);
        self.login_succeeded(now);
        match proof {
            Some(proof) => {
                let grant = grant.clone();
                let session = Session::new(grant, proof, *generation, earlier.as_deref(), now);
                self.session = Some(Arc::new(session));
                self.session_version = version;
                self.keep();
            }
            // The next caller proves it.
            None => {
                self.ledger.kept = Some(keep_grant(grant, *generation, version, now));
                self.unproven = Some((Box::new(grant.clone()), *generation));
            }
        }
    }

    fn changed_to(&mut self, version: u64) {
        self.credential_version = version;
        self.ledger.kept = None;
        self.ledger.hold = None;
        self.ledger.latch = None;
        self.ledger.rejected_trials.clear();
        self.unproven = None;
        self.back_off = None;
        self.refusals = Refusals::default();
        self.keep_refusals();
    }
}
