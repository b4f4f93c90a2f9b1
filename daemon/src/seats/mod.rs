//! Who may be connected, and who has to go when there are too many.
//!
//! A silent connection costs nobody anything until somebody else needs its seat. So there is no timer for idle
//! connections: who has less than his share and finds no seat gets that of the connection that has gone longest without a
//! call, among those of whoever has the most; who has his share gives up one of his own. Only when calls are under way on
//! all of these is the newcomer turned away. The process is the one that connected; its pid serves fairness alone, never
//! permission.

mod frames;
mod parties;
mod seat;
mod stream;
mod victim;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{debug, warn};

use self::{parties::Parties, victim::longest_idle};
pub use self::{
    seat::{Call, Due, Held, PATIENCE, QUIET, Seat, Waiting},
    stream::SeatedStream,
};
use crate::share::{Account, Good, Level, Party, Pool};

/// Calls of one connection that may wait (`wait` in the request): half of its streams, so that a connection full of
/// waiters still has some for calls that are answered at once.
pub const WAITING_PER_CONNECTION: usize = 128;
/// Calls that may wait in all: some megabytes.
pub const WAITING_IN_ALL: usize = 4096;
/// Calls that may be under way in all: about 100 MB, should somebody fill them.
pub const CALLS_IN_ALL: usize = 8192;
/// Bytes of long requests and answers that may be under way in all.
pub const BYTES_IN_ALL: usize = 64 << 20;
/// A crowd in front of the door is worth one line in the log, now and then.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// A process as the kernel named it when it connected; `None` if it did not.
pub type Pid = Option<i32>;

/// Who sits there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sitter {
    pub party: Party,
    pub pid: Pid,
}

/// What one unit has of the seats.
#[derive(Debug, Clone)]
pub struct Load {
    pub account: Arc<Account>,
    /// Those that are connected.
    pub pids: Vec<i32>,
}

/// The seats of one socket.
#[derive(Debug)]
pub struct Seats {
    pool: Arc<Pool>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    seats: BTreeMap<u64, Arc<Seat>>,
    parties: Parties,
    next: u64,
    told: Option<Instant>,
}

/// There is no seat that the process may have, and calls are under way on all that it could get.
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
    /// So many seats; how they are divided is in [`crate::share`].
    #[must_use]
    pub fn new(room: usize) -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::new(room, CALLS_IN_ALL, WAITING_IN_ALL, BYTES_IN_ALL),
            taken: Mutex::default(),
        })
    }

    /// The seats of another socket of the same daemon.
    #[must_use]
    pub fn beside(&self, room: usize) -> Arc<Self> {
        Arc::new(Self {
            pool: self.pool.beside(room),
            taken: Mutex::default(),
        })
    }

    /// A seat for a process that connected; somebody else's connection may be closed for it.
    ///
    /// # Errors
    /// If no seat is free and none can be freed.
    pub fn take(self: &Arc<Self>, sitter: Sitter) -> Result<Taking, Full> {
        let mut taken = self.lock();
        let now = Instant::now();
        let account = taken.parties.account(&sitter.party, &self.pool);
        let own = taken.of_process(&sitter).count();
        let fits = Level::Process.fits(own, self.pool.left(Good::Connections))
            && account.may_have(Good::Connections);
        if !fits {
            let Some(victim) = longest_idle(&taken.seats, &sitter) else {
                account.hold_back(Good::Connections);
                taken.tell(now, &sitter.party);
                return Err(Full);
            };
            if let Some(seat) = taken.leave(victim) {
                debug!(
                    pid = seat.sitter.pid,
                    "an idle connection makes way for a new one"
                );
                seat.account.hold_back(Good::Connections);
                seat.evict();
            }
        }
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        account.add(Good::Connections, 1);
        let seat = Seat::new(sitter, account, now);
        taken.seats.insert(number, Arc::clone(&seat));
        Ok(Taking {
            seats: Arc::clone(self),
            seat,
            number,
        })
    }

    /// All who are connected are to leave: see [`Seat::dismiss`].
    pub fn dismiss(&self) {
        for seat in self.lock().seats.values() {
            seat.dismiss();
        }
    }

    /// Lets a call wait, unless too many of its connection, its process, its unit or its user wait already.
    #[must_use]
    pub fn wait(&self, seat: &Arc<Seat>) -> Option<Waiting> {
        let of_process: usize = self
            .lock()
            .of_process(&seat.sitter)
            .map(|other| other.waiting())
            .sum();
        if seat.waiting() < WAITING_PER_CONNECTION
            && Level::Process.fits(of_process, self.pool.left(Good::Waiting))
        {
            return seat.wait();
        }
        seat.account.hold_back(Good::Waiting);
        None
    }

    /// What there is for all.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Who has what, and who was told lately that he may have no more.
    #[must_use]
    pub fn loads(&self) -> Vec<Load> {
        let taken = self.lock();
        let mut pids: BTreeMap<&Party, Vec<i32>> = BTreeMap::new();
        for seat in taken.seats.values() {
            let pids = pids.entry(&seat.sitter.party).or_default();
            pids.extend(seat.sitter.pid.filter(|pid| !pids.contains(pid)));
        }
        taken
            .parties
            .accounts()
            .map(|account| Load {
                account: Arc::clone(account),
                pids: pids.remove(account.party()).unwrap_or_default(),
            })
            .collect()
    }

    /// Closes the connections of these users that have no call under way; their clients connect again.
    pub fn close_idle(&self, is_meant: impl Fn(u32) -> bool) {
        for seat in self.lock().seats.values() {
            if seat.idle_since().is_some() && is_meant(seat.sitter.party.uid) {
                seat.evict();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of_process(&self, sitter: &Sitter) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats
            .values()
            .filter(move |seat| seat.sitter == *sitter)
    }

    /// Frees a seat, if that was not done already.
    fn leave(&mut self, number: u64) -> Option<Arc<Seat>> {
        let seat = self.seats.remove(&number)?;
        seat.account.give_back(Good::Connections, 1);
        Some(seat)
    }

    fn tell(&mut self, now: Instant, party: &Party) {
        if self.told.is_none_or(|told| now - told >= LINE_EVERY) {
            self.told = Some(now);
            warn!(
                connections = self.seats.len(),
                of = %party,
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
        self.seats.lock().leave(self.number);
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
