//! What those who watch a record are told, pulled out of the vault as fast as each of them reads.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sfvault_proto::v1;
use tokio_stream::Stream;
use tonic::Status;

use super::{
    audited,
    convert::{self, Problem},
    status,
};
use crate::{
    audit::Audit,
    seats::Waiting,
    session::decision::{Activity, Refusal},
    vault::{
        Vault,
        watching::{News, Watch},
    },
};

/// One stream: who reads it, and what it is told.
pub(super) struct Pusher {
    pub(super) watch: Watch,
    pub(super) vault: Arc<Vault>,
    pub(super) audit: Audit,
    pub(super) record: String,
    /// There if the session itself is to be told.
    pub(super) api_version: Option<Arc<str>>,
    pub(super) _waiting: Waiting,
}

/// The messages of one stream. The next is looked for when the one before was taken, so there is never a queue: a slow
/// reader finds what is true when it reads.
pub(super) struct Pushes {
    step: Option<Step>,
}

type Message = Result<v1::WatchSessionResponse, Status>;
type Step = Pin<Box<dyn Future<Output = (Message, Option<Pusher>)> + Send>>;

impl Pushes {
    pub(super) fn of(pusher: Pusher) -> Self {
        Self {
            step: Some(Box::pin(pusher.push())),
        }
    }
}

impl Stream for Pushes {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let Some(step) = &mut self.step else {
            return Poll::Ready(None);
        };
        let (message, pusher) = ready!(step.as_mut().poll(cx));
        self.step = pusher.map(|pusher| Box::pin(pusher.push()) as Step);
        Poll::Ready(Some(message))
    }
}

impl Pusher {
    /// The next message; after an error there is none. Who may use the record is judged before each look at it.
    async fn push(mut self) -> (Message, Option<Self>) {
        let news = self.watch.next().await;
        // Only a session that is handed out, or the end, is a decision to tell of.
        let decided = match &news {
            Ok(news) => news
                .session
                .clone()
                .filter(|_| self.api_version.is_some())
                .map(Ok),
            Err(error) => Some(Err(error.clone())),
        };
        if let Some(result) = decided {
            audited::session(&self.audit, &self.watch.asker(), &self.record, &result);
        }
        match news {
            Ok(news) => (Ok(self.message(&news)), Some(self)),
            Err(error) => (Err(status::from_error(&error)), None),
        }
    }

    fn message(&self, news: &News) -> v1::WatchSessionResponse {
        let session = news.session.as_deref();
        let problem = Problem::of_activity(&match &news.why {
            Some(refusal) => Activity::Barred(refusal.clone()),
            None => Activity::Idle,
        });
        let reason = if news.locked {
            v1::Reason::VaultLocked
        } else {
            problem.reason
        };
        v1::WatchSessionResponse {
            state: state(news).into(),
            generation: news.generation,
            session: session
                .zip(self.api_version.as_deref())
                .map(|(session, version)| {
                    convert::session(session, version, self.vault.warnings(&self.record))
                }),
            guaranteed_until: session.map(|session| session.guaranteed_until().into()),
            expires_at: session.map(|session| session.expires_at().into()),
            retry_at: problem.retry_at.map(Into::into),
            reason: reason.into(),
            problem: problem.text,
        }
    }
}

fn state(news: &News) -> v1::WatchState {
    if news.locked {
        return v1::WatchState::Locked;
    }
    if news.session.is_some() {
        return v1::WatchState::Ready;
    }
    match &news.why {
        None => v1::WatchState::LoggingIn,
        Some(Refusal::Latched { .. }) => v1::WatchState::Latched,
        Some(
            Refusal::BackingOff { .. }
            | Refusal::BudgetSpent { .. }
            | Refusal::MinTtlTooLong { .. }
            | Refusal::RefusedAgain { .. }
            | Refusal::TokenUnsaved,
        ) => v1::WatchState::BackingOff,
    }
}
