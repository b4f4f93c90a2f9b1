//! Whether somebody else could change a directory, or what is on the way to it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use super::{PathError, own_uid};
use crate::mode::Mode;

/// Checks every directory from the root to `path`, as far as there are any: none a link, none that another user could
/// change.
///
/// # Errors
/// Names the first that is not safe.
pub fn check_way(path: &Path) -> Result<(), PathError> {
    let mut way = PathBuf::new();
    for part in path.components() {
        way.push(part);
        let Some(meta) = look_at(&way)? else {
            return Ok(());
        };
        let refuse = |problem: String| {
            Err(PathError::Unsafe {
                path: way.clone(),
                problem,
            })
        };
        if meta.file_type().is_symlink() {
            return refuse("is a symbolic link; give the path that it leads to".to_owned());
        }
        if !meta.is_dir() {
            return refuse("is not a directory".to_owned());
        }
        if meta.uid() != 0 && meta.uid() != own_uid() {
            return refuse(format!(
                "belongs to uid {}, who could replace what is in it",
                meta.uid()
            ));
        }
        // In a sticky directory others can add, but not move what is ours.
        let (writable, sticky) = (meta.mode() & 0o022 != 0, meta.mode() & 0o1000 != 0);
        if writable && !sticky {
            return refuse(format!(
                "has mode {:04o}: others can write to it; run `chmod go-w` on it",
                meta.mode() & 0o7777
            ));
        }
    }
    Ok(())
}

/// Whoever can move a directory on the way can put another socket in ours: no link on that way at all.
pub(super) fn check_runtime(runtime: &Path, mode: Mode) -> Result<(), PathError> {
    check_own(
        runtime,
        match mode {
            Mode::User => 0o700,
            Mode::System => 0o755,
        },
    )?;
    check_way(runtime)
}

/// Homes are often reached through links; what counts is where they lead.
pub(super) fn check_data(data: &Path) -> Result<(), PathError> {
    check_own(data, 0o700)?;
    check_where_it_leads(data)
}

/// The way to what is there once links are followed, as far as it exists.
pub(super) fn check_where_it_leads(path: &Path) -> Result<(), PathError> {
    let mut there = path;
    let real = loop {
        match fs::canonicalize(there) {
            Ok(real) => break real,
            Err(error) if leads_nowhere(&error) => {}
            Err(error) => {
                return Err(PathError::Io {
                    path: there.to_owned(),
                    error,
                });
            }
        }
        let Some(parent) = there.parent() else {
            break PathBuf::new();
        };
        there = parent;
    };
    check_way(&real)
}

/// Ours, and of no more than this mode.
fn check_own(path: &Path, most: u32) -> Result<(), PathError> {
    let refuse = |problem: String| {
        Err(PathError::Unsafe {
            path: path.to_owned(),
            problem,
        })
    };
    if path.components().any(|part| part == Component::ParentDir) {
        return refuse("has `..` in it; give the plain path".to_owned());
    }
    let Some(meta) = look_at(path)? else {
        return Ok(());
    };
    if meta.file_type().is_symlink() {
        return refuse("is a symbolic link; name the directory itself".to_owned());
    }
    if !meta.is_dir() {
        return refuse("is not a directory".to_owned());
    }
    if meta.uid() != own_uid() {
        return refuse(format!(
            "belongs to uid {}, not to uid {}",
            meta.uid(),
            own_uid()
        ));
    }
    if meta.mode() & 0o777 & !most != 0 {
        return refuse(format!(
            "has mode {:04o}; run `chmod {most:o}` on it",
            meta.mode() & 0o7777
        ));
    }
    Ok(())
}

/// What is there, itself and not what it links to; `None` if nothing is.
pub(super) fn look_at(path: &Path) -> Result<Option<fs::Metadata>, PathError> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if leads_nowhere(&error) => Ok(None),
        Err(error) => Err(PathError::Io {
            path: path.to_owned(),
            error,
        }),
    }
}

/// A file on the way is found when the way is checked.
fn leads_nowhere(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
