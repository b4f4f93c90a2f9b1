//! A daemon that must not start.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use crate::scene::{Ended, ended};

/// Long enough for a loaded machine; a daemon that did start would never end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Runs the daemon to its end, which must be exit status 1 with an error on stderr; returns that.
pub(crate) async fn refused(command: Command) -> String {
    refused_with(command, 1).await
}

/// The same for one that meets another, which its exit status tells.
pub(crate) async fn refused_for_another(command: Command) -> String {
    refused_with(command, 4).await
}

async fn refused_with(command: Command, expected: i32) -> String {
    let mut command = tokio::process::Command::from(command);
    let daemon = command
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ends = tokio::time::timeout(ENDS_WITHIN, daemon.wait_with_output());
    let output = ends.await.expect("the daemon did start").unwrap();
    let Ended { status, stderr, .. } = ended(output);
    assert_eq!(status, expected, "{stderr}");
    assert!(stderr.contains("error: "), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

/// What this comes to, which must be soon.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(ENDS_WITHIN, work).await;
    done.unwrap_or_else(|_| panic!("never {what}"))
}

/// Waits for what another process does, without a pause that could be too short or too long.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < ENDS_WITHIN, "never {what}");
        std::thread::yield_now();
    }
}
