//! A file with a session, for jobs that read it again when Salesforce refuses the one they have.
//!
//! A reader finds the old session or the new one, never a part: each is written beside it and takes its place at once.
//!
//! Whoever holds the lock of the file that is at the path owns the path, so that two jobs never share one. What takes the
//! place of another file is locked before.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process,
};

use rustix::fs::OFlags;
use serde::{Deserialize, de::IgnoredAny};
use sfvault::Session;
use zeroize::Zeroizing;

use super::{failure::Failure, get::SessionJson, output::json_line};

/// The file of one job. It goes with this value.
#[derive(Debug)]
pub(crate) struct SessionFile {
    path: PathBuf,
    /// What is there, if anything, locked.
    held: Option<File>,
    /// Whether we wrote it.
    written: bool,
}

impl SessionFile {
    /// Looks at the place, and takes it if a file is there; writes nothing yet.
    ///
    /// # Errors
    /// If another job keeps its session there, or something is there that no job left behind.
    pub(crate) fn at(path: &Path) -> Result<Self, Failure> {
        let bad = |problem: String| {
            let message = format!("can't keep a session in `{}`: {problem}", path.display());
            Failure::usage(message, "name a file in a directory of your own")
        };
        let path = std::path::absolute(path).map_err(|error| bad(error.to_string()))?;
        if let Ok(there) = fs::symlink_metadata(&path)
            && !there.is_file()
        {
            return Err(bad("there is something else than a file".to_owned()));
        }
        let (Some(directory), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(bad("it is no path of a file".to_owned()));
        };
        let directory = fs::metadata(directory).map_err(|error| bad(error.to_string()))?;
        // Where others may replace a file, the job could be given a stranger's session.
        let mode = directory.permissions().mode();
        if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
            return Err(bad("others may replace files there".to_owned()));
        }
        let held = match locked(&path) {
            Ok(held) => held,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(taken(&path)),
            Err(error) => return Err(bad(error.to_string())),
        };
        if held.as_ref().is_some_and(|file| !is_session(file)) {
            return Err(bad("the file there was not made by sfvault".to_owned()));
        }
        Ok(Self {
            path,
            held,
            written: false,
        })
    }

    /// Where it is, from the root.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts this session in the place of the one before.
    pub(crate) fn write(&mut self, session: &Session) -> Result<(), Failure> {
        let line = json_line(&SessionJson::from(session))?;
        let written = self.replace(&line);
        written.map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                return taken(&self.path);
            }
            let path = self.path.display();
            Failure::local(format!("can't write the session to `{path}`: {error}"))
        })
    }

    /// Whether what we hold still is what is there.
    fn is_ours(&self) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|file| is_at(file, &self.path))
    }

    fn replace(&mut self, data: &[u8]) -> io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", process::id()));
        let beside = self.path.with_file_name(name);
        // What a killed process of the same number left there.
        let _ = fs::remove_file(&beside);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600);
        let result = file.open(&beside).and_then(|mut file| {
            only_for_us(&file)?;
            file.try_lock()?;
            file.write_all(data)?;
            if self.is_ours() {
                fs::rename(&beside, &self.path)?;
            } else {
                // Unlike renaming, this fails if another job was faster.
                fs::hard_link(&beside, &self.path)?;
                fs::remove_file(&beside)?;
            }
            Ok(file)
        });
        match result {
            Ok(file) => {
                self.held = Some(file);
                self.written = true;
                Ok(())
            }
            Err(error) => {
                let _ = fs::remove_file(&beside);
                Err(error)
            }
        }
    }
}

/// The file at the path with its lock, or nothing if none is there. [`io::ErrorKind::WouldBlock`] if another has the lock.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.read(true).custom_flags(flags.bits().cast_signed());
    loop {
        let file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // It may have been replaced or removed between the two.
        if is_at(&file, path) {
            return Ok(Some(file));
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let which = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let there = fs::symlink_metadata(path).ok().map(which);
    there.is_some() && there == file.metadata().ok().map(which)
}

/// Whether it is what a job left behind that was killed.
fn is_session(file: &File) -> bool {
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_SIZE));
    let read = file.take(MAX_SIZE as u64).read_to_end(&mut text);
    read.is_ok() && serde_json::from_slice::<LeftBehind>(&text).is_ok()
}

/// What every file of ours has; the session id itself is passed over.
#[derive(Deserialize)]
struct LeftBehind {
    #[serde(rename = "session_id")]
    _session_id: IgnoredAny,
    #[serde(rename = "generation")]
    _generation: u64,
}

/// Above any session with all that belongs to it.
const MAX_SIZE: usize = 16 << 10;

fn taken(path: &Path) -> Failure {
    Failure::Taken {
        message: format!("another job keeps its session in `{}`", path.display()),
        hint: "give each job a file of its own, or wait until the other has ended".to_owned(),
    }
}

const STICKY: u32 = 0o1000;
/// A group's members, and everybody.
const OTHERS_WRITE: u32 = 0o022;

/// A umask only takes away, but a default ACL of the directory may have given.
fn only_for_us(file: &File) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

impl Drop for SessionFile {
    fn drop(&mut self) {
        if self.written && self.is_ours() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
