//! What the process gives up before it touches a secret.

use std::panic;

use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
    thread::set_no_new_privs,
};
use tracing::error;

/// Sets the umask, forbids core dumps, tracing by other processes of the user, and new privileges.
///
/// Returns what could not be done, in words; the daemon starts all the same and says so.
#[must_use]
pub fn harden() -> Vec<String> {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let steps = [
        (
            "core dumps could not be limited to 0 bytes",
            setrlimit(Resource::Core, none),
        ),
        (
            "the process could not be made undumpable",
            set_dumpable_behavior(DumpableBehavior::NotDumpable),
        ),
        (
            "new privileges could not be given up",
            set_no_new_privs(true),
        ),
    ];
    steps
        .into_iter()
        .filter_map(|(problem, result)| result.err().map(|error| format!("{problem}: {error}")))
        .collect()
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
