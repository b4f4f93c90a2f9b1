//! What the vault keeps of the audit, sealed: the first key of every chain, and how far the lines went when that was
//! last written down there.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    chain::{Link, Seed, chain_name, chain_number},
    line::Code,
};
use crate::hex::{from_hex, to_hex};

/// The vault's memory of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Memory {
    /// Oldest first; at most [`Memory::MOST`].
    pub(super) seeds: Vec<Seed>,
    pub(super) anchor: Option<Anchor>,
}

/// A line that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) chain: u32,
    /// The number of the line after it.
    pub(super) next: u64,
    pub(super) code: Code,
}

impl Anchor {
    /// The line before this place.
    #[must_use]
    pub(super) fn at(link: &Link) -> Self {
        Self {
            chain: link.chain,
            next: link.seq,
            code: link.code,
        }
    }
}

impl Memory {
    /// A chain begins only after something is lost, so this is many.
    pub(super) const MOST: usize = 64;

    /// The first key of this chain.
    #[must_use]
    pub(super) fn seed(&self, chain: u32) -> Option<&Seed> {
        self.seeds.iter().find(|seed| seed.chain == chain)
    }

    /// Takes a chain in.
    pub(super) fn add(&mut self, seed: Seed) {
        self.seeds.push(seed);
        if self.seeds.len() > Self::MOST {
            self.seeds.remove(0);
        }
    }

    /// As the bytes to seal; `None` if there is no memory for them.
    #[must_use]
    pub(super) fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let stored = Stored {
            format: 1,
            seeds: self
                .seeds
                .iter()
                .map(|seed| StoredSeed {
                    chain: chain_name(seed.chain),
                    first: seed.first,
                    key: to_hex(&seed.key[..]),
                })
                .collect(),
            anchor: self.anchor.map(|anchor| StoredAnchor {
                chain: chain_name(anchor.chain),
                next: anchor.next,
                code: to_hex(&anchor.code),
            }),
        };
        // Room for all, so that no copy stays behind when it grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(256 + 128 * self.seeds.len()));
        serde_json::to_writer(&mut *bytes, &stored).ok()?;
        Some(bytes)
    }

    /// The reverse of [`Memory::to_bytes`].
    #[must_use]
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        if stored.format != 1 {
            return None;
        }
        let mut seeds = Vec::new();
        for seed in &stored.seeds {
            seeds.push(Seed {
                chain: chain_number(&seed.chain)?,
                first: seed.first,
                key: Zeroizing::new(from_hex(&seed.key)?),
            });
        }
        let anchor = match &stored.anchor {
            None => None,
            Some(anchor) => Some(Anchor {
                chain: chain_number(&anchor.chain)?,
                next: anchor.next,
                code: from_hex(&anchor.code)?,
            }),
        };
        Some(Self { seeds, anchor })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    seeds: Vec<StoredSeed>,
    anchor: Option<StoredAnchor>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSeed {
    chain: String,
    first: u64,
    key: String,
}

impl Drop for StoredSeed {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAnchor {
    chain: String,
    next: u64,
    code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_read_as_it_was_written() {
        let mut memory = Memory::default();
        assert_eq!(
            Memory::from_bytes(&memory.to_bytes().unwrap()),
            Some(memory.clone())
        );
        for _ in 0..Memory::MOST + 3 {
            let seed = Seed::random(5).unwrap();
            memory.anchor = Some(Anchor::at(&seed.start()));
            memory.add(seed);
        }
        assert_eq!(memory.seeds.len(), Memory::MOST);
        let bytes = memory.to_bytes().unwrap();
        assert_eq!(Memory::from_bytes(&bytes), Some(memory));
        assert_eq!(Memory::from_bytes(&bytes[1..]), None);
    }
}
