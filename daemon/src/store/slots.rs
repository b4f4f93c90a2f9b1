//! Key slots: the vault key, wrapped under a key that Argon2id makes of a passphrase.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use super::{
    error::StoreError,
    seal::{self, CantSeal, NotAuthentic, OVERHEAD, Secret32, VaultId},
};
use crate::secret::Passphrase;

/// What it costs to try one passphrase, for us and for who stole the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub lanes: u32,
}

impl KdfCost {
    /// Whether the cost is between 8 MiB, 1 iteration, 1 lane and 1 GiB, 16 iterations, 4 lanes.
    ///
    /// The floor keeps a slip from weakening a vault. The ceiling is checked before a stored cost is
    /// spent: a file that asks for terabytes must not take the machine down.
    ///
    /// # Errors
    /// [`StoreError::BadCost`].
    pub fn check(self) -> Result<(), StoreError> {
        let problem = if !(MEMORY_KIB_MIN..=MEMORY_KIB_MAX).contains(&self.memory_kib) {
            "the memory must be 8 MiB to 1 GiB"
        } else if !(1..=ITERATIONS_MAX).contains(&self.iterations) {
            "the iterations must be 1 to 16"
        } else if !(1..=LANES_MAX).contains(&self.lanes) {
            "the lanes must be 1 to 4"
        } else {
            return Ok(());
        };
        Err(StoreError::BadCost { problem })
    }
}

/// 64 MiB, 3 iterations, 1 lane: the second choice of RFC 9106 for machines with little memory, on one
/// core, because a daemon that starts beside ETL jobs should not take them all.
impl Default for KdfCost {
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            iterations: 3,
            lanes: 1,
        }
    }
}

/// One passphrase's way to the vault key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) id: u32,
    pub(super) cost: KdfCost,
    pub(super) salt: [u8; SALT_LEN],
    pub(super) wrapped_key: [u8; WRAPPED_LEN],
}

pub(super) const SALT_LEN: usize = 16;
pub(super) const WRAPPED_LEN: usize = 32 + OVERHEAD;

/// Why a slot gave no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotError {
    /// The passphrase is another one, or the slot was altered: nothing can tell these apart.
    NotThisPassphrase,
    /// The system has not the memory that the slot's cost asks for, or no random bytes.
    NoResources,
}

impl Slot {
    /// Wraps a vault key. The cost must have passed [`KdfCost::check`].
    pub(super) fn wrap(
        vault: VaultId,
        id: u32,
        passphrase: &Passphrase,
        cost: KdfCost,
        key: &Secret32,
    ) -> Result<Self, SlotError> {
        let mut slot = Self {
            id,
            cost,
            salt: seal::random()?,
            wrapped_key: [0; WRAPPED_LEN],
        };
        let wrapping = seal::cipher_key(&slot.stretch(passphrase)?)?;
        let mut wrapped = Vec::with_capacity(WRAPPED_LEN);
        seal::encrypt_onto(&mut wrapped, &wrapping, &slot.binding(vault), key.bytes())?;
        slot.wrapped_key = wrapped.try_into().map_err(|_| SlotError::NoResources)?;
        Ok(slot)
    }

    /// Unwraps the vault key. Slow by design.
    pub(super) fn unwrap_key(
        &self,
        vault: VaultId,
        passphrase: &Passphrase,
    ) -> Result<Secret32, SlotError> {
        let wrapping = seal::cipher_key(&self.stretch(passphrase)?)?;
        let opened = seal::decrypt(&wrapping, &self.binding(vault), &self.wrapped_key)?;
        let mut key = Secret32::default();
        if opened.len() != key.bytes().len() {
            return Err(SlotError::NotThisPassphrase);
        }
        key.bytes_mut().copy_from_slice(&opened);
        Ok(key)
    }

    fn stretch(&self, passphrase: &Passphrase) -> Result<Secret32, SlotError> {
        let KdfCost {
            memory_kib,
            iterations,
            lanes,
        } = self.cost;
        let params = Params::new(memory_kib, iterations, lanes, Some(32))
            .map_err(|_| SlotError::NoResources)?;
        // Our own memory, because it must be wiped, and because a lack of it must not abort the daemon.
        let mut memory: Zeroizing<Vec<Block>> = Zeroizing::default();
        memory
            .try_reserve_exact(params.block_count())
            .map_err(|_| SlotError::NoResources)?;
        memory.resize(params.block_count(), Block::new());
        let mut key = Secret32::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                // EXPOSE: Argon2id, whose working memory is wiped on return
                passphrase.expose(),
                &self.salt,
                key.bytes_mut(),
                &mut memory[..],
            )
            .map_err(|_| SlotError::NoResources)?;
        Ok(key)
    }

    /// Each part has a fixed length. The cost is in it, so that a cheaper one is not the same slot.
    fn binding(&self, vault: VaultId) -> Vec<u8> {
        [
            b"sfvault passphrase slot v1\0".as_slice(),
            &vault.0,
            &self.id.to_be_bytes(),
            &self.cost.memory_kib.to_be_bytes(),
            &self.cost.iterations.to_be_bytes(),
            &self.cost.lanes.to_be_bytes(),
            &self.salt,
        ]
        .concat()
    }
}

