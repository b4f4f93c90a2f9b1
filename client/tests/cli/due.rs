//! What must change, by when, and who will notice: in `status` and `show`.

use serde_json::{Value, json};

use crate::{
    fake::Fake,
    flows::{USER, add},
};

/// Lines of label and value without the blanks between them, and without how long ago something is.
fn lines(text: &str) -> Vec<String> {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let ago = |line: String| line.split(" (").next().unwrap_or_default().to_owned();
    text.lines().map(line).map(ago).collect()
}

fn has(lines: &[String], part: &[&str]) -> bool {
    lines.windows(part.len()).any(|window| window == part)
}

#[test]
fn status_tells_what_ends_and_when_how_sure_that_is_what_to_do_and_who_will_notice() {
    let fake = Fake::start();
    let told = fake.run(&["status"]);
    let lines = lines(&told.stdout);
    let due = [
        "due-prod from about 2027-06-01 on, SOAP login() is switched off",
        "date is release-only: Help 005132110\\u{1b}[2J",
        "what to do `sfvault migrate due-prod`",
    ];
    assert!(has(&lines, &due), "{told:?}");
    let used = [
        "what to do change it in Salesforce, then `sfvault set due-prod`",
        "used last by nightly.service, /usr/bin/etl\\u{1b}[2J, uid 1000, 2026-11-21T20:42:44Z",
        "used last by /usr/bin/etl\\u{1b}[2J, uid 1000, 1970-01-01T00:00:00Z",
        "used last by others before them: `sfvault usage due-prod`",
    ];
    assert!(has(&lines, &used), "{told:?}");
    // Of the other record nothing must change.
    let other = lines.iter().filter(|line| line.starts_with("acme-prod "));
    assert_eq!(other.count(), 1, "{told:?}");

    let json = fake.run(&["status", "--json"]).json();
    assert_eq!(json["records"][0]["last_users"], Value::Null);
    let users = json!([
        {"uid": 1000, "unit": "nightly.service", "exe": "/usr/bin/etl\u{1b}[2J", "at": "2026-11-21T20:42:44Z"},
        {"uid": 1000, "unit": null, "exe": "/usr/bin/etl\u{1b}[2J", "at": "1970-01-01T00:00:00Z"},
    ]);
    assert_eq!(json["records"][1]["last_users"], users);
}

#[test]
fn show_tells_always_who_used_a_record_last_or_that_it_is_not_known() {
    let fake = Fake::start();
    let shown = lines(&fake.run(&["show", "due-prod"]).stdout);
    let due = [
        "retirement from about 2027-06-01 on, SOAP login() is switched off",
        "date is release-only: Help 005132110\\u{1b}[2J",
        "what to do `sfvault migrate due-prod`",
        "used last by nightly.service, /usr/bin/etl\\u{1b}[2J, uid 1000, 2026-11-21T20:42:44Z",
    ];
    assert!(has(&shown, &due), "{shown:#?}");
    for (name, said, json) in [
        (
            "unused",
            Some("nobody, as far as the audit goes back"),
            json!([]),
        ),
        (
            "unread",
            Some("nobody lately; `sfvault usage unread` reads the older lines of the audit, too"),
            Value::Null,
        ),
        // A daemon that is older.
        ("prod", None, Value::Null),
    ] {
        let shown = lines(&fake.run(&["show", name]).stdout);
        let used = shown
            .iter()
            .find_map(|line| line.strip_prefix("used last by "));
        assert_eq!(used, said);
        assert_eq!(
            fake.run(&["show", name, "--json"]).json()["last_users"],
            json
        );
    }
}

#[test]
fn a_reminder_is_set_alone_and_shown_when_it_is_due() {
    let fake = Fake::start();
    for (span, seconds, said) in [
        ("90d", 7_776_000, "is due for a change"),
        ("never", 0, "nobody"),
    ] {
        let ran = fake.run(&["set", "prod", "--remind", span]);
        assert!(ran.status == 0 && ran.stderr.contains(said), "{ran:?}");
        let sent = fake.asked().set.unwrap();
        assert_eq!(sent.remind_after.map(|span| span.seconds), Some(seconds));
        assert!(sent.password.is_none() && sent.security_token.is_none());
    }
    let file = fake.file("pw", "new");
    let ran = fake.run(&[
        "set",
        "prod",
        "--remind",
        "30d",
        "--password-file",
        file.to_str().unwrap(),
    ]);
    assert!(ran.stderr.contains("changed `prod`"), "{ran:?}");
    let sent = fake.asked().set.unwrap();
    assert!(sent.password.is_some() && sent.remind_after.is_some());

    let words = [
        &USER[..],
        &["--production", "--remind", "90d", "--password-file"],
    ]
    .concat();
    let words = [&words[..], &[file.to_str().unwrap()]].concat();
    fake.run(&add("soap-login", &words));
    let sent = fake.asked().add.unwrap();
    assert_eq!(sent.remind_after.map(|span| span.seconds), Some(7_776_000));

    let due = fake.run(&["show", "due-prod", "--json"]).json();
    assert_eq!(due["remind_after_seconds"], 7_776_000);
    assert_eq!(due["credential_due_at"], "2024-02-12T22:13:20Z");
    for command in [&["show", "due-prod"][..], &["status"]] {
        let ran = fake.run(command);
        let due = ran.stdout.lines().find(|line| line.contains("due "));
        assert!(due.is_some_and(|line| line.contains("ago")), "{ran:?}");
    }
    let warned = fake.run(&["status"]).stderr;
    assert!(
        warned.contains("warning: the credential of `due-prod` was due"),
        "{warned}"
    );
    assert!(!warned.contains("`acme-prod`"), "{warned}");
}
