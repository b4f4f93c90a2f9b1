//! When a held session needs a call, or a successor. Pure.
//!
//! Salesforce notes a call only in the second half of the timeout, counted from the last call that it noted (Salesforce
//! Help, article 000383251). Which one that was we can't know, for jobs make calls that we don't see. After any call
//! that succeeded, one half of the timeout is sure. So the next call is made just after that half: later, and a job that
//! made its last call unseen, early in the window, would lose its session; earlier, and the call would not count.

use std::time::{Duration, SystemTime};

use super::{
    LEAST_PAUSE, Session,
    decision::Want,
    hold::{Held, Holds},
    machine::Machine,
};

/// The margin behind the first half, as a part of the timeout; chance adds up to as much again.
const MARGIN: u32 = 120;
/// However much is asked of a session, calls are a tenth of its timeout apart.
const SPACING: u32 = 10;
/// So long before a hard end a successor is got, in time for a retry or two; at most half of what a session is good for.
const LEAD: Duration = Duration::from_mins(5);

/// What is to be done for a record.
#[derive(Debug, Clone, Copy)]
pub enum Care {
    /// Nothing, and nobody needs to look again before somebody new holds its session.
    Rest,
    /// Nothing until something changes.
    Watch,
    /// Nothing until then, or until something changes.
    At(SystemTime),
    /// Ask for this now.
    Now(Want),
}

/// What is to be done now. `jitter` in 0..=255 is the record's own.
#[must_use]
pub fn care(
    machine: &Machine,
    holds: &Holds,
    hold_after_get: Duration,
    jitter: u8,
    now: SystemTime,
) -> Care {
    let held = holds.held(hold_after_get, now);
    if held == Held::No {
        return Care::Rest;
    }
    let alive = machine
        .session()
        .filter(|session| now < session.expires_at());
    let Some(session) = alive else {
        let too_soon = machine
            .session()
            .map(|expired| expired.issued_at + LEAST_PAUSE)
            .filter(|until| now < *until && *until <= now + LEAST_PAUSE);
        return match (held, machine.may_get_session(now)) {
            // Who took the session once need not want another, nor would it learn of one.
            (Held::No | Held::Until(_) | Held::ByProcess, _) => Care::Rest,
            (Held::Open, Ok(())) => too_soon.map_or(Care::Now(Want::default()), Care::At),
            (Held::Open, Err(refusal)) => refusal.until().map_or(Care::Watch, Care::At),
        };
    };
    let (mut at, want) = due(session, holds.min_ttl(), jitter);
    if session.proven_at > now + super::CLOCK_SLACK {
        // The clock went back: what it said then means nothing now.
        at = now;
    }
    if let Some(back_off) = machine.backing_off(now) {
        at = at.max(back_off.until);
    }
    if !want.fresh_proof
        && at <= now
        && let Err(refusal) = machine.may_log_in(now)
    {
        // It ends without a successor; then the answer above holds.
        at = refusal.until().unwrap_or_else(|| session.expires_at());
    }
    if !want.fresh_proof && held == Held::ByProcess {
        // Of a successor it would not learn, so it ends without one.
        at = session.expires_at();
    }
    match held {
        Held::No => Care::Rest,
        Held::Until(end) if end <= at => Care::Rest,
        Held::Until(_) | Held::ByProcess | Held::Open if at <= now => Care::Now(want),
        Held::Until(_) | Held::ByProcess | Held::Open => Care::At(at),
    }
}

/// The longest `min_ttl` that a session like this one is served for. The rest of what a new one is guaranteed for lies
/// between two calls, or two logins, that serving it costs.
#[must_use]
pub fn longest_served(session: &Session) -> Duration {
    let whole = session.longest_guarantee();
    whole / 2 + whole / 4
}

/// The longest `min_ttl` that is kept for those who hold a session like this one.
#[must_use]
pub fn longest_kept(session: &Session) -> Duration {
    let spent = spacing(session) + session.timeout / MARGIN * 2;
    let whole = session.longest_guarantee();
    whole.saturating_sub(spent).min(longest_served(session))
}

/// When the session needs a call or a successor, and which.
fn due(session: &Session, min_ttl: Duration, jitter: u8) -> (SystemTime, Want) {
    let margin = session.timeout / MARGIN;
    let margin = margin + margin * u32::from(jitter) / 255;
    let half = session.proven_at + session.timeout / 2;
    let call_at = if min_ttl.is_zero() {
        half + margin
    } else {
        half - min_ttl.min(session.timeout / 2) - margin
    }
    .max(session.proven_at + spacing(session));
    // Who holds it by having taken it would not learn of another; for a stream one is made when this one is gone.
    let call = Want {
        fresh_proof: true,
        no_login: true,
        ..Want::default()
    };
    let Some(end) = session.hard_expiry else {
        return (call_at, call);
    };
    let lead = (LEAD.max(min_ttl) + margin).min(longest_served(session));
    // Where a login gives the same session again, another would too.
    let same_again = session.first_generation < session.generation;
    let successor_at =
        if same_again { end } else { end - lead }.max(session.issued_at + LEAST_PAUSE);
    // A session that nothing but its hard end can end needs no calls.
    let idles_out = session.proven_at + session.timeout < end || !min_ttl.is_zero();
    if idles_out && call_at < successor_at {
        return (call_at, call);
    }
    let successor = Want {
        min_ttl: lead,
        ..Want::default()
    };
    (successor_at, successor)
}

fn spacing(session: &Session) -> Duration {
    (session.timeout / SPACING).max(LEAST_PAUSE)
}

#[cfg(test)]
mod tests;
