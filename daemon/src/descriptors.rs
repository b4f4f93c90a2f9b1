//! Which file descriptors are kept at start, how many there are, and how many of them clients may have.

use std::{env, fs, process};

use nix::unistd::close;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harden::{Protection, State};

/// More connections than these are no use on one host, however many descriptors there are.
const MOST_SEATS: u64 = 2072;
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

/// Closes what whoever started the process left open by mistake, except for systemd's sockets: a job waits for the end
/// of a pipe until its last holder ends, and a daemon ends late. It must be called before anything is opened.
#[must_use]
pub fn close_inherited() -> Protection {
    let first = FIRST_OWN.saturating_add(passed());
    let entries = match fs::read_dir("/proc/self/fd") {
        Ok(entries) => entries,
        Err(error) => {
            let reason = format!("inherited descriptors are not known: `/proc/self/fd`: {error}");
            return Protection::new("descriptors", State::Failed, reason);
        }
    };
    let found: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor >= first)
        .collect();
    // The list itself had one, which is closed by now and does not count.
    let closed = found.into_iter().filter(|fd| close(*fd).is_ok()).count();
    let reason = format!("{closed} that were inherited by mistake were closed");
    Protection::new("descriptors", State::On, reason)
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

/// What the limit in force leaves for connections of clients: half. A connection may need two descriptors: its own, and
/// one that names the process which made it. What such processes hold until they exit takes an eighth more at most
/// ([`Pool::room`](crate::share::Pool::room)). The vault file, the daemon's own plumbing and the connections to Salesforce
/// need the rest, and a client must never take it from them.
#[must_use]
pub fn room() -> Room {
    divide(getrlimit(Resource::Nofile).current)
}

/// The three standard ones come before it.
const FIRST_OWN: i32 = 3;

/// How many sockets systemd has passed, if they are for this process.
fn passed() -> i32 {
    let number = |name: &str| env::var(name).ok()?.parse().ok();
    let ours = number("LISTEN_PID").and_then(|pid| u32::try_from(pid).ok()) == Some(process::id());
    number("LISTEN_FDS").filter(|_| ours).unwrap_or(0).max(0)
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
            sessions: 2048,
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
