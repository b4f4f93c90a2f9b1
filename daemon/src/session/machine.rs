//! Decides for one record: serve, wait, log in, or say no. Pure: nothing here asks a clock, a network or a disk.
//!
//! The hazard: a login that should not have been made. Each rejected one brings the user nearer to being
//! locked, so the only way to a login is [`Machine::acquire`] → [`Decision::Start`] → [`Machine::enter_login`], and a
//! result finds its way back only with the stamp of the flight that is still the current one.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Session;
use crate::{
    failure::{Class, Failure, Next},
    ledger::{Latch, Ledger, Pending},
    record::Pin,
    salesforce::{Grant, Proof},
};

/// A session that was called refused, but proved to be alive, is not doubted again for so long: a job that calls
/// every session refused costs one cheap call in that time, and no login.
pub const VOUCHED_FOR: Duration = Duration::from_secs(30);
/// How many logins refusals may cause in one [`REFUSAL_WINDOW`]. A job that ends the shared session after every run
/// kills it again and again; more than a few in minutes is no accident.
pub const REFUSAL_LOGINS: usize = 3;
/// See [`REFUSAL_LOGINS`].
pub const REFUSAL_WINDOW: Duration = Duration::from_mins(5);
/// The first pause after a failure that may pass; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Where doubling stops: jobs at night should go on within minutes of an outage's end.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// What a caller needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Want {
    /// The session must be guaranteed for so long.
    pub min_ttl: Duration,
    /// The generation of a session that Salesforce refused.
    pub refused: Option<u64>,
    /// A session that is proven now, not merely guaranteed.
    pub fresh_proof: bool,
}

/// What to do for a caller.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Hand this out.
    Serve(Arc<Session>),
    /// A flight is under way: wait for it, then ask again.
    Join,
    /// Begin a flight with this stamp, and join it.
    Start(Stamp),
    /// Say no.
    Refuse(Refusal),
}

/// Why a caller gets nothing, for now or until somebody acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No login before `until`: the last one failed for a reason that may pass.
    BackingOff { failure: Failure, until: SystemTime },
    /// No login before `until`: too many failed.
    BudgetSpent { until: SystemTime },
    /// No login with this credential.
    Latched { failure: Failure, since: SystemTime },
    /// No session of this org is guaranteed for so long.
    MinTtlTooLong { possible: Duration },
    /// The session that was called refused works, or dies again and again: nothing is done about it before `until`.
    RefusedAgain { until: SystemTime },
}

/// What a record is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// The next caller gets no session.
    Barred(Refusal),
    /// There is no session: the next caller causes a login.
    Idle,
    /// A login or a proof is under way.
    InFlight,
    /// There is a session.
    Ready,
}

/// Marks one flight: the work between a decision to ask Salesforce and its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(u64);

/// What a flight does next.
#[derive(Debug, Clone)]
pub enum Step {
    /// Prove this session; if it is dead, ask for the next step again.
    Prove(Arc<Session>),
    /// Prove what an earlier flight's login gave but could not prove.
    ProveGrant { grant: Box<Grant>, generation: u64 },
    /// Enter a login in the ledger, save it, and send it.
    LogIn,
}

/// How a flight ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A call with the session succeeded.
    Proven(Proof),
    /// A login gave a session, and a call with it succeeded.
    LoggedIn {
        grant: Box<Grant>,
        proof: Proof,
        generation: u64,
    },
    /// A login gave a session, but the call with it failed for a reason that may pass.
    Unproven {
        grant: Box<Grant>,
        generation: u64,
        failure: Failure,
    },
    /// The call with the session failed, and says nothing about the session.
    ProofFailed(Failure),
    /// A login was sent and failed.
    LoginFailed(Failure),
    /// A login was entered but never sent, for a reason of our own.
    NotSent,
}

#[derive(Debug, Clone)]
struct BackOff {
    failure: Failure,
    until: SystemTime,
    /// How many failures came in a row.
    round: u32,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    stamp: Stamp,
    /// The credential changed under way: the result is not for us.
    superseded: bool,
}

