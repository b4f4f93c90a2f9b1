//! The commands that administer.

use std::fs::{self, File};

use crate::fake::{Fake, INSTANCE, Ran, keys};

pub(crate) const RECORD_KEYS: &[&str] = &[
    "audience",
    "consumer_key",
    "created_at",
    "credential_changed_at",
    "credential_due_at",
    "failed_at",
    "flow",
    "generated_password",
    "generation",
    "guaranteed_until",
    "kept_flow",
    "last_users",
    "login_limit_reached_at",
    "login_url",
    "logins",
    "logins_last_hour",
    "logins_per_hour_limit",
    "logins_throttled_until",
    "name",
    "org_id",
    "problem",
    "reason",
    "refresh_token_idle_until",
    "remind_after_seconds",
    "retirements",
    "retry_at",
    "session_issued_at",
    "state",
    "user_id",
    "username",
];

#[test]
fn set_changes_what_is_given_only() {
    let fake = Fake::start();
    let token = fake.file("tok", "new\n");
    let set = ["set", "prod", "--json"];
    let ran = fake.run(&[&set[..], &["--token-file", token.to_str().unwrap()]].concat());
    assert_eq!(ran.keys(), ["changed", "record", "warnings"]);
    let asked = fake.asked().set.unwrap();
    assert_eq!(
        (asked.password, asked.security_token.as_deref()),
        (None, Some("new"))
    );

    for (stdin, password, token) in [
        (r#"{"password":"a"}"#, Some("a"), None),
        (r#"{"security_token":""}"#, None, Some("")),
    ] {
        fake.run_with_stdin(&[&set[..], &["--stdin"]].concat(), stdin)
            .json();
        let asked = fake.asked().set.unwrap();
        assert_eq!(
            (asked.password.as_deref(), asked.security_token.as_deref()),
            (password, token)
        );
    }
    let ran = fake.run_with_stdin(&["set", "prod", "--stdin"], "{}");
    assert!(
        ran.status == 2 && ran.stderr.contains("nothing is to change"),
        "{ran:?}"
    );
}

#[test]
fn removing_asks_and_without_a_terminal_wants_yes() {
    let fake = Fake::start();
    let ran = fake.run_with_stdin(&["remove", "prod"], "y\n");
    assert!(ran.status == 2 && ran.stderr.contains("--yes"), "{ran:?}");
    assert!(fake.asked().removed.is_none());
    let ran = fake.run(&["remove", "prod", "--yes", "--json"]);
    assert_eq!(ran.json()["removed"], "prod");
    assert_eq!(fake.asked().removed.as_deref(), Some("prod"));
}

#[test]
fn the_shapes_of_json_are_those_of_the_help() {
    let fake = Fake::start();
    let json = |arguments: &[&str]| fake.run(&[arguments, &["--json"]].concat()).json();
    assert_eq!(keys(&json(&["show", "prod"])), RECORD_KEYS);
    assert_eq!(
        json(&["show", "prod"])["created_at"],
        "1970-01-01T00:00:00Z"
    );
    assert_eq!(
        json(&["show", "prod"])["guaranteed_until"],
        serde_json::Value::Null
    );
    assert_eq!(keys(&json(&["list"])["records"][1]), RECORD_KEYS);
    assert_eq!(keys(&json(&["lock"])), ["changed", "sessions_dropped"]);
    let check = json(&["check", "prod", "--release"]);
    assert_eq!(keys(&check), ["instance_url", "logged_in", "record"]);
    assert!(fake.asked().check.unwrap().release);
    let status = json(&["status"]);
    assert_eq!(
        keys(&status),
        [
            "pid",
            "records",
            "running",
            "started_at",
            "vault",
            "vault_path",
            "version",
            "warnings"
        ]
    );
    assert_eq!(
        (&status["running"], &status["vault"]),
        (&true.into(), &"unlocked".into())
    );
}

/// T44.
#[test]
fn no_text_of_the_daemon_reaches_the_terminal_raw() {
    let fake = Fake::start();
    let file = fake.file("pw", "pw");
    let add = [
        "add",
        "x",
        "--username",
        "u",
        "--sandbox",
        "--password-file",
        file.to_str().unwrap(),
    ];
    for arguments in [
        &["list"][..],
        &["show", "prod"],
        &["status"],
        &["status", "--security"],
        &["check", "prod"],
        &add,
        &["list", "--json"],
        &["show", "prod", "--json"],
        &["get", "reason.\u{1b}[2J"],
    ] {
        let ran = fake.run(arguments);
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.stdout.contains(hostile), "{arguments:?} {ran:?}");
        assert!(!ran.stderr.contains(hostile), "{arguments:?} {ran:?}");
    }
    let shown = fake.run(&["show", "prod"]);
    assert!(
        shown
            .stdout
            .contains("etl@acme.example\\u{1b}[2J\\u{9b}31m\\u{202e}"),
        "{shown:?}"
    );
    assert!(
        shown
            .stdout
            .contains("failed           2026-11-21T20:42:44Z ("),
        "{shown:?}"
    );
    assert!(fake.run(&["check", "prod"]).stdout.contains(INSTANCE));
}

#[test]
fn status_says_that_no_daemon_runs_and_ends_with_3() {
    let empty = tempfile::tempdir().unwrap();
    for (vault, state) in [(false, "missing"), (true, "locked")] {
        if vault {
            File::create(empty.path().join("vault.redb")).unwrap();
        }
        let ran = Ran::of(
            crate::fake::command(empty.path(), &["status"])
                .output()
                .unwrap(),
        );
        assert_eq!(ran.status, 3);
        assert!(ran.stdout.starts_with("daemon  not running\n"), "{ran:?}");
        assert!(
            ran.stderr.starts_with("error: sfvaultd is not running"),
            "{ran:?}"
        );
        let json = crate::fake::command(empty.path(), &["status", "--json"])
            .output()
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["running"], false);
        assert_eq!(json["vault"], state);
    }
}

