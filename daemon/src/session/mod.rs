//! Sessions: what one is, when one may be handed out ([`machine`],
//! [`decision`]), and how one is got ([`refresh`]).

mod account;
pub mod back_off;
mod causes;
pub mod decision;
mod ending;
pub mod entry;
pub mod hold;
pub mod keep_alive;
mod keeper;
pub mod kept;
pub mod machine;
pub mod outages;
pub mod pin;
pub mod quota;
pub mod refresh;
pub mod refusals;
pub mod reported;
pub mod trial;
pub mod turn;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use decision::Refusal;

use crate::{
    failure::{Class, Failure},
    host::Host,
    salesforce::{Grant, Proof},
    secret::SessionId,
};

/// The shortest idle timeout that Salesforce offers (profile session settings), assumed where it tells none.
const SHORTEST_TIMEOUT: Duration = Duration::from_mins(15);

/// However short sessions are, calls and logins to keep one are so far apart.
const LEAST_PAUSE: Duration = Duration::from_mins(1);

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
    /// What the login told of the timeout: it may be the app's, of which no proof knows.
    pub granted_timeout: Option<Duration>,
    /// When it ends whatever is done with it, if that is known.
    pub hard_expiry: Option<SystemTime>,
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
            username: grant
                .username
                .or_else(|| proof.username.clone())
                // It has to be called something, and this too is the user's name to Salesforce.
                .unwrap_or_else(|| grant.user_id.clone()),
            user_id: grant.user_id,
            sandbox: grant.sandbox,
            generation,
            issued_at: now,
            proven_at: now,
            timeout: shorter(proof.timeout, grant.timeout).unwrap_or(SHORTEST_TIMEOUT),
            granted_timeout: grant.timeout,
            hard_expiry: grant.hard_expiry,
        }
    }

    /// Until then it lives even if nobody uses it. Salesforce may not count a call in the first half of
    /// the window, so one call guarantees half the timeout.
    #[must_use]
    pub fn guaranteed_until(&self) -> SystemTime {
        self.capped(self.proven_at + self.timeout / 2)
    }

    /// When it ends if its last call was counted and no other follows.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.capped(self.proven_at + self.timeout)
    }

    /// The longest that any session like this one is guaranteed, when it is new.
    #[must_use]
    pub fn longest_guarantee(&self) -> Duration {
        let whole = self
            .hard_expiry
            .map(|end| end.duration_since(self.issued_at).unwrap_or_default());
        let half = self.timeout / 2;
        whole.map_or(half, |whole| whole.min(half))
    }

    /// Why no other is got for a while, if this one was over when it came: a login for each call would give the like.
    #[must_use]
    pub fn came_too_late(&self, now: SystemTime) -> Option<Refusal> {
        let until = self.issued_at + LEAST_PAUSE;
        // One of the future is left from before the clock went back.
        let lasts = now < until && until <= now + LEAST_PAUSE;
        let failure = Failure {
            class: Class::ClockSkew,
            code: None,
            message:
                "the login succeeded, but by this host's clock its session was over when it came"
                    .to_owned(),
            pause: None,
        };
        (self.longest_guarantee().is_zero() && lasts)
            .then_some(Refusal::BackingOff { failure, until })
    }

    /// Whether it ends before `min_ttl` is over, even if a call proves it now.
    #[must_use]
    pub fn ends_within(&self, min_ttl: Duration, now: SystemTime) -> bool {
        let until = now.checked_add(min_ttl);
        self.hard_expiry
            .is_some_and(|end| until.is_none_or(|until| end <= until))
    }

    /// Whether it is good for `min_ttl` from now without asking Salesforce.
    #[must_use]
    pub fn is_guaranteed(&self, min_ttl: Duration, now: SystemTime) -> bool {
        let until = now.checked_add(min_ttl);
        now + CLOCK_SLACK >= self.proven_at
            && until.is_some_and(|until| until < self.guaranteed_until())
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
            timeout: shorter(proof.timeout, self.granted_timeout).unwrap_or(self.timeout),
            ..self.clone()
        })
    }

    fn capped(&self, until: SystemTime) -> SystemTime {
        self.hard_expiry.map_or(until, |end| end.min(until))
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

/// The shorter of what was told: a session that lives longer than believed does no harm.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    [one, other]
        .into_iter()
        .flatten()
        .filter(|timeout| !timeout.is_zero())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn proof(timeout: Option<u64>) -> Proof {
        Proof {
            org_id: "00Dxx0000001gPLEAY".to_owned(),
            user_id: "005xx000001Sv6AAAS".to_owned(),
            username: Some("etl@acme.com".to_owned()),
            timeout: timeout.map(Duration::from_secs),
        }
    }

    /// Issued at 0.
    fn session(granted: Option<u64>, proven: Option<u64>, ends: Option<u64>) -> Session {
        let grant = Grant {
            session_id: SessionId::new("eyJ.e30.c2ln".to_owned()),
            instance: Host::parse("acme.my.salesforce.com").unwrap(),
            org_id: "00Dxx0000001gPLEAY".to_owned(),
            user_id: "005xx000001Sv6AAAS".to_owned(),
            username: None,
            sandbox: false,
            timeout: granted.map(Duration::from_secs),
            hard_expiry: ends.map(at),
            rotated: None,
        };
        Session::new(grant, &proof(proven), 1, None, at(0))
    }

    #[test]
    fn the_shorter_timeout_counts_and_a_proof_does_not_forget_the_logins() {
        for (granted, proven, seconds) in [
            (Some(7200), Some(1800), 1800),
            (Some(1800), Some(7200), 1800),
            (Some(1800), None, 1800),
            (None, Some(7200), 7200),
            (None, None, 900),
            (Some(0), Some(7200), 7200),
        ] {
            let session = session(granted, proven, None);
            assert_eq!(session.timeout.as_secs(), seconds, "{granted:?} {proven:?}");
            let again = session.proven(&proof(proven), at(10));
            assert_eq!(again.timeout, session.timeout, "{granted:?} {proven:?}");
        }
        let shortened = session(Some(7200), Some(7200), None).proven(&proof(Some(900)), at(10));
        assert_eq!(shortened.timeout.as_secs(), 900);
    }

    #[test]
    fn a_hard_end_caps_all_that_is_promised() {
        let session = session(Some(7200), None, Some(5000));
        assert_eq!(session.guaranteed_until(), at(3600));
        assert_eq!(session.expires_at(), at(5000));
        assert_eq!(session.longest_guarantee(), Duration::from_secs(3600));
        let later = session.proven(&proof(None), at(3000));
        assert_eq!(later.guaranteed_until(), at(5000));
        assert!(later.is_guaranteed(Duration::from_secs(1999), at(3000)));
        assert!(!later.is_guaranteed(Duration::from_secs(2000), at(3000)));
        assert!(!later.ends_within(Duration::from_secs(1999), at(3000)));
        assert!(later.ends_within(Duration::from_secs(2000), at(3000)));
    }

    #[test]
    fn a_session_that_ends_soon_promises_no_more_than_that() {
        let session = session(Some(7200), None, Some(60));
        assert_eq!(session.longest_guarantee(), Duration::from_secs(60));
    }

    #[test]
    fn no_session_is_good_for_longer_than_there_is_time() {
        for ends in [None, Some(5000)] {
            let session = session(Some(7200), None, ends);
            assert!(!session.is_guaranteed(Duration::MAX, at(0)));
            assert_eq!(session.ends_within(Duration::MAX, at(0)), ends.is_some());
        }
    }

    #[test]
    fn whoever_logged_in_has_a_name() {
        assert_eq!(session(None, None, None).username, "etl@acme.com");
    }
}
