//! Decides for one record: serve, wait, log in, or say no. Pure: nothing here asks a clock, a network or a disk.
//!
//! The hazard: a login that should not have been made. Each rejected one brings the user nearer to being
//! locked, so the only way to a login is [`Machine::acquire`] → [`Decision::Start`] → [`Machine::enter_login`], and a
//! result finds its way back only with the stamp of the flight that is still the current one.

use std::{sync::Arc, time::SystemTime};

use super::{
    Session,
    back_off::BackOff,
    decision::{Activity, Decision, Ending, Outcome, Refusal, Stamp, Step, Want},
    kept::keep_grant,
    refusals::Refusals,
};
use crate::{
    failure::{Class, Failure, Next},
    ledger::{Latch, Ledger, Pending},
    salesforce::Grant,
};

mod keeping;
mod turn;

#[derive(Debug, Clone, Copy)]
struct Flight {
    stamp: Stamp,
    /// The credential changed under way: the result is not for us.
    superseded: bool,
    /// It is to log in, whatever session there is.
    fresh_login: bool,
}

/// The state of one record.
#[derive(Debug, Clone)]
pub struct Machine {
    ledger: Ledger,
    credential_version: u64,
    session: Option<Arc<Session>>,
    /// The credential that the session was got with.
    session_version: u64,
    refusals: Refusals,
    /// The last session that died, to know its id when Salesforce gives it again.
    gone: Option<Arc<Session>>,
    unproven: Option<(Box<Grant>, u64)>,
    flight: Option<Flight>,
    last_stamp: u64,
    back_off: Option<BackOff>,
    token_unsaved: bool,
}

impl Machine {
    /// The state of a record as the store knows it. A login whose answer was lost in a crash counts as failed.
    #[must_use]
    pub fn new(mut ledger: Ledger, credential_version: u64) -> Self {
        if let Some(pending) = ledger.pending.take() {
            ledger.count_failure(pending.since);
        }
        let back_off = ledger.hold.clone().map(BackOff::from);
        let mut machine = Self {
            ledger,
            credential_version,
            session: None,
            session_version: credential_version,
            refusals: Refusals::default(),
            gone: None,
            unproven: None,
            flight: None,
            last_stamp: 0,
            back_off,
            token_unsaved: false,
        };
        machine.resume();
        machine
    }

    /// What to do for a caller now.
    pub fn acquire(&mut self, want: Want, now: SystemTime) -> Decision {
        let mut replaces = false;
        if let Some(session) = self.session.clone() {
            let possible = session.longest_guarantee();
            let refused = want
                .refused
                .is_some_and(|generation| session.is_refused_by(generation));
            if !refused && want.min_ttl >= possible {
                return Decision::Refuse(Refusal::MinTtlTooLong { possible });
            }
            if !refused
                && !self.refusals.doubted()
                && !want.fresh_proof
                && !want.fresh_login
                && session.is_guaranteed(want.min_ttl, now)
            {
                return Decision::Serve(session);
            }
            if self.flight.is_some() {
                return Decision::Join;
            }
            if refused {
                if let Some(until) = self.refusals.vouched_until(now) {
                    return Decision::Refuse(Refusal::RefusedAgain { until });
                }
                self.doubt();
            } else if now >= session.expires_at() {
                self.lose_session();
            } else if session.ends_within(want.min_ttl, now) {
                // No proof makes it last. Who asks for less may still have it while no other can be got.
                if let Err(refusal) = self.may_log_in(now) {
                    return Decision::Refuse(refusal);
                }
                replaces = true;
            }
        }
        if self.flight.is_some() {
            return Decision::Join;
        }
        if let Some(back_off) = self.backing_off(now) {
            return Decision::Refuse(Refusal::BackingOff {
                failure: back_off.failure.clone(),
                until: back_off.until,
            });
        }
        // A session that only needs a proof needs no right to log in.
        if (self.session.is_none() || want.fresh_login)
            && let Err(refusal) = self.may_log_in(now)
        {
            return Decision::Refuse(refusal);
        }
        Decision::Start(self.take_off(want.fresh_login || replaces))
    }

