//! What the end of a flight does to a record.

use std::{sync::Arc, time::SystemTime};

use super::{BeforeLogin, Machine};
use crate::{
    failure::{Class, Next},
    session::{
        Session,
        decision::{Outcome, Stamp},
        kept::keep_grant,
    },
};

impl Machine {
    /// Ends a flight. `jitter` in 0..=255 spreads the pauses of many records.
    ///
    /// Returns whether the result was taken: a flight that is not the current one changes nothing but the count
    /// of what Salesforce saw, and the pause that it asked the user for.
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
        let before = self.before_login.take();
        if matches!(outcome, Outcome::NotSent) && self.ledger.pending.take().is_some() {
            self.take_back_login(before);
        }
        if flight.superseded {
            self.ledger.pending = None;
            if let Outcome::LoginFailed(failure) = outcome {
                if failure.class.next() != Next::BackOff {
                    self.ledger.count_failure(now);
                }
                // Salesforce counts for the user, whatever he logs in with.
                if failure.class == Class::RateLimited {
                    self.back_off_from(failure, now, jitter);
                }
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
                self.login_answered(now);
                self.ledger.hold = None;
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
                self.login_answered(now);
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
            self.before_login = None;
            self.ledger.count_failure(now);
        }
    }

    /// The login that was entered is not sent.
    fn take_back_login(&mut self, before: Option<BeforeLogin>) {
        // Who compares the count with Salesforce's login history finds only what was sent there.
        self.ledger.logins = self.ledger.logins.saturating_sub(1);
        self.ledger.recent.take_back();
        if let Some(BeforeLogin { refusals, kept }) = before {
            self.refusals = refusals;
            self.keep_refusals();
            // Unless the credential is another one since.
            let version = self.credential_version;
            self.ledger.kept = kept.filter(|kept| kept.credential_version == version);
        }
    }

    /// The flight's login succeeded, if it made one. One of an earlier flight whose session is proved only now says nothing
    /// of a password that failed since.
    fn login_answered(&mut self, now: SystemTime) {
        if self.ledger.pending.is_some() {
            self.login_succeeded(now);
        }
    }

    pub(super) fn login_succeeded(&mut self, now: SystemTime) {
        self.ledger.succeeded_at = Some(now);
        self.ledger.pending = None;
        self.ledger.latch = None;
        self.ledger.hold = None;
        self.ledger.failed_at.clear();
        self.ledger.rejections = 0;
    }
}
