//! Sessions: what one is, when one may be handed out ([`machine`],
//! [`decision`]), and how one is got ([`refresh`]).

mod account;
pub mod back_off;
pub mod decision;
pub mod entry;
pub mod machine;
pub mod pin;
pub mod refresh;
pub mod refusals;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    host::Host,
    salesforce::{Grant, Proof},
    secret::SessionId,
};

/// The shortest idle timeout that Salesforce offers (profile session settings), assumed where it tells none.
const SHORTEST_TIMEOUT: Duration = Duration::from_mins(15);

/// How far a clock may step back before a session's proof is doubted.
const CLOCK_SLACK: Duration = Duration::from_mins(1);

/// A session that worked when it was last tried.
#[derive(Debug, Clone)]
pub struct Session {
    pub session_id: SessionId,
    /// Where API calls go.
    pub instance: Host,
    /// 18 characters.
    pub org_id: String,
    /// 18 characters.
    pub user_id: String,
    pub username: String,
    pub sandbox: bool,
    /// The stamp of the login that gave it.
    pub generation: u64,
    /// The stamp of the first login that gave this very id: Salesforce often gives a running session again.
    pub first_generation: u64,
    pub issued_at: SystemTime,
    /// When a call with it last succeeded.
    pub proven_at: SystemTime,
    /// It ends after so long without a call.
    pub timeout: Duration,
}

impl Session {
    /// The session that `grant` gave and `proof` proved.
    #[must_use]
    pub fn new(
        grant: Grant,
        proof: &Proof,
        generation: u64,
        earlier: Option<&Self>,
        now: SystemTime,
    ) -> Self {
        let same = earlier.filter(|earlier| earlier.session_id.matches(&grant.session_id));
        Self {
            first_generation: same.map_or(generation, |same| same.first_generation),
            session_id: grant.session_id,
            instance: grant.instance,
            org_id: grant.org_id,
            user_id: grant.user_id,
            username: grant.username,
            sandbox: grant.sandbox,
            generation,
            issued_at: now,
            proven_at: now,
            timeout: proof
                .timeout
                .or(grant.timeout)
                .filter(|t| !t.is_zero())
                .unwrap_or(SHORTEST_TIMEOUT),
        }
    }

    /// Until then it lives even if nobody uses it. Salesforce may not count a call in the first half of
    /// the window, so one call guarantees half the timeout.
    #[must_use]
    pub fn guaranteed_until(&self) -> SystemTime {
        self.proven_at + self.timeout / 2
    }

    /// When it ends if its last call was counted and no other follows.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.proven_at + self.timeout
    }

    /// Whether it is good for `min_ttl` from now without asking Salesforce.
    #[must_use]
    pub fn is_guaranteed(&self, min_ttl: Duration, now: SystemTime) -> bool {
        now + CLOCK_SLACK >= self.proven_at && now + min_ttl < self.guaranteed_until()
    }

    /// Whether a report that `generation` was refused speaks of this id.
    #[must_use]
    pub fn is_refused_by(&self, generation: u64) -> bool {
        (self.first_generation..=self.generation).contains(&generation)
    }

    /// The same session after a call that succeeded now.
    #[must_use]
    pub fn proven(&self, proof: &Proof, now: SystemTime) -> Arc<Self> {
        Arc::new(Self {
            proven_at: now,
            timeout: proof
                .timeout
                .filter(|t| !t.is_zero())
                .unwrap_or(self.timeout),
            ..self.clone()
        })
    }

    /// The same session under a new generation.
    #[must_use]
    pub fn restamped(&self, generation: u64) -> Arc<Self> {
        Arc::new(Self {
            generation,
            ..self.clone()
        })
    }
}