    /// What the flight does next; `None` if it is not the current one.
    pub fn step(&mut self, stamp: Stamp, now: SystemTime) -> Option<Step> {
        let flight = self.current(stamp)?;
        if let Some(session) = self.session.as_ref().filter(|_| !flight.fresh_login) {
            return Some(Step::Prove(Arc::clone(session)));
        }
        match self.unproven.take() {
            Some((grant, generation)) => Some(Step::ProveGrant { grant, generation }),
            None if self.may_log_in(now).is_ok() => Some(Step::LogIn),
            None => None,
        }
    }

    /// Enters a login in the ledger and returns its generation. The ledger must be durable before it is sent.
    pub fn enter_login(&mut self, stamp: Stamp, now: SystemTime) -> Option<u64> {
        self.current(stamp)?;
        self.refusals.login_entered(now);
        self.ledger.generation += 1;
        self.ledger.kept = None;
        self.ledger.logins += 1;
        self.ledger.recent.count(now);
        self.ledger.pending = Some(Pending {
            credential_version: self.credential_version,
            since: now,
        });
        Some(self.ledger.generation)
    }

    /// The session that the flight was to prove is dead: the flight goes on with its next step.
    pub fn session_died(&mut self, stamp: Stamp) {
        if self.current(stamp).is_some() {
            self.ledger.kept = None;
            self.lose_session();
        }
    }

    /// Begins to end the session at Salesforce. Nobody gets it meanwhile, and if that fails nobody does before a call has
    /// proved that it lives.
    pub fn end_session(&mut self) -> Ending {
        if self.flight.is_some() {
            return Ending::Join;
        }
        let Some(session) = self.session.clone() else {
            return Ending::Nothing;
        };
        self.refusals.doubt();
        Ending::Start(self.take_off(false), session)
    }

    /// Ends a flight. `jitter` in 0..=255 spreads the pauses of many records.
    ///
    /// Returns whether the result was taken: a flight that is not the current one changes nothing but the count
    /// of what Salesforce saw.
    pub fn complete(
        &mut self,
        stamp: Stamp,
        outcome: Outcome,
        now: SystemTime,
        jitter: u8,
    ) -> bool {
        let Some(flight) = self.flight.take_if(|flight| flight.stamp == stamp) else {
            return false;
        };
        if matches!(outcome, Outcome::NotSent) && self.ledger.pending.take().is_some() {
            // Who compares the count with Salesforce's login history finds only what was sent there.
            self.ledger.logins = self.ledger.logins.saturating_sub(1);
            self.ledger.recent.take_back();
        }
        if flight.superseded {
            self.ledger.pending = None;
            if let Outcome::LoginFailed(failure) = &outcome
                && failure.class.next() != Next::BackOff
            {
                self.ledger.count_failure(now);
            }
            return false;
        }
        match outcome {
            Outcome::Proven(proof) => {
                self.back_off = None;
                self.ledger.hold = None;
                let mut session = self
                    .session
                    .take()
                    .map(|session| session.proven(&proof, now));
                if self.refusals.vouch(now) {
                    // The generation that was called refused is never handed out again, though the id is.
                    self.ledger.generation += 1;
                    session = session.map(|session| session.restamped(self.ledger.generation));
                }
                self.session = session;
                self.keep();
            }
            Outcome::LoggedIn {
                grant,
                proof,
                generation,
            } => {
                self.login_succeeded(now);
                self.back_off = None;
                self.lose_session();
                let session = Session::new(*grant, &proof, generation, self.gone.as_deref(), now);
                if session.first_generation < generation {
                    self.refusals.vouch_for_same_id(now);
                }
                self.session = Some(Arc::new(session));
                self.session_version = self.credential_version;
                self.keep();
            }
            Outcome::Unproven {
                grant,
                generation,
                failure,
            } => {
                self.login_succeeded(now);
                if failure.class == Class::SessionDead {
                    self.ledger.kept = None;
                } else {
                    self.ledger.kept.get_or_insert_with(|| {
                        keep_grant(&grant, generation, self.credential_version, now)
                    });
                    self.unproven = Some((grant, generation));
                }
                self.proof_failed(failure, now, jitter);
            }
            Outcome::Unsaved { grant, generation } => {
                self.login_succeeded(now);
                self.unproven = Some((grant, generation));
            }
            Outcome::ProofFailed(failure) => self.proof_failed(failure, now, jitter),
            Outcome::LoginFailed(failure) => {
                self.ledger.pending = None;
                self.login_failed(failure, now, jitter);
                self.ledger.hold = self.back_off.as_ref().map(|back_off| back_off.hold(now));
            }
            Outcome::NotSent => {}
        }
        true
    }

