//! redb, kept at arm's length: opened in two steps, reopened after a failure, its panics contained.
//!
//! First step: redb opens and checks the whole vault over an [`Overlay`], so nothing is written, and reads
//! are served from there. Second step, before the first change only: it opens the file itself, doing exactly
//! what it has just done without fault over the same bytes.
//!
//! redb refuses to work on after an I/O error, and on a file that somebody altered it may panic. Either way
//! this instance of it is dropped and the next call starts again at the first step.

use std::{
    io, mem,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{
    BackendError, Builder, Database, ReadTransaction, ReadableDatabase, StorageBackend,
    WriteTransaction,
};

use super::{
    error::StoreError,
    overlay::{Direct, Overlay},
};

/// A vault's disk and the redb that works on it.
pub(super) struct Engine {
    disk: Arc<dyn StorageBackend>,
    /// For messages.
    path: PathBuf,
    state: Mutex<State>,
    /// A write or sync failed: what is read may be in the system's cache only, never to be written by a later sync.
    suspect: AtomicBool,
}

enum State {
    Closed,
    /// Over an overlay: the disk is untouched.
    Reading(Database),
    Writing(Database),
}

/// The outer error is redb's and ends this instance of it; the inner one is ours and does not.
pub(super) type Outcome<T> = Result<Result<T, StoreError>, redb::Error>;

impl Engine {
    /// Locks the disk until the engine is dropped, and checks what is on it, without changing it.
    pub(super) fn open(disk: Arc<dyn StorageBackend>, path: PathBuf) -> Result<Self, StoreError> {
        match disk.try_lock_range(Bound::Unbounded, Bound::Unbounded) {
            // Memory has no locks, and nobody to share with.
            Ok(true) | Err(BackendError::Unsupported) => {}
            Ok(false) => return Err(StoreError::InUse { path }),
            Err(error) => return Err(StoreError::redb(&path, "lock", &error.into())),
        }
        let engine = Self {
            disk,
            path,
            state: Mutex::new(State::Closed),
            suspect: AtomicBool::new(false),
        };
        engine.check_magic()?;
        *engine.lock() = State::Reading(engine.open_overlay()?);
        Ok(engine)
    }

    /// Runs a read transaction.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        if let State::Closed = *state {
            *state = State::Reading(self.open_overlay()?);
        }
        self.attempt(&mut state, "read", |database| work(&database.begin_read()?))
    }

    /// Runs a write transaction, which is on disk when this returns `Ok`. After an inner error nothing has
    /// changed; after any other the disk holds the old state or the new one.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        if let State::Closed = *state {
            *state = State::Reading(self.open_overlay()?);
        }
        if let State::Reading(_) = *state {
            self.close(&mut state);
            if self.suspect.load(Ordering::Relaxed) {
                self.rewrite()
                    .map_err(|error| StoreError::io(&self.path, "write", &error))?;
            }
            self.suspect.store(true, Ordering::Relaxed);
            *state = State::Writing(self.open_redb(Direct(self.disk.clone()))?);
            self.suspect.store(false, Ordering::Relaxed);
        }
        self.attempt(&mut state, "write", |database| {
            let transaction = database.begin_write()?;
            match work(&transaction)? {
                Ok(value) => {
                    transaction.commit()?;
                    Ok(Ok(value))
                }
                Err(refused) => {
                    transaction.abort()?;
                    Ok(Err(refused))
                }
            }
        })
    }

    fn attempt<T>(
        &self,
        state: &mut State,
        action: &'static str,
        work: impl FnOnce(&Database) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        let (State::Reading(database) | State::Writing(database)) = &*state else {
            return Err(StoreError::Refused {
                problem: "the vault is used before it is open",
            });
        };
        let failed = match catch_unwind(AssertUnwindSafe(|| work(database))) {
            Ok(Ok(outcome)) => return outcome,
            Ok(Err(error)) => StoreError::redb(&self.path, action, &error),
            Err(_) => self.panicked(),
        };
        if let State::Writing(_) = *state {
            self.suspect.store(true, Ordering::Relaxed);
        }
        self.close(state);
        Err(failed)
    }

    /// Writes every byte as it is read, and syncs. After a failed sync Linux takes the pages for written, so a commit
    /// that builds on them would be acknowledged and then lost by a power cut.
    fn rewrite(&self) -> io::Result<()> {
        let len = self.disk.len()?;
        let mut buffer = vec![0; REWRITE_LEN];
        let mut offset = 0;
        while offset < len {
            let rest = usize::try_from(len - offset).unwrap_or(REWRITE_LEN);
            let (piece, _) = buffer.split_at_mut(rest.min(REWRITE_LEN));
            self.disk.read(offset, piece)?;
            self.disk.write(offset, piece)?;
            offset += piece.len() as u64;
        }
        self.disk.sync_data()
    }

    /// Tells a file that was never a vault from one that is damaged; redb does not.
    fn check_magic(&self) -> Result<(), StoreError> {
        let foreign = |problem: &str| StoreError::Foreign {
            path: self.path.clone(),
            problem: problem.to_owned(),
        };
        let io = |error| StoreError::io(&self.path, "read", &error);
        let mut start = [0; MAGIC.len()];
        if self.disk.len().map_err(io)? < MAGIC.len() as u64 {
            return Err(foreign("it is empty or almost so"));
        }
        self.disk.read(0, &mut start).map_err(io)?;
        if start != *MAGIC {
            return Err(foreign("it is a file of another kind"));
        }
        Ok(())
    }

    fn open_overlay(&self) -> Result<Database, StoreError> {
        let overlay = Overlay::new(self.disk.clone())
            .map_err(|error| StoreError::io(&self.path, "read", &error))?;
        self.open_redb(overlay)
    }

    fn open_redb(&self, backend: impl StorageBackend) -> Result<Database, StoreError> {
        let open = || {
            Builder::new()
                .set_cache_size(CACHE_LEN)
                .set_check_integrity_on_open(true)
                .create_with_backend(backend)
        };
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(opened) => {
                opened.map_err(|error| StoreError::redb(&self.path, "open", &error.into()))
            }
            Err(_) => Err(self.panicked()),
        }
    }

    fn panicked(&self) -> StoreError {
        StoreError::damaged(&self.path, "redb can't make sense of it", "the file")
    }

    /// Drops redb, which writes a clean end if all went well so far and nothing if not.
    fn close(&self, state: &mut State) {
        let old = mem::replace(state, State::Closed);
        // After a panic redb may well panic again; the file is then recovered at the next opening.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mut state = mem::replace(&mut *self.lock(), State::Closed);
        self.close(&mut state);
        // Gives up the lock; what fails here ends with the process at the latest.
        let _ = self.disk.close();
    }
}