/// The state of one record.
#[derive(Debug, Clone)]
pub struct Machine {
    ledger: Ledger,
    credential_version: u64,
    session: Option<Arc<Session>>,
    /// A caller was refused with it; it is not handed out until a call proves that it is alive.
    doubted: bool,
    /// When a doubted session last proved to be alive.
    vouched_at: Option<SystemTime>,
    /// The last session that died, to know its id when Salesforce gives it again.
    gone: Option<Arc<Session>>,
    /// It died while it was doubted: the next login is due to a refusal.
    gone_by_refusal: bool,
    /// When refusals caused logins, oldest first; at most [`REFUSAL_LOGINS`].
    refusal_logins: VecDeque<SystemTime>,
    unproven: Option<(Box<Grant>, u64)>,
    flight: Option<Flight>,
    last_stamp: u64,
    back_off: Option<BackOff>,
}

impl Machine {
    /// The state of a record as the store knows it. A login whose answer was lost in a crash counts as failed.
    #[must_use]
    pub fn new(mut ledger: Ledger, credential_version: u64) -> Self {
        if let Some(pending) = ledger.pending.take() {
            ledger.count_failure(pending.since);
        }
        Self {
            ledger,
            credential_version,
            session: None,
            doubted: false,
            vouched_at: None,
            gone: None,
            gone_by_refusal: false,
            refusal_logins: VecDeque::new(),
            unproven: None,
            flight: None,
            last_stamp: 0,
            back_off: None,
        }
    }

