//! `sfvault get`.

use std::{fs::OpenOptions, io::Read as _, process::Stdio};

use sfvault::Reason;
use sfvault_proto::v1::Environment;

use crate::fake::{Fake, INSTANCE, Ran, SESSION, keys};

#[test]
fn each_format_is_on_stdout_alone() {
    let fake = Fake::start();
    let env = format!(
        "SF_ACCESS_TOKEN='{SESSION}'\nSF_SESSION_ID='{SESSION}'\nSF_INSTANCE_URL='{INSTANCE}'\n\
         SF_ORG_INSTANCE_URL='{INSTANCE}'\nSF_ORG_ID='00Dxx0000000001EAA'\nSF_API_VERSION='64.0'\n"
    );
    for (format, stdout) in [
        ("session-id", format!("{SESSION}\n")),
        ("header", format!("Authorization: Bearer {SESSION}\n")),
        ("url", format!("{INSTANCE}\n")),
        ("env", env),
    ] {
        let ran = fake.run(&["get", "prod", "--format", format]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{ran:?}");
        assert_eq!(ran.stdout, stdout);
    }
    assert_eq!(fake.run(&["get", "prod"]).stdout, format!("{SESSION}\n"));
    let json = fake.run(&["get", "prod", "--format", "json"]);
    assert_eq!(json.stdout, fake.run(&["--json", "get", "prod"]).stdout);
    assert_eq!(json.json()["guaranteed_until"], "2026-11-21T21:42:44Z");
    assert_eq!(json.keys().len(), 11);
}

#[test]
fn what_is_asked_for_reaches_the_daemon() {
    let fake = Fake::start();
    fake.run(&["get", "prod"]);
    let asked = fake.asked().session.unwrap();
    assert_eq!((asked.min_ttl, asked.wait), (None, None));
    assert_eq!(
        (asked.refused_generation, asked.expect_org.as_str()),
        (0, "")
    );
    fake.run(&[
        "get",
        "prod",
        "--min-ttl",
        "1h30m",
        "--refused-generation",
        "6",
        "--expect-org",
        "00Dxx0000000001",
        "--wait",
        "90",
    ]);
    let asked = fake.asked().session.unwrap();
    assert_eq!(asked.min_ttl.map(|span| span.seconds), Some(5_400));
    assert_eq!(asked.wait.map(|span| span.seconds), Some(90));
    assert_eq!(asked.refused_generation, 6);
    assert_eq!(asked.expect_org, "00Dxx0000000001");
}

/// From the reason on the wire to the status on which a scheduler depends.
#[test]
fn every_reason_reaches_the_caller_with_its_promised_status() {
    let fake = Fake::start();
    let proto = include_str!("../../../proto/sfvault/v1/reason.proto");
    let mut promised = 0;
    let mut found = 0;
    for line in proto.lines().map(str::trim) {
        if let Some((_, status)) = line.rsplit_once("Exit ") {
            promised = status.trim_end_matches('.').parse().unwrap();
        }
        let name = line
            .strip_prefix("REASON_")
            .and_then(|rest| rest.split_once(" ="));
        let Some((name, _)) = name.filter(|(name, _)| *name != "UNSPECIFIED") else {
            continue;
        };
        let ran = fake.run(&["--json", "get", &format!("reason.{name}")]);
        assert_eq!((ran.status, ran.stdout.as_str()), (promised, ""), "{name}");
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(
            keys(&error["error"]),
            [
                "exit_status",
                "hint",
                "message",
                "reason",
                "retry_after_seconds"
            ]
        );
        assert_eq!(error["error"]["reason"], name);
        assert_eq!(error["error"]["exit_status"], promised);
        found += 1;
    }
    assert!(found > 30 && found < Reason::ALL.len());
}

#[test]
fn an_error_is_said_in_two_lines_and_names_the_pause() {
    let fake = Fake::start();
    let ran = fake.run(&["get", "wait.SALESFORCE_UNAVAILABLE"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (75, ""));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert_eq!(lines.first(), Some(&"error: said SALESFORCE_UNAVAILABLE"));
    assert!(lines.iter().all(|line| !line.contains('\u{1b}')));
    assert!(ran.stderr.ends_with("; try again in 61 s\n"), "{ran:?}");
    let ran = fake.run(&["get", "wait.RATE_LIMITED", "--json"]);
    assert!(ran.stderr.contains("\"retry_after_seconds\":61"), "{ran:?}");
    let ran = fake.run(&["get", "reason.CREDENTIAL_REJECTED"]);
    assert!(
        ran.stderr
            .contains("`sfvault set reason.CREDENTIAL_REJECTED`")
    );
}

#[test]
fn an_answer_that_is_not_the_daemon_s_own_gives_no_false_reason() {
    let fake = Fake::start();
    let ran = fake.run(&["get", "bare", "--json"]);
    assert!(
        ran.status == 75 && ran.stderr.contains("DISCONNECTED"),
        "{ran:?}"
    );
    let ran = fake.run(&["get", "reason.OF_TOMORROW", "--json"]);
    assert!(
        ran.status == 1 && ran.stderr.contains("UNRECOGNISED"),
        "{ran:?}"
    );
}

#[test]
fn a_session_that_could_split_a_header_is_not_printed() {
    let fake = Fake::start();
    for format in ["session-id", "header", "env", "json"] {
        let ran = fake.run(&["get", "split", "--format", format]);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(!ran.stderr.contains("canary"), "{ran:?}");
    }
}

#[test]
fn contradicting_formats_are_wrong_usage() {
    let fake = Fake::start();
    let ran = fake.run(&["get", "prod", "--json", "--format", "url"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(fake.asked().session.is_none());
}

#[test]
fn a_reader_that_went_away_is_left_in_peace_and_a_full_disk_is_told() {
    let fake = Fake::start();
    let mut child = fake
        .command(&["get", "prod"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(stderr, "");

    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = Ran::of(
        fake.command(&["get", "prod"])
            .stdout(full)
            .output()
            .unwrap(),
    );
    assert_eq!(ran.status, 1);
    assert!(
        ran.stderr.starts_with("error: can't write to stdout"),
        "{ran:?}"
    );
}

#[test]
fn an_expected_environment_reaches_the_daemon() {
    let fake = Fake::start();
    for (words, expected) in [
        (&["get", "prod"][..], Environment::Unspecified),
        (&["get", "prod", "--expect-sandbox"], Environment::Sandbox),
        (
            &["get", "prod", "--expect-production"],
            Environment::Production,
        ),
        (
            &["exec", "prod", "--expect-sandbox", "--", "true"],
            Environment::Sandbox,
        ),
    ] {
        assert_eq!(fake.run(words).status, 0);
        let asked = fake.asked().session.unwrap();
        assert_eq!(asked.expect_environment(), expected, "{words:?}");
    }
    let both = fake.run(&["get", "prod", "--expect-sandbox", "--expect-production"]);
    assert_eq!(both.status, 2);
    assert!(fake.asked().session.is_none());
}

#[test]
fn a_wait_that_is_longer_than_possible_is_refused_with_the_limit() {
    let fake = Fake::start();
    for (words, limit) in [
        (&["get", "prod", "--wait", "365d"][..], "24 h"),
        (&["exec", "prod", "--wait=25h", "--", "true"], "24 h"),
        (&["login", "me", "--timeout", "31m"], "30 min"),
    ] {
        let ran = fake.run(words);
        assert!(ran.status == 2 && ran.stderr.contains(limit), "{ran:?}");
    }
    assert_eq!(fake.run(&["get", "prod", "--wait", "24h"]).status, 0);
}
