//! Who holds a record's session: the reason to keep it alive, and who is cut off when somebody ends it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime},
};

/// How many of those who took the session are remembered: enough for people to see who uses it.
const MOST_GETS: usize = 16;

/// A process that holds a session, as the kernel named it when it connected. For people to read, never for permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    pub uid: u32,
    pub pid: Option<i32>,
}

/// Those who hold the session of one record.
#[derive(Debug, Default)]
pub struct Holds {
    streams: BTreeMap<u64, Stream>,
    next: u64,
    /// Those that hold it until they exit, and since when.
    processes: BTreeMap<Holder, SystemTime>,
    /// Who took it last, and when; the latest is the last.
    gets: VecDeque<(Holder, SystemTime)>,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    holder: Holder,
    min_ttl: Duration,
    since: SystemTime,
}

/// Whether a session is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// By nobody.
    No,
    /// By somebody who took it, until then.
    Until(SystemTime),
    /// By a process that took it, for as long as it lives.
    ByProcess,
    /// By a stream, for as long as it is open.
    Open,
}

/// One who may be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub holder: Holder,
    pub by: By,
    /// When the stream was opened, or the session was taken.
    pub at: SystemTime,
}

/// How somebody holds a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A stream that watches it.
    Stream,
    /// Being alive.
    Process,
    /// Having taken it.
    Get,
}

