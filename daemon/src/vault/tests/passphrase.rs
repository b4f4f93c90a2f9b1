//! What opens the vaults of these tests, and quickly.

use crate::{secret::Passphrase, store::KdfCost};

pub(super) const CHEAP: KdfCost = KdfCost {
    memory_kib: 8 * 1024,
    iterations: 1,
    lanes: 1,
};

pub(super) fn passphrase() -> Passphrase {
    Passphrase::new(b"correct horse".to_vec())
}
