//! What this user can't try. Such a test ends well, and the gate counts its line.

use std::{
    io::{self, Write as _},
    thread,
};

/// Whether root runs the tests, who alone can do this; else prints `SKIPPED name: why`, past libtest, which keeps what a
/// passing test prints to itself.
pub(crate) fn only_root_can(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        let thread = thread::current();
        let name = thread.name().unwrap_or("main");
        let line = format!("SKIPPED {name}: only root can {what}\n");
        io::stderr().write_all(line.as_bytes()).unwrap();
    }
    root
}
