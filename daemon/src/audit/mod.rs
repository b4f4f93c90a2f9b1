//! The audit: who asked for what, what came of it, and proof that nobody changed that afterwards.
//!
//! Telling costs a lock and no disk; one writer ([`Audit::run`]) does the rest. Administration waits for its first line
//! to be durable and is not done without ([`Audit::begin`]); handing out sessions goes on whatever becomes of the audit.

mod chain;
mod chest;
pub mod event;
mod files;
pub(crate) mod fuzz;
mod inbox;
pub mod instant;
mod journal;
pub mod last_use;
pub mod line;
mod lines;
pub mod reader;
mod recovery;
mod sealed;
pub mod settings;
mod shared;
mod state;
pub mod usage;
pub mod verify;
pub mod who;
mod writer;

use std::{
    borrow::Cow, convert::Infallible, future::pending, path::Path, sync::Arc, time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    task,
    time::{Instant, sleep_until},
};

use self::{
    event::{Action, Event, Verdict},
    inbox::Waiting,
    last_use::LastUse,
    line::Entry,
    reader::{Filter, Reader},
    settings::Settings,
    shared::Shared,
    usage::Usage,
    verify::Report,
    who::Who,
};
use crate::{
    clock::Clock,
    error::Error,
    store::{Keys, Store},
};

/// Lines become durable, and like events are counted, for so long together.
const A_WHILE: Duration = Duration::from_secs(1);

/// The way to the audit. Clones share it.
#[derive(Debug, Clone)]
pub struct Audit(Option<Arc<Shared>>);

/// Administration that was told about and is not over yet. Dropped, it tells that nobody heard the end.
#[derive(Debug)]
pub struct Begun {
    audit: Audit,
    event: Option<Event<'static>>,
}

impl Audit {
    /// Opens the files in this directory. What keeps it from that is tried again with every line, and told by
    /// [`Audit::warnings`].
    #[must_use]
    pub fn open(directory: &Path, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared::new(directory, settings, clock);
        shared.try_open();
        Self(Some(Arc::new(shared)))
    }

    /// An audit that takes everything and keeps nothing, for vaults that are in no daemon.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// Tells what happened. Never waits.
    pub fn note(&self, event: Event<'_>) {
        let Some(shared) = &self.0 else {
            return;
        };
        let more = shared.inbox().note(
            event,
            || shared.clock.now(),
            |session| shared.fingerprint(session),
        );
        if more {
            shared.awake.notify_one();
        }
    }

    /// Tells that administration is about to be done, and waits until that is durable.
    ///
    /// # Errors
    /// If it can't be written: then it must not be done.
    pub async fn begin(
        &self,
        action: Action,
        who: Who,
        record: Option<String>,
    ) -> Result<Begun, Error> {
        self.begin_to(action, who, record, None).await
    }

    /// The same; `note` says what exactly is about to be done.
    ///
    /// # Errors
    /// As [`Audit::begin`].
    pub async fn begin_to(
        &self,
        action: Action,
        who: Who,
        record: Option<String>,
        note: Option<String>,
    ) -> Result<Begun, Error> {
        let event = Event {
            who: Some(Cow::Owned(who)),
            record: record.map(Cow::Owned),
            note: note.map(Cow::Owned),
            ..Event::new(action, Verdict::Begun)
        };
        let Some(shared) = &self.0 else {
            return Ok(Begun {
                audit: Self(None),
                event: None,
            });
        };
        let (told, heard) = oneshot::channel();
        let waiting = Waiting {
            entry: Entry::new(&event, shared.clock.now(), 1),
            told: Some(told),
        };
        shared.inbox().push(waiting);
        shared.awake.notify_one();
        // Who goes away from here on leaves a line that says so.
        let mut begun = Begun {
            audit: self.clone(),
            event: Some(event),
        };
        let written = match heard.await {
            Ok(written) => written.map_err(Error::AuditUnavailable),
            Err(_) => Err(Error::ShuttingDown),
        };
        if let Err(error) = written {
            begun.event = None;
            return Err(error);
        }
        Ok(begun)
    }

