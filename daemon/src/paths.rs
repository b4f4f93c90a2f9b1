//! Where things are, and whether those places are safe to use.
//!
//! The client has the same rule for where the runtime directory is (`client/src/places.rs`): both must find one socket.
//! In system mode others must reach the sockets, so they may pass through the runtime directory; no more.

mod safe;

use std::{
    env,
    ffi::OsString,
    fmt, fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

pub use self::safe::check_way;
use self::safe::{check_data, check_runtime, check_where_it_leads, look_at};
use crate::mode::{Mode, SYSTEM_RUNTIME};

/// The three directories of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Holds `config.toml`.
    pub config: PathBuf,
    /// Holds `vault.redb`.
    pub data: PathBuf,
    /// Holds the sockets and the instance lock.
    pub runtime: PathBuf,
}

/// Why a directory can't be used.
#[derive(Debug)]
pub enum PathError {
    /// Somebody else could change what is in it.
    Unsafe { path: PathBuf, problem: String },
    /// It can't be made or looked at.
    Io { path: PathBuf, error: io::Error },
    /// A variable holds no absolute path.
    NotAbsolute {
        variable: &'static str,
        value: OsString,
    },
    /// There is no home directory, or no absolute path to it, to put it into.
    NoHome,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsafe { path, problem } => write!(f, "`{}` {problem}", path.display()),
            Self::Io { path, error } => write!(f, "`{}`: {error}", path.display()),
            Self::NotAbsolute { variable, value } => {
                write!(f, "{variable} must be an absolute path, not `{}`", value.display())
            }
            Self::NoHome => {
                f.write_str("no home directory with an absolute path; set SFVAULT_CONFIG_DIR, SFVAULT_DATA_DIR and SFVAULT_RUNTIME_DIR")
            }
        }
    }
}

impl std::error::Error for PathError {}

impl Paths {
    /// The places of this user: each from its `SFVAULT_…_DIR` variable, else where the platform keeps such things.
    /// With `SFVAULT_MODE=system`, else `/etc/sfvault`, `/var/lib/sfvault` and `/run/sfvault`.
    ///
    /// # Errors
    /// If a variable is not absolute, or there is neither a variable nor a home directory.
    pub fn from_environment() -> Result<Self, PathError> {
        if Mode::asks_for_system() {
            return Ok(Self {
                config: place("SFVAULT_CONFIG_DIR", Some("/etc/sfvault".into()))?,
                data: place("SFVAULT_DATA_DIR", Some("/var/lib/sfvault".into()))?,
                runtime: place("SFVAULT_RUNTIME_DIR", Some(SYSTEM_RUNTIME.into()))?,
            });
        }
        let project = directories::ProjectDirs::from("", "", "sfvault");
        let config = place(
            "SFVAULT_CONFIG_DIR",
            project.as_ref().map(|p| p.config_dir().to_owned()),
        )?;
        let data = place(
            "SFVAULT_DATA_DIR",
            project.as_ref().map(|p| p.data_dir().to_owned()),
        )?;
        let runtime = place("SFVAULT_RUNTIME_DIR", Some(default_runtime(&data)))?;
        Ok(Self {
            config,
            data,
            runtime,
        })
    }

    /// The vault file.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.data.join("vault.redb")
    }

    /// The configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// Checks the data and runtime directories, as far as they exist.
    ///
    /// # Errors
    /// If one is not ours, or could be changed by somebody else.
    pub fn check(&self, mode: Mode) -> Result<(), PathError> {
        check_runtime(&self.runtime, mode)?;
        check_data(&self.data)
    }

    /// Each directory and what [`Paths::check`] finds there, and for that of the configuration, which may be another
    /// one's to read, whether somebody else could put a file into it.
    pub fn check_each(&self, mode: Mode) -> [(&Path, Result<(), PathError>); 3] {
        [
            (&self.runtime, check_runtime(&self.runtime, mode)),
            (&self.data, check_data(&self.data)),
            (&self.config, check_where_it_leads(&self.config)),
        ]
    }

    /// Makes the data and runtime directories where they are missing and checks them.
    ///
    /// # Errors
    /// If one can't be made, is not ours, or could be changed by somebody else. What was wrong before is found before
    /// anything is made.
    pub fn prepare(&self, mode: Mode) -> Result<(), PathError> {
        self.check(mode)?;
        make(&self.data)?;
        check_data(&self.data)?;
        prepare_runtime(&self.runtime, mode)
    }
}

