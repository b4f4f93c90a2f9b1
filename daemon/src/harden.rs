//! What the process gives up before it touches a secret.

use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
    thread::set_no_new_privs,
};

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
