//! How long a session is believed to live: no answer of the token endpoint has said so yet.

use std::time::{Duration, SystemTime};

use super::super::{session_format::Claims, soap::LONGEST_TIMEOUT};

/// When a session ends whatever is done with it, and how long it lives in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) ends: SystemTime,
    pub(super) whole: Duration,
}

impl Lifetime {
    /// By `expires_in`, the seconds that RFC 6749 (5.1) recommends to tell and Salesforce does not.
    pub(super) fn of_seconds(seconds: &str, sent_at: SystemTime) -> Option<Self> {
        let whole = plausible(Duration::from_secs(seconds.parse().ok()?))?;
        Some(Self {
            ends: sent_at + whole,
            whole,
        })
    }

    /// By a token's own claims. Its lifetime counts from the request, so that a clock that is off does no harm; its end
    /// counts where it is earlier and still to come, for the token may not be a new one.
    pub(super) fn of_claims(claims: Claims, sent_at: SystemTime) -> Option<Self> {
        let claimed = SystemTime::UNIX_EPOCH.checked_add(claims.expires)?;
        let left = claimed.duration_since(sent_at).ok().and_then(plausible);
        let Some(issued) = claims.issued else {
            return left.map(|whole| Self {
                ends: sent_at + whole,
                whole,
            });
        };
        let whole = plausible(claims.expires.checked_sub(issued)?)?;
        let left = left.map_or(whole, |left| left.min(whole));
        Some(Self {
            ends: sent_at + left,
            whole,
        })
    }
}

/// A lifetime from a second to a whole day; any other is not believed, and the session counts as short-lived.
pub(super) fn plausible(lifetime: Duration) -> Option<Duration> {
    (1..=LONGEST_TIMEOUT)
        .contains(&lifetime.as_secs())
        .then_some(lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_764_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Seconds from now to its end, and the whole of it.
    fn of(expires: u64, issued: Option<u64>) -> Option<(u64, u64)> {
        let claims = Claims {
            expires: Duration::from_secs(expires),
            issued: issued.map(Duration::from_secs),
        };
        let lifetime = Lifetime::of_claims(claims, at(NOW))?;
        let left = lifetime.ends.duration_since(at(NOW)).unwrap();
        Some((left.as_secs(), lifetime.whole.as_secs()))
    }

    #[test]
    fn a_token_ends_when_it_says_whatever_the_clock_says() {
        assert_eq!(of(NOW + 7200, Some(NOW)), Some((7200, 7200)));
        // Not a new one.
        assert_eq!(of(NOW + 60, Some(NOW - 7140)), Some((60, 7200)));
        // Our clock is behind, or ahead, by more than its life.
        assert_eq!(of(NOW + 20_000, Some(NOW + 12_800)), Some((7200, 7200)));
        assert_eq!(of(NOW - 10_000, Some(NOW - 17_200)), Some((7200, 7200)));
        assert_eq!(of(NOW + 7200, None), Some((7200, 7200)));
    }

    #[test]
    fn what_is_absurd_is_not_believed() {
        assert_eq!(of(NOW, Some(NOW)), None);
        assert_eq!(of(NOW, Some(NOW + 1)), None);
        assert_eq!(of(NOW + 1_000_000, Some(NOW)), None);
        assert_eq!(of(NOW - 1, None), None);
        for seconds in [
            "",
            "0",
            "-1",
            "86401",
            "1e3",
            "soon",
            "99999999999999999999",
        ] {
            assert_eq!(Lifetime::of_seconds(seconds, at(NOW)), None, "{seconds}");
        }
        let hour = Lifetime::of_seconds("3600", at(NOW)).unwrap();
        assert_eq!((hour.ends, hour.whole.as_secs()), (at(NOW + 3600), 3600));
    }
}
