//! Whom the daemon serves: one user, or the host.

use std::{env, path::Path};

/// Where the system's daemon listens.
pub const SYSTEM_RUNTIME: &str = "/run/sfvault";

/// Whom the daemon serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The user who runs it: a record without rules is that user's.
    User,
    /// The host: a record without rules is nobody's, and other users can reach the sockets.
    System,
}

impl Mode {
    /// What `SFVAULT_MODE` says; where it says nothing, a daemon in `/run/sfvault` is the system's. The client goes by
    /// the same rule.
    ///
    /// # Errors
    /// If the variable holds another word.
    pub fn from_environment(runtime: &Path) -> Result<Self, String> {
        let word = env::var_os("SFVAULT_MODE").unwrap_or_default();
        Self::of(word.to_str(), runtime).ok_or_else(|| {
            format!(
                "SFVAULT_MODE must be `user` or `system`, not `{}`",
                word.display()
            )
        })
    }

    /// Whether `SFVAULT_MODE` asks for the system's places.
    #[must_use]
    pub fn asks_for_system() -> bool {
        env::var_os("SFVAULT_MODE").is_some_and(|word| word == "system")
    }

    fn of(word: Option<&str>, runtime: &Path) -> Option<Self> {
        match word? {
            "" if runtime == Path::new(SYSTEM_RUNTIME) => Some(Self::System),
            "" | "user" => Some(Self::User),
            "system" => Some(Self::System),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_decides_and_without_one_the_place() {
        let (run, home) = (Path::new("/run/sfvault"), Path::new("/run/user/1/sfvault"));
        for (word, runtime, mode) in [
            (Some(""), run, Some(Mode::System)),
            (Some(""), home, Some(Mode::User)),
            (Some("user"), run, Some(Mode::User)),
            (Some("system"), home, Some(Mode::System)),
            (Some("System"), home, None),
            (Some("yes"), run, None),
            (None, run, None),
        ] {
            assert_eq!(Mode::of(word, runtime), mode, "{word:?} {runtime:?}");
        }
    }
}
