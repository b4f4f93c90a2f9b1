//! What this host or user can't try. Such a test ends well, and the gate counts its line.

use std::{
    io::{self, Write as _},
    thread,
};

/// Prints `SKIPPED name: why`, past libtest, which keeps what a passing test prints to itself.
pub(crate) fn skip(why: &str) {
    let thread = thread::current();
    let line = format!("SKIPPED {}: {why}\n", thread.name().unwrap_or("main"));
    // At once, or lines of tests that run beside it would break it.
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Whether root runs the tests, who alone can do this. As root, the gate lets no such line pass.
pub(crate) fn only_root_can(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(&format!("only root can {what}"));
    }
    root
}
