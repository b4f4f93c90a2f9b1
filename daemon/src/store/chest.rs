//! One sealed value that belongs to no record: what the vault keeps for the audit.

use redb::{TableDefinition, TableError};
use zeroize::Zeroizing;

use super::{
    Store, StoreError, no_resources,
    seal::{Field, Keys, Place},
};
use crate::{record::RecordId, secret::SessionId};

/// Made with its first value: a vault that was never unlocked by a daemon that audits has none.
const CHEST: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sfvault.chest");
const AUDIT_ROW: &str = "audit";

/// No record has this id: those are drawn at random.
const PLACE: Place = Place {
    record: RecordId(*b"sfvault\0audit\0\0\0"),
    field: Field::Audit,
    version: 1,
};

impl Store {
    /// What [`Store::put_audit`] wrote last; `None` if it never did.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is not authentic.
    pub fn audit(&self, keys: &Keys) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.check_owner(keys)?;
        let sealed = self.engine.read(|transaction| {
            let table = match transaction.open_table(CHEST) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(Ok(None)),
                Err(error) => return Err(error.into()),
            };
            let row = table.get(AUDIT_ROW)?;
            Ok(Ok(row.map(|row| row.value().to_vec())))
        })?;
        sealed
            .map(|sealed| keys.open(PLACE, &sealed))
            .transpose()
            .map_err(|_| {
                let what = "it was altered, or put here from elsewhere";
                StoreError::damaged(&self.path, what, "what is kept for the audit")
            })
    }

    /// Writes what is kept for the audit, in place of what was.
    ///
    /// # Errors
    /// As [`Store::put`]; it is there or not after any error.
    pub fn put_audit(&self, keys: &Keys, value: &[u8]) -> Result<(), StoreError> {
        self.check_owner(keys)?;
        let sealed = keys
            .seal(PLACE, value)
            .map_err(|_| no_resources(&self.path, "write the audit's row of"))?;
        self.engine.write(|transaction| {
            let mut table = transaction.open_table(CHEST)?;
            table.insert(AUDIT_ROW, sealed.as_slice())?;
            Ok(Ok(()))
        })
    }
}

impl Keys {
    /// How the audit names a session. `None` if the vault key can't be used, which does not happen.
    #[must_use]
    pub fn fingerprint(&self, session: &SessionId) -> Option<[u8; 8]> {
        // EXPOSE: the digest
        let digest = self.digest(session.expose().as_bytes()).ok()?;
        digest.first_chunk().copied()
    }
}
