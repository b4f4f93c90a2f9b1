//! What another credential, and an operator's word about the one there is, mean to a record.

use super::Machine;
use crate::failure::Next;

impl Machine {
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
}
