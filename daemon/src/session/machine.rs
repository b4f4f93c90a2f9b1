//! Decides for one record: serve, wait, log in, or say no. Pure: nothing here asks a clock, a network or a disk.
//!
//! The hazard: a login that should not have been made. Each rejected one brings the user nearer to being
//! locked, so the only way to a login is [`Machine::acquire`] → [`Decision::Start`] → [`Machine::enter_login`], and a
//! result finds its way back only with the stamp of the flight that is still the current one.

mod credential;
mod failure;
mod keeping;
mod permission;
mod result;
mod turn;
mod view;

use std::{sync::Arc, time::SystemTime};

use super::{
    Session,
    back_off::BackOff,
    decision::{Decision, Ending, Refusal, Stamp, Step, Want},
    keep_alive::longest_served,
    refusals::Refusals,
};
use crate::{
    kept::KeptSession,
    ledger::{Ledger, Pending},
    salesforce::Grant,
};

#[derive(Debug, Clone, Copy)]
struct Flight {
    stamp: Stamp,
    /// The credential changed under way: the result is not for us.
    superseded: bool,
    /// It is to log in, whatever session there is.
    fresh_login: bool,
    /// It is not to log in, also if the session is dead.
    no_login: bool,
    /// The session that it proves should be alive without any call.
    proves_early: bool,
}

#[derive(Debug, Clone)]
struct BeforeLogin {
    refusals: Refusals,
    kept: Option<KeptSession>,
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
    /// What the login that is entered changed besides counts, as it was before.
    before_login: Option<BeforeLogin>,
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
        let refusals = Refusals::remembered(&ledger);
        let mut machine = Self {
            ledger,
            credential_version,
            session: None,
            session_version: credential_version,
            refusals,
            gone: None,
            unproven: None,
            flight: None,
            before_login: None,
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
            let possible = longest_served(&session);
            let refused = want
                .refused
                .is_some_and(|generation| session.is_refused_by(generation));
            // What is over promises nothing: the next session may last longer.
            let over = !refused && now >= session.expires_at();
            if over && let Some(refusal) = session.came_too_late(now) {
                return Decision::Refuse(refusal);
            }
            if !refused && !over && want.min_ttl > possible {
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
                    return Decision::Refuse(Refusal::RefusedAgain { until, lives: true });
                }
                self.doubt();
            } else if over {
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
            return Decision::Refuse(back_off.refusal());
        }
        // A session that only needs a proof needs no right to log in.
        let permitted = if want.fresh_login {
            self.may_log_in(now)
        } else if self.session.is_none() {
            self.may_get_session(now)
        } else {
            Ok(())
        };
        if let Err(refusal) = permitted {
            return Decision::Refuse(refusal);
        }
        let stamp = self.take_off(want.fresh_login || replaces);
        if let Some(flight) = &mut self.flight {
            flight.no_login = want.no_login;
        }
        Decision::Start(stamp)
    }

    /// What the flight does next; `None` if it is not the current one.
    pub fn step(&mut self, stamp: Stamp, now: SystemTime) -> Option<Step> {
        let flight = self.current(stamp)?;
        if let Some(session) = self.session.as_ref().filter(|_| !flight.fresh_login) {
            if let Some(flight) = &mut self.flight {
                flight.proves_early = now < session.guaranteed_until();
            }
            return Some(Step::Prove(Arc::clone(session)));
        }
        match self.unproven.take() {
            Some((grant, generation)) => Some(Step::ProveGrant { grant, generation }),
            None if !flight.no_login && self.may_log_in(now).is_ok() => Some(Step::LogIn),
            None => None,
        }
    }

    /// Enters a login in the ledger and returns its generation. The ledger must be durable before it is sent.
    pub fn enter_login(&mut self, stamp: Stamp, now: SystemTime) -> Option<u64> {
        self.current(stamp)?;
        self.before_login = Some(BeforeLogin {
            refusals: self.refusals.clone(),
            kept: self.ledger.kept.take(),
        });
        self.refusals.login_entered(now);
        self.keep_refusals();
        self.ledger.generation += 1;
        self.ledger.logins += 1;
        self.ledger.recent.count(now);
        self.ledger.pending = Some(Pending {
            credential_version: self.credential_version,
            since: now,
        });
        Some(self.ledger.generation)
    }

    /// The session that the flight was to prove is dead: the flight goes on with its next step. Dead before its time, it
    /// was ended by somebody, and the next login counts as if he had said so: who ends it after every run and then asks for
    /// one that lasts would drive logins without a report.
    pub fn session_died(&mut self, stamp: Stamp) {
        if let Some(flight) = self.current(stamp) {
            if flight.proves_early {
                self.refusals.doubt();
            }
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
        self.doubt();
        Ending::Start(self.take_off(false), session)
    }

    /// Drops what sessions there are; the ledger stays. Returns whether there was one.
    pub fn forget_sessions(&mut self) -> bool {
        self.gone = None;
        self.unproven = None;
        self.session.take().is_some()
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
            no_login: false,
            proves_early: false,
        });
        stamp
    }

    fn lose_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.gone = Some(session);
            self.ledger.kept = None;
            self.refusals.session_gone();
            self.keep_refusals();
        }
    }
}

#[cfg(test)]
mod tests;