impl Holds {
    /// A stream is opened. Returns its number.
    pub fn open(&mut self, holder: Holder, min_ttl: Duration, since: SystemTime) -> u64 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        let stream = Stream {
            holder,
            min_ttl,
            since,
        };
        self.streams.insert(number, stream);
        number
    }

    /// The stream of this number is gone.
    pub fn close(&mut self, number: u64) {
        self.streams.remove(&number);
    }

    /// The process holds it until [`Self::release`]. Returns false if it does so already.
    pub fn bind(&mut self, process: Holder, now: SystemTime) -> bool {
        if self.processes.contains_key(&process) {
            return false;
        }
        self.processes.insert(process, now);
        // Or it would hold it for a while after it has exited.
        self.gets.retain(|(earlier, _)| *earlier != process);
        true
    }

    /// The process does not hold it any more. Returns whether neither a process nor a stream does now.
    pub fn release(&mut self, process: Holder) -> bool {
        self.processes.remove(&process);
        self.processes.is_empty() && self.streams.is_empty()
    }

    /// Whether this process holds it until [`Self::release`].
    #[must_use]
    pub fn is_bound(&self, process: Holder) -> bool {
        self.processes.contains_key(&process)
    }

    /// Whether any process does.
    #[must_use]
    pub fn has_processes(&self) -> bool {
        !self.processes.is_empty()
    }

    /// Somebody took the session.
    pub fn got(&mut self, holder: Holder, now: SystemTime) {
        if self.is_bound(holder) {
            return;
        }
        if self.gets.back().is_some_and(|(last, _)| *last == holder) {
            self.gets.pop_back();
        } else {
            self.gets.retain(|(earlier, _)| *earlier != holder);
            if self.gets.len() == MOST_GETS {
                self.gets.pop_front();
            }
        }
        self.gets.push_back((holder, now));
    }

    /// Whether anybody holds it, if whoever takes it holds it for `after_get`.
    #[must_use]
    pub fn held(&self, after_get: Duration, now: SystemTime) -> Held {
        if !self.streams.is_empty() {
            return Held::Open;
        }
        if !self.processes.is_empty() {
            return Held::ByProcess;
        }
        match self.gets.back() {
            // A get in the future shows that the clock went back.
            Some((_, at)) if *at <= now && now < *at + after_get => Held::Until(*at + after_get),
            Some(_) | None => Held::No,
        }
    }

    /// What all streams together ask of the session: it must be guaranteed for so long.
    #[must_use]
    pub fn min_ttl(&self) -> Duration {
        let asked = self.streams.values().map(|stream| stream.min_ttl);
        asked.max().unwrap_or_default()
    }

    /// Those who may be cut off if the session ends: streams, processes, and who took it not longer ago than `within`.
    #[must_use]
    pub fn list(&self, within: Duration, now: SystemTime) -> Vec<Hold> {
        let streams = self.streams.values().map(|stream| Hold {
            holder: stream.holder,
            by: By::Stream,
            at: stream.since,
        });
        let processes = self.processes.iter().map(|(holder, since)| Hold {
            holder: *holder,
            by: By::Process,
            at: *since,
        });
        let gets = self.gets.iter().rev().map(|(holder, at)| Hold {
            holder: *holder,
            by: By::Get,
            at: *at,
        });
        let recent = gets.filter(|get| get.at + within > now);
        streams.chain(processes).chain(recent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_HOUR: Duration = Duration::from_mins(30);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn process(pid: i32) -> Holder {
        Holder {
            uid: 1000,
            pid: Some(pid),
        }
    }

    #[test]
    fn a_get_holds_for_a_while_and_a_stream_while_it_is_open() {
        let mut holds = Holds::default();
        assert_eq!(holds.held(HALF_HOUR, at(0)), Held::No);
        holds.got(process(1), at(0));
        assert_eq!(holds.held(HALF_HOUR, at(1799)), Held::Until(at(1800)));
        assert_eq!(holds.held(HALF_HOUR, at(1800)), Held::No);
        assert_eq!(holds.held(Duration::ZERO, at(0)), Held::No);
        let (short, long) = (Duration::from_secs(60), Duration::from_secs(600));
        let first = holds.open(process(1), short, at(0));
        let second = holds.open(process(1), long, at(0));
        assert_eq!(holds.held(HALF_HOUR, at(9999)), Held::Open);
        assert_eq!(holds.min_ttl(), long);
        holds.close(second);
        assert_eq!(holds.min_ttl(), short);
        holds.close(first);
        assert_eq!(holds.held(HALF_HOUR, at(9999)), Held::No);
    }

    #[test]
    fn a_process_holds_until_it_is_released_and_not_for_a_while_more() {
        let mut holds = Holds::default();
        holds.got(process(1), at(0));
        assert!(holds.bind(process(1), at(5)) && !holds.bind(process(1), at(6)));
        holds.got(process(1), at(7));
        assert_eq!(holds.held(HALF_HOUR, at(0)), Held::ByProcess);
        assert_eq!(holds.held(Duration::ZERO, at(99_999)), Held::ByProcess);
        let list = holds.list(HALF_HOUR, at(99_999));
        let bound = Hold {
            holder: process(1),
            by: By::Process,
            at: at(5),
        };
        assert_eq!(list, [bound]);
        // Another of the same user goes without saying what becomes of this one.
        assert!(!holds.release(process(2)));
        assert!(holds.is_bound(process(1)) && !holds.is_bound(process(2)));
        let stream = holds.open(process(2), Duration::ZERO, at(8));
        assert!(!holds.release(process(1)));
        holds.close(stream);
        assert!(holds.release(process(1)));
        assert_eq!(holds.held(HALF_HOUR, at(8)), Held::No);
        assert!(holds.list(HALF_HOUR, at(8)).is_empty());
    }

    #[test]
    fn a_get_in_the_future_holds_nothing() {
        let mut holds = Holds::default();
        holds.got(process(1), at(86_400));
        assert_eq!(holds.held(HALF_HOUR, at(0)), Held::No);
    }

    #[test]
    fn a_crowd_of_processes_is_remembered_in_part() {
        let mut holds = Holds::default();
        for pid in 0..100_i32 {
            holds.got(process(pid), at(pid.unsigned_abs().into()));
            holds.got(process(99), at(pid.unsigned_abs().into()));
        }
        let list = holds.list(HALF_HOUR, at(100));
        assert_eq!(list.len(), MOST_GETS);
        assert_eq!(list[0].holder, process(99));
        assert!(holds.list(HALF_HOUR, at(99 + 1800)).is_empty());
    }
}
