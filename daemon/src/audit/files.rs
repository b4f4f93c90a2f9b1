//! The files: `audit.jsonl`, which grows, and the full ones, `audit-N.jsonl`, where N is the number of their first line.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use crate::paths::own_uid;

/// The directory in which they are.
#[derive(Debug, Clone)]
pub(super) struct Files {
    directory: PathBuf,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) path: PathBuf,
    /// The number of its first line; `None` for the one that grows.
    pub(super) first: Option<u64>,
}

impl Piece {
    /// Its name, for people.
    #[must_use]
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

impl Files {
    #[must_use]
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// The file that grows.
    #[must_use]
    pub(super) fn current(&self) -> PathBuf {
        self.directory.join("audit.jsonl")
    }

    /// Where the chain is.
    #[must_use]
    pub(super) fn state(&self) -> PathBuf {
        self.directory.join("audit.state")
    }

    /// The full file that begins with this line. Its name sorts as its number.
    #[must_use]
    pub(super) fn full(&self, first: u64) -> PathBuf {
        self.directory.join(format!("audit-{first:012}.jsonl"))
    }

    /// All there are, in the order in which they were written.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub(super) fn list(&self) -> io::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut current = None;
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name
                .and_then(|name| name.strip_prefix("audit-"))
                .and_then(|rest| rest.strip_suffix(".jsonl"))
                .and_then(|digits| digits.parse().ok());
            if let Some(first) = number {
                pieces.push(Piece {
                    path,
                    first: Some(first),
                });
            } else if path == self.current() {
                current = Some(Piece { path, first: None });
            }
        }
        pieces.sort_by_key(|piece| piece.first);
        pieces.extend(current);
        Ok(pieces)
    }

    /// Opens the file that grows; it is made if there is none.
    ///
    /// # Errors
    /// If it can't be opened or made, or is not ours alone.
    pub(super) fn open_current(&self) -> io::Result<File> {
        let path = self.current();
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(&path)?;
        check_private(&file, &path)?;
        Ok(file)
    }

    /// Makes what was done to the names durable.
    ///
    /// # Errors
    /// If the directory can't be synced.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

/// Opens one of them to be read.
///
/// # Errors
/// If it can't be opened, or is no file of ours.
pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(problem(path, "is not a file"));
    }
    Ok(file)
}

pub(super) fn check_private(file: &File, path: &Path) -> io::Result<()> {
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(problem(path, "is not a file"));
    }
    if meta.uid() != own_uid() {
        return Err(problem(path, "belongs to another user"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(problem(path, "is open to others; run `chmod 600` on it"));
    }
    Ok(())
}

fn problem(path: &Path, what: &str) -> io::Error {
    io::Error::other(format!("`{}` {what}", path.display()))
}
