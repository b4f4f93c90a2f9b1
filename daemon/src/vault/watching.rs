//! Watching a record: what is known of its session now, and again whenever that changes. Who watches holds the session.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::sync::watch;

use super::{LockState, Vault, kind, request::is_expected};
use crate::{
    environment::Environment,
    error::Error,
    policy::{Asker, Peer, Policy},
    session::{
        Session,
        decision::Refusal,
        entry::{Entry, State},
        hold::Holder,
        keep_alive::longest_kept,
    },
};

/// What one who watches asks for.
#[derive(Debug, Clone, Default)]
pub struct WatchRequest {
    /// The session shall be guaranteed for so long at any time; zero: it is kept alive.
    pub min_ttl: Duration,
    /// The org that the record must belong to, as 15 or 18 characters.
    pub expect_org: Option<String>,
    /// The kind of org that the record must belong to.
    pub expect_environment: Option<Environment>,
}

/// Who watches: named by the kernel, and judged at every look.
#[derive(Debug)]
pub struct Watcher {
    pub policy: Policy,
    pub peer: Peer,
    pub holder: Holder,
}

/// What is known at one moment.
#[derive(Debug, Clone)]
pub struct News {
    /// The session's stamp, or that of the newest attempt to get one; 0 while the vault is locked.
    pub generation: u64,
    /// One that may be handed out.
    pub session: Option<Arc<Session>>,
    /// Why there is none, or why the one there is may not last.
    pub why: Option<Refusal>,
    /// The vault is locked.
    pub locked: bool,
}

/// One who watches a record, and holds its session until this is dropped.
#[derive(Debug)]
pub struct Watch {
    vault: Arc<Vault>,
    record: String,
    request: WatchRequest,
    watcher: Watcher,
    hold: Option<Hold>,
    told: Option<News>,
}

impl Watch {
    /// The one who asks, judged anew, for the audit.
    #[must_use]
    pub fn asker(&self) -> Asker<'_> {
        let mut asker = Asker::new(&self.watcher.policy, &self.watcher.peer);
        // What it found is in the asker; what there is was found by `next`.
        drop(self.vault.find_for(&mut asker, &self.record));
        asker
    }
}

/// A place among those who hold the session of an entry.
struct Hold {
    entry: Arc<Entry>,
    number: u64,
}

impl Vault {
    /// Begins to watch a record. Whether there is one is told by [`Watch::next`].
    #[must_use]
    pub fn watch(self: &Arc<Self>, record: &str, request: WatchRequest, watcher: Watcher) -> Watch {
        Watch {
            vault: Arc::clone(self),
            record: record.to_owned(),
            request,
            watcher,
            hold: None,
            told: None,
        }
    }
}

impl Watch {
    /// What there is: the first time at once, then as soon as it is something else than was told last.
    ///
    /// # Errors
    /// If there is no such record (any more), it is another than is expected, its sessions can't be guaranteed for as
    /// long as was asked, or the daemon ends. Then there is nothing more to watch.
    pub async fn next(&mut self) -> Result<News, Error> {
        let mut ending = self.vault.ending.subscribe();
        loop {
            if *ending.borrow_and_update() {
                return Err(Error::ShuttingDown);
            }
            // Before the look, so that no change falls between looking and waiting.
            let mut vault_changed = self.vault.changes();
            let (news, mut changed) = self.look()?;
            if self.told.as_ref().is_none_or(|told| !told.says(&news)) {
                self.told = Some(news.clone());
                return Ok(news);
            }
            let end = news.session.as_ref().map(|session| session.expires_at());
            let clock = &self.vault.parts.clock;
            tokio::select! {
                _ = ending.changed() => {}
                // The lock, or the rules: not the flights of other records, after each of which all would be judged.
                _ = vault_changed.changed() => {}
                () = told(&mut changed), if !news.locked => {}
                () = async { clock.nap(end.unwrap_or(SystemTime::UNIX_EPOCH)).await }, if end.is_some() => {}
            }
        }
    }

