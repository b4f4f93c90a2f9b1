//! What the audit's callers and its writer share.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    sync::{Notify, watch},
    task,
};
use tracing::{error, info, warn};

use super::{
    Written,
    chest::{Chest, changed, gone},
    event::{Action, Event, Fingerprint, Verdict},
    files::open_to_read,
    inbox::{Inbox, Waiting},
    last_use::{LastUse, LastUses, open_before},
    line::Entry,
    sealed::Anchor,
    settings::Settings,
    verify::{self, Report, Source},
    writer::Writer,
};
use crate::{
    clock::Clock,
    error::Error,
    secret::SessionId,
    store::{Keys, Store, StoreError},
};

/// Lines written at a time.
const BATCH: usize = 256;
/// The vault is told again how far the lines go after so many.
const ANCHOR_EVERY: u64 = 1000;
/// Bytes of older lines that are read for one question about last uses.
const READ_BACK: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) directory: PathBuf,
    settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    inbox: Mutex<Inbox>,
    pub(super) awake: Notify,
    /// Held from where lines leave the inbox until they are in the files: who finds none waiting finds them there.
    turn: Mutex<()>,
    /// `None`: it must be opened first.
    writer: Mutex<Option<Writer>>,
    chest: RwLock<Option<Chest>>,
    /// Why the last line could not be written.
    problem: Mutex<Option<String>>,
    /// What was found wrong since the daemon started.
    damage: Mutex<Option<String>>,
    lost: AtomicU64,
    /// Lines were written that are not durable yet.
    behind: AtomicBool,
    since_anchor: AtomicU64,
    last_uses: LastUses,
    pub(super) written: watch::Sender<Written>,
}

impl Shared {
    pub(super) fn new(directory: &Path, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self {
            directory: directory.to_owned(),
            settings,
            clock,
            inbox: Mutex::default(),
            awake: Notify::new(),
            turn: Mutex::default(),
            writer: Mutex::default(),
            chest: RwLock::default(),
            problem: Mutex::default(),
            damage: Mutex::default(),
            lost: AtomicU64::new(0),
            behind: AtomicBool::new(false),
            since_anchor: AtomicU64::new(0),
            last_uses: LastUses::default(),
            written: watch::Sender::default(),
        }
    }

    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fingerprint(&self, session: &SessionId) -> Option<Fingerprint> {
        let chest = self.chest.read().unwrap_or_else(PoisonError::into_inner);
        let digest = chest.as_ref()?.keys.fingerprint(session)?;
        Some(Fingerprint(digest))
    }

    /// Whether a second must be closed.
    pub(super) fn is_busy(&self) -> bool {
        self.behind.load(Ordering::Relaxed) || self.inbox().counts()
    }

    /// Writes all that waits, or as much as can be.
    pub(super) async fn write_waiting(self: &Arc<Self>) {
        while !self.inbox().is_empty() {
            let shared = Arc::clone(self);
            let wrote = task::spawn_blocking(move || shared.write_some(&shared.turn()));
            if !wrote.await.unwrap_or(false) {
                return;
            }
        }
    }

    /// Writes all there is, with what was counted so far, and makes it durable. All on one thread: each change of
    /// threads wakes the daemon once more. Returns the number of the next line; `None` while the files can't be opened.
    pub(super) async fn flush(self: &Arc<Self>) -> Option<u64> {
        let shared = Arc::clone(self);
        let flushed = task::spawn_blocking(move || {
            let turn = shared.turn();
            shared.inbox().close_second(shared.clock.now());
            if !shared.write_all(&turn) {
                return None;
            }
            let mut writer = shared.writer();
            if writer.as_ref().is_some_and(Writer::is_behind) {
                let synced = writer.as_mut().map_or(Ok(()), Writer::sync);
                shared.settle(&mut writer, &synced);
            }
            writer.as_ref().map(|writer| writer.head().next)
        });
        // A panic in there was told already.
        flushed.await.unwrap_or(None)
    }

    /// Who used these records last, in their order. Blocks.
    pub(super) fn last_uses(&self, records: &[String]) -> Vec<LastUse> {
        // What can't be written now is not in the files, and was told.
        self.write_all(&self.turn());
        self.last_uses
            .of(records, READ_BACK, |place| match &*self.writer() {
                Some(writer) => open_before(writer.files(), writer.head().first, place),
                None => Err(io::Error::other("the audit is not open")),
            })
    }

