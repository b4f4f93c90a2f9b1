//! Where the daemon keeps its files and listens. The daemon follows the same rules.

use std::{
    cell::LazyCell,
    env,
    ffi::OsString,
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use directories::ProjectDirs;

/// The directories of one vault, all absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    config: Option<PathBuf>,
    data: Option<PathBuf>,
    runtime: PathBuf,
    system: bool,
}

/// Where the system's daemon listens.
const SYSTEM_RUNTIME: &str = "/run/sfvault";

/// The directories can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacesError {
    /// The variable of this name holds a path that is not absolute.
    NotAbsolute(&'static str),
    /// `SFVAULT_MODE` is neither `user` nor `system`.
    NoMode,
    /// The user has no home directory, and no variable names a runtime directory.
    NoRuntimeDirectory,
}

impl fmt::Display for PlacesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute(variable) => write!(f, "`{variable}` is not an absolute path"),
            Self::NoMode => f.write_str("`SFVAULT_MODE` is neither `user` nor `system`"),
            Self::NoRuntimeDirectory => {
                f.write_str("this user has no home directory with an absolute path, and `SFVAULT_RUNTIME_DIR` is not set")
            }
        }
    }
}

impl std::error::Error for PlacesError {}

impl Places {
    /// The directories that this process's environment and user mean.
    ///
    /// Each is what its variable says (`SFVAULT_CONFIG_DIR`, `SFVAULT_DATA_DIR`, `SFVAULT_RUNTIME_DIR`),
    /// else the usual place of the user. The runtime directory is the first of `$XDG_RUNTIME_DIR/sfvault`,
    /// if that variable is absolute and its directory is ours, `/run/user/<euid>/sfvault`, likewise, and
    /// `run` in the data directory. With `SFVAULT_MODE=system` they are `/etc/sfvault`, `/var/lib/sfvault` and
    /// `/run/sfvault` unless their variables say otherwise. Nothing is created.
    ///
    /// # Errors
    /// If a variable holds a relative path or a mode that is none, or if no rule names a runtime directory.
    pub fn discover() -> Result<Self, PlacesError> {
        let home = LazyCell::new(|| ProjectDirs::from("", "", "sfvault"));
        Self::resolve(&Surroundings {
            variable: &|name| env::var_os(name),
            is_ours: &is_ours,
            euid: rustix::process::geteuid().as_raw(),
            home_config: &|| absolute(home.as_ref()?.config_dir()),
            home_data: &|| absolute(home.as_ref()?.data_dir()),
        })
    }

    /// Only a runtime directory: enough to reach a daemon there, not to start one. It must be absolute.
    #[must_use]
    pub fn at(runtime: &Path) -> Self {
        Self {
            config: None,
            data: None,
            runtime: runtime.to_owned(),
            system: runtime == Path::new(SYSTEM_RUNTIME),
        }
    }

    /// Whether the daemon there is the system's, which no client starts. The daemon goes by the same rule: what
    /// `SFVAULT_MODE` says, and where it says nothing, whether the runtime directory is `/run/sfvault`.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.system
    }

    /// The configuration directory, with `config.toml`; none if the user has no home directory.
    #[must_use]
    pub fn config_dir(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The data directory, with `vault.redb`; none if the user has no home directory.
    #[must_use]
    pub fn data_dir(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// The runtime directory, with the sockets.
    #[must_use]
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime
    }

    /// The socket for jobs.
    #[must_use]
    pub fn sessions_socket(&self) -> PathBuf {
        self.runtime.join("sfvault.sock")
    }

    /// The socket for administration.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.runtime.join("admin.sock")
    }

    fn resolve(around: &Surroundings<'_>) -> Result<Self, PlacesError> {
        let named = |name| match (around.variable)(name).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) if Path::new(&value).is_absolute() => Ok(Some(PathBuf::from(value))),
            Some(_) => Err(PlacesError::NotAbsolute(name)),
        };
        let mode = (around.variable)("SFVAULT_MODE").unwrap_or_default();
        let asked = match mode.to_str() {
            Some("") => None,
            Some("user") => Some(false),
            Some("system") => Some(true),
            Some(_) | None => return Err(PlacesError::NoMode),
        };
        let of_system = |path: &str| (asked == Some(true)).then(|| PathBuf::from(path));
        let config = named("SFVAULT_CONFIG_DIR")?
            .or_else(|| of_system("/etc/sfvault"))
            .or_else(around.home_config);
        let data = named("SFVAULT_DATA_DIR")?
            .or_else(|| of_system("/var/lib/sfvault"))
            .or_else(around.home_data);
        let runtime = named("SFVAULT_RUNTIME_DIR")?
            .or_else(|| of_system(SYSTEM_RUNTIME))
            .or_else(|| around.user_runtime())
            .or_else(|| data.as_ref().map(|data| data.join("run")))
            .ok_or(PlacesError::NoRuntimeDirectory)?;
        Ok(Self {
            config,
            data,
            system: asked.unwrap_or(runtime == Path::new(SYSTEM_RUNTIME)),
            runtime,
        })
    }
}

/// What the rules look at; a test says something else.
struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    is_ours: &'a dyn Fn(&Path) -> bool,
    euid: u32,
    home_config: &'a dyn Fn() -> Option<PathBuf>,
    home_data: &'a dyn Fn() -> Option<PathBuf>,
}

