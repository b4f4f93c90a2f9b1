//! What is to be seen of other processes and of programs, for whoever may look.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, OFlags, StatxFlags, statx},
    process::Pid,
};

/// The program that a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// As the kernel writes it.
    pub path: PathBuf,
    /// The file itself, whatever its name is by now.
    pub file: Inode,
}

/// Tells two files apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    pub device: (u32, u32),
    pub number: u64,
}

impl Inode {
    /// The file at a path.
    ///
    /// # Errors
    /// As `stat`.
    pub fn at(path: &Path) -> io::Result<Self> {
        // What the kernel knows will do: a file system of the peer's own may never answer (FUSE).
        let found = statx(CWD, path, AtFlags::STATX_DONT_SYNC, StatxFlags::INO)?;
        Ok(Self {
            device: (found.stx_dev_major, found.stx_dev_minor),
            number: found.stx_ino,
        })
    }
}

/// The program that the process of this pid runs.
pub(super) fn running(pid: Pid) -> io::Result<Running> {
    let link = PathBuf::from(format!("/proc/{pid}/exe"));
    Ok(Running {
        path: fs::read_link(&link)?,
        // The link leads to the file itself, with no path to be looked up.
        file: Inode::at(&link)?,
    })
}

/// Whether a file names the interpreter that runs it.
pub(super) fn is_script(path: &Path) -> io::Result<bool> {
    let mut file = File::options()
        .read(true)
        // Whoever opens a pipe waits for a writer.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let mut head = [0; 2];
    // A program that may be run and not read is none of the interpreters' either.
    Ok(file.read_exact(&mut head).is_ok() && &head == b"#!")
}