    pub(super) fn try_open(&self) {
        let mut writer = self.writer();
        let opened = self.opened(&mut writer).map(drop);
        self.settle(&mut writer, &opened);
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let problem = self.lock_problem().clone();
        let problem = problem.map(|problem| {
            format!("the audit can't be written, so administration is refused: {problem}")
        });
        let lost = self.lost.load(Ordering::Relaxed);
        let lost =
            (lost > 0).then(|| format!("{lost} events are not in the audit: there was no room"));
        let damage = self.lock_damage().clone();
        let damage = damage.map(|damage| {
            format!("somebody changed the audit, `sfvault log verify` tells where: {damage}")
        });
        problem.into_iter().chain(damage).chain(lost).collect()
    }

    fn write_all(&self, turn: &MutexGuard<'_, ()>) -> bool {
        while !self.inbox().is_empty() {
            if !self.write_some(turn) {
                return false;
            }
        }
        true
    }

    fn write_some(&self, _turn: &MutexGuard<'_, ()>) -> bool {
        let (batch, lost) = self.inbox().take(BATCH);
        let mut writer = self.writer();
        let (mut entries, told): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.entry, waiting.told))
            .unzip();
        let now = self.clock.now();
        if lost > 0 {
            warn!(lost, "there was no room for events in the audit");
            self.lost.fetch_add(lost, Ordering::Relaxed);
            let event = Event::new(Action::LOST, Verdict::Noted);
            entries.insert(0, Entry::new(&event, now, lost));
        }
        let must_last = told.iter().any(Option::is_some);
        let appended = self
            .opened(&mut writer)
            .and_then(|writer| writer.append(&mut entries, now));
        let written = appended.is_ok();
        let result = appended.and_then(|()| match writer.as_mut() {
            Some(writer) if must_last => writer.sync(),
            Some(_) | None => Ok(()),
        });
        self.settle(&mut writer, &result);
        drop(writer);
        let count = entries.len() as u64;
        if !written {
            // Whoever waits is told, and does nothing; the others are tried again.
            let from = usize::from(lost > 0);
            let kept = entries.drain(from..).zip(&told);
            let kept = kept
                .filter(|(_, told)| told.is_none())
                .map(|(entry, _)| entry);
            let kept = kept.collect();
            self.inbox().put_back(kept, lost);
            self.lost.fetch_sub(lost, Ordering::Relaxed);
        }
        for told in told.into_iter().flatten() {
            // Who asked may be gone.
            let _ = told.send(result.as_ref().copied().map_err(|error| self.words(error)));
        }
        if written {
            self.last_uses.note(&entries);
            self.written.send_modify(|written| written.lines += count);
            if self.since_anchor.fetch_add(count, Ordering::Relaxed) + count >= ANCHOR_EVERY {
                self.anchor();
            }
        }
        result.is_ok()
    }

    fn opened<'w>(&self, writer: &'w mut Option<Writer>) -> io::Result<&'w mut Writer> {
        if writer.is_none() {
            let (settings, now) = (self.settings.clone(), self.clock.now());
            let mut opened = Writer::open(&self.directory, settings, now)?;
            if let Some(damage) = opened.take_damage() {
                *self.lock_damage() = Some(damage);
            }
            self.last_uses.opened(opened.head());
            *writer = Some(opened);
        }
        writer
            .as_mut()
            .ok_or_else(|| io::Error::other("the audit is not open"))
    }

    /// After an error the files are opened anew, which finds out what is in them.
    fn settle(&self, writer: &mut Option<Writer>, result: &io::Result<()>) {
        let mut problem = self.lock_problem();
        match result {
            Ok(()) => {
                if problem.take().is_some() {
                    info!("the audit can be written again");
                }
            }
            Err(new) => {
                let new = self.words(new);
                if problem.as_ref() != Some(&new) {
                    error!("THE AUDIT CAN'T BE WRITTEN, sessions are handed out without: {new}");
                }
                *problem = Some(new);
                *writer = None;
            }
        }
        let behind = writer.as_ref().is_some_and(Writer::is_behind);
        self.behind.store(behind, Ordering::Relaxed);
    }

    fn words(&self, error: &io::Error) -> String {
        format!("`{}`: {error}", self.directory.display())
    }

    pub(super) fn open_chest(&self, store: Arc<Store>, keys: Keys) {
        *self.chest_mut() = Some(Chest { store, keys });
        match self.remember(true) {
            Ok(Some(lost)) => self.tell_damage(lost),
            Ok(None) => {}
            Err(error) => warn!(%error, "the vault can't keep the audit's first key yet"),
        }
    }

    pub(super) fn close_chest(&self) {
        *self.chest_mut() = None;
    }

    /// Writes down in the vault, if it is unlocked, how far the lines go.
    pub(super) fn anchor(&self) {
        if let Err(error) = self.remember(false) {
            warn!(%error, "the vault can't be told how far the audit goes");
        }
    }

    /// The vault must know the chain's first key, and how far the lines went. Returns what it remembers and is gone.
    /// An unlock only compares: it should not have to write.
    fn remember(&self, compare: bool) -> Result<Option<String>, StoreError> {
        let chest = self.chest.read().unwrap_or_else(PoisonError::into_inner);
        let mut guard = self.writer();
        let (Some(chest), Some(writer)) = (&*chest, guard.as_mut()) else {
            return Ok(None);
        };
        let (mut memory, damage) = chest.memory()?;
        if writer.seed().is_none() && memory.seed(writer.link().chain).is_none() {
            let note = "the vault does not know the chain before";
            let begun = writer.begin_chain(note, self.clock.now());
            if begun.is_err() {
                self.settle(&mut guard, &begun);
                return Ok(damage);
            }
        }
        let mut gone = memory.anchor.and_then(|anchor| gone(anchor, writer));
        if compare && gone.is_none() {
            gone = memory.anchor.and_then(|anchor| changed(anchor, writer));
        }
        let sealed = writer.seed().cloned();
        if compare && sealed.is_none() {
            return Ok(damage.or(gone));
        }
        if let Some(seed) = sealed.clone()
            && memory.seed(seed.chain).is_none()
        {
            memory.add(seed);
        }
        // What is gone stays remembered until somebody has seen it.
        if gone.is_none() {
            memory.anchor = Some(Anchor::at(writer.link()));
        }
        if let Some(bytes) = memory.to_bytes() {
            chest.store.put_audit(&chest.keys, &bytes)?;
            self.since_anchor.store(0, Ordering::Relaxed);
            if sealed.is_some() {
                let forgot = writer.forget_seed();
                self.settle(&mut guard, &forgot);
            }
        }
        Ok(damage.or(gone))
    }

    pub(super) fn verify(&self) -> Result<Report, Error> {
        let unavailable = |error: io::Error| Error::AuditUnavailable(self.words(&error));
        let (memory, head, sources) = {
            let chest = self.chest.read().unwrap_or_else(PoisonError::into_inner);
            let chest = chest.as_ref().ok_or(Error::VaultLocked)?;
            let (memory, _) = chest.memory()?;
            let mut guard = self.writer();
            let writer = self.opened(&mut guard).map_err(unavailable)?;
            let mut sources = Vec::new();
            for piece in writer.files().list().map_err(unavailable)? {
                // Opened now, the one that grows stays the same one whatever it is called later.
                let open = piece.first.is_none().then(|| open_to_read(&piece.path));
                sources.push(Source {
                    open: open.transpose().map_err(unavailable)?,
                    piece,
                });
            }
            (memory, writer.head(), sources)
        };
        verify::verify(&memory, head, sources).map_err(unavailable)
    }

    fn tell_damage(&self, note: String) {
        error!("audit: {note}");
        *self.lock_damage() = Some(note.clone());
        let event = Event::noted(Action::DAMAGED, note);
        let waiting = Waiting {
            entry: Entry::new(&event, self.clock.now(), 1),
            told: None,
        };
        self.inbox().push(waiting);
        self.awake.notify_one();
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held across writes, syncs and transactions of the vault: only for threads that may block.
    pub(super) fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chest_mut(&self) -> std::sync::RwLockWriteGuard<'_, Option<Chest>> {
        self.chest.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_damage(&self) -> MutexGuard<'_, Option<String>> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_problem(&self) -> MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