    /// The flight ended without a word: its task broke. A login that was entered counts as failed.
    pub fn abandon(&mut self, stamp: Stamp, now: SystemTime) {
        if self
            .flight
            .take_if(|flight| flight.stamp == stamp)
            .is_some()
            && self.ledger.pending.take().is_some()
        {
            self.ledger.count_failure(now);
        }
    }

    /// The record has another credential now: a latch on the old one is gone, and so is the result of a flight
    /// that used it.
    pub fn credential_changed(&mut self, version: u64) {
        self.credential_version = version;
        self.ledger.kept = None;
        self.ledger.latch = None;
        self.unproven = None;
        self.back_off
            .take_if(|back_off| back_off.failure.class.next() == Next::CountAndBackOff);
        self.ledger
            .hold
            .take_if(|hold| hold.failure.class.next() == Next::CountAndBackOff);
        if let Some(flight) = &mut self.flight {
            flight.superseded = true;
        }
    }

    /// The login under way brought another refresh token. To all but the store it is the same credential.
    pub fn credential_rotated(&mut self, version: u64) {
        let old = std::mem::replace(&mut self.credential_version, version);
        if self.session_version == old {
            self.session_version = version;
        }
        if let Some(kept) = &mut self.ledger.kept
            && kept.credential_version == old
        {
            kept.credential_version = version;
        }
        for stamped in [
            self.ledger
                .latch
                .as_mut()
                .map(|it| &mut it.credential_version),
            self.ledger
                .pending
                .as_mut()
                .map(|it| &mut it.credential_version),
        ]
        .into_iter()
        .flatten()
        {
            if *stamped == old {
                *stamped = version;
            }
        }
    }

    /// Whether a refresh token waits to be saved: until then no login is made.
    pub fn token_unsaved(&mut self, unsaved: bool) {
        self.token_unsaved = unsaved;
    }

    /// An operator allows one more login with the same credential.
    pub fn release(&mut self) {
        self.ledger.latch = None;
        self.ledger.failed_at.clear();
        self.ledger.hold = None;
        self.ledger.rejected_trials.clear();
        self.back_off = None;
    }

    /// Drops what sessions there are; the ledger stays. Returns whether there was one.
    pub fn forget_sessions(&mut self) -> bool {
        self.gone = None;
        self.unproven = None;
        self.session.take().is_some()
    }

