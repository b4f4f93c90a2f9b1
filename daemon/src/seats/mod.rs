//! Who may be connected, and who has to go when all seats are taken.
//!
//! A silent connection costs nobody anything until somebody else needs its seat. So there is no timer for idle
//! connections: when the seats are taken, the connection that has gone longest without a call loses its own, and
//! first among those of the process that has the most. Only when calls are under way on all of them is the newcomer turned
//! away. The process is the one that connected; its pid serves fairness alone, never permission.

mod frames;
mod seat;
mod stream;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{debug, warn};

pub use self::{
    seat::{Call, Due, PATIENCE, QUIET, Seat, Waiting},
    stream::SeatedStream,
};

/// Calls of one connection that may wait (`wait` in the request): half of its streams, so that a connection full of
/// waiters still has some for calls that are answered at once.
pub const WAITING_PER_CONNECTION: usize = 128;
/// Calls of one process that may wait.
pub const WAITING_PER_PROCESS: usize = 1024;
/// Calls that may wait in all: some megabytes.
pub const WAITING_IN_ALL: usize = 4096;
/// A crowd in front of the door is worth one line in the log, now and then.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// A process as the kernel named it when it connected; `None` if it did not.
pub type Pid = Option<i32>;

/// Who sits there, for people; the pid alone counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sitter {
    pub uid: u32,
    pub pid: Pid,
}

/// What one process has of the seats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub connections: usize,
    /// Under way, those that wait included.
    pub calls: usize,
    pub waiting: usize,
    /// Connections turned away or closed for want of seats.
    pub held_back: u64,
}

/// Processes that were held back and are remembered.
const REMEMBERED: usize = 64;

/// The seats of one socket.
#[derive(Debug)]
pub struct Seats {
    room: usize,
    /// How many one process may have.
    share: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    seats: BTreeMap<u64, Arc<Seat>>,
    held_back: BTreeMap<Sitter, u64>,
    next: u64,
    told: Option<Instant>,
}

/// All seats that the process may have are taken, and calls are under way on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A seat, given back when this is dropped.
#[derive(Debug)]
pub struct Taking {
    seats: Arc<Seats>,
    seat: Arc<Seat>,
    number: u64,
}

impl Seats {
    /// `room` seats, of which one process may have half.
    #[must_use]
    pub fn new(room: usize) -> Arc<Self> {
        Arc::new(Self {
            room,
            share: room.div_ceil(2),
            taken: Mutex::default(),
        })
    }

    /// A seat for a process that connected; somebody else's connection may be closed for it.
    ///
    /// # Errors
    /// If no seat is free and none can be freed.
    pub fn take(self: &Arc<Self>, sitter: Sitter) -> Result<Taking, Full> {
        let pid = sitter.pid;
        let mut taken = self.lock();
        let now = Instant::now();
        let own = taken
            .seats
            .values()
            .filter(|seat| seat.sitter.pid == pid)
            .count();
        if own >= self.share || taken.seats.len() >= self.room {
            let within = (own >= self.share).then_some(pid);
            let Some(victim) = taken.longest_idle(within) else {
                taken.hold_back(sitter);
                taken.tell(now, own);
                return Err(Full);
            };
            if let Some(seat) = taken.seats.remove(&victim) {
                debug!(
                    pid = seat.sitter.pid,
                    "an idle connection makes way for a new one"
                );
                taken.hold_back(seat.sitter);
                seat.evict();
            }
        }
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        let seat = Seat::new(sitter, now);
        taken.seats.insert(number, Arc::clone(&seat));
        Ok(Taking {
            seats: Arc::clone(self),
            seat,
            number,
        })
    }

    /// All who are connected are to leave, each once no call of his has been under way for [`QUIET`]; then it is
    /// [`Seat::farewell`]. Who does not leave within [`PATIENCE`] is closed.
    pub fn dismiss(&self) {
        for seat in self.lock().seats.values() {
            seat.dismiss();
        }
    }