    /// Writes what is told, for as long as it is polled. Nothing to write: no wake-up.
    pub async fn run(&self) -> Infallible {
        let Some(shared) = &self.0 else {
            return pending().await;
        };
        let mut due = None;
        loop {
            shared.write_waiting().await;
            if due.is_none() && shared.is_busy() {
                due = Some(Instant::now() + A_WHILE);
            }
            let second = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = shared.awake.notified() => {}
                () = second => {
                    due = None;
                    shared.flush().await;
                }
            }
        }
    }

    /// Writes what is left, when nobody tells anything any more, and ends the readers that wait for more.
    pub async fn finish(&self) {
        if let Some(shared) = &self.0 {
            self.end_readers();
            shared.flush().await;
            let shared = Arc::clone(shared);
            // A panic in there was told already.
            let _ = task::spawn_blocking(move || shared.anchor()).await;
        }
    }

    /// Ends the readers that wait for more.
    pub fn end_readers(&self) {
        if let Some(shared) = &self.0 {
            shared.written.send_modify(|written| written.ended = true);
        }
    }

    /// The vault is unlocked: seals there what only a vault may know, and compares what it remembers. Blocks.
    pub fn unlocked(&self, store: &Arc<Store>, keys: &Keys) {
        if let Some(shared) = &self.0 {
            shared.open_chest(Arc::clone(store), keys.clone());
        }
    }

    /// The vault is about to be locked: writes down there how far the lines go, and forgets its key. Blocks.
    pub fn locked(&self) {
        if let Some(shared) = &self.0 {
            shared.anchor();
            shared.close_chest();
        }
    }

    /// What an operator must know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.0
            .as_ref()
            .map_or_else(Vec::new, |shared| shared.warnings())
    }

    /// The lines that pass the filter, oldest first.
    ///
    /// # Errors
    /// If the files can't be read.
    pub async fn read(&self, filter: Filter) -> Result<Reader, Error> {
        let shared = self.shared()?;
        let next = shared.flush().await;
        Ok(Reader::new(
            files::Files::new(&shared.directory),
            filter,
            next,
            shared.written.subscribe(),
        ))
    }

    /// Checks all lines that there are.
    ///
    /// # Errors
    /// If the vault is locked, or the files can't be read.
    pub async fn verify(&self) -> Result<Report, Error> {
        let shared = self.shared()?;
        shared.flush().await;
        let shared = Arc::clone(shared);
        task::spawn_blocking(move || shared.verify())
            .await
            .map_err(|_| Error::Internal("checking the audit broke off"))?
    }

    /// Who used a record, as far back as there are lines.
    ///
    /// # Errors
    /// If the files can't be read.
    pub async fn usage(&self, filter: Filter) -> Result<Usage, Error> {
        let mut reader = self.read(filter).await?;
        let mut usage = Usage::default();
        while let Some(batch) = reader.next_batch().await? {
            for entry in &batch {
                usage.add(entry);
            }
        }
        Ok(usage)
    }

    /// Who used these records last, in their order, as far as that is known without reading all lines each time.
    pub async fn last_uses(&self, records: Vec<String>) -> Vec<LastUse> {
        let unknown = vec![LastUse::default(); records.len()];
        let Some(shared) = self.0.as_ref().filter(|_| !records.is_empty()) else {
            return unknown;
        };
        let shared = Arc::clone(shared);
        let known = task::spawn_blocking(move || shared.last_uses(&records));
        // A panic in there was told already.
        known.await.unwrap_or(unknown)
    }

    fn shared(&self) -> Result<&Arc<Shared>, Error> {
        self.0
            .as_ref()
            .ok_or_else(|| Error::AuditUnavailable("there is none".to_owned()))
    }
}

impl Begun {
    /// Tells how it ended: `Ok`, or the `Reason` of the failure.
    pub fn end(mut self, reason: Option<&'static str>) {
        let verdict = reason.map_or(Verdict::Done, |_| Verdict::Failed);
        self.tell(verdict, reason);
    }

    fn tell(&mut self, verdict: Verdict, reason: Option<&'static str>) {
        let (Some(event), Some(shared)) = (self.event.take(), &self.audit.0) else {
            return;
        };
        let event = Event {
            verdict,
            reason,
            ..event
        };
        shared.inbox().push(Waiting {
            entry: Entry::new(&event, shared.clock.now(), 1),
            told: None,
        });
        shared.awake.notify_one();
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.tell(Verdict::Unheard, None);
    }
}

/// How far the lines are written, for readers that wait for more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    lines: u64,
    ended: bool,
}

type Changes = watch::Receiver<Written>;

#[cfg(test)]
mod tests;
