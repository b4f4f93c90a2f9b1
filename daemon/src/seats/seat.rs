//! One connection as the others see it: is it in use, and does its peer keep somebody waiting?

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::Sitter;
use crate::share::{Account, Good};

/// How long a peer may take to finish a frame or a request that it began, or to take an answer. On a local socket these
/// are microseconds; the rest is for a machine that swaps.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection that is to end has been without a call when its peer is told. Not all clients repeat a call
/// that they make while they are told, and one is most likely when the last was just answered.
pub const QUIET: Duration = Duration::from_secs(1);

/// One connection.
#[derive(Debug)]
pub struct Seat {
    pub(super) sitter: Sitter,
    pub(super) account: Arc<Account>,
    farewell: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    idle_since: Instant,
    calls: usize,
    waiting: usize,
    /// At its last turn, there was more to read than a turn is long.
    presses: bool,
    /// It presses, or a call is under way; the account knows.
    in_use: bool,
    /// What the peer owes, by number, and since when; the first is the oldest.
    dues: VecDeque<(u64, Instant)>,
    next_due: u64,
    leaving: Leaving,
    evicted: bool,
    /// The task of the connection.
    task: Option<Waker>,
}

/// Is the connection to end?
#[derive(Debug, Clone, Copy)]
enum Leaving {
    No,
    /// Once it has been quiet.
    WhenQuiet,
    /// The peer has been told so.
    Since(Instant),
}

/// What the connection's task has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sentence {
    /// Nothing is due.
    Stay,
    /// Look again at this time.
    Until(Instant),
    /// Close: the peer kept us waiting for too long, or did not leave.
    Overdue,
    /// Close: another needs the seat.
    Evicted,
}

/// A call under way, from its first byte to the last of its answer.
#[derive(Debug)]
pub struct Call(Arc<Seat>);

/// A call that waits for better times.
#[derive(Debug)]
pub struct Waiting(Arc<Seat>);

/// Bytes that are kept for a peer, a few at a time or all of a long message.
#[derive(Debug)]
pub struct Held {
    seat: Arc<Seat>,
    bytes: usize,
}

/// Something that the peer has to do within [`PATIENCE`].
#[derive(Debug)]
pub struct Due {
    seat: Arc<Seat>,
    number: u64,
}

