//! What a failure does to a record: a latch, a count against the budget, or a pause.

use std::time::SystemTime;

use super::Machine;
use crate::{
    failure::{Class, Failure, Next},
    ledger::Latch,
    session::back_off::BackOff,
};

impl Machine {
    pub(super) fn login_failed(&mut self, mut failure: Failure, now: SystemTime, jitter: u8) {
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
    pub(super) fn proof_failed(&mut self, failure: Failure, now: SystemTime, jitter: u8) {
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
            if let Some(hold) = &mut self.ledger.hold {
                hold.proof = true;
            }
        }
    }

    pub(super) fn set_latch(&mut self, failure: Failure, now: SystemTime) {
        let credential_version = self.credential_version;
        self.ledger.latch = Some(Latch {
            credential_version,
            failure,
            since: now,
        });
        self.back_off = None;
        self.ledger.hold = None;
    }

    /// In the ledger too: what is forbidden now must be forbidden after a crash.
    pub(super) fn back_off_from(&mut self, failure: Failure, now: SystemTime, jitter: u8) {
        let back_off = BackOff::after(self.back_off.as_ref(), failure, now, jitter);
        self.ledger.hold = Some(back_off.hold(now));
        self.back_off = Some(back_off);
        self.keep_latest();
    }
}
