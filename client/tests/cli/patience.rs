//! Waiting for what other processes do: for the state itself, and not for ever.

use std::{
    fs,
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use rustix::process::Signal;

/// Asks until there is something.
#[expect(
    clippy::disallowed_methods,
    reason = "the bound of a test, on which nothing else depends"
)]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(it) = ask() {
            return it;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

/// How the process ends, which it must do soon.
pub(crate) fn end_of(child: &mut Child) -> ExitStatus {
    until("it goes on", || child.try_wait().unwrap())
}

/// Waits until the process catches this signal.
pub(crate) fn until_it_listens(child: &mut Child, signal: Signal) {
    let status = format!("/proc/{}/status", child.id());
    until("it does not listen", || {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        (caught >> (signal.as_raw() - 1) & 1 == 1).then_some(())
    });
}