    /// What to do for a caller now.
    pub fn acquire(&mut self, want: Want, now: SystemTime) -> Decision {
        if let Some(session) = self.session.clone() {
            let possible = session.timeout / 2;
            let refused = want
                .refused
                .is_some_and(|generation| session.is_refused_by(generation));
            if !refused && want.min_ttl >= possible {
                return Decision::Refuse(Refusal::MinTtlTooLong { possible });
            }
            if !refused
                && !self.doubted
                && !want.fresh_proof
                && session.is_guaranteed(want.min_ttl, now)
            {
                return Decision::Serve(session);
            }
            if self.flight.is_some() {
                return Decision::Join;
            }
            if refused {
                if let Some(until) = self.vouched_until(now) {
                    return Decision::Refuse(Refusal::RefusedAgain { until });
                }
                self.doubted = true;
            } else if now >= session.expires_at() {
                self.lose_session();
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
        if self.session.is_none()
            && let Err(refusal) = self.may_log_in(now)
        {
            return Decision::Refuse(refusal);
        }
        self.last_stamp += 1;
        let stamp = Stamp(self.last_stamp);
        self.flight = Some(Flight {
            stamp,
            superseded: false,
        });
        Decision::Start(stamp)
    }

    /// What the flight does next; `None` if it is not the current one.
    pub fn step(&mut self, stamp: Stamp, now: SystemTime) -> Option<Step> {
        self.current(stamp)?;
        if let Some(session) = &self.session {
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
        if std::mem::take(&mut self.gone_by_refusal) {
            self.refusal_logins.push_back(now);
            if self.refusal_logins.len() > REFUSAL_LOGINS {
                self.refusal_logins.pop_front();
            }
        }
        self.ledger.generation += 1;
        self.ledger.logins += 1;
        self.ledger.pending = Some(Pending {
            credential_version: self.credential_version,
            since: now,
        });
        Some(self.ledger.generation)
    }

    /// The session that the flight was to prove is dead: the flight goes on with its next step.
    pub fn session_died(&mut self, stamp: Stamp) {
        if self.current(stamp).is_some() {
            self.lose_session();
        }
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
                let mut session = self
                    .session
                    .take()
                    .map(|session| session.proven(&proof, now));
                if std::mem::take(&mut self.doubted) {
                    self.vouched_at = Some(now);
                    // The generation that was called refused is never handed out again, though the id is.
                    self.ledger.generation += 1;
                    session = session.map(|session| session.restamped(self.ledger.generation));
                }
                self.session = session;
            }
            Outcome::LoggedIn {
                grant,
                proof,
                generation,
            } => {
                self.login_succeeded();
                self.back_off = None;
                let session = Session::new(*grant, &proof, generation, self.gone.as_deref(), now);
                if session.first_generation < generation {
                    self.vouched_at = Some(now);
                }
                self.session = Some(Arc::new(session));
            }
            Outcome::Unproven {
                grant,
                generation,
                failure,
            } => {
                self.login_succeeded();
                if failure.class != Class::SessionDead {
                    self.unproven = Some((grant, generation));
                }
                self.proof_failed(failure, now, jitter);
            }
            Outcome::ProofFailed(failure) => self.proof_failed(failure, now, jitter),
            Outcome::LoginFailed(failure) => {
                self.ledger.pending = None;
                self.login_failed(failure, now, jitter);
            }
            Outcome::NotSent => {
                // Who compares the count with Salesforce's login history finds only what was sent there.
                if self.ledger.pending.take().is_some() {
                    self.ledger.logins = self.ledger.logins.saturating_sub(1);
                }
            }
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
        self.ledger.latch = None;
        self.unproven = None;
        self.back_off
            .take_if(|back_off| back_off.failure.class.next() == Next::CountAndBackOff);
        if let Some(flight) = &mut self.flight {
            flight.superseded = true;
        }
    }

    /// An operator allows one more login with the same credential.
    pub fn release(&mut self) {
        self.ledger.latch = None;
        self.ledger.failed_at.clear();
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

    /// What the record is doing, for people to see.
    #[must_use]
    pub fn activity(&self, now: SystemTime) -> Activity {
        if self.flight.is_some() {
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
        match self.refusals_spaced_until(now) {
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

    /// A pause longer than any we set means that the clock went back: then it is over.
    fn backing_off(&self, now: SystemTime) -> Option<&BackOff> {
        let longest = |back_off: &BackOff| {
            back_off
                .failure
                .pause
                .unwrap_or_default()
                .max(LONGEST_PAUSE)
                * 2
        };
        self.back_off
            .as_ref()
            .filter(|b| b.until > now && b.until <= now + longest(b))
    }

    fn vouched_until(&self, now: SystemTime) -> Option<SystemTime> {
        let vouched_at = self.vouched_at?;
        let until = vouched_at + VOUCHED_FOR;
        (vouched_at <= now && now < until).then_some(until)
    }

    /// Until when a refusal may cause no login.
    fn refusals_spaced_until(&self, now: SystemTime) -> Option<SystemTime> {
        let oldest = *self
            .refusal_logins
            .front()
            .filter(|_| self.refusal_logins.len() >= REFUSAL_LOGINS)?;
        let until = oldest + REFUSAL_WINDOW;
        (self.gone_by_refusal && oldest <= now && now < until).then_some(until)
    }

    fn current(&self, stamp: Stamp) -> Option<Flight> {
        self.flight
            .filter(|flight| flight.stamp == stamp && !flight.superseded)
    }

    fn lose_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.gone = Some(session);
            self.gone_by_refusal = std::mem::take(&mut self.doubted);
        }
    }

    fn login_succeeded(&mut self) {
        self.ledger.pending = None;
        self.ledger.latch = None;
        self.ledger.failed_at.clear();
        self.ledger.rejections = 0;
    }

    fn login_failed(&mut self, mut failure: Failure, now: SystemTime, jitter: u8) {
        match failure.class.next() {
            Next::Latch => {
                self.ledger.count_failure(now);
                self.ledger.rejections = self.ledger.rejections.saturating_add(1);
                if failure.class == Class::BadCredentials && self.ledger.rejections > 1 {
                    failure.class = Class::LockedOut;
                }
                self.set_latch(failure, now);
            }
            Next::CountAndBackOff => {
                self.ledger.count_failure(now);
                self.pause(failure, now, jitter);
            }
            Next::BackOff => self.pause(failure, now, jitter),
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
            self.set_latch(failure, now);
        } else {
            self.pause(failure, now, jitter);
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

    fn pause(&mut self, failure: Failure, now: SystemTime, jitter: u8) {
        let round = self
            .back_off
            .as_ref()
            .map_or(0, |back_off| back_off.round.saturating_add(1));
        let doubled = FIRST_PAUSE * 2_u32.saturating_pow(round.min(16));
        let pause = doubled
            .min(LONGEST_PAUSE)
            .max(failure.pause.unwrap_or_default());
        // Up to a quarter more, so that records that failed together do not come back together.
        let spread = pause / 4 * u32::from(jitter) / 255;
        self.back_off = Some(BackOff {
            failure,
            until: now + pause + spread,
            round,
        });
    }
}

/// Whether a login led to the org and user that the record is pinned to.
#[must_use]
pub fn leads_elsewhere(pin: Option<&Pin>, org_id: &str, user_id: &str) -> Option<Failure> {
    let pin = pin?;
    (pin.org_id != org_id || pin.user_id != user_id).then(|| Failure {
        class: Class::PinnedElsewhere,
        code: None,
        message: format!(
            "the login led to org {org_id}, user {user_id}; this record is pinned to org {}, user {}",
            pin.org_id, pin.user_id
        ),
        pause: None,
    })
}

#[cfg(test)]
mod tests;
