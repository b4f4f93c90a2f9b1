//! `audit.state`: where the chain is, for the next start. It holds the key of the next line, and none before it.
//!
//! One block, overwritten in place: the key that was there is gone from the file, and a disk writes a block as a whole
//! or not at all. It follows the lines and never runs ahead of what is safely on disk, so after a crash it is behind at
//! most, and the lines after it prove themselves with its key.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::chain::{Link, Seed, chain_name, chain_number};
use crate::hex::{from_hex, to_hex};

/// Where the chain and its file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) link: Link,
    /// The first key, until a vault has it: sealing it needs an unlocked one.
    pub(super) seed: Option<Seed>,
    /// The number of the first line of the file that the line before went to.
    pub(super) first: u64,
    /// How long that file was then, in bytes.
    pub(super) length: u64,
}

/// What is in the file.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// It was altered, or half written.
    Damaged,
    State(State),
}

/// The file.
#[derive(Debug)]
pub(super) struct StateFile(File);

impl StateFile {
    /// Opens the file, which is made if there is none.
    ///
    /// # Errors
    /// If it can't be opened, is no file, or another process has it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(path)?;
        super::files::check_private(&file, path)?;
        // Two that continue one chain would each take the other's lines for forged.
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => Err(io::Error::other("another process has the audit")),
            Err(error) => Err(error.into()),
        }
    }

    /// What the last [`StateFile::write`] wrote.
    ///
    /// # Errors
    /// If it can't be read.
    pub(super) fn read(&self) -> io::Result<Found> {
        let mut block = Zeroizing::new([0_u8; BLOCK]);
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(Found::Nothing);
        }
        Ok(decode(block.as_slice()).map_or(Found::Damaged, Found::State))
    }

    /// Writes it in place of the one before.
    ///
    /// # Errors
    /// If it can't be written; then the one before is there.
    pub(super) fn write(&self, state: &State) -> io::Result<()> {
        let block = encode(state).ok_or_else(|| io::Error::other("the state is too long"))?;
        self.0.write_all_at(block.as_slice(), 0)
    }
}

/// A sector of the oldest disks.
const BLOCK: usize = 512;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    chain: String,
    seq: u64,
    key: String,
    code: String,
    seed: Option<String>,
    seed_first: u64,
    first: u64,
    length: u64,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.key.zeroize();
        self.seed.zeroize();
    }
}

fn encode(state: &State) -> Option<Zeroizing<[u8; BLOCK]>> {
    let stored = Stored {
        format: 1,
        chain: chain_name(state.link.chain),
        seq: state.link.seq,
        key: to_hex(&state.link.key[..]),
        code: to_hex(&state.link.code),
        seed: state.seed.as_ref().map(|seed| to_hex(&seed.key[..])),
        seed_first: state.seed.as_ref().map_or(0, |seed| seed.first),
        first: state.first,
        length: state.length,
    };
    let mut text = Zeroizing::new(Vec::with_capacity(BLOCK));
    serde_json::to_writer(&mut *text, &stored).ok()?;
    let mut block = Zeroizing::new([b' '; BLOCK]);
    let (content, end) = block.split_at_mut(BLOCK - END);
    content.get_mut(..text.len())?.copy_from_slice(&text);
    let sum = checksum(content);
    let (digits, feed) = end.split_at_mut(END - 1);
    digits.copy_from_slice(sum.as_bytes());
    feed.copy_from_slice(b"\n");
    Some(block)
}

fn decode(block: &[u8]) -> Option<State> {
    let (content, end) = block.split_at_checked(BLOCK - END)?;
    let sum = end.strip_suffix(b"\n")?;
    if checksum(content).as_bytes() != sum {
        return None;
    }
    let stored: Stored = serde_json::from_slice(content).ok()?;
    let chain = chain_number(&stored.chain)?;
    let seed = match &stored.seed {
        None => None,
        Some(key) => Some(Seed {
            chain,
            first: stored.seed_first,
            key: Zeroizing::new(from_hex(key)?),
        }),
    };
    (stored.format == 1).then_some(State {
        link: Link {
            chain,
            seq: stored.seq,
            key: Zeroizing::new(from_hex(&stored.key)?),
            code: from_hex(&stored.code)?,
        },
        seed,
        first: stored.first,
        length: stored.length,
    })
}

/// For `crate::fuzz`: what is taken for a state, by its own sum or by one that an intruder made, stays what it is.
pub(super) fn check(bytes: &[u8]) {
    let _ = decode(bytes);
    let mut block = [b' '; BLOCK];
    let (content, end) = block.split_at_mut(BLOCK - END);
    for (to, from) in content.iter_mut().zip(bytes) {
        *to = *from;
    }
    let sum = format!("{}\n", checksum(content));
    end.copy_from_slice(sum.as_bytes());
    if let Some(state) = decode(&block) {
        let again = encode(&state).and_then(|block| decode(block.as_slice()));
        assert!(again == Some(state), "a state is read as another");
    }
}

/// A checksum, with its line feed.
const END: usize = 17;

/// FNV-1a, against accidents only: whoever can write the file can write the sum, too.
fn checksum(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(seeded: bool) -> State {
        let seed = Seed::random(u64::MAX).unwrap();
        State {
            link: Link {
                seq: u64::MAX,
                ..seed.start()
            },
            seed: seeded.then_some(seed),
            first: u64::MAX,
            length: u64::MAX,
        }
    }

    fn read(file: &StateFile) -> Option<State> {
        match file.read().unwrap() {
            Found::State(state) => Some(state),
            Found::Nothing | Found::Damaged => None,
        }
    }

    #[test]
    fn the_state_is_read_as_it_was_written_and_nothing_of_the_one_before_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.state");
        let file = StateFile::open(&path).unwrap();
        assert!(matches!(file.read().unwrap(), Found::Nothing));
        let (one, two) = (state(true), state(false));
        file.write(&one).unwrap();
        assert_eq!(read(&file), Some(one.clone()));
        file.write(&two).unwrap();
        assert!(StateFile::open(&path).is_err(), "one has it");
        drop(file);
        assert_eq!(read(&StateFile::open(&path).unwrap()), Some(two));
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), BLOCK);
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(&to_hex(&one.link.key[..])));
    }

    #[test]
    fn an_altered_state_is_told_from_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.state");
        let file = StateFile::open(&path).unwrap();
        file.write(&state(true)).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in (0..BLOCK).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(file.read().unwrap(), Found::Damaged), "{at}");
        }
        std::fs::write(&path, &good[..100]).unwrap();
        assert!(matches!(file.read().unwrap(), Found::Damaged));
    }
}
