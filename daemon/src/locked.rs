//! Memory for secrets that live longer than a call: kept out of swap, and wiped before it is given back.
//!
//! Each value has pages of its own, because the kernel locks whole pages and does not count how often: two values on
//! one page would be unlocked with the first of them. Locked memory is limited (`RLIMIT_MEMLOCK`, often 8 MiB), and a
//! daemon that refuses to work there helps nobody: what can't be locked lies in ordinary memory, wiped all the same,
//! and `status` says so.

use std::{
    fmt,
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use region::LockGuard;
use tracing::warn;
use zeroize::Zeroize as _;

use crate::harden::{Protection, State};

/// Bytes that are wiped when dropped and, where the kernel allows it, never written to swap.
pub struct Locked {
    // Declared first: `drop` wipes the pages, then they are unlocked, then freed.
    _lock: Option<LockGuard>,
    buffer: Vec<u8>,
    content: Range<usize>,
}

impl Locked {
    /// Zeros, to be filled in place.
    #[must_use]
    pub fn zeroed(length: usize) -> Self {
        let page = region::page::size();
        let size = length.next_multiple_of(page);
        let mut buffer = vec![0_u8; size + page];
        let start = buffer.as_ptr().align_offset(page);
        let pages = buffer.get(start..start.saturating_add(size));
        let locked = pages.map(|pages| region::lock(pages.as_ptr(), pages.len()));
        match locked {
            _ if length == 0 => {}
            Some(Ok(lock)) => {
                return Self {
                    _lock: Some(lock),
                    buffer,
                    content: start..start + length,
                };
            }
            Some(Err(error)) => tell_once(&error),
            None => {}
        }
        buffer.truncate(length);
        buffer.shrink_to_fit();
        Self {
            _lock: None,
            buffer,
            content: 0..length,
        }
    }

    /// A copy of these bytes.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut this = Self::zeroed(bytes.len());
        this.bytes_mut().copy_from_slice(bytes);
        this
    }

    /// What it holds.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.content.clone()).unwrap_or_default()
    }

    /// What it holds, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer
            .get_mut(self.content.clone())
            .unwrap_or_default()
    }
}

/// Whether secrets are kept out of swap.
#[must_use]
pub fn protection() -> Protection {
    warning().map_or_else(
        || {
            let reason = "keys, credentials and sessions are kept out of swap, and so far all fit";
            Protection::new("memory", State::On, reason)
        },
        |reason| Protection::new("memory", State::Failed, reason),
    )
}

/// What to tell the operator if some secret could not be kept out of swap since the daemon started.
#[must_use]
pub fn warning() -> Option<&'static str> {
    FAILED.load(Ordering::Relaxed).then_some(WARNING)
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locked(..)")
    }
}

const WARNING: &str = "some secrets are not kept out of swap; raise `LimitMEMLOCK` of the service, \
    or `ulimit -l`, or encrypt swap";
static FAILED: AtomicBool = AtomicBool::new(false);

fn tell_once(error: &region::Error) {
    if !FAILED.swap(true, Ordering::Relaxed) {
        warn!(%error, "{WARNING}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_put_in_at_any_length() {
        for length in [0_usize, 1, 32, 4095, 4096, 4097, 70_000] {
            let bytes: Vec<u8> = (0..length).map(|n| n.to_le_bytes()[0]).collect();
            let locked = Locked::copy_of(&bytes);
            assert_eq!(locked.bytes(), bytes.as_slice());
            assert_eq!(Locked::zeroed(length).bytes(), vec![0; length].as_slice());
        }
    }

    #[test]
    fn a_value_is_whole_when_its_neighbours_are_gone() {
        let mut values: Vec<Locked> = (0..8).map(|n| Locked::copy_of(&[n; 40])).collect();
        let kept = values.swap_remove(4);
        drop(values);
        assert_eq!(kept.bytes(), [4; 40]);
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", Locked::copy_of(b"hunter2")), "Locked(..)");
    }
}
