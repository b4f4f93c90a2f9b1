//! The vault's tables and what their rows hold.

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError};

use super::{
    Revision, StoredRecord, encode,
    engine::Outcome,
    seal::{self, Field, Keys, Place},
};
use crate::{
    credential::Credential,
    ledger::Ledger,
    record::{Record, RecordId},
};

/// [`HEADER_ROW`] and [`CODE_ROW`]. This table keeps its name and shape in every format.
pub(super) const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sfvault.header");
/// The header's bytes.
pub(super) const HEADER_ROW: &str = "header";
/// The code that authenticates them.
pub(super) const CODE_ROW: &str = "code";

/// By record id: the sealed record and ledger; the version is the revision.
pub(super) const RECORDS: TableDefinition<'_, &[u8; 16], &[u8]> =
    TableDefinition::new("sfvault.records");

/// By record id and [`Field`]: a sealed secret; the version is the credential's.
pub(super) const SECRETS: TableDefinition<'_, &[u8; 17], &[u8]> =
    TableDefinition::new("sfvault.secrets");

pub(super) type RecordRows<'a> = Table<'a, &'static [u8; 16], &'static [u8]>;
pub(super) type SecretRows<'a> = Table<'a, &'static [u8; 17], &'static [u8]>;

/// What is wrong with a row, for whoever knows which vault it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadRow {
    pub(super) what: &'static str,
    pub(super) place: String,
}

/// The rows of one record, still sealed.
pub(super) struct SealedRecord {
    record: Vec<u8>,
    /// Each with the number of its field.
    secrets: Vec<(u8, Vec<u8>)>,
}

/// A credential's rows, sealed for one record and version.
pub(super) struct SealedCredential(Vec<(Field, Vec<u8>)>);

impl SealedRecord {
    /// `None` if there is no such record.
    pub(super) fn read(
        transaction: &ReadTransaction,
        id: RecordId,
    ) -> Result<Option<Self>, redb::Error> {
        let Some(record) = transaction.open_table(RECORDS)?.get(&id.0)? else {
            return Ok(None);
        };
        let mut secrets = Vec::new();
        let [first, last] = &secret_keys(id);
        for row in transaction
            .open_table(SECRETS)?
            .range::<&[u8; 17]>(first..=last)?
        {
            let (key, sealed) = row?;
            secrets.push((key.value()[16], sealed.value().to_vec()));
        }
        Ok(Some(Self {
            record: record.value().to_vec(),
            secrets,
        }))
    }

    pub(super) fn record(&self, keys: &Keys, id: RecordId) -> Result<StoredRecord, BadRow> {
        open_record(keys, id, &self.record)
    }

    /// The credential of this record, which says the version that it must have.
    pub(super) fn credential(&self, keys: &Keys, record: &Record) -> Result<Credential, BadRow> {
        let bad = |what| BadRow {
            what,
            place: format!("the credential of record `{}`", record.name),
        };
        let mut fields = Vec::with_capacity(self.secrets.len());
        for (number, sealed) in &self.secrets {
            let field = Field::of_secret(*number).ok_or_else(|| bad(NOT_AUTHENTIC))?;
            let place = Place {
                record: record.id,
                field,
                version: record.credential_version,
            };
            let opened = keys.open(place, sealed).map_err(|_| bad(NOT_AUTHENTIC))?;
            fields.push((field, opened));
        }
        encode::credential_from_fields(record.flow.kind(), fields).map_err(bad)
    }
}

impl SealedCredential {
    pub(super) fn seal(
        keys: &Keys,
        record: &Record,
        credential: &Credential,
    ) -> Result<Self, seal::CantSeal> {
        let seal = |(field, secret): (Field, &[u8])| {
            let place = Place {
                record: record.id,
                field,
                version: record.credential_version,
            };
            keys.seal(place, secret).map(|sealed| (field, sealed))
        };
        let fields = encode::credential_fields(credential);
        Ok(Self(
            fields.into_iter().map(seal).collect::<Result<_, _>>()?,
        ))
    }