impl From<CantSeal> for SlotError {
    fn from(_: CantSeal) -> Self {
        Self::NoResources
    }
}

impl From<NotAuthentic> for SlotError {
    fn from(_: NotAuthentic) -> Self {
        Self::NotThisPassphrase
    }
}

const MEMORY_KIB_MIN: u32 = 8 * 1024;
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ITERATIONS_MAX: u32 = 16;
const LANES_MAX: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: VaultId = VaultId([7; 16]);
    const CHEAP: KdfCost = KdfCost {
        memory_kib: MEMORY_KIB_MIN,
        iterations: 1,
        lanes: 1,
    };

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes().to_vec())
    }

    #[test]
    fn costs_outside_the_bounds_are_refused() {
        let cost = |memory_kib, iterations, lanes| KdfCost {
            memory_kib,
            iterations,
            lanes,
        };
        for good in [KdfCost::default(), CHEAP, cost(1024 * 1024, 16, 4)] {
            assert_eq!(good.check(), Ok(()), "{good:?}");
        }
        for bad in [
            cost(0, 3, 1),
            cost(8 * 1024 - 1, 3, 1),
            cost(1024 * 1024 + 1, 3, 1),
            cost(u32::MAX, 3, 1),
            cost(64 * 1024, 0, 1),
            cost(64 * 1024, 17, 1),
            cost(64 * 1024, u32::MAX, 1),
            cost(64 * 1024, 3, 0),
            cost(64 * 1024, 3, 5),
        ] {
            assert!(
                matches!(bad.check(), Err(StoreError::BadCost { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_slot_opens_with_its_passphrase_only() {
        let key = seal::random_key().unwrap();
        let slot = Slot::wrap(VAULT, 0, &passphrase("right"), CHEAP, &key).unwrap();
        let opened = slot.unwrap_key(VAULT, &passphrase("right")).unwrap();
        assert_eq!(opened.bytes(), key.bytes());
        for wrong in ["", "Right", "right ", "wrong"] {
            assert_eq!(
                slot.unwrap_key(VAULT, &passphrase(wrong)).err(),
                Some(SlotError::NotThisPassphrase),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn no_part_of_a_slot_can_be_altered_or_moved() {
        let key = seal::random_key().unwrap();
        let right = passphrase("right");
        let slot = Slot::wrap(VAULT, 0, &right, CHEAP, &key).unwrap();
        let altered = |change: fn(&mut Slot)| {
            let mut slot = slot.clone();
            change(&mut slot);
            slot
        };
        for other in [
            altered(|slot| slot.id = 1),
            altered(|slot| slot.salt[0] ^= 1),
            altered(|slot| slot.wrapped_key[0] ^= 1),
            altered(|slot| slot.wrapped_key[20] ^= 1),
            altered(|slot| slot.wrapped_key[WRAPPED_LEN - 1] ^= 0x80),
            altered(|slot| slot.cost.memory_kib += 1024),
            altered(|slot| slot.cost.iterations = 2),
            altered(|slot| slot.cost.lanes = 2),
        ] {
            assert_eq!(
                other.unwrap_key(VAULT, &right).err(),
                Some(SlotError::NotThisPassphrase),
                "{other:?}"
            );
        }
        assert_eq!(
            slot.unwrap_key(VaultId([8; 16]), &right).err(),
            Some(SlotError::NotThisPassphrase)
        );
    }

    #[test]
    fn the_key_is_what_another_argon2id_gives() {
        // The expected value comes from OpenSSL's Argon2id: 8 MiB, 1 iteration, 1 lane.
        let slot = Slot {
            id: 0,
            cost: CHEAP,
            salt: *b"saltsaltsaltsalt",
            wrapped_key: [0; WRAPPED_LEN],
        };
        let key = slot.stretch(&passphrase("right")).unwrap();
        let hex: String = key
            .bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "096c860ee8142a475e39c3dac7abb80e8d8ad8fe2aff86fb6bfe4d73e5a24d42"
        );
    }
}
