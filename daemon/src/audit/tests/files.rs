//! The files: full ones, those that the operator has removed, and whose they are.

use super::*;
use crate::audit::files::{Files, Piece};

#[tokio::test]
async fn files_are_full_at_their_size_and_the_chain_goes_on_in_the_next() {
    let mut home = Home::new();
    home.settings.file_bytes = 2000;
    let running = home.start();
    for _ in 0..24 {
        running.tell("prod").await;
    }
    running.kill().await;
    let names = |home: &Home| {
        let pieces = Files::new(home.path()).list().unwrap();
        pieces.iter().map(Piece::name).collect::<Vec<_>>()
    };
    let all = names(&home);
    assert!(all.len() > 3, "{all:?}");
    assert_eq!(all[0], "audit-000000000001.jsonl");
    for name in &all {
        assert!(fs::metadata(home.file(name)).unwrap().len() <= 2000);
    }
    assert_eq!(home.findings().await, []);

    // A file in the middle, altered or gone.
    let text = fs::read_to_string(home.file(&all[1])).unwrap();
    fs::write(home.file(&all[1]), text.replacen("prod", "uat_", 1)).unwrap();
    assert_found(
        &home.findings().await,
        &format!("{}:1 ", all[1]),
        "as it was written",
    );
    fs::remove_file(home.file(&all[1])).unwrap();
    assert_found(
        &home.findings().await,
        &format!("{}:1 ", all[2]),
        "missing before it",
    );
    fs::write(home.file(&all[1]), &text).unwrap();
    fs::remove_file(home.file(&all[0])).unwrap();
    assert_found(&home.findings().await, &format!("{}:1 ", all[1]), "missing");
}

#[tokio::test]
async fn the_operator_may_limit_the_files_and_that_is_no_alarm() {
    let mut home = Home::new();
    (home.settings.file_bytes, home.settings.keep_files) = (2000, Some(2));
    let running = home.start();
    for _ in 0..20 {
        running.tell("prod").await;
    }
    running.stop().await;
    let left = Files::new(home.path()).list().unwrap();
    assert_eq!(left.len(), 3);
    assert_eq!(home.findings().await, []);
    // One more than the daemon removed.
    fs::remove_file(&left[0].path).unwrap();
    assert_found(
        &home.findings().await,
        &format!("{}:1 ", left[1].name()),
        "missing",
    );
}

/// A crash between any two steps of beginning a new file.
#[tokio::test]
async fn a_crash_while_a_file_is_begun_is_no_alarm() {
    let mut home = Home::new();
    home.settings.file_bytes = 4000;
    let running = home.start();
    running.tell("a").await;
    running.kill().await;
    // Renamed, and no new one yet.
    fs::rename(
        home.file("audit.jsonl"),
        home.file("audit-000000000001.jsonl"),
    )
    .unwrap();
    let state = fs::read(home.file("audit.state")).unwrap();
    let running = home.start();
    running.tell("b").await;
    running.kill().await;
    assert_eq!(home.findings().await, []);
    // The new one has lines, and the state is still that of the old one.
    fs::write(home.file("audit.state"), state).unwrap();
    assert_eq!(home.findings().await, []);
}

#[tokio::test]
async fn others_may_not_read_the_files() {
    let home = told(1).await;
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.file("audit.state"), open).unwrap();
    let running = home.start();
    assert!(
        running.audit.warnings()[0].contains("chmod 600"),
        "{:?}",
        running.audit.warnings()
    );
    running.kill().await;
}
