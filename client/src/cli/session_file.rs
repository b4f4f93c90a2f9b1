//! A file with a session, for jobs that read it again when Salesforce refuses the one they have.
//!
//! A reader finds the old session or the new one, never a part: each is written beside it and takes its place at once.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process,
};

use sfvault::Session;

use super::{failure::Failure, get::SessionJson, output::json_line};

/// The file of one job. It goes with this value.
#[derive(Debug)]
pub(crate) struct SessionFile {
    path: PathBuf,
    /// Which file it is that we wrote: another's is not ours to remove.
    inode: Option<u64>,
}

impl SessionFile {
    /// Looks at the place; writes nothing yet.
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
        Ok(Self { path, inode: None })
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
            let path = self.path.display();
            Failure::local(format!("can't write the session to `{path}`: {error}"))
        })
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
            file.write_all(data)?;
            let inode = file.metadata()?.ino();
            fs::rename(&beside, &self.path)?;
            Ok(inode)
        });
        match result {
            Ok(inode) => self.inode = Some(inode),
            Err(_) => drop(fs::remove_file(&beside)),
        }
        result.map(drop)
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
        let there = fs::symlink_metadata(&self.path).ok().map(|meta| meta.ino());
        if self.inode.is_some() && there == self.inode {
            let _ = fs::remove_file(&self.path);
        }
    }
}
