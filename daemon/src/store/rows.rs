//! The vault's tables and what their rows hold.

mod session;

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError};

pub(super) use self::session::{SESSIONS, load_sessions, seal_session, write_session};
use super::{
    Revision, StoredRecord, encode,
    engine::Outcome,
    seal::{self, Field, Keys, Place},
};
use crate::{
    credential::{Credential, FlowKind},
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

/// By record id, version and [`Field`]: the sealed secrets of a credential that the record keeps aside, sealed for the
/// same place as when it was the record's. Vaults that never kept one have no such table.
pub(super) const ASIDE: TableDefinition<'_, &[u8; 25], &[u8]> =
    TableDefinition::new("sfvault.aside");

pub(super) type AsideRows<'a> = Table<'a, &'static [u8; 25], &'static [u8]>;
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
        let (version, flow) = (record.credential_version, record.flow.kind());
        open_credential(keys, record, version, flow, &self.secrets)
    }
}

/// A credential of this record from its rows, which must have been sealed for this version.
pub(super) fn open_credential(
    keys: &Keys,
    record: &Record,
    version: u64,
    flow: FlowKind,
    rows: &[(u8, Vec<u8>)],
) -> Result<Credential, BadRow> {
    let bad = |what| BadRow {
        what,
        place: format!("the credential of record `{}`", record.name),
    };
    let mut fields = Vec::with_capacity(rows.len());
    for (number, sealed) in rows {
        let field = Field::of_secret(*number).ok_or_else(|| bad(NOT_AUTHENTIC))?;
        let place = Place {
            record: record.id,
            field,
            version,
        };
        let opened = keys.open(place, sealed).map_err(|_| bad(NOT_AUTHENTIC))?;
        fields.push((field, opened));
    }
    encode::credential_from_fields(flow, fields).map_err(bad)
}

impl SealedCredential {
    pub(super) fn seal(
        keys: &Keys,
        id: RecordId,
        version: u64,
        credential: &Credential,
    ) -> Result<Self, seal::CantSeal> {
        let seal = |(field, secret): (Field, &[u8])| {
            let place = Place {
                record: id,
                field,
                version,
            };
            keys.seal(place, secret).map(|sealed| (field, sealed))
        };
        let fields = encode::credential_fields(credential);
        Ok(Self(
            fields.into_iter().map(seal).collect::<Result<_, _>>()?,
        ))
    }

    /// Writes it among those that the record keeps aside.
    pub(super) fn write_aside(
        &self,
        aside: &mut AsideRows<'_>,
        id: RecordId,
        version: u64,
    ) -> Result<(), redb::Error> {
        for (field, sealed) in &self.0 {
            aside.insert(&aside_key(id, version, *field as u8), sealed.as_slice())?;
        }
        Ok(())
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

/// Puts the rows of the record's credential aside as they are; they are not removed.
pub(super) fn copy_aside(
    secrets: &SecretRows<'_>,
    aside: &mut AsideRows<'_>,
    id: RecordId,
    version: u64,
) -> Result<(), redb::Error> {
    let [first, last] = &secret_keys(id);
    for row in secrets.range::<&[u8; 17]>(first..=last)? {
        let (key, sealed) = row?;
        aside.insert(&aside_key(id, version, key.value()[16]), sealed.value())?;
    }
    Ok(())
}

/// Removes what the record keeps aside, but for these versions. Returns whether each of them is there.
pub(super) fn keep_aside(
    aside: &mut AsideRows<'_>,
    id: RecordId,
    versions: &[u64],
) -> Result<bool, redb::Error> {
    let [first, last] = [&aside_key(id, 0, 0), &aside_key(id, u64::MAX, u8::MAX)];
    let mut missing = versions.to_vec();
    aside.retain_in::<&[u8; 25], _>(first..=last, |key, _| {
        let version = version_of(key);
        missing.retain(|wanted| *wanted != version);
        versions.contains(&version)
    })?;
    Ok(missing.is_empty())
}

/// The rows of a credential that is kept aside, each with the number of its field.
pub(super) fn aside_rows(
    transaction: &ReadTransaction,
    id: RecordId,
    version: u64,
) -> Result<Vec<(u8, Vec<u8>)>, redb::Error> {
    let table = match transaction.open_table(ASIDE) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let [first, last] = [&aside_key(id, version, 0), &aside_key(id, version, u8::MAX)];
    let mut rows = Vec::new();
    for row in table.range::<&[u8; 25]>(first..=last)? {
        let (key, sealed) = row?;
        rows.push((key.value()[24], sealed.value().to_vec()));
    }
    Ok(rows)
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

fn aside_key(RecordId(id): RecordId, version: u64, field: u8) -> [u8; 25] {
    let mut key = [field; 25];
    key[..16].copy_from_slice(&id);
    key[16..24].copy_from_slice(&version.to_be_bytes());
    key
}

fn version_of(key: &[u8; 25]) -> u64 {
    let mut version = [0; 8];
    version.copy_from_slice(&key[16..24]);
    u64::from_be_bytes(version)
}

fn secret_key(id: RecordId, field: Field) -> [u8; 17] {
    let mut key = [0; 17];
    key[..16].copy_from_slice(&id.0);
    key[16] = field as u8;
    key
}