impl Surroundings<'_> {
    fn user_runtime(&self) -> Option<PathBuf> {
        let from_login = (self.variable)("XDG_RUNTIME_DIR").map(PathBuf::from);
        // After `su` the variable can name the directory of the user that was left.
        [
            from_login,
            Some(PathBuf::from(format!("/run/user/{}", self.euid))),
        ]
        .into_iter()
        .flatten()
        .find(|dir| dir.is_absolute() && (self.is_ours)(dir))
        .map(|dir| dir.join("sfvault"))
    }
}

/// A relative `HOME` would mean another place to every process.
fn absolute(dir: &Path) -> Option<PathBuf> {
    dir.is_absolute().then(|| dir.to_owned())
}

fn is_ours(dir: &Path) -> bool {
    fs::metadata(dir)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(
        variables: &[(&str, &str)],
        ours: &[&str],
        home: bool,
    ) -> Result<Places, PlacesError> {
        Places::resolve(&Surroundings {
            variable: &|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| OsString::from(value))
            },
            is_ours: &|dir| ours.iter().any(|own| Path::new(own) == dir),
            euid: 1000,
            home_config: &|| home.then(|| PathBuf::from("/home/u/.config/sfvault")),
            home_data: &|| home.then(|| PathBuf::from("/home/u/.local/share/sfvault")),
        })
    }

    #[test]
    fn the_runtime_directory_is_the_first_that_is_ours() {
        let run_user = "/run/user/1000";
        let fallback = "/home/u/.local/share/sfvault/run";
        for (variables, ours, runtime) in [
            (
                &[("SFVAULT_RUNTIME_DIR", "/run/sfvault")][..],
                &[][..],
                "/run/sfvault",
            ),
            (
                &[("XDG_RUNTIME_DIR", "/xdg")],
                &["/xdg", run_user],
                "/xdg/sfvault",
            ),
            (
                &[("XDG_RUNTIME_DIR", "/xdg")],
                &[run_user],
                "/run/user/1000/sfvault",
            ),
            (
                &[("XDG_RUNTIME_DIR", "xdg")],
                &["xdg", run_user],
                "/run/user/1000/sfvault",
            ),
            (
                &[("XDG_RUNTIME_DIR", "")],
                &[run_user],
                "/run/user/1000/sfvault",
            ),
            (&[("XDG_RUNTIME_DIR", "/xdg")], &[], fallback),
            (&[("SFVAULT_RUNTIME_DIR", "")], &[], fallback),
            (&[("SFVAULT_DATA_DIR", "/data")], &[], "/data/run"),
        ] {
            let places = resolve(variables, ours, true).unwrap();
            assert_eq!(
                places.runtime_dir(),
                Path::new(runtime),
                "{variables:?} {ours:?}"
            );
        }
    }

    #[test]
    fn the_variables_stand_above_the_home_directory() {
        let places = resolve(
            &[("SFVAULT_CONFIG_DIR", "/c"), ("SFVAULT_DATA_DIR", "/d")],
            &[],
            true,
        );
        let places = places.unwrap();
        assert_eq!(places.config_dir(), Some(Path::new("/c")));
        assert_eq!(places.data_dir(), Some(Path::new("/d")));
        assert_eq!(places.sessions_socket(), Path::new("/d/run/sfvault.sock"));
        assert_eq!(places.admin_socket(), Path::new("/d/run/admin.sock"));
    }

    #[test]
    fn the_system_s_daemon_is_where_the_mode_or_the_directory_says() {
        for (variables, runtime, system) in [
            (&[("SFVAULT_MODE", "system")][..], "/run/sfvault", true),
            (
                &[("SFVAULT_MODE", "system"), ("SFVAULT_RUNTIME_DIR", "/r")],
                "/r",
                true,
            ),
            (
                &[("SFVAULT_RUNTIME_DIR", "/run/sfvault")],
                "/run/sfvault",
                true,
            ),
            (
                &[
                    ("SFVAULT_MODE", "user"),
                    ("SFVAULT_RUNTIME_DIR", "/run/sfvault"),
                ],
                "/run/sfvault",
                false,
            ),
            (
                &[("SFVAULT_MODE", "")],
                "/home/u/.local/share/sfvault/run",
                false,
            ),
        ] {
            let places = resolve(variables, &[], true).unwrap();
            assert_eq!(
                (places.runtime_dir(), places.is_system()),
                (Path::new(runtime), system),
                "{variables:?}"
            );
        }
        let odd = resolve(&[("SFVAULT_MODE", "System")], &[], true);
        assert_eq!(odd, Err(PlacesError::NoMode));
    }

    #[test]
    fn a_relative_path_is_refused_not_guessed_at() {
        for variable in [
            "SFVAULT_CONFIG_DIR",
            "SFVAULT_DATA_DIR",
            "SFVAULT_RUNTIME_DIR",
        ] {
            for value in ["run", "./run", "~/run"] {
                let places = resolve(&[(variable, value)], &[], true);
                assert_eq!(places, Err(PlacesError::NotAbsolute(variable)), "{value}");
            }
        }
    }

    #[test]
    fn a_user_without_home_needs_a_runtime_directory_only() {
        assert_eq!(
            resolve(&[], &[], false),
            Err(PlacesError::NoRuntimeDirectory)
        );
        let places = resolve(&[("SFVAULT_RUNTIME_DIR", "/r")], &[], false).unwrap();
        assert_eq!((places.config_dir(), places.data_dir()), (None, None));
    }
}
