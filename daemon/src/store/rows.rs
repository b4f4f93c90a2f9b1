//! The vault's tables and what their rows hold.

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError};
use zeroize::Zeroizing;

use super::{
    Revision, StoredRecord, encode,
    engine::Outcome,
    seal::{self, Field, Keys, Place},
};
use crate::{
    ledger::Ledger,
    record::{Credential, Record, RecordId},
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
    password: Option<Vec<u8>>,
    security_token: Option<Vec<u8>>,
    no_security_token: Option<Vec<u8>>,
}

/// A credential's rows, sealed for one record and version.
pub(super) struct SealedCredential([(Field, Vec<u8>); 2]);

impl SealedRecord {
    /// `None` if there is no such record.
    pub(super) fn read(
        transaction: &ReadTransaction,
        id: RecordId,
    ) -> Result<Option<Self>, redb::Error> {
        let secrets = transaction.open_table(SECRETS)?;
        let field = |field| -> Result<Option<Vec<u8>>, redb::Error> {
            let row = secrets.get(&secret_key(id, field))?;
            Ok(row.map(|row| row.value().to_vec()))
        };
        let Some(record) = transaction.open_table(RECORDS)?.get(&id.0)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            record: record.value().to_vec(),
            password: field(Field::Password)?,
            security_token: field(Field::SecurityToken)?,
            no_security_token: field(Field::NoSecurityToken)?,
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
        let open = |field, sealed: &Option<Vec<u8>>| -> Result<Zeroizing<Vec<u8>>, BadRow> {
            let place = Place {
                record: record.id,
                field,
                version: record.credential_version,
            };
            let sealed = sealed.as_ref().ok_or_else(|| bad("a part is missing"))?;
            keys.open(place, sealed).map_err(|_| bad(NOT_AUTHENTIC))
        };
        let password = open(Field::Password, &self.password)?;
        let token = match (&self.security_token, &self.no_security_token) {
            (token @ Some(_), None) => Some(open(Field::SecurityToken, token)?),
            (None, none) => {
                open(Field::NoSecurityToken, none)?;
                None
            }
            (Some(_), Some(_)) => return Err(bad("it has a token and has none")),
        };
        encode::credential_from_fields(record.flow, password, token).map_err(bad)
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
        let [first, second] = encode::credential_fields(credential);
        Ok(Self([seal(first)?, seal(second)?]))
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
    let row = secrets.get(&secret_key(id, Field::Password))?;
    Ok(row.and_then(|row| seal::claimed_version(row.value())))
}

pub(super) fn remove_credential(
    secrets: &mut SecretRows<'_>,
    id: RecordId,
) -> Result<(), redb::Error> {
    for field in [
        Field::Password,
        Field::SecurityToken,
        Field::NoSecurityToken,
    ] {
        secrets.remove(&secret_key(id, field))?;
    }
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

fn secret_key(id: RecordId, field: Field) -> [u8; 17] {
    let mut key = [0; 17];
    key[..16].copy_from_slice(&id.0);
    key[16] = field as u8;
    key
}