fn place(variable: &'static str, default: Option<PathBuf>) -> Result<PathBuf, PathError> {
    match env::var_os(variable).filter(|value| !value.is_empty()) {
        Some(value) if Path::new(&value).is_absolute() => Ok(PathBuf::from(value)),
        Some(value) => Err(PathError::NotAbsolute { variable, value }),
        // A relative `HOME` would mean another place to every process.
        None => default
            .filter(|path| path.is_absolute())
            .ok_or(PathError::NoHome),
    }
}

/// Makes the runtime directory where it is missing and checks it.
///
/// # Errors
/// As [`Paths::prepare`].
pub fn prepare_runtime(runtime: &Path, mode: Mode) -> Result<(), PathError> {
    check_runtime(runtime, mode)?;
    let missing = look_at(runtime)?.is_none();
    make(runtime)?;
    if missing && mode == Mode::System {
        // The umask forbids it at first.
        fs::set_permissions(runtime, fs::Permissions::from_mode(0o711)).map_err(|error| {
            PathError::Io {
                path: runtime.to_owned(),
                error,
            }
        })?;
    }
    check_runtime(runtime, mode)
}

/// A job started by cron often has no `XDG_RUNTIME_DIR`, and must find the daemon of the same user all the same.
fn default_runtime(data: &Path) -> PathBuf {
    let ours =
        |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.is_dir() && meta.uid() == own_uid());
    let from_session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let by_convention = PathBuf::from(format!("/run/user/{}", own_uid()));
    from_session
        .filter(|path| path.is_absolute())
        .into_iter()
        .chain([by_convention])
        .find(|path| ours(path))
        .map_or_else(|| data.join("run"), |path| path.join("sfvault"))
}

/// The uid whose files and calls are ours.
#[must_use]
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn make(path: &Path) -> Result<(), PathError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| PathError::Io {
            path: path.to_owned(),
            error,
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn paths(base: &Path) -> Paths {
        Paths {
            config: base.join("config"),
            data: base.join("data"),
            runtime: base.join("run"),
        }
    }

    fn refusal(paths: &Paths) -> String {
        paths.prepare(Mode::User).unwrap_err().to_string()
    }

    #[test]
    fn missing_directories_are_made_private() {
        let base = tempfile::tempdir().unwrap();
        let paths = paths(&base.path().join("deep/er"));
        paths.prepare(Mode::User).unwrap();
        for dir in [&paths.data, &paths.runtime] {
            assert_eq!(fs::metadata(dir).unwrap().mode() & 0o7777, 0o700);
        }
    }

    /// T1
    #[test]
    fn a_runtime_directory_that_others_can_write_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let paths = paths(base.path());
        paths.prepare(Mode::User).unwrap();
        fs::set_permissions(&paths.runtime, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(
            refusal(&paths).contains("/run` has mode 0770"),
            "{}",
            refusal(&paths)
        );
    }

    /// T1
    #[test]
    fn a_parent_that_others_can_write_is_refused_by_name() {
        let base = tempfile::tempdir().unwrap();
        let open = base.path().join("open");
        fs::create_dir(&open).unwrap();
        let paths = Paths {
            runtime: open.join("run"),
            ..paths(base.path())
        };
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(
            refusal(&paths).contains("/open` has mode 0777: others can write to it"),
            "{}",
            refusal(&paths)
        );
    }

    /// T1
    #[test]
    fn a_link_on_the_way_to_the_runtime_directory_is_refused() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("real")).unwrap();
        symlink(base.path().join("real"), base.path().join("link")).unwrap();
        let through = Paths {
            runtime: base.path().join("link/run"),
            ..paths(base.path())
        };
        assert!(
            refusal(&through).contains("/link` is a symbolic link"),
            "{}",
            refusal(&through)
        );
        let itself = Paths {
            runtime: base.path().join("link"),
            ..paths(base.path())
        };
        assert!(
            refusal(&itself).contains("/link` is a symbolic link"),
            "{}",
            refusal(&itself)
        );
    }

    /// T2
    #[test]
    fn a_file_in_the_place_of_a_directory_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let paths = paths(base.path());
        fs::write(&paths.runtime, "").unwrap();
        assert!(
            refusal(&paths).contains("/run` is not a directory"),
            "{}",
            refusal(&paths)
        );
    }
}