    /// Writes it in place of the one before.
    pub(super) fn write(
        &self,
        secrets: &mut SecretRows<'_>,
        id: RecordId,
    ) -> Result<(), redb::Error> {
        remove_credential(secrets, id)?;
        for (field, sealed) in &self.0 {
            secrets.insert(&secret_key(id, *field), sealed.as_slice())?;
        }
        Ok(())
    }
}

pub(super) fn seal_record(
    keys: &Keys,
    Revision(version): Revision,
    record: &Record,
    ledger: &Ledger,
) -> Result<Vec<u8>, seal::CantSeal> {
    let place = Place {
        record: record.id,
        field: Field::Record,
        version,
    };
    let bytes = encode::record_to_bytes(record, ledger).map_err(|_| seal::CantSeal)?;
    keys.seal(place, &bytes)
}

pub(super) fn open_record(
    keys: &Keys,
    id: RecordId,
    sealed: &[u8],
) -> Result<StoredRecord, BadRow> {
    let bad = |what| BadRow {
        what,
        place: format!("record {id:?}"),
    };
    let version = seal::claimed_version(sealed).ok_or_else(|| bad(NOT_AUTHENTIC))?;
    let place = Place {
        record: id,
        field: Field::Record,
        version,
    };
    let bytes = keys.open(place, sealed).map_err(|_| bad(NOT_AUTHENTIC))?;
    let (record, ledger) = encode::record_from_bytes(id, &bytes).map_err(bad)?;
    Ok(StoredRecord {
        record,
        ledger,
        revision: Revision(version),
    })
}

/// The revision that the record's row claims; `None` if there is no row.
pub(super) fn revision(
    records: &RecordRows<'_>,
    id: RecordId,
) -> Result<Option<Revision>, redb::Error> {
    let row = records.get(&id.0)?;
    // A row too short to claim one has none that anybody could expect: revisions start at 1.
    Ok(row.map(|row| Revision(seal::claimed_version(row.value()).unwrap_or(0))))
}

/// The version that the stored credential claims; `None` if there is none.
pub(super) fn credential_version(
    secrets: &SecretRows<'_>,
    id: RecordId,
) -> Result<Option<u64>, redb::Error> {
    // All rows of a credential are written at once, under one version.
    let [first, last] = &secret_keys(id);
    let Some(row) = secrets.range::<&[u8; 17]>(first..=last)?.next() else {
        return Ok(None);
    };
    Ok(seal::claimed_version(row?.1.value()))
}

pub(super) fn remove_credential(
    secrets: &mut SecretRows<'_>,
    id: RecordId,
) -> Result<(), redb::Error> {
    let [first, last] = &secret_keys(id);
    secrets.retain_in::<&[u8; 17], _>(first..=last, |_, _| false)?;
    Ok(())
}

/// The header's bytes and code; `None` if this is no vault's database.
pub(super) fn read_header(transaction: &ReadTransaction) -> Outcome<Option<(Vec<u8>, Vec<u8>)>> {
    let table = match transaction.open_table(HEADER) {
        Ok(table) => table,
        Err(TableError::Storage(error)) => return Err(error.into()),
        // Whatever else keeps the table from being opened, it is not the one that we make.
        Err(_) => return Ok(Ok(None)),
    };
    let row = |name| -> Result<Option<Vec<u8>>, redb::Error> {
        Ok(table.get(name)?.map(|row| row.value().to_vec()))
    };
    Ok(Ok(row(HEADER_ROW)?.zip(row(CODE_ROW)?)))
}

const NOT_AUTHENTIC: &str = "it was altered, or put here from elsewhere";

/// The first and the last key that a secret of this record can have.
fn secret_keys(RecordId(id): RecordId) -> [[u8; 17]; 2] {
    let key = |field| {
        let mut key = [field; 17];
        key[..16].copy_from_slice(&id);
        key
    };
    [key(0), key(u8::MAX)]
}

fn secret_key(id: RecordId, field: Field) -> [u8; 17] {
    let mut key = [0; 17];
    key[..16].copy_from_slice(&id.0);
    key[16] = field as u8;
    key
}
