//! The only writer of the files. Its calls block.
//!
//! A line is written at once, made durable soon (see [`super::inbox`]), and only then does the state follow it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::SystemTime,
};

use tracing::warn;

use super::{
    chain::{Link, Seed},
    event::{Action, Event},
    files::Files,
    journal::Journal,
    line::Entry,
    recovery::{self, Recovered},
    settings::Settings,
    state::{Found, State, StateFile},
};

/// The files, open, and where the chain is.
#[derive(Debug)]
pub(super) struct Writer {
    files: Files,
    settings: Settings,
    state_file: StateFile,
    journal: Journal,
    link: Link,
    seed: Option<Seed>,
    current: File,
    first: u64,
    length: u64,
    /// What was wrong when it was opened.
    damage: Option<String>,
    /// There are lines that may not be on disk yet, or that the state does not follow yet.
    behind: bool,
}

/// How far the lines go, for whoever reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) chain: u32,
    /// The number of the next line.
    pub(super) next: u64,
    /// The number of the first line of the file that grows.
    pub(super) first: u64,
    /// The length of that file, in bytes.
    pub(super) length: u64,
}

impl Writer {
    /// Opens what is there, and tells in lines of its own what is wrong with it.
    ///
    /// # Errors
    /// If a file can't be opened, read or written, or others could read it.
    pub(super) fn open(directory: &Path, settings: Settings, now: SystemTime) -> io::Result<Self> {
        let files = Files::new(directory);
        let state_file = StateFile::open(&files.state())?;
        let mut notes = Vec::new();
        let (mut state, is_new) = match state_file.read()? {
            Found::State(state) => (state, false),
            found @ (Found::Nothing | Found::Damaged) => {
                let (first, next) = recovery::numbers(&files)?;
                if !matches!(found, Found::Nothing) || next > 1 {
                    notes.push("`audit.state` is missing or damaged".to_owned());
                }
                (new_chain(first, next)?, true)
            }
        };
        let (current, first, length) = if is_new {
            let mut current = files.open_current()?;
            let length = recovery::end_line(&mut current)?;
            files.sync_names()?;
            (current, state.first, length)
        } else {
            let Recovered {
                current,
                first,
                length,
                findings,
            } = recovery::recover(&files, &mut state)?;
            notes.extend(findings);
            (current, first, length)
        };
        let journal = Journal::open(&settings);
        let State { link, seed, .. } = state;
        let mut this = Self {
            files,
            settings,
            state_file,
            journal,
            link,
            seed,
            current,
            first,
            length,
            damage: notes.first().cloned(),
            behind: true,
        };
        let mut entries = Vec::new();
        if is_new {
            entries.push(Entry::new(&Event::noted(Action::CHAIN, ""), now, 1));
        }
        for note in notes {
            warn!("audit: {note}");
            entries.push(Entry::new(&Event::noted(Action::DAMAGED, note), now, 1));
        }
        // The state first: lines of a chain whose first key is nowhere could never be checked.
        this.save_state(this.length)?;
        this.append(&mut entries, now)?;
        this.sync()?;
        Ok(this)
    }

