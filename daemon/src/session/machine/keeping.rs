//! Which session the ledger keeps, and what a restart makes of it.

use super::Machine;
use crate::{
    host::Host,
    kept::KeptSession,
    ledger::{HostDown, Ledger},
    session::kept::Resumed,
};

impl Machine {
    /// Goes on with the session that the ledger keeps.
    pub(super) fn resume(&mut self) {
        // What belongs to an older login than the last one, or to another credential, is nobody's any more.
        let (generation, version) = (self.ledger.generation, self.credential_version);
        self.ledger
            .kept
            .take_if(|kept| kept.generation > generation || kept.credential_version != version);
        let Some(kept) = self.ledger.kept.clone() else {
            return;
        };
        if kept.doubted {
            self.refusals.doubt();
        }
        match Resumed::from(kept) {
            Resumed::Session(session) => self.session = Some(session),
            Resumed::Grant { grant, generation } => self.unproven = Some((grant, generation)),
        }
    }

    /// Casts doubt on the session, in the ledger too: a crash must not make it good again.
    pub(super) fn doubt(&mut self) {
        self.refusals.doubt();
        if let Some(kept) = &mut self.ledger.kept {
            kept.doubted = true;
        }
    }

    /// The same for every state, where the ledger is written anyway: behind a pause, a restart could not prove again what
    /// was proved since.
    pub(super) fn keep_latest(&mut self) {
        if let Some(session) = &self.session
            && self.session_version == self.credential_version
            && self.ledger.kept.is_some()
        {
            let doubted = self.refusals.doubted();
            self.ledger.kept = Some(session.kept(self.credential_version, doubted));
        }
    }

    /// Has the ledger keep what reports of refused sessions brought about.
    pub(super) fn keep_refusals(&mut self) {
        self.refusals.remember(&mut self.ledger);
    }

    /// The ledger keeps which host does not answer, and forgets one that did.
    pub fn heard(&mut self, host: &Host, down: Option<HostDown>) {
        match down {
            Some(down) => self.ledger.host_failed(down),
            None => self.ledger.host_answered(host),
        }
    }

    /// The host that the flight's next step asks, if that is not the login host.
    pub fn instance(&self) -> Option<Host> {
        // A flight that is to log in whatever there is leaves the session alone.
        let fresh_login = self.flight.is_some_and(|flight| flight.fresh_login);
        let proven = self.session.as_ref().filter(|_| !fresh_login);
        let proven = proven.map(|session| &session.instance);
        let granted = self.unproven.as_ref().map(|(grant, _)| &grant.instance);
        proven.or(granted).cloned()
    }

    /// The ledger that is set aside while the vault is locked holds no secret.
    pub fn forget_kept(&mut self) {
        self.ledger.kept = None;
    }

    /// Goes on with a ledger that could not be saved before the vault was locked. The session that the store keeps may have
    /// died since it was written, so it proves itself first.
    pub fn take_over(&mut self, unsaved: Ledger) {
        let kept = self.ledger.kept.take().map(|kept| KeptSession {
            doubted: true,
            ..kept
        });
        *self = Self::new(Ledger { kept, ..unsaved }, self.credential_version);
    }

    /// Has the store keep the session as it is now, if that changes what a restart may promise.
    pub(super) fn keep(&mut self) {
        // What another credential got is served as long as this daemon lives, and not taken over by the next.
        if let Some(session) = &self.session
            && self.session_version == self.credential_version
            && session.is_news(self.ledger.kept.as_ref())
        {
            self.ledger.kept = Some(session.kept(self.credential_version, false));
        }
    }
}

#[cfg(test)]
mod tests;
