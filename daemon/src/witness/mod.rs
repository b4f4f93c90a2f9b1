//! Who looks at other processes for a daemon that may not.
//!
//! Under Landlock a process sees no more of others than a debugger could of them, which is nothing: `/proc/PID/exe` is
//! closed to it. So before it is confined, the daemon starts its own program once more as a witness, which is not: a
//! process that got no secret, no descriptor and no environment, makes only the system calls that its answers need, and
//! says of a pid what it runs. Without a witness the programs of peers are unknown, and rules that ask for one let
//! nobody in.
//!
//! What it says of a pid is judged as what the daemon would read itself: it counts if the pidfd says afterwards that the
//! process still lives.

mod calls;
mod frame;
pub(crate) mod fuzz;
mod line;
mod look;
mod testify;

use std::{io, path::Path, sync::Arc};

use rustix::{io::Errno, process::Pid};

use self::frame::{Answer, Question};
pub use self::{
    line::Witness,
    look::{Inode, Running},
    testify::testify,
};
use crate::harden::{Protection, State};

/// For the witness only: in no `--help`.
pub const ARGUMENT: &str = "--witness";

const NAME: &str = "witness";
const NONE: &str = "sfvaultd has no witness, who would look at programs from outside of Landlock; see its log from when it started";
const ASTRAY: &str = "the witness of sfvaultd, who looks at programs, answered another question";

/// How the programs of others are seen.
#[derive(Debug, Clone, Default)]
pub enum Sight {
    /// By the process itself: nothing confines it.
    #[default]
    Own,
    Witness(Arc<Witness>),
    /// Not at all: there should be a witness, and is none.
    Blind,
}

/// Why something was not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// The kernel says so.
    Kernel(Errno),
    /// There is nobody to look, for this reason.
    Witness(&'static str),
}

impl Sight {
    /// The sight of a process that is confined, or not, as these protections say; and what to tell of it, if that is
    /// settled for good. `witness` was started before, if there was to be one.
    #[must_use]
    pub fn of(
        witness: Option<io::Result<Witness>>,
        confined: &[Protection],
    ) -> (Self, Option<Protection>) {
        let told = |state, reason: String| Some(Protection::new(NAME, state, reason));
        if let Some(state) = unlimited(confined) {
            let (state, reason) = match state {
                State::Off => (
                    state,
                    "`landlock = false` under `[hardening]` in config.toml: sfvaultd sees for itself what its peers run",
                ),
                State::On | State::Failed | State::NotAvailable => (
                    State::NotAvailable,
                    "none is needed without Landlock: sfvaultd sees for itself what its peers run",
                ),
            };
            return (Self::Own, told(state, reason.to_owned()));
        }
        match witness {
            Some(Ok(witness)) => (Self::Witness(Arc::new(witness)), None),
            Some(Err(error)) => {
                let reason = format!(
                    "it could not be started, so the programs of peers are unknown and rules with `--exe` let nobody in: {error}"
                );
                (Self::Blind, told(State::Failed, reason))
            }
            None => (Self::Blind, told(State::Failed, NONE.to_owned())),
        }
    }

    /// How the witness is, if there is one.
    #[must_use]
    pub fn protection(&self) -> Option<Protection> {
        match self {
            Self::Witness(witness) => Some(witness.protection()),
            Self::Own | Self::Blind => None,
        }
    }

    /// The program that the process of this pid runs.
    pub(crate) fn running(&self, pid: Pid) -> Result<Running, Unseen> {
        match self {
            Self::Own => look::running(pid).map_err(|error| Unseen::of(&error)),
            Self::Witness(witness) => match witness.ask(Question::Running(pid))? {
                Answer::Running(running) => Ok(running),
                other @ (Answer::IsScript(_) | Answer::Failed(_)) => Err(Unseen::from(other)),
            },
            Self::Blind => Err(Unseen::Witness(NONE)),
        }
    }

    /// Whether this file names the interpreter that runs it.
    pub(crate) fn is_script(&self, path: &Path) -> Result<bool, Unseen> {
        match self {
            Self::Own => look::is_script(path).map_err(|error| Unseen::of(&error)),
            Self::Witness(witness) => match witness.ask(Question::IsScript(path))? {
                Answer::IsScript(is_script) => Ok(is_script),
                other @ (Answer::Running(_) | Answer::Failed(_)) => Err(Unseen::from(other)),
            },
            Self::Blind => Err(Unseen::Witness(NONE)),
        }
    }
}

impl Unseen {
    fn of(error: &io::Error) -> Self {
        Self::Kernel(Errno::from_io_error(error).unwrap_or(Errno::INVAL))
    }
}

/// An answer that is not the one to what was asked.
impl From<Answer> for Unseen {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Failed(error) => Self::Kernel(error),
            Answer::Running(_) | Answer::IsScript(_) => Self::Witness(ASTRAY),
        }
    }
}

impl std::fmt::Display for Unseen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kernel(error) => error.fmt(f),
            Self::Witness(why) => f.write_str(why),
        }
    }
}

/// Why Landlock limits nothing, if it does not.
fn unlimited(confined: &[Protection]) -> Option<State> {
    let states = confined.iter().filter(|one| one.is_landlock());
    let mut states = states.map(|one| one.state);
    let first = states.next()?;
    (first != State::On && states.all(|state| state != State::On)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protection(name: &'static str, state: State) -> Protection {
        Protection::new(name, state, "")
    }

    #[test]
    fn a_process_that_landlock_limits_in_any_way_never_looks_itself() {
        for (files, ports) in [
            (State::On, State::NotAvailable),
            (State::Failed, State::On),
            (State::On, State::On),
        ] {
            let confined = [
                protection("files", files),
                protection("connections", ports),
                protection("system-calls", State::On),
            ];
            for witness in [None, Some(Err(io::ErrorKind::OutOfMemory.into()))] {
                let (sight, told) = Sight::of(witness, &confined);
                let told = told.unwrap();
                assert_eq!((told.name, told.state), (NAME, State::Failed));
                assert!(told.warning().is_some());
                let seen = sight.running(rustix::process::getpid());
                assert_eq!(seen, Err(Unseen::Witness(NONE)));
                assert!(sight.is_script(Path::new("/etc/passwd")).is_err());
            }
        }
    }

    #[test]
    fn a_process_that_landlock_does_not_limit_looks_itself() {
        for (state, expected) in [
            (State::Off, State::Off),
            (State::NotAvailable, State::NotAvailable),
            (State::Failed, State::NotAvailable),
        ] {
            let confined = [
                protection("files", state),
                protection("connections", state),
                protection("system-calls", State::On),
            ];
            let (sight, told) = Sight::of(None, &confined);
            assert_eq!(told.unwrap().state, expected);
            assert!(sight.protection().is_none());
            let seen = sight.running(rustix::process::getpid()).unwrap();
            assert_eq!(seen.path, std::env::current_exe().unwrap());
        }
    }
}
