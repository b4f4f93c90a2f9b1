//! The vault file: sealed records in one redb database.
//!
//! Six tables. `header`: the plain header and its authentication code. `chest`: what is kept for the audit, made when
//! there is something to keep. `records`: by record id, the sealed
//! record with its ledger. `secrets`: by record id and field, the sealed secrets. `aside`: by record id, version and
//! field, the sealed secrets that a record keeps beside those in use. `sessions`: by record id, the sealed session that a
//! restart may go on with. Names, usernames and hosts
//! are inside the ciphertext; what shows is how many records there are, how often each changed, and how long
//! each value is.
//!
//! Every change is one transaction and one sync of the disk (redb's one-phase commit: after a crash, checksums
//! tell whether the last commit is whole, and if not, the one before it counts). The first after opening takes
//! more, because it readies the file, and so does one that grows it. The file alone can't show that
//! it was replaced by an older copy of itself, or a record's rows by older ones; that needs a memory elsewhere.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{ReadableTable, StorageBackend};

use crate::{
    credential::Credential,
    ledger::Ledger,
    record::{Record, RecordId},
    secret::Passphrase,
};

mod chest;
mod credentials;
mod encode;
mod engine;
mod error;
mod file;
pub(crate) mod fuzz;
mod header;
mod image;
mod overlay;
mod rows;
mod seal;
mod slots;

pub use credentials::Credentials;
pub use error::StoreError;
pub use seal::Keys;
pub use slots::KdfCost;

use credentials::Secrets;
use engine::Engine;
use file::VaultFile;
use header::{FORMAT, Header, HeaderError};
use image::new_image;
use rows::SealedRecord;
use slots::SlotError;

/// An open vault file. It holds no key; every call says whose keys it uses.
///
/// All calls block: on the disk, and `unlock` and `create` on Argon2id for as long as its cost says. They wait
/// for each other, except for `unlock`. Dropping it writes the file's clean end; without that, as after a kill,
/// the next opening recovers. After any error it works on: what failed is opened again from the disk.
pub struct Store {
    engine: Engine,
    path: PathBuf,
    header: Header,
    header_bytes: Vec<u8>,
    header_code: Vec<u8>,
}

/// The state of one record's rows: it grows by one with every [`Store::put`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(u64);

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    pub record: Record,
    pub ledger: Ledger,
    pub revision: Revision,
}