    fn look(&mut self) -> Result<(News, Option<watch::Receiver<()>>), Error> {
        // Asked at every look: what was allowed when the watch began need not be allowed any more.
        let mut asker = Asker::new(&self.watcher.policy, &self.watcher.peer);
        let (refresher, entry) = match self.vault.find_for(&mut asker, &self.record) {
            Ok(found) => found,
            Err(Error::VaultLocked) => {
                self.hold = None;
                return Ok((News::of_locked_vault(), None));
            }
            Err(error) => return Err(error),
        };
        self.check(&entry)?;
        let now = self.vault.parts.clock.now();
        let held = self.hold.as_ref();
        if held.is_none_or(|hold| !Arc::ptr_eq(&hold.entry, &entry)) {
            self.hold = Some(Hold::of(
                &entry,
                self.watcher.holder,
                self.request.min_ttl,
                now,
            ));
            refresher.keep(&entry);
        }
        let changed = entry.changes();
        let state = entry.lock();
        if state.closed.is_some() && self.vault.lock_state() != LockState::Unlocked {
            return Ok((News::of_locked_vault(), None));
        }
        let news = self.news(&state, now);
        drop(state);
        if let Some(session) = &news.session {
            let possible = longest_kept(session);
            if self.request.min_ttl > possible {
                return Err(Error::MinTtlTooLong {
                    asked: self.request.min_ttl,
                    possible,
                });
            }
        }
        Ok((news, Some(changed)))
    }

    /// Before the record is held: a job that names the wrong org must not cost a login.
    fn check(&self, entry: &Entry) -> Result<(), Error> {
        let request = &self.request;
        let pin = entry.lock().record.pin.clone();
        if let (Some(expected), Some(pin)) = (&request.expect_org, pin) {
            is_expected(expected, &pin.org_id)?;
        }
        kind::is_expected(request.expect_environment, kind::known(entry))
    }

    fn news(&self, state: &State, now: SystemTime) -> News {
        let told = self.told.as_ref().and_then(|told| told.session.as_ref());
        let machine = &state.machine;
        let session = machine.session().filter(|session| {
            // What was told once stays true for as long as the session probably lives; what is new must be sure.
            let known = told.is_some_and(|told| told.generation == session.generation);
            let good = known || session.is_guaranteed(self.request.min_ttl, now);
            good && now < session.expires_at() && !machine.is_doubted() && !state.unsaved
        });
        let why = match session {
            Some(_) => machine
                .backing_off(now)
                .map(|back_off| Refusal::BackingOff {
                    failure: back_off.failure.clone(),
                    until: back_off.until,
                }),
            None => machine.may_get_session(now).err(),
        };
        News {
            generation: session.map_or(machine.ledger().generation, |session| session.generation),
            session: session.cloned(),
            why,
            locked: false,
        }
    }
}

impl News {
    fn of_locked_vault() -> Self {
        Self {
            generation: 0,
            session: None,
            why: None,
            locked: true,
        }
    }

    /// Whether it tells what the other tells.
    fn says(&self, other: &Self) -> bool {
        let of = |news: &Self| {
            let session = news.session.as_ref()?;
            Some((session.guaranteed_until(), session.expires_at()))
        };
        (self.generation, self.locked, &self.why, of(self))
            == (other.generation, other.locked, &other.why, of(other))
    }
}

impl Hold {
    fn of(entry: &Arc<Entry>, holder: Holder, min_ttl: Duration, now: SystemTime) -> Self {
        let number = entry.lock().holds.open(holder, min_ttl, now);
        entry.tell();
        Self {
            entry: Arc::clone(entry),
            number,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.entry.lock().holds.close(self.number);
        self.entry.tell();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("number", &self.number)
            .finish()
    }
}

async fn told(changed: &mut Option<watch::Receiver<()>>) {
    if let Some(changed) = changed {
        // The sender is in the entry, which is held.
        let _ = changed.changed().await;
    }
}
