//! Reads lines for people: those that pass a filter, a batch at a time, also those that are yet to come.
//!
//! What is read is not checked: that is `verify`'s, which reads everything.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    time::SystemTime,
};

use tokio::task;

use super::{
    Changes,
    files::{Files, open_to_read},
    instant,
    line::{Entry, Line},
    lines::Lines,
};
use crate::error::Error;

/// Lines handed over at a time.
const BATCH: usize = 128;
/// Lines looked at before an empty batch is handed over, so that who asked can still be gone.
const PATIENCE: usize = 20_000;

/// Which lines are wanted; what is not said does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub record: Option<String>,
    pub since: Option<SystemTime>,
    pub uid: Option<u32>,
    pub action: Option<String>,
    pub denied: bool,
    pub fingerprint: Option<String>,
    /// Wait for more at the end.
    pub follow: bool,
    /// Only the newest so many of those that are there.
    pub last: Option<usize>,
}

impl Filter {
    fn wants(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, have: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == have
        };
        let since = self.since.map(instant::text);
        is(&self.record, entry.record.as_deref())
            && is(&self.action, Some(&entry.action))
            && is(&self.fingerprint, entry.fingerprint.as_deref())
            && (self.uid.is_none() || self.uid == entry.uid)
            && (!self.denied || entry.verdict == "denied")
            // Text of one length: it sorts as the times do.
            && since.is_none_or(|since| entry.time >= since)
    }
}

/// A place in the files.
#[derive(Debug)]
pub struct Reader {
    place: Option<Place>,
    filter: Filter,
    /// The number of the first line that is not wanted: it came later.
    until: Option<u64>,
    changes: Changes,
    /// The newest lines so far, while only those are wanted.
    newest: Option<VecDeque<Entry>>,
}

#[derive(Debug)]
struct Place {
    files: Files,
    open: Option<Open>,
    /// The number of the last line that was read.
    last: u64,
    /// The file that was read is gone: what comes first now may have been read already.
    resumed: bool,
}

#[derive(Debug)]
struct Open {
    lines: Lines<BufReader<File>>,
    inode: u64,
}

impl Reader {
    pub(super) fn new(
        files: Files,
        filter: Filter,
        next: Option<u64>,
        mut changes: Changes,
    ) -> Self {
        changes.mark_unchanged();
        let newest = filter.last.map(|_| VecDeque::new());
        Self {
            place: Some(Place {
                files,
                open: None,
                last: 0,
                resumed: false,
            }),
            until: next.filter(|_| !filter.follow),
            filter,
            changes,
            newest,
        }
    }

    /// The next lines; `None` at the end. A batch can be empty.
    ///
    /// # Errors
    /// If the files can't be read.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        loop {
            let Some(mut place) = self.place.take() else {
                return Ok(None);
            };
            let (filter, until) = (self.filter.clone(), self.until);
            let read = task::spawn_blocking(move || {
                let batch = place.read(&filter, until);
                (place, batch)
            });
            let (place, batch) = read
                .await
                .map_err(|_| Error::Internal("reading the audit broke off"))?;
            let (batch, at_end) =
                batch.map_err(|error| Error::AuditUnavailable(error.to_string()))?;
            self.place = Some(place);
            let Some(batch) = self.sift(batch, at_end) else {
                continue;
            };
            if !batch.is_empty() || !at_end {
                return Ok(Some(batch));
            }
            if !self.filter.follow || self.changes.borrow().ended {
                return Ok(None);
            }
            // The sender ends with the daemon.
            if self.changes.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Holds lines back until it is known which are the newest. `None`: read on.
    fn sift(&mut self, batch: Vec<Entry>, at_end: bool) -> Option<Vec<Entry>> {
        let Some(newest) = &mut self.newest else {
            return Some(batch);
        };
        newest.extend(batch);
        let surplus = newest
            .len()
            .saturating_sub(self.filter.last.unwrap_or(usize::MAX));
        newest.drain(..surplus);
        if !at_end {
            return None;
        }
        self.newest.take().map(Vec::from)
    }
}

impl Place {
    /// Some lines that pass, and whether there are no more now.
    fn read(&mut self, filter: &Filter, until: Option<u64>) -> io::Result<(Vec<Entry>, bool)> {
        let mut batch = Vec::new();
        let mut looked_at = 0;
        while batch.len() < BATCH && looked_at < PATIENCE {
            if self.open.is_none() && !self.open_next(None)? {
                return Ok((batch, true));
            }
            let Some(open) = &mut self.open else {
                return Ok((batch, true));
            };
            looked_at += 1;
            let torn = match open.lines.next()? {
                Some(raw) if raw.ended => {
                    // What is no line is `verify`'s to tell.
                    if let Ok(line) = Line::parse(raw.bytes)
                        && !(self.resumed && line.entry.seq <= self.last)
                    {
                        self.last = line.entry.seq;
                        if until.is_some_and(|until| self.last >= until) {
                            return Ok((batch, true));
                        }
                        if filter.wants(&line.entry) {
                            batch.push(line.entry);
                        }
                    }
                    continue;
                }
                Some(raw) => Some(raw.offset),
                None => None,
            };
            let inode = open.inode;
            if let Some(offset) = torn {
                // Its end is yet to be written, or never will be.
                self.reopen_at(offset)?;
            }
            if !self.open_next(Some(inode))? {
                return Ok((batch, true));
            }
        }
        Ok((batch, false))
    }

    /// Opens the file after the one with this inode, or the first; false if there is none.
    fn open_next(&mut self, after: Option<u64>) -> io::Result<bool> {
        let mut following = false;
        let mut known = false;
        for piece in self.files.list()? {
            let file = match open_to_read(&piece.path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let inode = file.metadata()?.ino();
            let next = after.is_none() || following;
            if next {
                self.open = Some(Open {
                    lines: Lines::new(BufReader::with_capacity(64 << 10, file), 0),
                    inode,
                });
                return Ok(true);
            }
            following = after == Some(inode);
            known |= following;
        }
        if after.is_some() && !known {
            // Ours was removed: all that is left is newer, or was seen.
            self.open = None;
            self.resumed = true;
        }
        Ok(false)
    }

    fn reopen_at(&mut self, offset: u64) -> io::Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let mut file = open.lines.into_inner().into_inner();
        file.seek(SeekFrom::Start(offset))?;
        self.open = Some(Open {
            lines: Lines::new(BufReader::with_capacity(64 << 10, file), offset),
            inode: open.inode,
        });
        Ok(())
    }
}
