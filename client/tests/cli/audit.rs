//! `log`, `log verify` and `usage` as people and programs see them.

use crate::fake::{Fake, keys};

/// T44: what a line holds comes from strangers.
#[test]
fn a_line_is_one_line_and_moves_no_cursor() {
    let fake = Fake::start();
    let ran = fake.run(&["log", "prod", "--last", "5"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(
        ran.stdout,
        "2026-11-21T20:42:44Z get served prod (3 times), uid 1000, pid 42, \
         exe /tmp/\\u{1b}[2J\\n, generation 7, fingerprint abababababababab\n"
    );
    let asked = fake.asked().audit.unwrap();
    assert_eq!((asked.record.as_str(), asked.last), ("prod", 5));
    assert!(!asked.follow && !asked.denied && asked.uid.is_none() && asked.since.is_none());

    let ran = fake.run(&["log", "--json"]);
    assert_eq!(ran.keys().len(), 18, "{ran:?}");
    assert!(ran.json()["note"].is_null());
}

#[test]
fn the_filters_reach_the_daemon_and_an_id_goes_there_from_a_file_only() {
    let fake = Fake::start();
    let leaked = fake.file("leaked", "00Dxx!CANARY\n");
    let leaked = leaked.to_str().unwrap();
    let ran = fake.run(&[
        "log",
        "--since",
        "2026-11-21",
        "--peer-uid",
        "7",
        "--action",
        "set",
        "--denied",
        "--follow",
        "--session-file",
        leaked,
    ]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let asked = fake.asked().audit.unwrap();
    assert_eq!(asked.since.unwrap().seconds, 1_795_219_200);
    assert_eq!((asked.uid, asked.action.as_str()), (Some(7), "set"));
    assert!(asked.denied && asked.follow);
    assert_eq!(asked.session_id, "00Dxx!CANARY");
    assert_eq!(fake.run(&["log", "--peer-uid", "root"]).status, 0);
    assert_eq!(fake.asked().audit.unwrap().uid, Some(0));
    for wrong in [
        &["log", "--fingerprint", "xyz"][..],
        &["log", "--peer-uid", "no such user"],
        &["log", "--since", "soon"],
        &["log", "--last", "0"],
        &[
            "log",
            "--fingerprint",
            "abababababababab",
            "--session-file",
            leaked,
        ],
        &["log", "../etc"],
    ] {
        assert_eq!(fake.run(wrong).status, 2, "{wrong:?}");
    }
}

#[test]
fn findings_are_data_and_make_the_status_one() {
    let fake = Fake::start();
    let ran = fake.run(&["log", "verify"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(ran.stdout, "audit.jsonl:4: is not line 4\\u{1b}\n");
    assert!(
        ran.stderr
            .contains("error: the audit is not whole: 3 findings\nhint: "),
        "{ran:?}"
    );
    let ran = fake.run(&["log", "verify", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        keys(&report),
        ["files", "findings", "lines", "more", "whole"]
    );
    assert_eq!((ran.status, &report["whole"]), (1, &false.into()));
}

#[test]
fn usage_is_a_table_or_json() {
    let fake = Fake::start();
    let ran = fake.run(&["usage", "prod"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let mut lines = ran.stdout.lines();
    assert!(lines.next().unwrap().starts_with("LAST "), "{ran:?}");
    let row: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(
        row,
        [
            "2026-11-21T20:42:44Z",
            "-",
            "5",
            "1",
            "0",
            "soap-login",
            "1000",
            "nightly.service",
            "-"
        ]
    );
    let usage = fake.run(&["usage", "prod", "--json"]);
    assert_eq!(usage.keys(), ["failed_logins", "logins", "others", "users"]);
    assert!(usage.json()["users"][0]["exe"].is_null());
}
