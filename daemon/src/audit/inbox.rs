//! What waits to be written. Whoever tells something takes a lock for a microsecond and goes on.
//!
//! The first of many like events is written at once; those that follow are counted, and each second that had some gets
//! one line for them.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    time::SystemTime,
};

use tokio::sync::oneshot;

use super::{
    event::{Event, Fingerprint},
    line::Entry,
};
use crate::{policy::Decision, secret::SessionId};

/// Lines that wait for the disk. It takes a disk that stands still to get there; what comes then is counted.
const MOST_WAITING: usize = 4096;
/// Kinds of events that are counted at a time; others get lines of their own.
const MOST_KINDS: usize = 1024;

/// Told when a line is durable, or why it is not.
pub(super) type Told = oneshot::Sender<Result<(), String>>;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: VecDeque<Waiting>,
    kinds: HashMap<u64, Kind, BuildHasherDefault<Mix>>,
    lost: u64,
}

/// A line to write.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) entry: Entry,
    /// Who must not go on before it is durable.
    pub(super) told: Option<Told>,
}

#[derive(Debug)]
struct Kind {
    like: Event<'static>,
    /// Since the last line.
    count: u64,
}

/// A hasher that every call can afford. Who makes two events of one hash gets lines for both, and nothing else.
#[derive(Debug, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Inbox {
    /// Takes an event in, alone or as one more like an earlier one. Returns whether the writer has something to do.
    pub(super) fn note(
        &mut self,
        event: Event<'_>,
        now: impl FnOnce() -> SystemTime,
        digest: impl FnOnce(&SessionId) -> Option<Fingerprint>,
    ) -> bool {
        let mut likeness = Mix::default();
        event.hash_likeness(&mut likeness);
        let key = likeness.finish();
        let known = self.kinds.get_mut(&key);
        let taken = known.is_some();
        if let Some(kind) = known
            && kind.like.is_like(&event)
        {
            kind.count += 1;
            return false;
        }
        let mut like = event.into_owned(digest);
        let entry = Entry::new(&like, now(), 1);
        if like.is_of_anybody() {
            // The others come from other processes, which lack something else.
            like.who = like.who.map(|who| Cow::Owned(who.without_process()));
            like.decision = like
                .decision
                .filter(|decision| !matches!(**decision, Decision::Denied { .. }));
        }
        if like.is_of_no_record() {
            // The others have names of their own.
            like.record = None;
        }
        if self.kinds.len() < MOST_KINDS && !taken {
            self.kinds.insert(key, Kind { like, count: 0 });
        }
        self.push(Waiting { entry, told: None })
    }

    /// Takes a line in that somebody waits for.
    pub(super) fn push(&mut self, waiting: Waiting) -> bool {
        if self.waiting.len() >= MOST_WAITING {
            self.lost += waiting.entry.count;
            if let Some(told) = waiting.told {
                // Who asked may be gone.
                let _ = told.send(Err("too many lines wait for the disk".to_owned()));
            }
            return false;
        }
        self.waiting.push_back(waiting);
        true
    }

    /// Makes lines of what was counted. Once a second, as long as [`Inbox::counts`].
    pub(super) fn close_second(&mut self, now: SystemTime) {
        let mut lines = Vec::new();
        self.kinds.retain(|_, kind| {
            if kind.count == 0 {
                return false;
            }
            lines.push(Entry::new(&kind.like, now, kind.count));
            kind.count = 0;
            true
        });
        for entry in lines {
            self.push(Waiting { entry, told: None });
        }
    }

    /// Whether something is counted, so that a second must be closed.
    pub(super) fn counts(&self) -> bool {
        !self.kinds.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next lines to write, and how many were lost before them.
    pub(super) fn take(&mut self, most: usize) -> (Vec<Waiting>, u64) {
        let count = most.min(self.waiting.len());
        (
            self.waiting.drain(..count).collect(),
            std::mem::take(&mut self.lost),
        )
    }

    /// Puts lines back that could not be written, before the others.
    pub(super) fn put_back(&mut self, lines: Vec<Entry>, lost: u64) {
        self.lost += lost;
        for entry in lines.into_iter().rev() {
            if self.waiting.len() < MOST_WAITING {
                self.waiting.push_front(Waiting { entry, told: None });
            } else {
                self.lost += entry.count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{
        event::{Action, Verdict},
        who::Who,
    };

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn read(pid: i32, verdict: Verdict) -> Event<'static> {
        Event {
            who: Some(Cow::Owned(Who {
                uid: Some(1000),
                gid: Some(1000),
                pid: Some(pid),
                ..Who::default()
            })),
            record: Some("prod".into()),
            ..Event::new(Action::GET, verdict)
        }
    }

    fn note(inbox: &mut Inbox, event: Event<'_>) -> bool {
        inbox.note(event, || NOW, |_| None)
    }

    fn counts(inbox: &mut Inbox) -> Vec<u64> {
        let (lines, _) = inbox.take(usize::MAX);
        lines.iter().map(|line| line.entry.count).collect()
    }

    #[test]
    fn events_of_one_hash_take_nothing_from_each_other() {
        let mut inbox = Inbox::default();
        note(&mut inbox, read(1, Verdict::Served));
        note(&mut inbox, read(1, Verdict::Served));
        // As if the other kind had this one's hash.
        let mut kinds = std::mem::take(&mut inbox.kinds);
        let (key, mut kind) = kinds.drain().next().unwrap();
        kind.like = read(2, Verdict::Served);
        inbox.kinds.insert(key, kind);
        assert!(note(&mut inbox, read(1, Verdict::Served)));
        inbox.close_second(NOW);
        assert_eq!(counts(&mut inbox), [1, 1, 1]);
    }

    #[test]
    fn like_events_of_one_second_share_a_line_after_the_first() {
        let mut inbox = Inbox::default();
        assert!(note(&mut inbox, read(1, Verdict::Served)));
        for _ in 0..1000 {
            assert!(!note(&mut inbox, read(1, Verdict::Served)));
        }
        assert!(
            note(&mut inbox, read(2, Verdict::Served)),
            "another process"
        );
        assert!(
            note(&mut inbox, read(1, Verdict::Refused)),
            "another verdict"
        );
        assert_eq!(counts(&mut inbox), [1, 1, 1]);
        inbox.close_second(NOW);
        assert_eq!(counts(&mut inbox), [1000]);
        note(&mut inbox, read(1, Verdict::Served));
        inbox.close_second(NOW);
        assert_eq!(counts(&mut inbox), [1]);
        inbox.close_second(NOW);
        assert!(!inbox.counts(), "an idle daemon counts nothing");
        assert!(inbox.is_empty());
    }

    /// T45: who is turned away can't fill the disk by coming as another process each time.
    #[test]
    fn denials_of_one_user_share_a_line_whatever_the_process() {
        let mut inbox = Inbox::default();
        for pid in 0..10_000 {
            note(&mut inbox, read(pid, Verdict::Denied));
        }
        inbox.close_second(NOW);
        assert_eq!(counts(&mut inbox), [1, 9_999]);
    }

    /// T45: nor by asking for another record each time, while the vault is locked or there is none of the name.
    #[test]
    fn names_of_no_record_share_a_line_that_has_none_after_the_first() {
        let mut inbox = Inbox::default();
        for number in 0..10_000 {
            let guess = Event {
                record: Some(format!("guess-{number}").into()),
                decision: Some(Cow::Owned(Decision::NoRecord)),
                ..read(number, Verdict::Refused)
            };
            note(&mut inbox, guess);
        }
        inbox.close_second(NOW);
        let (lines, _) = inbox.take(usize::MAX);
        let told: Vec<_> = lines
            .iter()
            .map(|line| {
                let entry = &line.entry;
                (entry.record.as_deref(), entry.pid, entry.count)
            })
            .collect();
        assert_eq!(told, [(Some("guess-0"), Some(0), 1), (None, None, 9_999)]);
    }

    /// T45: what is missing may name a program, of which there can be as many as there are files.
    #[test]
    fn what_is_missing_makes_no_lines() {
        let mut inbox = Inbox::default();
        for number in 0..1_000 {
            let denied = Event {
                decision: Some(Cow::Owned(Decision::Denied {
                    missing: vec![vec![format!("its program is /tmp/{number}")]],
                })),
                ..read(number, Verdict::Denied)
            };
            note(&mut inbox, denied);
        }
        inbox.close_second(NOW);
        let (lines, _) = inbox.take(usize::MAX);
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.entry.note.as_deref(), line.entry.count))
            .collect();
        // What the first lacked says nothing of the others.
        let first = "rule 1: its program is /tmp/0";
        assert_eq!(told, [(Some(first), 1), (None, 999)]);
    }

    /// T45
    #[test]
    fn a_flood_is_bounded_and_what_is_lost_is_counted() {
        let mut inbox = Inbox::default();
        for pid in 0..20_000 {
            note(&mut inbox, read(pid, Verdict::Served));
        }
        assert!(inbox.kinds.len() <= MOST_KINDS);
        let (lines, lost) = inbox.take(usize::MAX);
        assert_eq!(
            (lines.len(), lost),
            (MOST_WAITING, 20_000 - MOST_WAITING as u64)
        );
        inbox.put_back(lines.into_iter().map(|line| line.entry).collect(), lost);
        let (sender, mut told) = oneshot::channel();
        let entry = Entry::default();
        inbox.push(Waiting {
            entry,
            told: Some(sender),
        });
        assert!(
            matches!(told.try_recv(), Ok(Err(_))),
            "nobody waits for ever"
        );
    }
}
