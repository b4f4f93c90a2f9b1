//! What one unit has of each good, and how often it was told that it may have no more.
//!
//! Plain counters, so that a call costs no lock. Two threads that look at once may each take one too many, which does no
//! harm.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::SystemTime,
};

use super::{Level, Party};

/// What is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Good {
    Connections,
    /// Under way, those that wait included.
    Calls,
    /// Calls that wait for a record to become usable, and streams that watch one.
    Waiting,
    /// Of requests that are not complete and of answers that are not taken; small ones are not counted.
    Bytes,
    /// The time in which the daemon reads: connections that are in use, and a user's units that have such.
    Turns,
    /// Caused at Salesforce. How many may be is for the session to say.
    Logins,
    /// Of sessions, by processes that have not exited; each takes a descriptor.
    Holds,
}

impl Good {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 7] = [
        Self::Connections,
        Self::Calls,
        Self::Waiting,
        Self::Bytes,
        Self::Turns,
        Self::Logins,
        Self::Holds,
    ];

    /// As people and programs read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Calls => "calls",
            Self::Waiting => "waiting",
            Self::Bytes => "bytes",
            Self::Turns => "turns",
            Self::Logins => "logins",
            Self::Holds => "holds",
        }
    }

    fn place<T>(self, goods: &Goods<T>) -> &T {
        let [connections, calls, waiting, bytes, turns, logins, holds] = &goods.0;
        match self {
            Self::Connections => connections,
            Self::Calls => calls,
            Self::Waiting => waiting,
            Self::Bytes => bytes,
            Self::Turns => turns,
            Self::Logins => logins,
            Self::Holds => holds,
        }
    }
}

/// Something of each good.
#[derive(Debug, Default)]
struct Goods<T>([T; Good::ALL.len()]);

/// What there is for all who come through one door.
#[derive(Debug)]
pub struct Pool {
    connections: usize,
    calls: usize,
    waiting: usize,
    bytes: usize,
    taken: Goods<AtomicUsize>,
    /// Units that are connected, to this door or another: they share the time.
    parties: Arc<AtomicUsize>,
}

/// One unit of one user.
#[derive(Debug)]
pub struct Account {
    party: Party,
    unit: Goods<AtomicUsize>,
    /// Shared by all units of the user.
    user: Arc<User>,
    pool: Arc<Pool>,
    held_back: Goods<AtomicU64>,
    calls: AtomicU64,
    logins: AtomicU64,
    /// It causes no login before then.
    no_login_until: Mutex<Option<SystemTime>>,
}

/// One of a good, given back when this is dropped.
#[derive(Debug)]
pub struct Portion {
    account: Arc<Account>,
    good: Good,
}

/// What all units of one user have.
#[derive(Debug, Default)]
pub struct User(Goods<AtomicUsize>);

impl Pool {
    /// Room for so many connections; of the other goods there is as much behind each door.
    #[must_use]
    pub fn new(connections: usize, calls: usize, waiting: usize, bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            connections,
            calls,
            waiting,
            bytes,
            taken: Goods::default(),
            parties: Arc::default(),
        })
    }

    /// The same behind another door, with room for so many connections.
    #[must_use]
    pub fn beside(&self, connections: usize) -> Arc<Self> {
        Arc::new(Self {
            connections,
            calls: self.calls,
            waiting: self.waiting,
            bytes: self.bytes,
            taken: Goods::default(),
            parties: Arc::clone(&self.parties),
        })
    }

    /// How much there is in all; nothing of what is not counted out here.
    #[must_use]
    pub fn room(&self, good: Good) -> Option<usize> {
        match good {
            Good::Connections => Some(self.connections),
            Good::Calls => Some(self.calls),
            Good::Waiting => Some(self.waiting),
            Good::Bytes => Some(self.bytes),
            // A connection may need two descriptors, a hold one: an eighth of all there are.
            Good::Holds => Some(self.connections.div_ceil(2)),
            Good::Turns | Good::Logins => None,
        }
    }

    /// How much nobody has.
    #[must_use]
    pub fn left(&self, good: Good) -> usize {
        let taken = good.place(&self.taken).load(Relaxed);
        self.room(good).unwrap_or(usize::MAX).saturating_sub(taken)
    }
}

impl Account {
    /// One that has nothing yet.
    #[must_use]
    pub fn new(party: Party, user: Arc<User>, pool: Arc<Pool>) -> Arc<Self> {
        Arc::new(Self {
            party,
            unit: Goods::default(),
            user,
            pool,
            held_back: Goods::default(),
            calls: AtomicU64::new(0),
            logins: AtomicU64::new(0),
            no_login_until: Mutex::default(),
        })
    }

