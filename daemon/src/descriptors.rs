//! How many file descriptors there are, and how many of them clients may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More connections than these are no use on one host, however many descriptors there are.
const MOST_SEATS: u64 = 1048;
/// Operators must get in when jobs have taken everything that is theirs, so they have seats of their own.
const ADMIN_SEATS: usize = 16;
/// Being told that one is denied takes milliseconds.
const STRANGER_SEATS: usize = 8;

/// How many connections each socket serves at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub sessions: usize,
    pub admin: usize,
    /// For those of whom no rule speaks, on both sockets: enough to be told so.
    pub strangers: usize,
}

/// Raises the soft limit to the hard one. Nothing here uses `select`, which a high limit would break.
///
/// Returns what could not be done, in words.
#[must_use]
pub fn raise() -> Option<String> {
    let hard = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: hard,
        maximum: hard,
    };
    setrlimit(Resource::Nofile, raised)
        .err()
        .map(|error| format!("the limit of open files could not be raised: {error}"))
}

/// What the limit in force leaves for clients: half. The vault file, the daemon's own plumbing and the connections to
/// Salesforce need the other half, and a client must never take it from them. A connection may need two descriptors: its
/// own, and one that holds the process which made it.
#[must_use]
pub fn room() -> Room {
    divide(getrlimit(Resource::Nofile).current)
}

fn divide(limit: Option<u64>) -> Room {
    let seats = limit.map_or(MOST_SEATS, |limit| (limit / 4).min(MOST_SEATS));
    let seats = usize::try_from(seats).unwrap_or(usize::MAX);
    let admin = ADMIN_SEATS.min(seats / 4).max(1);
    let strangers = STRANGER_SEATS.min(seats / 8).max(1);
    Room {
        sessions: seats.saturating_sub(admin + strangers).max(1),
        admin,
        strangers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_descriptors_and_never_more_are_for_clients() {
        for limit in [16, 64, 256, 1024, 4096, 1 << 20, u64::MAX] {
            let room = divide(Some(limit));
            assert!(room.sessions >= 1 && room.admin >= 1 && room.strangers >= 1);
            let all = (room.sessions + room.admin + room.strangers) as u64;
            assert!(all * 2 <= limit / 2, "{limit}");
            assert!(all <= MOST_SEATS);
        }
        let unlimited = Room {
            sessions: 1024,
            admin: 16,
            strangers: 8,
        };
        assert_eq!(divide(None), unlimited);
        assert_eq!(divide(Some(20_000)), unlimited);
    }

    #[test]
    fn a_limit_of_nothing_still_leaves_a_seat_each() {
        let least = Room {
            sessions: 1,
            admin: 1,
            strangers: 1,
        };
        assert_eq!(divide(Some(0)), least);
    }
}