/// How a redb file starts (redb's design document, "Database header").
const MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// A vault of thousands of records fits; the default of 1 GiB would let a daemon's memory grow with its file.
const CACHE_LEN: usize = 4 * 1024 * 1024;
/// A few pieces for a vault of thousands of records.
const REWRITE_LEN: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use redb::{TableDefinition, backends::InMemoryBackend};

    use super::*;

    const NUMBERS: TableDefinition<'_, u8, u8> = TableDefinition::new("numbers");

    fn engine() -> Engine {
        let disk = Arc::new(InMemoryBackend::new());
        drop(
            Builder::new()
                .create_with_backend(Direct(disk.clone()))
                .unwrap(),
        );
        let engine = Engine::open(disk, PathBuf::from("vault")).unwrap();
        engine.write(|transaction| insert(transaction, 1)).unwrap();
        engine
    }

    fn insert(transaction: &WriteTransaction, value: u8) -> Outcome<()> {
        transaction.open_table(NUMBERS)?.insert(0, value)?;
        Ok(Ok(()))
    }

    fn number(engine: &Engine) -> Result<u8, StoreError> {
        engine.read(|transaction| {
            let row = transaction.open_table(NUMBERS)?.get(0)?;
            Ok(Ok(row.map_or(0, |row| row.value())))
        })
    }

    #[test]
    fn a_panic_below_is_damage_and_the_next_call_works() {
        let engine = engine();
        let panicked = engine.read::<()>(|_| panic!("below"));
        assert!(matches!(panicked, Err(StoreError::Damaged { .. })));
        assert_eq!(number(&engine), Ok(1));

        let panicked = engine.write::<()>(|transaction| {
            let _ = insert(transaction, 2)?;
            panic!("half way")
        });
        assert!(matches!(panicked, Err(StoreError::Damaged { .. })));
        assert_eq!(number(&engine), Ok(1));
        engine.write(|transaction| insert(transaction, 3)).unwrap();
        assert_eq!(number(&engine), Ok(3));
    }

    #[test]
    fn a_change_that_is_refused_leaves_nothing() {
        let engine = engine();
        let refused = engine.write::<()>(|transaction| {
            let _ = insert(transaction, 2)?;
            Ok(Err(StoreError::Refused { problem: "no" }))
        });
        assert_eq!(refused, Err(StoreError::Refused { problem: "no" }));
        assert_eq!(number(&engine), Ok(1));
    }
}
