//! How what all peers need is divided: among users, within a user among his units, within a unit among its processes.
//!
//! Who has less than what is left may have more; a unit may have three times what is left, a user seven times. So
//! somebody alone gets most of it, several who are greedy get parts of a size, and whoever comes next still finds
//! something. Nothing is set aside for anybody, and nobody has to be named in a configuration.

mod account;

use std::{fmt, sync::Arc};

pub use self::account::{Account, Good, Pool, Portion};

/// Whom the kernel named when it connected, as far as shares go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Party {
    pub uid: u32,
    /// Its systemd unit; those who are in none, or of whom it can't be told, are one party.
    pub unit: Option<Arc<str>>,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Some(unit) => write!(f, "{unit} (uid {})", self.uid),
            None => write!(f, "uid {} outside of units", self.uid),
        }
    }
}

/// Who is compared with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A user with other users.
    User,
    /// A unit with other units of its user.
    Unit,
    /// A process with others of its unit.
    Process,
}

impl Level {
    /// The outermost first.
    pub const ALL: [Self; 3] = [Self::User, Self::Unit, Self::Process];

    fn factor(self) -> usize {
        match self {
            Self::User => 7,
            Self::Unit => 3,
            Self::Process => 1,
        }
    }

    /// Whether one who has so much may have more.
    #[must_use]
    pub fn fits(self, has: usize, left: usize) -> bool {
        has < left.saturating_mul(self.factor())
    }

    /// The most that one gets of `room` if nobody else has anything.
    #[must_use]
    pub fn most(self, room: usize) -> usize {
        let factor = self.factor();
        room.saturating_mul(factor).div_ceil(factor + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each takes one more in turn, for as long as it may; what each has in the end.
    fn greedy(level: Level, room: usize, many: usize) -> Vec<usize> {
        let mut has = vec![0; many];
        loop {
            let before = has.clone();
            for one in 0..many {
                let left = room - has.iter().sum::<usize>();
                has[one] += usize::from(level.fits(has[one], left));
            }
            if has == before {
                return has;
            }
        }
    }

    #[test]
    fn one_alone_gets_a_half_a_unit_three_quarters_a_user_seven_eighths() {
        for (level, most) in [
            (Level::Process, 512),
            (Level::Unit, 768),
            (Level::User, 896),
        ] {
            assert_eq!(greedy(level, 1024, 1), [most]);
            assert_eq!(level.most(1024), most);
        }
    }

    proptest! {
        /// T21
        #[test]
        fn who_comes_after_the_greedy_finds_something(room in 64_usize..5000, many in 1_usize..8) {
            for level in Level::ALL {
                let has = greedy(level, room, many);
                let (least, most) = (has.iter().min().unwrap(), has.iter().max().unwrap());
                prop_assert!(most - least <= 1, "{has:?}");
                let left = room - has.iter().sum::<usize>();
                prop_assert!(level.fits(0, left), "{has:?}");
            }
        }

        #[test]
        fn the_most_is_what_one_gets(room in 0_usize..5000) {
            for level in Level::ALL {
                prop_assert_eq!(greedy(level, room, 1), [level.most(room)]);
            }
        }
    }
}
