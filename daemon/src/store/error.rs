//! What can go wrong with the vault file, by what can be done about it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::record::RecordId;

/// Why the vault file could not be used. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The Argon2id cost asked for is outside the bounds.
    BadCost { problem: &'static str },
    /// The record is no longer as the caller believes; nothing was written. Load it again.
    Changed { record: RecordId },
    /// The vault's content is not what a vault holds, or was altered. Restore a backup.
    Damaged {
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// The part of the vault it was found in.
        place: String,
    },
    /// There is a file of this name; it was not touched.
    Exists { path: PathBuf },
    /// The file is no vault, or another vault than the one that the keys belong to.
    Foreign { path: PathBuf, problem: String },
    /// The disk or quota is full.
    Full { path: PathBuf },
    /// Another process has the vault open.
    InUse { path: PathBuf },
    /// The system refused an operation.
    Io {
        path: PathBuf,
        /// What was tried, as in "can't {action}".
        action: &'static str,
        message: String,
    },
    /// A newer sfvault wrote the vault.
    NewerFormat {
        path: PathBuf,
        found: u64,
        known: u64,
    },
    /// Others could read, replace or also name the file: it was not opened.
    NotPrivate { path: PathBuf, problem: String },
    /// The vault may not be written.
    ReadOnly { path: PathBuf },
    /// A defect in the caller: writing this would make the record unreadable. Nothing was written.
    Refused { problem: &'static str },
    /// No key slot opens with this passphrase.
    WrongPassphrase { path: PathBuf },
}

impl StoreError {
    /// What to do, in one line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BadCost { .. } => {
                "choose 8 MiB to 1 GiB of memory, 1 to 16 iterations and 1 to 4 lanes"
            }
            Self::Changed { .. } => "load the record again and repeat the change",
            Self::Damaged { .. } => {
                "the file was left as it is; keep it aside and restore a backup"
            }
            Self::Exists { .. } => "move the file away first if you want a new vault",
            Self::Foreign { .. } => "check SFVAULT_DATA_DIR; the file was left as it is",
            Self::Full { .. } => "free some space and try again",
            Self::InUse { .. } => {
                "stop the other sfvaultd, or give this one its own SFVAULT_DATA_DIR"
            }
            Self::Io { .. } => "look at the disk and the file's directory, then try again",
            Self::NewerFormat { .. } => "update sfvault",
            Self::NotPrivate { .. } => {
                "the vault must be a plain file of the daemon's user, mode 0600, with one name"
            }
            Self::ReadOnly { .. } => "make the file and its file system writable for the daemon",
            Self::Refused { .. } => "report this as a defect of sfvaultd",
            Self::WrongPassphrase { .. } => "type the passphrase again",
        }
    }

    pub(super) fn io(path: &Path, action: &'static str, error: &io::Error) -> Self {
        let path = path.to_owned();
        // Every other kind becomes the general error with the system's own words.
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the system's error kinds are an open list"
        )]
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path }
            }
            io::ErrorKind::UnexpectedEof => Self::Damaged {
                path,
                what: "it ends too early".to_owned(),
                place: "the file".to_owned(),
            },
            _ => Self::Io {
                path,
                action,
                message: error.to_string(),
            },
        }
    }

    /// From redb. Its messages tell of pages and tables, never of contents.
    pub(super) fn redb(path: &Path, action: &'static str, error: &redb::Error) -> Self {
        use redb::Error;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "redb's errors are an open list, and most are of calls that are not made here"
        )]
        match error {
            Error::Io(error) => Self::io(path, action, error),
            Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => Self::InUse {
                path: path.to_owned(),
            },
            Error::Corrupted(what) => Self::damaged(path, what, "the file"),
            Error::UpgradeRequired(version) => Self::Foreign {
                path: path.to_owned(),
                problem: format!("its file format is redb's version {version}"),
            },
            Error::TableDoesNotExist(_)
            | Error::TableTypeMismatch { .. }
            | Error::TableIsMultimap(_)
            | Error::TypeDefinitionChanged { .. } => {
                Self::damaged(path, error.to_string(), "the tables")
            }
            other => Self::Io {
                path: path.to_owned(),
                action,
                message: other.to_string(),
            },
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>, place: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
            place: place.into(),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCost { problem } => write!(f, "bad passphrase cost: {problem}"),
            Self::Changed { record } => write!(f, "record {record:?} was changed meanwhile"),
            Self::Damaged { path, what, place } => {
                write!(
                    f,
                    "the vault {} is damaged: {place}: {what}",
                    path.display()
                )
            }
            Self::Exists { path } => write!(f, "there is a file already: {}", path.display()),
            Self::Foreign { path, problem } => {
                write!(f, "{} is not this vault: {problem}", path.display())
            }
            Self::Full { path } => {
                write!(f, "no space is left to write the vault {}", path.display())
            }
            Self::InUse { path } => {
                write!(f, "another process has the vault {} open", path.display())
            }
            Self::Io {
                path,
                action,
                message,
            } => write!(f, "can't {action} {}: {message}", path.display()),
            Self::NewerFormat { path, found, known } => write!(
                f,
                "the vault {} has format {found}; this sfvaultd knows formats up to {known}",
                path.display()
            ),
            Self::NotPrivate { path, problem } => {
                write!(
                    f,
                    "{} is not safe to use as a vault: {problem}",
                    path.display()
                )
            }
            Self::ReadOnly { path } => write!(f, "{} can't be written", path.display()),
            Self::Refused { problem } => write!(f, "defect in sfvaultd: {problem}"),
            Self::WrongPassphrase { path } => write!(
                f,
                "the passphrase does not open the vault {}",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StoreError {}