#[test]
fn scripts_and_pages_are_made_without_a_daemon() {
    let fake = Fake::start();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = fake.run(&["completions", shell]);
        assert!(
            ran.status == 0 && ran.stdout.contains("no-autostart"),
            "{shell}"
        );
    }
    let dir = fake.dir().join("man/man1");
    assert_eq!(fake.run(&["man", "--dir", dir.to_str().unwrap()]).status, 0);
    for page in [
        "sfvault.1",
        "sfvault-get.1",
        "sfvault-doctor.1",
        "sfvault-log-verify.1",
    ] {
        assert!(dir.join(page).exists(), "{page}");
    }
    let page = fs::read_to_string(dir.join("sfvault.1")).unwrap();
    assert_eq!(fake.run(&["man"]).stdout, page);
    let ran = fake.run(&["--help"]);
    assert!(
        ran.status == 0 && ran.stdout.contains("Exit status:"),
        "{ran:?}"
    );
}

#[test]
fn logout_lists_who_may_be_cut_off_and_asks() {
    let fake = Fake::start();
    let ran = fake.run_with_stdin(&["logout", "prod"], "y\n");
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    for line in [
        "process 4711 of uid 1000: has watched it since 2026-11-21T20:42:44Z",
        "process 4712 of uid 1000: holds it until it exits, since 2026-11-21T20:42:44Z",
        "a process of uid 1000: took it at 2026-11-21T20:42:44Z",
        "say `--yes`",
    ] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
    assert!(fake.asked().ended.is_none());
    let ran = fake.run(&["logout", "prod", "--json"]);
    assert!(ran.status == 2 && ran.stderr.contains("`--yes`"), "{ran:?}");
    assert!(fake.asked().ended.is_none());
    let ran = fake.run(&["logout", "prod", "--yes", "--json"]);
    let told = ran.json();
    assert_eq!(
        (&told["record"], &told["ended"]),
        (&"prod".into(), &true.into())
    );
    assert_eq!(told["holders"][0]["pid"], 4711);
    assert_eq!(told["holders"][0]["until_exit"], false);
    assert_eq!(told["holders"][1]["until_exit"], true);
    assert!(told["holders"][2]["pid"].is_null());
    assert_eq!(fake.asked().ended.as_deref(), Some("prod"));
}
