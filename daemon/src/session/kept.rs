//! From a session in memory to one in the store, and back.
//!
//! The hazard: what comes back must promise no more than it did. So it keeps its generation and the time of its last
//! proof, a doubt stays a doubt, and a clock that stands before that proof makes it prove itself first.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{SHORTEST_TIMEOUT, Session};
use crate::{kept::KeptSession, salesforce::Grant};

impl Session {
    /// What the store is to keep of it.
    #[must_use]
    pub fn kept(&self, credential_version: u64, doubted: bool) -> KeptSession {
        KeptSession {
            session_id: self.session_id.clone(),
            instance: self.instance.clone(),
            org_id: self.org_id.clone(),
            user_id: self.user_id.clone(),
            username: Some(self.username.clone()),
            sandbox: self.sandbox,
            generation: self.generation,
            first_generation: self.first_generation,
            credential_version,
            issued_at: self.issued_at,
            proven_at: Some(self.proven_at),
            timeout: Some(self.timeout),
            granted_timeout: self.granted_timeout,
            hard_expiry: self.hard_expiry,
            doubted,
        }
    }

    /// Whether the store must learn of this state, given what it keeps. A session that proves itself again and again
    /// is written at most four times in its timeout.
    #[must_use]
    pub(super) fn is_news(&self, kept: Option<&KeptSession>) -> bool {
        let Some(kept) = kept else { return true };
        kept.generation != self.generation
            || kept.doubted
            || kept.timeout != Some(self.timeout)
            || kept.proven_at.is_none_or(|proven_at| {
                // Backwards too: a clock that was set back makes the old proof one of the future.
                let apart = (self.proven_at.duration_since(proven_at))
                    .unwrap_or_else(|error| error.duration());
                apart >= self.timeout / 4
            })
    }
}

/// What a kept session is, back in memory.
#[derive(Debug)]
pub enum Resumed {
    Session(Arc<Session>),
    /// No call with it has succeeded yet.
    Grant {
        grant: Box<Grant>,
        generation: u64,
    },
}

impl From<KeptSession> for Resumed {
    fn from(kept: KeptSession) -> Self {
        let Some(proven_at) = kept.proven_at else {
            return Self::Grant {
                generation: kept.generation,
                grant: Box::new(Grant {
                    session_id: kept.session_id,
                    instance: kept.instance,
                    org_id: kept.org_id,
                    user_id: kept.user_id,
                    username: kept.username,
                    sandbox: kept.sandbox,
                    timeout: kept.granted_timeout,
                    hard_expiry: kept.hard_expiry,
                    // It was made durable before the session was used.
                    rotated: None,
                }),
            };
        };
        Self::Session(Arc::new(Session {
            session_id: kept.session_id,
            instance: kept.instance,
            org_id: kept.org_id,
            username: kept.username.unwrap_or_else(|| kept.user_id.clone()),
            user_id: kept.user_id,
            sandbox: kept.sandbox,
            generation: kept.generation,
            first_generation: kept.first_generation,
            issued_at: kept.issued_at,
            proven_at,
            timeout: kept.timeout.unwrap_or(SHORTEST_TIMEOUT),
            granted_timeout: kept.granted_timeout,
            hard_expiry: kept.hard_expiry,
        }))
    }
}

/// What the store is to keep of a grant that could not be proven.
#[must_use]
pub fn keep_grant(
    grant: &Grant,
    generation: u64,
    credential_version: u64,
    now: SystemTime,
) -> KeptSession {
    KeptSession {
        session_id: grant.session_id.clone(),
        instance: grant.instance.clone(),
        org_id: grant.org_id.clone(),
        user_id: grant.user_id.clone(),
        username: grant.username.clone(),
        sandbox: grant.sandbox,
        generation,
        first_generation: generation,
        credential_version,
        issued_at: now,
        proven_at: None,
        timeout: None::<Duration>,
        granted_timeout: grant.timeout,
        hard_expiry: grant.hard_expiry,
        doubted: false,
    }
}
