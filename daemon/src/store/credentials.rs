//! A record's credentials: the one in use, and those that it keeps aside.

use super::{
    Keys, Revision, Store, StoreError, no_resources,
    rows::{self, SealedCredential},
};
use crate::{
    credential::{Credential, FlowKind},
    ledger::Ledger,
    record::Record,
};

/// What [`Store::rearrange`] writes anew; what is `None` stays, as far as the record names it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The record's.
    pub new: Option<&'a Credential>,
    /// The one that the record keeps aside as drawn.
    pub drawn: Option<&'a Credential>,
}

/// What becomes of a record's credentials.
#[derive(Clone, Copy)]
pub(super) enum Secrets<'a> {
    Same,
    /// Another one; what is kept aside stays.
    New(&'a Credential),
    Rearranged(Credentials<'a>),
    /// Another one of the login that is kept aside.
    Kept(&'a Credential),
}

impl Store {
    /// As [`Store::put`], and in the same transaction the credentials that the record keeps aside become those that
    /// [`Record::aside`] names: one that was the record's is moved there as it is, `drawn` is sealed there, and what
    /// is not named any more is removed.
    ///
    /// # Errors
    /// As [`Store::put`]; also [`StoreError::Refused`] if a credential that the record names is nowhere.
    pub fn rearrange(
        &self,
        keys: &Keys,
        expected: Revision,
        record: &Record,
        ledger: &Ledger,
        credentials: Credentials<'_>,
    ) -> Result<Revision, StoreError> {
        let secrets = Secrets::Rearranged(credentials);
        self.write(keys, Some(expected), record, ledger, secrets)
    }

    /// As [`Store::put`], and in the same transaction the credential of the login that the record keeps aside becomes this
    /// one, under the version that the record names.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_kept(
        &self,
        keys: &Keys,
        expected: Revision,
        record: &Record,
        ledger: &Ledger,
        kept: &Credential,
    ) -> Result<Revision, StoreError> {
        self.write(keys, Some(expected), record, ledger, Secrets::Kept(kept))
    }

    /// The login that the record keeps aside, and what it logs in with; `None` if it keeps none.
    ///
    /// # Errors
    /// As [`Store::credential`].
    pub fn kept(&self, keys: &Keys, record: &Record) -> Result<Option<Credential>, StoreError> {
        let Some(kept) = &record.aside.kept else {
            return Ok(None);
        };
        let (version, flow) = (kept.credential_version, kept.flow.kind());
        self.credential_aside(keys, record, version, flow).map(Some)
    }

    /// The credential with the password that was drawn for the record; `None` if there is none.
    ///
    /// # Errors
    /// As [`Store::credential`].
    pub fn drawn(&self, keys: &Keys, record: &Record) -> Result<Option<Credential>, StoreError> {
        let Some(drawn) = record.aside.drawn else {
            return Ok(None);
        };
        let (version, flow) = (drawn.credential_version, record.flow.kind());
        self.credential_aside(keys, record, version, flow).map(Some)
    }

    fn credential_aside(
        &self,
        keys: &Keys,
        record: &Record,
        version: u64,
        flow: FlowKind,
    ) -> Result<Credential, StoreError> {
        self.check_owner(keys)?;
        let rows = self
            .engine
            .read(|transaction| Ok(Ok(rows::aside_rows(transaction, record.id, version)?)))?;
        rows::open_credential(keys, record, version, flow, &rows).map_err(|bad| self.damaged(bad))
    }

    pub(super) fn write(
        &self,
        keys: &Keys,
        expected: Option<Revision>,
        record: &Record,
        ledger: &Ledger,
        secrets: Secrets<'_>,
    ) -> Result<Revision, StoreError> {
        self.check_owner(keys)?;
        let (new, drawn, kept) = match secrets {
            Secrets::Same => (None, None, None),
            Secrets::New(credential) => (Some(credential), None, None),
            Secrets::Rearranged(Credentials { new, drawn }) => (new, drawn, None),
            Secrets::Kept(credential) => (None, None, Some(credential)),
        };
        let fits = |credential: &Credential| credential.flow() == record.flow.kind();
        let kept_login = record.aside.kept.as_ref();
        let kept_fits = |credential: &Credential| {
            kept_login.is_some_and(|login| login.flow.kind() == credential.flow())
        };
        if !new.into_iter().chain(drawn).all(fits) || !kept.into_iter().all(kept_fits) {
            return Err(StoreError::Refused {
                problem: "a credential would be stored with a record of another flow",
            });
        }
        let next = Revision(expected.map_or(1, |revision| revision.0.saturating_add(1)));
        let cant_seal = |_| no_resources(&self.path, "seal a record of");
        let sealed = rows::seal_record(keys, next, record, ledger).map_err(cant_seal)?;
        let session = rows::seal_session(keys, next, record.id, ledger).map_err(cant_seal)?;
        let seal = |credential: Option<&Credential>, version| {
            credential
                .map(|credential| SealedCredential::seal(keys, record.id, version, credential))
                .transpose()
                .map_err(cant_seal)
        };
        let credential = seal(new, record.credential_version)?;
        let drawn_version = record.aside.drawn.map(|drawn| drawn.credential_version);
        let drawn = seal(drawn, drawn_version.unwrap_or_default())?;
        let kept_version = kept_login.map(|login| login.credential_version);
        let kept = seal(kept, kept_version.unwrap_or_default())?;
        let aside: Vec<u64> = record.aside.versions().collect();

        self.engine.write(|transaction| {
            let mut records = transaction.open_table(rows::RECORDS)?;
            if rows::revision(&records, record.id)? != expected {
                return Ok(Err(StoreError::Changed { record: record.id }));
            }
            let mut secrets_rows = transaction.open_table(rows::SECRETS)?;
            let stored = rows::credential_version(&secrets_rows, record.id)?;
            if let Secrets::Rearranged(_) | Secrets::Kept(_) = secrets {
                let mut table = transaction.open_table(rows::ASIDE)?;
                if let Some(version) = stored.filter(|version| aside.contains(version)) {
                    rows::copy_aside(&secrets_rows, &mut table, record.id, version)?;
                }
                let drawn = drawn.as_ref().zip(drawn_version);
                let kept = kept.as_ref().zip(kept_version);
                for (credential, version) in drawn.into_iter().chain(kept) {
                    credential.write_aside(&mut table, record.id, version)?;
                }
                if !rows::keep_aside(&mut table, record.id, &aside)? {
                    return Ok(Err(StoreError::Refused {
                        problem: "a record would name a credential that is not there",
                    }));
                }
            }
            if let Some(credential) = &credential {
                if stored >= Some(record.credential_version) {
                    return Ok(Err(StoreError::Refused {
                        problem: "a credential would be stored under a version that had one before",
                    }));
                }
                credential.write(&mut secrets_rows, record.id)?;
            } else if stored != Some(record.credential_version) {
                return Ok(Err(StoreError::Refused {
                    problem: "a record would be stored without the credential of its version",
                }));
            }
            records.insert(&record.id.0, sealed.as_slice())?;
            rows::write_session(transaction, record.id, session.as_deref())?;
            Ok(Ok(next))
        })
    }
}
