//! The file, which decides where passwords go: read only if nobody else can write or replace it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

use super::ConfigError;
use crate::paths::{check_way, own_uid};

/// In bytes. A configuration with a thousand hosts has a tenth of it.
const LONGEST: u64 = 1 << 20;

/// Its text; `None` if there is none.
///
/// # Errors
/// If it can't be read, or others can write or replace it.
pub(super) fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let io = |error| ConfigError::Io {
        path: path.to_owned(),
        error,
    };
    // Not blocking, in case it is a pipe: what it is can only be seen once it is open.
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let meta = file.metadata().map_err(io)?;
    let refuse = |problem| {
        Err(ConfigError::Unsafe {
            path: path.to_owned(),
            problem,
        })
    };
    if !meta.is_file() {
        return refuse("is not a file".to_owned());
    }
    if meta.uid() != 0 && meta.uid() != own_uid() {
        return refuse(format!(
            "belongs to uid {}, not to uid {} or root",
            meta.uid(),
            own_uid()
        ));
    }
    if meta.mode() & 0o022 != 0 {
        return refuse(format!(
            "has mode {:04o}: others can write to it; run `chmod go-w`",
            meta.mode() & 0o7777
        ));
    }
    // What it says decides where passwords go, so nobody else may put another one in its place.
    let real = fs::canonicalize(path).map_err(io)?;
    check_way(real.parent().unwrap_or(&real)).map_err(ConfigError::Place)?;
    if meta.len() > LONGEST {
        return refuse(format!("is longer than {LONGEST} bytes"));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(io)?;
    Ok(Some(text))
}