    /// What the store must know.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many logins were entered.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.ledger.logins
    }

    /// The session there is, good or not.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// Whether somebody called the present session refused, and no call has settled it yet.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.refusals.doubted()
    }

    /// Whether the next login is due to a caller who called a session refused.
    #[must_use]
    pub fn is_due_to_a_report(&self) -> bool {
        self.refusals.caused_next_login()
    }

    /// Until when nothing at all is sent, because the last exchange failed.
    #[must_use]
    pub fn pause(&self, now: SystemTime) -> Option<&BackOff> {
        self.backing_off(now)
    }

    /// Whether a login or a proof is under way.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// What the record is doing, for people to see.
    #[must_use]
    pub fn activity(&self, now: SystemTime) -> Activity {
        if self.is_in_flight() {
            return Activity::InFlight;
        }
        if self
            .session
            .as_ref()
            .is_some_and(|session| now < session.expires_at())
        {
            return Activity::Ready;
        }
        match self.may_log_in(now) {
            Ok(()) => Activity::Idle,
            Err(refusal) => Activity::Barred(refusal),
        }
    }

    /// Whether the flight is the current one and its result is still wanted.
    #[must_use]
    pub fn is_current(&self, stamp: Stamp) -> bool {
        self.current(stamp).is_some()
    }

    /// Why no login may be made now.
    ///
    /// # Errors
    /// The reason, with the time at which it ends where it does.
    pub fn may_log_in(&self, now: SystemTime) -> Result<(), Refusal> {
        if self.token_unsaved {
            return Err(Refusal::TokenUnsaved);
        }
        if let Some(latch) = self.latch() {
            return Err(Refusal::Latched {
                failure: latch.failure.clone(),
                since: latch.since,
            });
        }
        if let Some(back_off) = self.backing_off(now) {
            return Err(Refusal::BackingOff {
                failure: back_off.failure.clone(),
                until: back_off.until,
            });
        }
        if let Some(until) = self.ledger.barred_until(now) {
            return Err(Refusal::BudgetSpent { until });
        }
        match self.refusals.spaced_until(now) {
            Some(until) => Err(Refusal::RefusedAgain { until }),
            None => Ok(()),
        }
    }

    fn latch(&self) -> Option<&Latch> {
        self.ledger
            .latch
            .as_ref()
            .filter(|latch| latch.credential_version == self.credential_version)
    }

    fn backing_off(&self, now: SystemTime) -> Option<&BackOff> {
        self.back_off
            .as_ref()
            .filter(|back_off| back_off.lasts(now))
    }

    fn current(&self, stamp: Stamp) -> Option<Flight> {
        self.flight
            .filter(|flight| flight.stamp == stamp && !flight.superseded)
    }

    fn take_off(&mut self, fresh_login: bool) -> Stamp {
        self.last_stamp += 1;
        let stamp = Stamp(self.last_stamp);
        self.flight = Some(Flight {
            stamp,
            superseded: false,
            fresh_login,
        });
        stamp
    }

    fn lose_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.gone = Some(session);
            self.ledger.kept = None;
            self.refusals.session_gone();
        }
    }

    fn login_succeeded(&mut self, now: SystemTime) {
        self.ledger.succeeded_at = Some(now);
        self.ledger.pending = None;
        self.ledger.latch = None;
        self.ledger.hold = None;
        self.ledger.failed_at.clear();
        self.ledger.rejections = 0;
    }

    fn login_failed(&mut self, mut failure: Failure, now: SystemTime, jitter: u8) {
        match failure.class.next() {
            Next::Latch => {
                self.ledger.count_failure(now);
                if failure.class == Class::BadCredentials {
                    self.ledger.rejections = self.ledger.rejections.saturating_add(1);
                    if self.ledger.rejections > 1 {
                        failure.class = Class::LockedOut;
                    }
                }
                self.set_latch(failure, now);
            }
            Next::CountAndBackOff => {
                self.ledger.count_failure(now);
                let again = self
                    .back_off
                    .as_ref()
                    .is_some_and(|last| last.failure.class == Class::ClockSkew);
                if failure.class == Class::ClockSkew && again {
                    // A fresh assertion fared no better: a clock does not mend itself.
                    failure.class = Class::AppConfig;
                    self.set_latch(failure, now);
                    return;
                }
                self.back_off_from(failure, now, jitter);
            }
            Next::BackOff => self.back_off_from(failure, now, jitter),
        }
    }

    /// A proof sends no credential, so most of its failures cost nothing and may pass.
    fn proof_failed(&mut self, failure: Failure, now: SystemTime, jitter: u8) {
        let class = failure.class;
        if matches!(
            class,
            Class::PasswordExpired | Class::PinnedElsewhere | Class::SessionBarred
        ) {
            self.lose_session();
            self.unproven = None;
            self.ledger.kept = None;
            self.set_latch(failure, now);
        } else {
            self.back_off_from(failure, now, jitter);
        }
    }

    fn set_latch(&mut self, failure: Failure, now: SystemTime) {
        let credential_version = self.credential_version;
        self.ledger.latch = Some(Latch {
            credential_version,
            failure,
            since: now,
        });
        self.back_off = None;
    }

    fn back_off_from(&mut self, failure: Failure, now: SystemTime, jitter: u8) {
        self.back_off = Some(BackOff::after(self.back_off.as_ref(), failure, now, jitter));
    }
}

#[cfg(test)]
mod tests;
