//! The header: the only part of a vault that is not sealed. It says how to get at the vault key.
//!
//! Its bytes are stored as they were written and authenticated as a whole with a key that comes from the
//! vault key, so they are only trusted after an unlock; until then every number in them is a stranger's.

use serde::{Deserialize, Serialize};

use super::{
    seal::VaultId,
    slots::{KdfCost, Slot},
};
use crate::hex::{from_hex, to_hex};

/// The newest format that this program reads, and the one it writes.
pub(super) const FORMAT: u64 = 1;

/// At most so many slots: each may cost a second or more at every wrong passphrase.
pub(super) const SLOTS_MAX: usize = 16;

/// Which vault it is, and the ways to its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) vault: VaultId,
    /// 1 to [`SLOTS_MAX`], each with its own id and a cost within the bounds.
    pub(super) slots: Vec<Slot>,
}

/// Why bytes are no header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    Newer { found: u64 },
    Malformed(String),
}

impl Header {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, HeaderError> {
        let stored = StoredHeader {
            format: FORMAT,
            vault_id: to_hex(&self.vault.0),
            slots: self.slots.iter().map(StoredSlot::from).collect(),
        };
        serde_json::to_vec(&stored).map_err(|error| HeaderError::Malformed(error.to_string()))
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let malformed = |error: serde_json::Error| HeaderError::Malformed(error.to_string());
        let StoredFormat { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        if format > FORMAT {
            return Err(HeaderError::Newer { found: format });
        }
        let stored: StoredHeader = serde_json::from_slice(bytes).map_err(malformed)?;
        if stored.format != FORMAT {
            return Err(wrong("there is no such format"));
        }
        if stored.slots.is_empty() || stored.slots.len() > SLOTS_MAX {
            return Err(wrong("it has no key slot, or more than 16"));
        }
        let mut slots: Vec<Slot> = Vec::with_capacity(stored.slots.len());
        for slot in &stored.slots {
            let slot = slot.check()?;
            if slots.iter().any(|other| other.id == slot.id) {
                return Err(wrong("two key slots have the same id"));
            }
            slots.push(slot);
        }
        Ok(Self {
            vault: VaultId(unhexed(&stored.vault_id)?),
            slots,
        })
    }
}

/// Format 1; it never changes. Another format is another structure.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHeader {
    format: u64,
    vault_id: String,
    slots: Vec<StoredSlot>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSlot {
    id: u32,
    kind: StoredKind,
    kdf: StoredKdf,
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
    salt: String,
    wrapped_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredKind {
    Passphrase,
}

#[derive(Serialize, Deserialize)]
enum StoredKdf {
    #[serde(rename = "argon2id-v19")]
    Argon2idV19,
}

/// All that is read of a header that may be from the future.
#[derive(Deserialize)]
struct StoredFormat {
    format: u64,
}

impl From<&Slot> for StoredSlot {
    fn from(slot: &Slot) -> Self {
        Self {
            id: slot.id,
            kind: StoredKind::Passphrase,
            kdf: StoredKdf::Argon2idV19,
            memory_kib: slot.cost.memory_kib,
            iterations: slot.cost.iterations,
            lanes: slot.cost.lanes,
            salt: to_hex(&slot.salt),
            wrapped_key: to_hex(&slot.wrapped_key),
        }
    }
}

impl StoredSlot {
    fn check(&self) -> Result<Slot, HeaderError> {
        match (&self.kind, &self.kdf) {
            (StoredKind::Passphrase, StoredKdf::Argon2idV19) => {}
        }
        let cost = KdfCost {
            memory_kib: self.memory_kib,
            iterations: self.iterations,
            lanes: self.lanes,
        };
        cost.check().map_err(|error| {
            HeaderError::Malformed(format!(
                "key slot {} asks for too much or too little: {error}",
                self.id
            ))
        })?;
        Ok(Slot {
            id: self.id,
            cost,
            salt: unhexed(&self.salt)?,
            wrapped_key: unhexed(&self.wrapped_key)?,
        })
    }
}

fn wrong(what: &str) -> HeaderError {
    HeaderError::Malformed(what.to_owned())
}

fn unhexed<const N: usize>(text: &str) -> Result<[u8; N], HeaderError> {
    from_hex(text).ok_or_else(|| wrong("a hexadecimal value is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::slots::{SALT_LEN, WRAPPED_LEN};

    fn header(slots: u32) -> Header {
        Header {
            vault: VaultId([0xab; 16]),
            slots: (0..slots)
                .map(|id| Slot {
                    id,
                    cost: KdfCost::default(),
                    salt: [1; SALT_LEN],
                    wrapped_key: [2; WRAPPED_LEN],
                })
                .collect(),
        }
    }

    fn text(slots: u32) -> String {
        String::from_utf8(header(slots).to_bytes().unwrap()).unwrap()
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        for slots in [1, 2, 16] {
            let bytes = header(slots).to_bytes().unwrap();
            assert_eq!(Header::parse(&bytes), Ok(header(slots)));
        }
    }

    #[test]
    fn a_format_from_the_future_is_named_whatever_else_it_holds() {
        for future in [
            r#"{"format":2}"#.to_owned(),
            r#"{"recipients":[],"format":18446744073709551615}"#.to_owned(),
            text(1).replace("\"format\":1", "\"format\":7"),
        ] {
            assert!(
                matches!(Header::parse(future.as_bytes()), Err(HeaderError::Newer { found }) if found > 1),
                "{future}"
            );
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        let good = text(1);
        let change = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            good.replace(from, to)
        };
        for bad in [
            String::new(),
            "{}".to_owned(),
            "[]".to_owned(),
            "{".repeat(100_000),
            "[".repeat(100_000),
            r#"{"format":1}"#.to_owned(),
            r#"{"format":-1}"#.to_owned(),
            text(0),
            text(17),
            good.clone() + " x",
            change("\"format\":1", "\"format\":0"),
            change("\"format\":1", "\"format\":1,\"format\":1"),
            change("\"format\":1", "\"format\":1,\"note\":\"\""),
            change("\"id\":0", "\"id\":0,\"comment\":1"),
            change("\"id\":0", "\"id\":4294967296"),
            change("passphrase", "none"),
            change("argon2id-v19", "argon2i-v19"),
            change("argon2id-v19", "pbkdf2"),
            change("abab", "ABAB"),
            change("abab", "ab"),
            change("abab", "ab\u{e9}"),
            change("abab", "+b+b"),
            text(2).replace("\"id\":1", "\"id\":0"),
        ] {
            assert!(
                matches!(
                    Header::parse(bad.as_bytes()),
                    Err(HeaderError::Malformed(_))
                ),
                "{}",
                bad.chars().take(200).collect::<String>()
            );
        }
    }

    #[test]
    fn a_stored_cost_out_of_bounds_is_refused_before_it_is_spent() {
        for (from, to) in [
            ("\"memory_kib\":65536", "\"memory_kib\":4294967295"),
            ("\"memory_kib\":65536", "\"memory_kib\":8191"),
            ("\"memory_kib\":65536", "\"memory_kib\":0"),
            ("\"iterations\":3", "\"iterations\":17"),
            ("\"iterations\":3", "\"iterations\":0"),
            ("\"lanes\":1", "\"lanes\":0"),
            ("\"lanes\":1", "\"lanes\":5"),
        ] {
            let bytes = text(1).replace(from, to);
            assert!(
                matches!(
                    Header::parse(bytes.as_bytes()),
                    Err(HeaderError::Malformed(_))
                ),
                "{to}"
            );
        }
    }

    #[test]
    fn no_cut_and_no_flipped_bit_makes_the_parser_panic() {
        let good = text(2).into_bytes();
        for cut in 0..good.len() {
            assert!(Header::parse(&good[..cut]).is_err(), "cut at {cut}");
        }
        let mut bytes = good.clone();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                bytes[place] ^= 1 << bit;
                // A flip can give another valid header; the header's code then tells.
                if let Ok(other) = Header::parse(&bytes) {
                    assert_ne!(other, header(2), "byte {place}, bit {bit}");
                }
                bytes[place] ^= 1 << bit;
            }
        }
    }
}
