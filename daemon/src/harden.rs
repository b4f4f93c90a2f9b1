//! What the process gives up before it touches a secret, and what is told of it.
//!
//! No protection is worth a daemon that does not start: what the kernel lacks or refuses is told by
//! `sfvault status --security`, and the daemon serves all the same.

mod calls;
mod files;
pub mod needs;
mod ports;

use std::panic;

use landlock::{LandlockStatus, RestrictionStatus, RulesetError, RulesetStatus};
use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
    thread::set_no_new_privs,
};
use tracing::error;

use self::needs::Needs;

/// One protection of the process, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// For scripts; it never changes.
    pub name: &'static str,
    pub state: State,
    /// What it keeps out, or why it does not.
    pub reason: String,
}

/// Whether a protection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    On,
    /// The operator does not want it.
    Off,
    /// The system refused it.
    Failed,
    /// The kernel does not have it.
    NotAvailable,
}

impl State {
    /// As people read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off | Self::Failed => "off",
            Self::NotAvailable => "not available",
        }
    }
}

/// What the operator may do without, for a library or a kernel that can't bear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// Limits on files and ports.
    pub landlock: bool,
    /// The filter of system calls.
    pub seccomp: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            landlock: true,
            seccomp: true,
        }
    }
}

impl Protection {
    pub(crate) fn new(name: &'static str, state: State, reason: impl Into<String>) -> Self {
        Self {
            name,
            state,
            reason: reason.into(),
        }
    }

    /// Whether it is one of Landlock's, under which other processes can't be looked at.
    #[must_use]
    pub fn is_landlock(&self) -> bool {
        [files::NAME, ports::NAME].contains(&self.name)
    }

    /// What to tell the operator unasked: that the system refused it.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        (self.state == State::Failed).then_some(&self.reason)
    }
}

/// Sets the umask, forbids core dumps, tracing by other processes of the user, and new privileges.
#[must_use]
pub fn harden() -> Vec<Protection> {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let steps = [
        (
            "core-dumps",
            setrlimit(Resource::Core, none),
            "a crash leaves no core: they are limited to 0 bytes",
            "core dumps could not be limited to 0 bytes",
        ),
        (
            "tracing",
            set_dumpable_behavior(DumpableBehavior::NotDumpable),
            "programs of the same user can't trace the process or read its memory",
            "the process could not be made undumpable",
        ),
        (
            "new-privileges",
            set_no_new_privs(true),
            "they are given up for good",
            "new privileges could not be given up",
        ),
    ];
    let umask = Protection::new(
        "umask",
        State::On,
        "0077: what is made is the owner's alone",
    );
    let steps = steps
        .into_iter()
        .map(|(name, result, done, problem)| match result {
            Ok(()) => Protection::new(name, State::On, done),
            Err(error) => Protection::new(name, State::Failed, format!("{problem}: {error}")),
        });
    std::iter::once(umask).chain(steps).collect()
}

/// Gives up all files, ports and system calls but those needed. For good, and for all threads that are started later:
/// it must be called while there is but one.
#[must_use]
pub fn confine(switches: Switches, needs: &Needs) -> Vec<Protection> {
    let off = |name, key| {
        let reason = format!("`{key} = false` under `[hardening]` in config.toml");
        Protection::new(name, State::Off, reason)
    };
    let (files, ports) = if switches.landlock {
        (files::confine(needs), ports::confine(&needs.ports))
    } else {
        (off(files::NAME, "landlock"), off(ports::NAME, "landlock"))
    };
    let calls = if switches.seccomp {
        calls::confine()
    } else {
        off(calls::NAME, "seccomp")
    };
    vec![files, ports, calls]
}

/// What became of a Landlock ruleset. `since` is the first Linux that has what it asks for.
fn landlock_outcome(
    name: &'static str,
    since: &str,
    done: String,
    result: Result<RestrictionStatus, RulesetError>,
) -> Protection {
    let status = match result {
        Ok(status) => status,
        Err(error) => {
            let reason = format!("Landlock refused the rules on {name}: {error}");
            return Protection::new(name, State::Failed, reason);
        }
    };
    let unavailable = |reason: String| Protection::new(name, State::NotAvailable, reason);
    match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced, _) => Protection::new(name, State::On, done),
        (RulesetStatus::PartiallyEnforced, _) => {
            let reason = format!("{done}; a newer Linux would limit more");
            Protection::new(name, State::On, reason)
        }
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            unavailable("Landlock is switched off in this kernel (`lsm=` at boot)".to_owned())
        }
        (
            RulesetStatus::NotEnforced,
            LandlockStatus::NotImplemented | LandlockStatus::Available { .. },
        ) => unavailable(format!(
            "this kernel, or the container, has no Landlock for it (Linux {since} has)"
        )),
    }
}

/// Logs where a panic happened, and its message only if that is a literal: others may quote what they choked on, as
/// std's own do when a text is cut within a character.
pub fn censor_panics() {
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload().downcast_ref::<&'static str>();
        let place = panic.location().map(tracing::field::display);
        error!(place, message, "a defect in sfvaultd; please report it");
    }));
}

#[cfg(test)]
mod tests {
    use std::{env, io, process::Command, thread};

    use super::*;

    const IN_CHILD: &str = "SFVAULT_PANICS";

    /// In a process of its own, for the hook is the process's.
    #[test]
    #[expect(clippy::string_slice, reason = "it is meant to panic")]
    fn a_panic_tells_its_place_and_no_text_that_it_choked_on() {
        if env::var_os(IN_CHILD).is_some() {
            tracing_subscriber::fmt().with_writer(io::stderr).init();
            censor_panics();
            let secret = "CANARYé".to_owned();
            thread::spawn(move || secret[..7].len()).join().unwrap_err();
            thread::spawn(|| panic!("a literal")).join().unwrap_err();
            return;
        }
        let name = "harden::tests::a_panic_tells_its_place_and_no_text_that_it_choked_on";
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(IN_CHILD, "1")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        assert_eq!(told.matches("src/harden.rs").count(), 2, "{told}");
        assert!(
            told.contains("a literal") && !told.contains("CANARY"),
            "{told}"
        );
    }
}
