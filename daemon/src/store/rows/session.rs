//! The sessions that a restart may go on with.

use redb::{ReadTransaction, TableDefinition, TableError, WriteTransaction};

use super::{BadRow, NOT_AUTHENTIC};
use crate::{
    ledger::Ledger,
    record::RecordId,
    store::{
        Revision, StoredRecord, encode,
        seal::{self, Field, Keys, Place},
    },
};

/// By record id: the sealed session that a restart may go on with; the version is that of the record's row, which was
/// written with it. Any other is left from before, and counts as none. Vaults that never kept one have no such table.
pub(in crate::store) const SESSIONS: TableDefinition<'_, &[u8; 16], &[u8]> =
    TableDefinition::new("sfvault.sessions");

/// `None` if the ledger keeps no session.
pub(in crate::store) fn seal_session(
    keys: &Keys,
    Revision(version): Revision,
    record: RecordId,
    ledger: &Ledger,
) -> Result<Option<Vec<u8>>, seal::CantSeal> {
    let Some(kept) = &ledger.kept else {
        return Ok(None);
    };
    let place = Place {
        record,
        field: Field::Session,
        version,
    };
    let bytes = encode::session_to_bytes(kept).map_err(|_| seal::CantSeal)?;
    keys.seal(place, &bytes).map(Some)
}

/// Writes the record's session, or none, in place of the one before.
pub(in crate::store) fn write_session(
    transaction: &WriteTransaction,
    id: RecordId,
    sealed: Option<&[u8]>,
) -> Result<(), redb::Error> {
    let mut sessions = transaction.open_table(SESSIONS)?;
    match sealed {
        Some(sealed) => drop(sessions.insert(&id.0, sealed)?),
        None => drop(sessions.remove(&id.0)?),
    }
    Ok(())
}

/// Gives each record the session that the vault keeps of it.
pub(in crate::store) fn load_sessions(
    transaction: &ReadTransaction,
    keys: &Keys,
    records: &mut [StoredRecord],
) -> Result<Result<(), BadRow>, redb::Error> {
    let sessions = match transaction.open_table(SESSIONS) {
        Ok(sessions) => sessions,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Ok(())),
        Err(error) => return Err(error.into()),
    };
    for stored in records {
        let id = stored.record.id;
        let Some(row) = sessions.get(&id.0)? else {
            continue;
        };
        let Revision(version) = stored.revision;
        if seal::claimed_version(row.value()) != Some(version) {
            continue;
        }
        let bad = |what| BadRow {
            what,
            place: format!("the session of record `{}`", stored.record.name),
        };
        let place = Place {
            record: id,
            field: Field::Session,
            version,
        };
        let kept = keys
            .open(place, row.value())
            .map_err(|_| bad(NOT_AUTHENTIC))
            .and_then(|bytes| encode::session_from_bytes(&bytes).map_err(bad));
        match kept {
            Ok(kept) => stored.ledger.kept = Some(kept),
            Err(bad) => return Ok(Err(bad)),
        }
    }
    Ok(Ok(()))
}
