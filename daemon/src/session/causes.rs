//! Whoever causes logins answers for them: who caused his share causes no more for a while, and nobody else hears of it.

use std::{sync::Arc, time::SystemTime};

use super::{
    decision::{Decision, Want},
    entry::State,
    quota::Quota,
    reported::Unheard,
};
use crate::{
    error::{Error, Excess},
    share::Account,
};

/// Lets a caller ask the machine. What it is refused changes nothing: the session is as good for others as it was.
///
/// # Errors
/// If a login would have to be begun for one who caused too many.
pub(super) fn permit(
    state: &State,
    quota: &Quota,
    cause: &Arc<Account>,
    want: Want,
    now: SystemTime,
) -> Result<(), Error> {
    if needs_no_flight(state, want, now) {
        return Ok(());
    }
    let (party, record) = (cause.party(), &state.record);
    // Who makes a session prove itself before its time finds it dead only if somebody ended it: that is a report too.
    let session = state.machine.session();
    let early = !state.machine.is_doubted()
        && session.is_some_and(|session| now < session.guaranteed_until());
    let heard = (want.refused.is_some() || early)
        .then(|| state.reported.unheard(party, now))
        .flatten();
    let (until, excess) = match (heard, quota.spent_by(record, party, now)) {
        (None, None) => return Ok(()),
        (Some(Unheard { most, until }), _) => {
            let record = record.name.clone();
            (until, Excess::Reports { record, most })
        }
        (None, Some(until)) => {
            let record = record.name.clone();
            (until, Excess::Logins { record })
        }
    };
    // A look at a copy, for asking the machine leaves its mark.
    let mut trial = state.machine.clone();
    if !matches!(trial.acquire(want, now), Decision::Start(_)) {
        return Ok(());
    }
    // A proof is no login. One that finds the session dead leads to one, and counts as a report if it came early.
    if matches!(excess, Excess::Logins { .. }) && trial.instance().is_some() {
        return Ok(());
    }
    cause.no_login_before(until);
    Err(Error::Throttled {
        party: party.clone(),
        excess,
        retry_after: until.duration_since(now).unwrap_or_default(),
    })
}

/// Most calls: they cost a few comparisons here, and nothing else.
fn needs_no_flight(state: &State, want: Want, now: SystemTime) -> bool {
    let plain = want.refused.is_none() && !want.fresh_proof && !want.fresh_login;
    let session = state.machine.session();
    plain
        && !state.machine.is_doubted()
        && session.is_some_and(|session| session.is_guaranteed(want.min_ttl, now))
}

/// Counts a login that is about to be sent; whether it is due to a report is known until it is entered.
pub(super) fn charge(
    state: &mut State,
    quota: &Quota,
    cause: &Account,
    reported: bool,
    now: SystemTime,
) {
    cause.count_login();
    quota.charge(&state.record, cause.party(), now);
    if reported {
        state.reported.count(cause.party(), now);
    }
}
