//! The vault's file: opened only if it is ours alone, created whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    ops::Bound,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use redb::{BackendError, StorageBackend, backends::FileBackend};
use rustix::fs::{Advice, CWD, OFlags, RenameFlags};

use super::{error::StoreError, seal};
use crate::hex::to_hex;

/// An open file. Its lock is redb's own, so any program that uses redb respects it.
#[derive(Debug)]
pub(super) struct VaultFile {
    file: File,
    redb: FileBackend,
}

impl VaultFile {
    /// Opens the file, or says that there is none. It alters nothing.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let io = |error: io::Error| StoreError::io(path, "open", &error);
        // Not blocking, in case it is a pipe: what it is can only be seen once it is open.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
        {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // What it is says more than that it can't be opened.
            Err(error) => {
                let metadata = fs::symlink_metadata(path).map_err(io)?;
                return Err(check_private(path, &metadata)
                    .err()
                    .unwrap_or_else(|| io(error)));
            }
        };
        check_private(path, &file.metadata().map_err(io)?)?;
        let shared = file.try_clone().map_err(io)?;
        let redb = FileBackend::new(shared)
            .map_err(|error| StoreError::redb(path, "open", &error.into()))?;
        Ok(Some(Self { file, redb }))
    }

    /// Puts a new file in place, with all its bytes on disk, unless something of that name is there.
    pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = Temporary::write(path, bytes)?;
        temporary.publish(path)?;
        let directory = directory_of(path);
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| StoreError::io(directory, "sync", &error))
    }
}

impl StorageBackend for VaultFile {
    fn len(&self) -> io::Result<u64> {
        self.redb.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.redb.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.redb.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        // What is written to a file without a name is lost when it is closed: it must not be acknowledged.
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::other(
                "it was removed or replaced while it was open; restart sfvaultd",
            ));
        }
        self.redb.sync_data().inspect_err(|_| {
            // A failed sync can leave pages in the cache that look written and are not on disk. Recovery
            // must see what the disk has; if the kernel does not take the advice, nothing more can be done.
            let _ = rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed);
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.redb.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.redb.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        match self.redb.try_lock_range(start, end) {
            // Two daemons would destroy a vault that neither could lock.
            Err(BackendError::Unsupported) => {
                Err(io::Error::other("its file system has no locks").into())
            }
            locked => locked,
        }
    }
}

/// A file of our own beside the vault; removed when dropped, unless it was published.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn write(target: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        let random: [u8; 8] = seal::random().map_err(|_| StoreError::Io {
            path: target.to_owned(),
            action: "create",
            message: "the system gives no random bytes".to_owned(),
        })?;
        let mut name = target
            .file_name()
            .ok_or_else(|| not_private(target, "the path has no file name"))?
            .to_owned();
        name.push(format!(".{}.new", to_hex(&random)));
        let path = target.with_file_name(name);
        let io = |error: io::Error| StoreError::io(target, "create", &error);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(io)?;
        // From here on it is ours to remove.
        let temporary = Self { path: path.clone() };
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(io)?;
        Ok(temporary)
    }

    /// Gives the file its name, atomically, and never in place of another.
    fn publish(self, target: &Path) -> Result<(), StoreError> {
        let renamed =
            rustix::fs::renameat_with(CWD, &self.path, CWD, target, RenameFlags::NOREPLACE);
        let named = match renamed {
            // Some file systems can't rename so. A link never replaces either; the second name goes on drop.
            Err(
                rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP,
            ) => fs::hard_link(&self.path, target),
            other => other.map_err(io::Error::from),
        };
        match named {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(StoreError::Exists {
                path: target.to_owned(),
            }),
            other => other.map_err(|error| StoreError::io(target, "create", &error)),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing of this name; and a file that can't be removed holds sealed bytes only.
        let _ = fs::remove_file(&self.path);
    }
}

fn check_private(path: &Path, metadata: &fs::Metadata) -> Result<(), StoreError> {
    let problem = if !metadata.is_file() {
        "it is no plain file".to_owned()
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        format!("it belongs to user {}", metadata.uid())
    } else if metadata.mode() & 0o077 != 0 {
        format!("its mode is {:04o}", metadata.mode() & 0o7777)
    } else if metadata.nlink() > 1 {
        format!("it has {} names (hard links)", metadata.nlink())
    } else {
        return Ok(());
    };
    Err(not_private(path, problem))
}

fn not_private(path: &Path, problem: impl Into<String>) -> StoreError {
    StoreError::NotPrivate {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}