impl Seat {
    pub(super) fn new(sitter: Sitter, account: Arc<Account>, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            sitter,
            account,
            farewell: Notify::new(),
            state: Mutex::new(State {
                idle_since: now,
                calls: 0,
                waiting: 0,
                presses: false,
                in_use: false,
                dues: VecDeque::new(),
                next_due: 0,
                leaving: Leaving::No,
                evicted: false,
                task: None,
            }),
        })
    }

    /// A call begins, unless too many of its unit or user are under way.
    #[must_use]
    pub fn call(self: &Arc<Self>) -> Option<Call> {
        self.account.count_call();
        if !self.account.take(Good::Calls, 1) {
            return None;
        }
        let mut state = self.lock();
        state.calls += 1;
        self.tell_use(&mut state);
        drop(state);
        Some(Call(Arc::clone(self)))
    }

    /// Keeps so many bytes for the peer, unless too many are kept for its unit or user.
    #[must_use]
    pub fn hold(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        self.account.take(Good::Bytes, bytes).then(|| Held {
            seat: Arc::clone(self),
            bytes,
        })
    }

    /// Whose it is.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Whether there was more to read than a turn is long.
    pub(super) fn presses(&self, presses: bool) {
        let mut state = self.lock();
        state.presses = presses;
        self.tell_use(&mut state);
    }

    /// From now on the peer owes us something.
    #[must_use]
    pub fn owe(self: &Arc<Self>) -> Due {
        let mut state = self.lock();
        let number = state.note_due();
        if state.dues.len() == 1 {
            // It has no alarm set.
            state.wake();
        }
        drop(state);
        Due {
            seat: Arc::clone(self),
            number,
        }
    }

    pub(super) fn wait(self: &Arc<Self>) -> Option<Waiting> {
        if !self.account.take(Good::Waiting, 1) {
            return None;
        }
        self.lock().waiting += 1;
        Some(Waiting(Arc::clone(self)))
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// Since when no call has been under way.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.calls == 0).then_some(state.idle_since)
    }

    /// The connection is to end once no call has been under way for [`QUIET`]; then it is [`Seat::farewell`]. A peer that
    /// does not leave within [`PATIENCE`] is closed.
    pub fn dismiss(&self) {
        let mut state = self.lock();
        if matches!(state.leaving, Leaving::No) {
            state.leaving = Leaving::WhenQuiet;
            state.wake();
        }
    }

    /// Ends when the peer is to be told to leave, or has left. For one who waits.
    pub async fn farewell(&self) {
        self.farewell.notified().await;
    }

    pub(super) fn say_farewell(&self) {
        self.farewell.notify_one();
    }

    pub(super) fn evict(&self) {
        let mut state = self.lock();
        state.evicted = true;
        if let Some(task) = state.task.take() {
            task.wake();
        }
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.lock().evicted
    }

    /// What is to be done now; `task` is woken when that changes.
    pub(super) fn sentence(&self, task: &Waker) -> Sentence {
        let mut state = self.lock();
        if state.evicted {
            return Sentence::Evicted;
        }
        match &mut state.task {
            Some(known) => known.clone_from(task),
            none => *none = Some(task.clone()),
        }
        let now = Instant::now();
        if matches!(state.leaving, Leaving::WhenQuiet)
            && state.calls == 0
            && state.idle_since + QUIET <= now
        {
            state.leaving = Leaving::Since(now);
            self.say_farewell();
        }
        let due = state.dues.front().map(|(_, since)| *since + PATIENCE);
        match due.into_iter().chain(state.leaves_by()).min() {
            None => Sentence::Stay,
            Some(then) if then <= now => Sentence::Overdue,
            Some(then) => Sentence::Until(then),
        }
    }

    fn tell_use(&self, state: &mut State) {
        let in_use = state.presses || state.calls > 0;
        if in_use != state.in_use {
            state.in_use = in_use;
            self.account.in_use(in_use);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes what the peer owes from now on, and returns its number.
    fn note_due(&mut self) -> u64 {
        let number = self.next_due;
        self.next_due += 1;
        self.dues.push_back((number, Instant::now()));
        number
    }

    fn settle(&mut self, number: u64) {
        // Most are the first, or close to it.
        if let Ok(place) = self
            .dues
            .binary_search_by_key(&number, |(number, _)| *number)
        {
            self.dues.remove(place);
        }
    }

    /// When a connection that is to end takes its next step towards it, if no call comes.
    fn leaves_by(&self) -> Option<Instant> {
        match self.leaving {
            _ if self.calls > 0 => None,
            Leaving::No => None,
            Leaving::WhenQuiet => Some(self.idle_since + QUIET),
            Leaving::Since(told) => Some(told.max(self.idle_since) + PATIENCE),
        }
    }

    /// The connection's task judges anew.
    fn wake(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }
}

impl Due {
    /// It is settled, and the peer owes the next thing from now on. The alarm that is set rings early enough.
    pub fn follow(&mut self) {
        let mut state = self.seat.lock();
        state.settle(self.number);
        self.number = state.note_due();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.calls = state.calls.saturating_sub(1);
        self.0.tell_use(&mut state);
        self.0.account.give_back(Good::Calls, 1);
        state.idle_since = Instant::now();
        if state.leaves_by().is_some() {
            // It has no alarm set.
            state.wake();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting = state.waiting.saturating_sub(1);
        self.0.account.give_back(Good::Waiting, 1);
    }
}

impl Held {
    /// Keeps so many more, unless too many are kept for the unit or user; what was kept stays.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let may = self.seat.account.take(Good::Bytes, bytes);
        if may {
            self.bytes += bytes;
        }
        may
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.seat.account.give_back(Good::Bytes, self.bytes);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.lock().in_use {
            self.account.in_use(false);
        }
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        self.seat.lock().settle(self.number);
    }
}
