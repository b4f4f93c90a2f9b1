//! What the services tell the audit, so that a handler says it in one line.

use std::{borrow::Cow, sync::Arc, time::Duration};

use tonic::{Request, Response, Status};

use super::{
    peer::{Origin, Peer},
    status,
};
use crate::{
    audit::{
        Audit, Begun,
        event::{Action, Event, Traced, Verdict},
        who::Who,
    },
    error::Error,
    failure::Class,
    policy::{Asker, Decision},
    record::RecordName,
    session::Session,
    vault::Listing,
};

/// Who makes this call.
pub(super) fn who<T>(request: &Request<T>) -> Who {
    let origin = request.extensions().get::<Origin>();
    origin.map_or_else(Who::default, |origin| Who::from(&origin.peer))
}

/// Does what an administrator asks for, once the audit has it durably; and tells how it ended.
pub(super) async fn administer<T>(
    audit: &Audit,
    action: Action,
    who: Who,
    record: Option<&str>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Response<T>, Status> {
    let begun = audit.begin(action, who, record.and_then(named)).await;
    status::answer(finished(begun, work).await)
}

/// The same with work that is only part of a call.
pub(super) async fn administer_part<T>(
    audit: &Audit,
    action: Action,
    who: Who,
    record: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    finished(audit.begin(action, who, named(record)).await, work).await
}

/// The same with a change of a record's rules; `rule` is the one that comes or goes.
pub(super) async fn change_rules<T>(
    audit: &Audit,
    action: Action,
    who: Who,
    (record, rule): (&str, Option<String>),
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Response<T>, Status> {
    let begun = audit.begin_to(action, who, named(record), rule).await;
    status::answer(finished(begun, work).await)
}

async fn finished<T>(
    begun: Result<Begun, Error>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let begun = begun?;
    let result = work.await;
    begun.end(result.as_ref().err().map(status::reason_name));
    result
}

/// Tells of what needs no permission of the audit: what only reads, and what must be possible on a full disk.
pub(super) fn told<T>(
    audit: &Audit,
    action: Action,
    who: Who,
    record: Option<&str>,
    result: Result<T, Error>,
) -> Result<Response<T>, Status> {
    let reason = result.as_ref().err().map(status::reason_name);
    audit.note(Event {
        who: Some(Cow::Owned(who)),
        record: record.and_then(named).map(Cow::Owned),
        reason,
        ..Event::new(action, reason.map_or(Verdict::Done, |_| Verdict::Failed))
    });
    status::answer(result)
}

/// Tells what a job got that asked for a session, and which rule or lack of one decided that. The job itself is told the
/// same of a record that is not for it and of none.
pub(super) fn session(
    audit: &Audit,
    asker: &Asker<'_>,
    record: &str,
    result: &Result<Arc<Session>, Error>,
) {
    let decision = asker.decision();
    let event = Event {
        who: Some(Cow::Owned(Who::from(asker))),
        record: RecordName::is_one(record).then_some(Cow::Borrowed(record)),
        decision: decision.map(Cow::Borrowed),
        ..Event::new(Action::GET, Verdict::Refused)
    };
    audit.note(match (result, decision) {
        (Ok(session), _) => Event {
            verdict: Verdict::Served,
            generation: Some(session.generation),
            session: Traced::Id(&session.session_id),
            ..event
        },
        (Err(_), Some(Decision::Denied { .. })) => Event {
            verdict: Verdict::Denied,
            reason: Some(status::reason_name(&Error::Denied)),
            ..event
        },
        (Err(error), Some(Decision::Allowed(_) | Decision::NoRecord) | None) => Event {
            reason: Some(status::reason_name(error)),
            class: class(error),
            ..event
        },
    });
}

fn class(error: &Error) -> Option<Class> {
    if let Error::Latched { failure, .. } | Error::LoginFailed { failure, .. } = error {
        Some(failure.class)
    } else {
        None
    }
}

/// Tells which records a peer was shown, and why not the others.
pub(super) fn listing(audit: &Audit, asker: &Asker<'_>, result: &Result<Listing, Error>) {
    let event = Event {
        who: Some(Cow::Owned(Who::from(asker))),
        ..Event::new(Action::LIST, Verdict::Refused)
    };
    audit.note(match result {
        Ok(listing) => {
            let is_denied = listing.records.is_empty() && !listing.decisions.is_empty();
            Event {
                verdict: if is_denied {
                    Verdict::Denied
                } else {
                    Verdict::Served
                },
                reason: is_denied.then(|| status::reason_name(&Error::Denied)),
                note: Some(Cow::Owned(decisions(listing))),
                ..event
            }
        }
        Err(error) => Event {
            reason: Some(status::reason_name(error)),
            ..event
        },
    });
}

/// Such as `prod: rule 1: uid 7 | uat: rule 1: its uid is 7, not 8`.
fn decisions(listing: &Listing) -> String {
    let decisions = listing.decisions.iter();
    let some: Vec<_> = decisions
        .map(|(record, decision)| format!("{record}: {decision}"))
        .collect();
    some.join(" | ")
}

/// Tells that an attempt to unlock has to wait, because there were wrong ones before it.
pub(super) fn held_back(audit: &Audit, who: &Who, wrong: u32, pause: Duration) {
    let note = format!(
        "held back for {} s after {wrong} wrong passphrases",
        pause.as_secs_f32().ceil()
    );
    audit.note(Event {
        who: Some(Cow::Borrowed(who)),
        ..Event::noted(Action::UNLOCK, note)
    });
}

/// Tells of a call that went no further than its peer.
pub(super) fn turned_away(audit: &Audit, peer: Option<&Peer>) {
    audit.note(Event {
        who: peer.map(|peer| Cow::Owned(Who::from(peer))),
        reason: Some(status::reason_name(&Error::Denied)),
        ..Event::new(Action::CALL, Verdict::Denied)
    });
}

/// What is no record name may be anything, a password that somebody typed in its place included.
fn named(text: &str) -> Option<String> {
    RecordName::is_one(text).then(|| text.to_owned())
}