impl Store {
    /// Opens the vault and checks every page of it; `None` if there is no file. It changes nothing on disk,
    /// not even after a crash: the first change repairs, and so costs a few syncs more than those after it.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NotPrivate`], [`StoreError::Foreign`], [`StoreError::NewerFormat`],
    /// [`StoreError::Damaged`], [`StoreError::ReadOnly`], [`StoreError::Io`].
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        VaultFile::open(path)?
            .map(|file| Self::over(Arc::new(file), path.to_owned()))
            .transpose()
    }

    /// Makes a new vault with one passphrase, and opens it. It never replaces anything, and a failure leaves
    /// nothing behind.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::BadCost`], [`StoreError::Full`], [`StoreError::ReadOnly`],
    /// [`StoreError::Io`].
    pub fn create(
        path: &Path,
        passphrase: &Passphrase,
        cost: KdfCost,
    ) -> Result<(Self, Keys), StoreError> {
        match fs::symlink_metadata(path) {
            Ok(_) => {
                return Err(StoreError::Exists {
                    path: path.to_owned(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io(path, "create", &error)),
        }
        let (image, keys) = new_image(path, passphrase, cost)?;
        VaultFile::create(path, &image)?;
        let store = Self::open(path)?.ok_or_else(|| StoreError::Io {
            path: path.to_owned(),
            action: "open",
            message: "it was removed right after it was made".to_owned(),
        })?;
        Ok((store, keys))
    }

    /// Opens the vault that a backend holds. This is where faults are injected below redb.
    ///
    /// # Errors
    /// As [`Store::open`]; a backend without bytes is [`StoreError::Foreign`].
    pub fn open_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        Self::over(Arc::new(backend), PathBuf::from(BACKEND_NAME))
    }

    /// Makes a new vault on a backend, whatever was on it, and opens it.
    ///
    /// # Errors
    /// As [`Store::create`].
    #[cfg(test)]
    pub(crate) fn create_backend(
        backend: impl StorageBackend,
        passphrase: &Passphrase,
        cost: KdfCost,
    ) -> Result<(Self, Keys), StoreError> {
        let path = Path::new(BACKEND_NAME);
        let (image, keys) = new_image(path, passphrase, cost)?;
        let written = backend
            .set_len(image.len() as u64)
            .and_then(|()| backend.write(0, &image))
            .and_then(|()| backend.sync_data());
        written.map_err(|error| StoreError::io(path, "create", &error))?;
        Ok((Self::open_backend(backend)?, keys))
    }

    /// Where the vault is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What each key slot costs to try, in the order of the slots.
    #[must_use]
    pub fn slot_costs(&self) -> Vec<KdfCost> {
        self.header.slots.iter().map(|slot| slot.cost).collect()
    }

    /// Unwraps the vault key. Slow by design: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`StoreError::WrongPassphrase`]; [`StoreError::Damaged`] if the passphrase opens a key slot but the
    /// header is not the one that was written; [`StoreError::Io`] if the memory for Argon2id is missing.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<Keys, StoreError> {
        for slot in &self.header.slots {
            match slot.unwrap_key(self.header.vault, passphrase) {
                Ok(key) => {
                    let keys = Keys::new(self.header.vault, key);
                    if !keys.header_is_authentic(&self.header_bytes, &self.header_code) {
                        let what = "it was altered after it was written";
                        return Err(StoreError::damaged(&self.path, what, "the header"));
                    }
                    return Ok(keys);
                }
                Err(SlotError::NotThisPassphrase) => {}
                Err(SlotError::NoResources) => return Err(no_resources(&self.path, "unlock")),
            }
        }
        Err(StoreError::WrongPassphrase {
            path: self.path.clone(),
        })
    }

    /// All records and ledgers, in the order of their ids; no credential is opened.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the first record that is not authentic.
    pub fn load(&self, keys: &Keys) -> Result<Vec<StoredRecord>, StoreError> {
        self.check_owner(keys)?;
        self.engine.read(|transaction| {
            let mut records = Vec::new();
            for row in transaction.open_table(rows::RECORDS)?.iter()? {
                let (id, sealed) = row?;
                match rows::open_record(keys, RecordId(*id.value()), sealed.value()) {
                    Ok(record) => records.push(record),
                    Err(bad) => return Ok(Err(self.damaged(bad))),
                }
            }
            let sessions = rows::load_sessions(transaction, keys, &mut records)?;
            Ok(sessions.map(|()| records).map_err(|bad| self.damaged(bad)))
        })
    }

    /// The record's credential, of the version that the record says.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if the stored record has another version or is gone; [`StoreError::Damaged`].
    pub fn credential(&self, keys: &Keys, record: &Record) -> Result<Credential, StoreError> {
        self.check_owner(keys)?;
        let changed = StoreError::Changed { record: record.id };
        let sealed = self
            .engine
            .read(|transaction| Ok(Ok(SealedRecord::read(transaction, record.id)?)))?
            .ok_or(changed.clone())?;
        let stored = sealed
            .record(keys, record.id)
            .map_err(|bad| self.damaged(bad))?;
        if stored.record.credential_version != record.credential_version {
            return Err(changed);
        }
        sealed
            .credential(keys, &stored.record)
            .map_err(|bad| self.damaged(bad))
    }

    /// Writes a record that must not exist yet (`expected` is `None`) or must be at this revision, with its
    /// ledger and the session in it, and with its credential if that is new. All of it is on disk when this returns `Ok`.
    ///
    /// A new credential comes with a higher `credential_version`, and an unchanged one with the same.
    ///
    /// # Errors
    /// Nothing has changed after [`StoreError::Changed`] (another revision, or the record exists) and
    /// [`StoreError::Refused`] (the credential is missing, or its flow or version does not fit the record).
    /// After any other error the vault holds the old record or the new one: load to see which.
    pub fn put(
        &self,
        keys: &Keys,
        expected: Option<Revision>,
        record: &Record,
        ledger: &Ledger,
        credential: Option<&Credential>,
    ) -> Result<Revision, StoreError> {
        let secrets = match credential {
            Some(credential) => Secrets::New(credential),
            None => Secrets::Same,
        };
        self.write(keys, expected, record, ledger, secrets)
    }

    /// Removes a record, its ledger and all its credentials, and its session.
    ///
    /// # Errors
    /// [`StoreError::Changed`]: it is not at this revision, and nothing has changed. After any other error
    /// it is there or not: load to see.
    pub fn remove(&self, id: RecordId, expected: Revision) -> Result<(), StoreError> {
        self.engine.write(|transaction| {
            let mut records = transaction.open_table(rows::RECORDS)?;
            if rows::revision(&records, id)? != Some(expected) {
                return Ok(Err(StoreError::Changed { record: id }));
            }
            records.remove(&id.0)?;
            rows::remove_credential(&mut transaction.open_table(rows::SECRETS)?, id)?;
            rows::write_session(transaction, id, None)?;
            rows::keep_aside(&mut transaction.open_table(rows::ASIDE)?, id, &[])?;
            Ok(Ok(()))
        })
    }

    fn over(disk: Arc<dyn StorageBackend>, path: PathBuf) -> Result<Self, StoreError> {
        let engine = Engine::open(disk, path.clone())?;
        let foreign = |problem: &str| StoreError::Foreign {
            path: path.clone(),
            problem: problem.to_owned(),
        };
        let (header_bytes, header_code) = engine
            .read(rows::read_header)?
            .ok_or_else(|| foreign("it is the database of another program"))?;
        let header = Header::parse(&header_bytes).map_err(|error| match error {
            HeaderError::Newer { found } => StoreError::NewerFormat {
                path: path.clone(),
                found,
                known: FORMAT,
            },
            HeaderError::Malformed(what) => StoreError::damaged(&path, what, "the header"),
        })?;
        Ok(Self {
            engine,
            path,
            header,
            header_bytes,
            header_code,
        })
    }

    fn check_owner(&self, keys: &Keys) -> Result<(), StoreError> {
        if keys.vault() == self.header.vault {
            return Ok(());
        }
        Err(StoreError::Foreign {
            path: self.path.clone(),
            problem: "the keys belong to another vault".to_owned(),
        })
    }

    fn damaged(&self, bad: rows::BadRow) -> StoreError {
        StoreError::damaged(&self.path, bad.what, bad.place)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// An id for a new record: random, so that no two vaults ever share one.
///
/// # Errors
/// [`StoreError::Io`] if the system gives no random bytes.
pub fn new_record_id() -> Result<RecordId, StoreError> {
    seal::random()
        .map(RecordId)
        .map_err(|_| no_resources(Path::new("the new record"), "draw an id for"))
}

/// What stands for the path of a vault that is on no file.
const BACKEND_NAME: &str = "(backend)";

fn no_resources(path: &Path, action: &'static str) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        action,
        message: "the system gives not enough memory or no random bytes".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
