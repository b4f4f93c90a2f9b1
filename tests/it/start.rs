//! A daemon that must not start.

use std::{process::Command, time::Duration};

use crate::scene::{Ended, ended};

/// Long enough for a loaded machine; a daemon that did start would never end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Runs the daemon to its end, which must be exit status 1 with an error on stderr; returns that.
pub(crate) async fn refused(command: Command) -> String {
    let Ended {
        status,
        stdout,
        stderr,
    } = ends(command).await;
    assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("error: "), "{stderr}");
    assert!(
        !stderr.contains("panicked"),
        "a refusal is no panic: {stderr}"
    );
    stderr
}

/// Runs a program that ends by itself.
pub(crate) async fn ends(command: Command) -> Ended {
    let mut command = tokio::process::Command::from(command);
    let output = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(ENDS_WITHIN, output).await;
    ended(output.expect("it did not end").unwrap())
}

/// Waits for what another process does, without a pause that could be too short or too long.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < ENDS_WITHIN, "never {what}");
        std::thread::yield_now();
    }
}
