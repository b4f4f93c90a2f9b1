//! One call of a peer, or one push to it: its process is looked at once at most, and never for the next.

use std::sync::OnceLock;

use super::{Decision, Guests, Identity, Peer, Policy, Traits, Verdict, fitting, verdict};
use crate::access::Rule;

/// Who asks, for as long as one answer takes.
#[derive(Debug)]
pub struct Asker<'a> {
    policy: &'a Policy,
    peer: &'a Peer,
    now: OnceLock<Identity>,
    decision: Option<Decision>,
}

impl<'a> Asker<'a> {
    /// A peer that asks now.
    #[must_use]
    pub fn new(policy: &'a Policy, peer: &'a Peer) -> Self {
        Self {
            policy,
            peer,
            now: OnceLock::new(),
            decision: None,
        }
    }

    /// The same peer asks at a later moment, of which nothing is known yet.
    pub fn ask_again(&mut self) {
        *self = Self::new(self.policy, self.peer);
    }

    /// Remembers how the call was decided.
    pub fn decided(&mut self, decision: Decision) {
        self.decision = Some(decision);
    }

    /// How the call was decided the last time; nothing if it did not come to that.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    /// What daemon it asks.
    #[must_use]
    pub fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// What its process runs in and as: now, if a rule made somebody look, else when it connected.
    #[must_use]
    pub fn traits(&self) -> Traits {
        self.now.get().map_or_else(
            || self.peer.traits().clone(),
            |now| Traits::of(&now.unit, &now.program),
        )
    }

    /// Who asks.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        self.peer
    }

    /// Whether the peer may use a record with these rules. `guests` are those of the whole vault.
    ///
    /// Without a record (there is none of the name) the answer is no, after the same work: who is not let in must not
    /// learn from the time it takes whether there is one.
    #[must_use]
    pub fn judge(&self, record: Option<Option<&[Rule]>>, guests: &Guests) -> Verdict {
        let rules = record.map_or(&[][..], |own| self.policy.rules(own));
        settled(self.as_seen(rules, guests, |who| verdict(rules, who)))
    }

    /// Whether [`Self::judge`] says yes of a record with these rules, without the reasons why not.
    #[must_use]
    pub fn may_use(&self, rules: Option<&[Rule]>, guests: &Guests) -> bool {
        let rules = self.policy.rules(rules);
        self.as_seen(rules, guests, |who| fitting(rules, who).is_some())
    }

    /// As what it was when it connected, if that is enough for these rules or nobody's verdict depends on more.
    fn as_seen<T>(&self, rules: &[Rule], guests: &Guests, judge: impl FnOnce(&Identity) -> T) -> T {
        let first = self.peer.at_connect();
        if fitting(rules, &first).is_some() || !guests.look_at(self.peer) {
            return judge(&first);
        }
        judge(self.now.get_or_init(|| self.peer.now(guests.programs())))
    }

    #[cfg(test)]
    pub(super) fn has_looked(&self) -> bool {
        self.now.get().is_some()
    }
}

/// A rule that `guests` does not know yet lets nobody in.
fn settled(found: Verdict) -> Verdict {
    match found {
        Verdict::Unsettled => Verdict::Denied {
            missing: Vec::new(),
        },
        Verdict::Allowed { .. } | Verdict::Denied { .. } => found,
    }
}
