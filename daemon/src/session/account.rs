//! What the audit is told of logins.

use super::{decision::Outcome, entry::Entry};
use crate::audit::{
    Audit,
    event::{Action, Event, Traced, Verdict},
};

/// Tells how a login ended. What ended without a login is nothing to tell.
pub(super) fn tell(audit: &Audit, entry: &Entry, outcome: &Outcome) {
    let (verdict, grant, generation, failure) = match outcome {
        Outcome::LoggedIn {
            grant, generation, ..
        }
        | Outcome::Unsaved { grant, generation } => {
            (Verdict::Done, Some(grant), Some(*generation), None)
        }
        Outcome::Unproven {
            grant,
            generation,
            failure,
        } => (
            Verdict::Failed,
            Some(grant),
            Some(*generation),
            Some(failure),
        ),
        Outcome::LoginFailed(failure) => (Verdict::Failed, None, None, Some(failure)),
        Outcome::Proven(_) | Outcome::ProofFailed(_) | Outcome::NotSent => return,
    };
    let record = entry.lock().record.clone();
    audit.note(Event {
        record: Some(record.name.as_str().into()),
        generation,
        session: grant.map_or(Traced::None, |grant| Traced::Id(&grant.session_id)),
        class: failure.map(|failure| failure.class),
        flow: Some(record.flow.kind()),
        ..Event::new(Action::LOGIN, verdict)
    });
}