    /// Lets a call wait, unless too many of its connection, its process, or of all wait already.
    #[must_use]
    pub fn wait(&self, seat: &Arc<Seat>) -> Option<Waiting> {
        let taken = self.lock();
        let (mut of_process, mut in_all) = (0, 0);
        for other in taken.seats.values() {
            let waiting = other.waiting();
            in_all += waiting;
            if other.sitter.pid == seat.sitter.pid {
                of_process += waiting;
            }
        }
        let room = seat.waiting() < WAITING_PER_CONNECTION
            && of_process < WAITING_PER_PROCESS
            && in_all < WAITING_IN_ALL;
        room.then(|| seat.wait())
    }

    /// How many seats there are, and how many one process may have.
    #[must_use]
    pub fn room(&self) -> (usize, usize) {
        (self.room, self.share)
    }

    /// Who has what.
    #[must_use]
    pub fn loads(&self) -> BTreeMap<Sitter, Load> {
        let taken = self.lock();
        let mut loads: BTreeMap<Sitter, Load> = BTreeMap::new();
        for seat in taken.seats.values() {
            let load = loads.entry(seat.sitter).or_default();
            load.connections += 1;
            load.calls += seat.calls();
            load.waiting += seat.waiting();
        }
        for (sitter, times) in &taken.held_back {
            loads.entry(*sitter).or_default().held_back = *times;
        }
        loads
    }

    /// Closes the connections of these users that have no call under way; their clients connect again.
    pub fn close_idle(&self, is_meant: impl Fn(u32) -> bool) {
        for seat in self.lock().seats.values() {
            if seat.idle_since().is_some() && is_meant(seat.sitter.uid) {
                seat.evict();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The seat that has been idle longest, of this process or else of the one with the most seats that has an idle one.
    fn longest_idle(&self, within: Option<Pid>) -> Option<u64> {
        let mut processes: HashMap<Pid, (usize, Option<(Instant, u64)>)> = HashMap::new();
        for (number, seat) in &self.seats {
            if within.is_some_and(|pid| pid != seat.sitter.pid) {
                continue;
            }
            let (size, oldest) = processes.entry(seat.sitter.pid).or_default();
            *size += 1;
            if let Some(since) = seat.idle_since() {
                let candidate = (since, *number);
                *oldest = Some(oldest.map_or(candidate, |oldest| oldest.min(candidate)));
            }
        }
        processes
            .into_values()
            .filter_map(|(size, oldest)| oldest.map(|(since, number)| (size, since, number)))
            .max_by(|(size, since, _), (other_size, other_since, _)| {
                size.cmp(other_size).then(other_since.cmp(since))
            })
            .map(|(_, _, number)| number)
    }

    fn hold_back(&mut self, sitter: Sitter) {
        if self.held_back.len() >= REMEMBERED && !self.held_back.contains_key(&sitter) {
            // Whoever was held back least matters least.
            let least = self.held_back.iter().min_by_key(|(_, times)| **times);
            if let Some(sitter) = least.map(|(sitter, _)| *sitter) {
                self.held_back.remove(&sitter);
            }
        }
        let times = self.held_back.entry(sitter).or_default();
        *times = times.saturating_add(1);
    }

    fn tell(&mut self, now: Instant, own: usize) {
        if self.told.is_none_or(|told| now - told >= LINE_EVERY) {
            self.told = Some(now);
            warn!(
                connections = self.seats.len(),
                of_this_process = own,
                "a connection was turned away: calls are under way on all there may be"
            );
        }
    }
}

impl Taking {
    /// What calls need to know of their connection.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller {
            seats: Arc::clone(&self.seats),
            seat: Arc::clone(&self.seat),
        }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.seats.lock().seats.remove(&self.number);
        self.seat.say_farewell();
    }
}

/// The connection of a call.
#[derive(Debug, Clone)]
pub struct Caller {
    pub seats: Arc<Seats>,
    pub seat: Arc<Seat>,
}

impl Caller {
    /// See [`Seats::wait`].
    #[must_use]
    pub fn wait(&self) -> Option<Waiting> {
        self.seats.wait(&self.seat)
    }
}

#[cfg(test)]
mod tests;
