//! The vault, as far as the audit knows it: what it remembers, and whether that is still there.

use std::sync::Arc;

use super::{
    recovery,
    sealed::{Anchor, Memory},
    writer::Writer,
};
use crate::store::{Keys, Store, StoreError};

/// The vault, while it is unlocked.
#[derive(Debug)]
pub(super) struct Chest {
    pub(super) store: Arc<Store>,
    pub(super) keys: Keys,
}

impl Chest {
    /// What the vault remembers, and what is wrong with that: a memory that was altered is worth none.
    pub(super) fn memory(&self) -> Result<(Memory, Option<String>), StoreError> {
        let bytes = match self.store.audit(&self.keys) {
            Ok(bytes) => bytes,
            Err(StoreError::Damaged { .. }) => {
                return Ok((Memory::default(), Some(FORGOTTEN.into())));
            }
            Err(error) => return Err(error),
        };
        Ok(match bytes {
            None => (Memory::default(), None),
            Some(bytes) => match Memory::from_bytes(&bytes) {
                Some(memory) => (memory, None),
                None => (Memory::default(), Some(FORGOTTEN.into())),
            },
        })
    }
}

const FORGOTTEN: &str = "what the vault remembers of the audit was altered";

/// The line that the vault remembers is another one now: files and state were set back, and the daemon went on from there.
pub(super) fn changed(anchor: Anchor, writer: &Writer) -> Option<String> {
    let (head, last) = (writer.head(), anchor.next.checked_sub(1)?);
    if anchor.chain != head.chain {
        return None;
    }
    // What can't be read or was removed is `verify`'s to tell.
    let code = recovery::code_of(writer.files(), anchor.chain, last, head.first);
    let code = code.ok().flatten()?;
    (code != anchor.code).then(|| format!("line {last} is not the one that the vault remembers"))
}

/// The vault remembers a line of this chain that is not there.
pub(super) fn gone(anchor: Anchor, writer: &Writer) -> Option<String> {
    let head = writer.head();
    (anchor.chain == head.chain && anchor.next > head.next).then(|| {
        format!(
            "the vault remembers line {}, the files end before {}",
            anchor.next - 1,
            head.next
        )
    })
}
