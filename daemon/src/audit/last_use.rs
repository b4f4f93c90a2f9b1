//! Who was handed a record's session last, known without reading the whole audit.
//!
//! What this daemon writes is noted as it is written, on the writer's thread. What is older is read back from the newest
//! line on when somebody asks, a bounded part at a time and none of it twice. Nothing of this is kept on disk: the audit is.

use std::{
    cmp::Reverse,
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    event::{Action, Verdict},
    files::{Files, open_to_read},
    line::{Entry, LONGEST, Line},
    lines::Lines,
    usage::User,
    writer::Head,
};

/// How many users of a record are named.
const MOST_USERS: usize = 3;
/// What ends with a line of ours and is so long, in bytes, has the whole of it.
const A_LINE: u64 = 2 * LONGEST as u64;

/// Who used a record last, as far as the audit goes back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastUse {
    /// Those who were handed a session, the last one first; at most three.
    pub users: Vec<LastUser>,
    /// Others were before them.
    pub more: bool,
    /// Nobody was found yet, and there are older lines.
    pub unread: bool,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUser {
    pub user: User,
    /// As in the line.
    pub at: String,
    seq: u64,
}

/// The last users of all records that were used.
#[derive(Debug, Default)]
pub(super) struct LastUses {
    noted: Mutex<Noted>,
    /// Held while older lines are read. The writer never waits for it.
    back: Mutex<Back>,
}

#[derive(Debug, Default)]
struct Noted {
    /// Only what is a record is handed out, so only administration makes it grow.
    records: HashMap<String, LastUse>,
    /// How far the files went before this daemon wrote to them.
    began: Option<Place>,
}

/// How far back older lines were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Back {
    #[default]
    Nowhere,
    To(Place),
    All,
}

/// A place in the files, named so that it stays the same when a file is full and gets another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the first line of its file.
    first: u64,
    /// In bytes.
    offset: u64,
}

impl LastUses {
    /// The files are open: all that is in them is older than what will be noted.
    pub(super) fn opened(&self, head: Head) {
        self.noted().began.get_or_insert(Place {
            first: head.first,
            offset: head.length,
        });
    }

    /// Takes in lines that were written.
    pub(super) fn note(&self, entries: &[Entry]) {
        let mut noted = self.noted();
        for entry in entries {
            noted.note(entry);
        }
    }

    /// Who used these records last, in their order. At most so many bytes are read back for it: at the first question, for
    /// who came since the start may not be who usually comes, and as long as nobody is known for one of the records.
    /// `open` is [`open_before`], with the writer held.
    pub(super) fn of(
        &self,
        records: &[String],
        most: u64,
        open: impl Fn(Place) -> io::Result<Option<(File, Place)>>,
    ) -> Vec<LastUse> {
        let mut back = self.back.lock().unwrap_or_else(PoisonError::into_inner);
        let from = match *back {
            Back::Nowhere => self.noted().began,
            Back::To(place) => Some(place).filter(|_| !self.noted().knows(records)),
            Back::All => None,
        };
        if let Some(from) = from {
            // What can't be read is unread; `usage` tells why.
            *back = self.read_back(from, most, open).unwrap_or(*back);
        }
        let nobody = LastUse {
            unread: *back != Back::All,
            ..LastUse::default()
        };
        let noted = self.noted();
        let of = |record: &String| noted.records.get(record).unwrap_or(&nobody).clone();
        records.iter().map(of).collect()
    }

    fn read_back(
        &self,
        mut place: Place,
        most: u64,
        open: impl Fn(Place) -> io::Result<Option<(File, Place)>>,
    ) -> io::Result<Back> {
        let mut left = most;
        while left > 0 {
            let Some((file, end)) = open(place)? else {
                return Ok(Back::All);
            };
            let start = end.offset.saturating_sub(left.max(A_LINE));
            let begins = self.read(file, start, end.offset)?;
            left = left.saturating_sub(end.offset - start);
            place = Place {
                offset: begins,
                ..end
            };
        }
        Ok(Back::To(place))
    }

    /// Notes the whole lines between these places of a file, and tells where the first of them begins.
    fn read(&self, mut file: File, start: u64, end: u64) -> io::Result<u64> {
        file.seek(SeekFrom::Start(start))?;
        let reader = BufReader::with_capacity(64 << 10, file.take(end - start));
        let mut lines = Lines::new(reader, start);
        let mut begins = start;
        if start > 0 {
            // It may have begun before.
            lines.next()?;
        }
        let mut is_first = start > 0;
        while let Some(raw) = lines.next()? {
            if is_first {
                (begins, is_first) = (raw.offset, false);
            }
            // What is no line is `verify`'s to tell.
            if let Ok(line) = Line::parse(raw.bytes) {
                self.noted().note(&line.entry);
            }
        }
        Ok(begins)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the newest file that has something before this place, and tells how far that goes; `None` if none has.
///
/// # Errors
/// If the files can't be listed or opened.
pub(super) fn open_before(
    files: &Files,
    grows_from: u64,
    place: Place,
) -> io::Result<Option<(File, Place)>> {
    for piece in files.list()?.iter().rev() {
        let first = piece.first.unwrap_or(grows_from);
        if first > place.first {
            continue;
        }
        let file = open_to_read(&piece.path)?;
        let length = file.metadata()?.len();
        let offset = if first == place.first {
            length.min(place.offset)
        } else {
            length
        };
        if offset > 0 {
            return Ok(Some((file, Place { first, offset })));
        }
    }
    Ok(None)
}

impl Noted {
    fn note(&mut self, entry: &Entry) {
        let Some(record) = entry.record.as_ref() else {
            return;
        };
        if entry.action != Action::GET.name() || entry.verdict != Verdict::Served.name() {
            return;
        }
        if let Some(last) = self.records.get_mut(record) {
            last.note(entry);
        } else {
            let mut last = LastUse::default();
            last.note(entry);
            self.records.insert(record.clone(), last);
        }
    }

    fn knows(&self, records: &[String]) -> bool {
        records
            .iter()
            .all(|record| self.records.contains_key(record))
    }
}

impl LastUser {
    #[cfg(test)]
    pub(crate) fn new(user: User, at: &str) -> Self {
        let (at, seq) = (at.to_owned(), 0);
        Self { user, at, seq }
    }
}

impl LastUse {
    fn note(&mut self, entry: &Entry) {
        match self.users.iter_mut().find(|known| known.user.is_of(entry)) {
            Some(known) if known.seq >= entry.seq => return,
            Some(known) => {
                known.seq = entry.seq;
                known.at.clone_from(&entry.time);
            }
            None => self.users.push(LastUser {
                user: User::of(entry),
                at: entry.time.clone(),
                seq: entry.seq,
            }),
        }
        self.users.sort_by_key(|user| Reverse(user.seq));
        self.more |= self.users.len() > MOST_USERS;
        self.users.truncate(MOST_USERS);
    }
}

#[cfg(test)]
mod tests;
