//! What the services tell the audit, so that a handler says it in one line.

use std::{borrow::Cow, sync::Arc};

use tonic::{Request, Response, Status};

use super::{peer::Peer, status};
use crate::{
    audit::{
        Audit,
        event::{Action, Event, Traced, Verdict},
        who::Who,
    },
    error::Error,
    record::RecordName,
    session::Session,
};

/// Who makes this call.
pub(super) fn who<T>(request: &Request<T>) -> Who {
    let peer = request.extensions().get::<Peer>();
    peer.map_or_else(Who::default, |peer| Who::from(*peer))
}

/// Does what an administrator asks for, once the audit has it durably; and tells how it ended.
pub(super) async fn administer<T>(
    audit: &Audit,
    action: Action,
    who: Who,
    record: Option<&str>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Response<T>, Status> {
    let begun = match audit.begin(action, who, record.and_then(named)).await {
        Ok(begun) => begun,
        Err(error) => return Err(status::from_error(&error)),
    };
    let result = work.await;
    begun.end(result.as_ref().err().map(status::reason_name));
    status::answer(result)
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

/// Tells what a job got that asked for a session.
pub(super) fn session(
    audit: &Audit,
    who: &Who,
    record: &str,
    result: &Result<Arc<Session>, Error>,
) {
    let record = (RecordName::is_one(record)).then_some(Cow::Borrowed(record));
    let who = Some(Cow::Borrowed(who));
    audit.note(match result {
        Ok(session) => Event {
            who,
            record,
            generation: Some(session.generation),
            session: Traced::Id(&session.session_id),
            ..Event::new(Action::GET, Verdict::Served)
        },
        Err(error) => {
            let class = if let Error::Latched { failure, .. } | Error::LoginFailed { failure, .. } =
                error
            {
                Some(failure.class)
            } else {
                None
            };
            let denied = matches!(error, Error::Denied);
            let verdict = if denied {
                Verdict::Denied
            } else {
                Verdict::Refused
            };
            Event {
                who,
                record,
                reason: Some(status::reason_name(error)),
                class,
                ..Event::new(Action::GET, verdict)
            }
        }
    });
}

/// Tells of a call that went no further than its peer.
pub(super) fn turned_away(audit: &Audit, peer: Option<Peer>) {
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
