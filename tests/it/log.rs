//! What the daemon says on stderr, to people and to journald.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    process::Command,
};

use sfvault_tests::installation::Installation;

use crate::start::until;

/// Runs the daemon to its end with its stderr in a file, told that `stream` of it is journald's; what it said.
fn said(sfvault: &Installation, stream: impl Fn(&fs::Metadata) -> String) -> String {
    let path = sfvault.path("stderr");
    let file = File::create(&path).unwrap();
    let mut command = sfvault.sfvaultd();
    command
        .env("JOURNAL_STREAM", stream(&file.metadata().unwrap()))
        .stderr(file);
    let mut daemon = command.spawn().unwrap();
    let so_far = || fs::read_to_string(&path).unwrap();
    until("is ready or ends", || {
        so_far().contains("ready") || daemon.try_wait().unwrap().is_some()
    });
    // It is gone already if it did not start.
    let _ = Command::new("kill").arg(daemon.id().to_string()).output();
    daemon.wait().unwrap();
    so_far()
}

fn journald_s(meta: &fs::Metadata) -> String {
    format!("{}:{}", meta.dev(), meta.ino())
}

#[test]
fn journald_is_told_how_grave_a_line_is() {
    let sfvault = Installation::without_config().unwrap();
    let text = said(&sfvault, journald_s);
    assert!(text.contains("<6>sfvaultd: ready"), "{text}");
    assert!(text.lines().all(|line| line.starts_with('<')), "{text}");

    sfvault.configure("[admin]\ngroup = \"root\"\n").unwrap();
    let text = said(&sfvault, journald_s);
    assert!(text.contains("<4>sfvaultd: `group` under"), "{text}");

    sfvault.configure("nonsense = 1\nmore = 2\n").unwrap();
    let text = said(&sfvault, journald_s);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().all(|line| line.starts_with("<3>")), "{text}");
}

/// The variable is inherited; the stream need not be.
#[test]
fn lines_for_people_have_a_time_and_no_number() {
    let sfvault = Installation::without_config().unwrap();
    let text = said(&sfvault, |meta| format!("{}:1", meta.dev()));
    assert!(text.contains("Z  INFO sfvaultd: ready"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with('<')), "{text}");
    sfvault.configure("nonsense = 1\n").unwrap();
    let text = said(&sfvault, |_| "?".to_owned());
    assert!(text.starts_with("error: "), "{text}");
}