    #[cfg(test)]
    pub(crate) fn of_unit(uid: u32, unit: &str) -> Arc<Self> {
        let unit = Some(unit.into());
        let pool = Pool::new(100, 100, 100, 1 << 20);
        Self::new(Party { uid, unit }, Arc::default(), pool)
    }

    /// Whose it is.
    #[must_use]
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// What it shares with the user's other units.
    #[must_use]
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// How much it has.
    #[must_use]
    pub fn has(&self, good: Good) -> usize {
        good.place(&self.unit).load(Relaxed)
    }

    /// Whether it may have more now, beside its user's other units and other users.
    #[must_use]
    pub fn may_have(&self, good: Good) -> bool {
        let left = self.pool.left(good);
        Level::Unit.fits(self.has(good), left)
            && Level::User.fits(good.place(&self.user.0).load(Relaxed), left)
    }

    /// Takes so much, if it may have more; otherwise that is remembered. What was taken is to be given back.
    pub fn take(&self, good: Good, amount: usize) -> bool {
        let may = self.may_have(good);
        if may {
            self.add(good, amount);
        } else {
            self.hold_back(good);
        }
        may
    }

    /// Takes one as [`Self::take`] does; it is given back when the portion is dropped.
    #[must_use]
    pub fn portion(self: &Arc<Self>, good: Good) -> Option<Portion> {
        self.take(good, 1).then(|| Portion {
            account: Arc::clone(self),
            good,
        })
    }

    /// Takes so much in any case.
    pub fn add(&self, good: Good, amount: usize) {
        good.place(&self.pool.taken).fetch_add(amount, Relaxed);
        good.place(&self.user.0).fetch_add(amount, Relaxed);
        let before = good.place(&self.unit).fetch_add(amount, Relaxed);
        if good == Good::Connections && before == 0 {
            self.pool.parties.fetch_add(1, Relaxed);
        }
    }

    /// Gives back what was taken.
    pub fn give_back(&self, good: Good, amount: usize) {
        good.place(&self.pool.taken).fetch_sub(amount, Relaxed);
        good.place(&self.user.0).fetch_sub(amount, Relaxed);
        let before = good.place(&self.unit).fetch_sub(amount, Relaxed);
        if good == Good::Connections && before == amount {
            self.pool.parties.fetch_sub(1, Relaxed);
        }
    }

    /// One of its connections is in use from now on, or no longer.
    pub fn in_use(&self, is: bool) {
        let (unit, user) = (
            Good::Turns.place(&self.unit),
            Good::Turns.place(&self.user.0),
        );
        if is {
            if unit.fetch_add(1, Relaxed) == 0 {
                user.fetch_add(1, Relaxed);
            }
        } else if unit.fetch_sub(1, Relaxed) == 1 {
            user.fetch_sub(1, Relaxed);
        }
    }

    /// Into how many parts a turn of one of its connections is divided, so that all connections of a user together read no
    /// more in a round than one of them would. Who is alone needs not divide.
    #[must_use]
    pub fn parts(&self) -> usize {
        if self.pool.parties.load(Relaxed) <= 1 {
            return 1;
        }
        let units = Good::Turns.place(&self.user.0).load(Relaxed).max(1);
        self.has(Good::Turns).max(1).saturating_mul(units)
    }

    /// It was told that it may have no more, or had to wait for it.
    pub fn hold_back(&self, good: Good) {
        good.place(&self.held_back).fetch_add(1, Relaxed);
    }

    /// How often that was so.
    #[must_use]
    pub fn held_back(&self, good: Good) -> u64 {
        good.place(&self.held_back).load(Relaxed)
    }

    /// Whether that would be so now.
    #[must_use]
    pub fn is_held_back(&self, good: Good, now: SystemTime) -> bool {
        match good {
            Good::Connections | Good::Calls | Good::Waiting | Good::Bytes | Good::Holds => {
                self.held_back(good) > 0 && !self.may_have(good)
            }
            Good::Turns => self.held_back(good) > 0 && self.parts() > 1,
            Good::Logins => self.no_login_until(now).is_some(),
        }
    }

    /// A call began.
    pub fn count_call(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// Calls so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// A login is sent that one of its calls caused.
    pub fn count_login(&self) {
        self.logins.fetch_add(1, Relaxed);
    }

    /// Logins so far.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.logins.load(Relaxed)
    }

    /// It has caused as many logins as it may.
    pub fn no_login_before(&self, until: SystemTime) {
        self.hold_back(Good::Logins);
        let place = self.no_login_until.lock();
        *place.unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Until when it causes no login, if that is so.
    #[must_use]
    pub fn no_login_until(&self, now: SystemTime) -> Option<SystemTime> {
        let place = self.no_login_until.lock();
        place
            .unwrap_or_else(PoisonError::into_inner)
            .filter(|until| now < *until)
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.account.give_back(self.good, 1);
    }
}