    /// Writes lines. They survive the daemon from now on, and the machine after the next [`Writer::sync`].
    ///
    /// # Errors
    /// If not all could be written; then none counts.
    pub(super) fn append(&mut self, entries: &mut [Entry], now: SystemTime) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.check_place()?;
        let mut link = self.link.clone();
        let text: String = entries.iter_mut().map(|entry| link.write(entry)).collect();
        if self.length > 0 && self.length + text.len() as u64 > self.settings.file_bytes {
            self.rotate(now)?;
            return self.append_here(entries);
        }
        self.write_text(&text, link)?;
        self.journal.send(entries);
        Ok(())
    }

    /// Makes the lines durable, and the state follow them.
    ///
    /// # Errors
    /// If the disk fails; the lines are written all the same.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !self.behind {
            return Ok(());
        }
        self.current.sync_data()?;
        self.save_state(self.length)?;
        self.behind = false;
        Ok(())
    }

    /// What was wrong when it was opened; once.
    pub(super) fn take_damage(&mut self) -> Option<String> {
        self.damage.take()
    }

    /// Whether lines may not be on disk yet.
    #[must_use]
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }

    /// How far the lines go.
    #[must_use]
    pub(super) fn head(&self) -> Head {
        Head {
            chain: self.link.chain,
            next: self.link.seq,
            first: self.first,
            length: self.length,
        }
    }

    /// Where the chain is.
    #[must_use]
    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// The first key, as long as no vault has it.
    #[must_use]
    pub(super) fn seed(&self) -> Option<&Seed> {
        self.seed.as_ref()
    }

    /// A vault has the first key: forgets it.
    ///
    /// # Errors
    /// If the state can't be written; then it is forgotten at the next sync.
    pub(super) fn forget_seed(&mut self) -> io::Result<()> {
        self.seed = None;
        self.behind = true;
        self.sync()
    }

    /// Begins another chain, because no vault has the first key of this one.
    ///
    /// # Errors
    /// If the files can't be written.
    pub(super) fn begin_chain(&mut self, note: &str, now: SystemTime) -> io::Result<()> {
        self.sync()?;
        let state = new_chain(self.first, self.link.seq)?;
        let (link, seed) = (
            std::mem::replace(&mut self.link, state.link),
            std::mem::replace(&mut self.seed, state.seed),
        );
        if let Err(error) = self.save_state(self.length) {
            (self.link, self.seed) = (link, seed);
            return Err(error);
        }
        let event = Event::noted(Action::CHAIN, note);
        self.append(&mut [Entry::new(&event, now, 1)], now)?;
        self.sync()
    }

    /// The files, for whoever reads them.
    #[must_use]
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    fn append_here(&mut self, entries: &mut [Entry]) -> io::Result<()> {
        let mut link = self.link.clone();
        let text: String = entries.iter_mut().map(|entry| link.write(entry)).collect();
        self.write_text(&text, link)?;
        self.journal.send(entries);
        Ok(())
    }

    fn write_text(&mut self, text: &str, link: Link) -> io::Result<()> {
        if let Err(error) = self.current.write_all(text.as_bytes()) {
            // A part of it may be there. If it can't be cut off, the next opening does it.
            self.current.set_len(self.length)?;
            return Err(error);
        }
        self.link = link;
        self.length += text.len() as u64;
        self.behind = true;
        Ok(())
    }

    fn rotate(&mut self, now: SystemTime) -> io::Result<()> {
        self.sync()?;
        // Only somebody else can have put a file there; it is not replaced.
        while fs::symlink_metadata(self.files.full(self.first)).is_ok() {
            self.first = self.first.saturating_add(1);
        }
        fs::rename(self.files.current(), self.files.full(self.first))?;
        self.current = self.files.open_current()?;
        (self.first, self.length) = (self.link.seq, 0);
        self.files.sync_names()?;
        self.save_state(0)?;
        self.drop_old(now)
    }

    /// Removes the oldest files beyond the limit, after the lines tell so.
    fn drop_old(&mut self, now: SystemTime) -> io::Result<()> {
        let Some(keep) = self.settings.keep_files else {
            return Ok(());
        };
        let full: Vec<_> = self.files.list()?;
        let full: Vec<_> = full.iter().filter(|piece| piece.first.is_some()).collect();
        let surplus = full.len().saturating_sub(keep);
        let (old, kept) = full.split_at(surplus);
        if old.is_empty() {
            return Ok(());
        }
        let left_from = kept
            .first()
            .and_then(|piece| piece.first)
            .unwrap_or(self.first);
        let mut entry = Entry::new(
            &Event::new(Action::DROPPED, super::event::Verdict::Noted),
            now,
            1,
        );
        entry.left_from = Some(left_from);
        self.append_here(&mut [entry])?;
        self.sync()?;
        for piece in old {
            fs::remove_file(&piece.path)?;
        }
        self.files.sync_names()
    }

    /// Lines that go to a file that somebody moved away would be seen by nobody.
    fn check_place(&self) -> io::Result<()> {
        let (there, ours) = (
            fs::symlink_metadata(self.files.current())?,
            self.current.metadata()?,
        );
        if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) {
            return Err(io::Error::other("`audit.jsonl` was replaced"));
        }
        if ours.len() != self.length {
            return Err(io::Error::other(
                "`audit.jsonl` was written by somebody else",
            ));
        }
        Ok(())
    }

    fn save_state(&self, length: u64) -> io::Result<()> {
        self.state_file.write(&State {
            link: self.link.clone(),
            seed: self.seed.clone(),
            first: self.first,
            length,
        })
    }
}

fn new_chain(first: u64, next: u64) -> io::Result<State> {
    let seed =
        Seed::random(next).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(State {
        link: seed.start(),
        seed: Some(seed),
        first,
        length: 0,
    })
}
