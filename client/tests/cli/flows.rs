//! The flows: which settings and secrets each takes, and what it refuses.

use std::os::unix::fs::PermissionsExt as _;

use sfvault_proto::v1::{Environment, add_record_request::Credential};

use crate::fake::{CONSUMER_KEY, Fake};

const MY_DOMAIN: &str = "https://acme.my.salesforce.com";

/// The flow and the secrets of a credential, in the order of its message.
fn told(credential: Credential) -> (&'static str, Vec<String>) {
    match credential {
        Credential::SoapLogin(c) => ("soap-login", vec![c.password, c.security_token]),
        Credential::UsernamePassword(c) => (
            "username-password",
            vec![c.password, c.security_token, c.consumer_secret],
        ),
        Credential::ClientCredentials(c) => ("client-credentials", vec![c.consumer_secret]),
        Credential::JwtBearer(c) => ("jwt-bearer", vec![c.private_key, c.consumer_secret]),
        Credential::RefreshToken(c) => ("refresh-token", vec![c.refresh_token, c.consumer_secret]),
    }
}

/// `add x --flow FLOW` with these words.
fn add<'a>(flow: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["add", "x", "--flow", flow, "--json"], more].concat()
}

const KEY: [&str; 2] = ["--consumer-key", CONSUMER_KEY];
const USER: [&str; 2] = ["--username", "etl@acme.example"];

#[test]
fn every_flow_takes_its_secrets_from_files_and_from_stdin() {
    let fake = Fake::start();
    let files = ["pw", "tok", "sec", "pem", "ref"].map(|name| fake.file(name, name));
    let [pw, tok, sec, pem, refresh] = files.each_ref().map(|path| path.to_str().unwrap());
    let my_domain = ["--login-url", MY_DOMAIN];
    let [key, user] = [&KEY[..], &USER[..]];
    for (flow, settings, files, stdin, secrets) in [
        (
            "username-password",
            [key, user].concat(),
            vec![
                "--password-file",
                pw,
                "--token-file",
                tok,
                "--consumer-secret-file",
                sec,
            ],
            r#"{"password":"pw","security_token":"tok","consumer_secret":"sec"}"#,
            vec!["pw", "tok", "sec"],
        ),
        (
            "username-password",
            [key, user].concat(),
            vec!["--password-file", pw, "--no-consumer-secret"],
            r#"{"password":"pw","security_token":""}"#,
            vec!["pw", "", ""],
        ),
        (
            "client-credentials",
            key.to_vec(),
            vec!["--consumer-secret-file", sec],
            r#"{"consumer_secret":"sec"}"#,
            vec!["sec"],
        ),
        (
            "jwt-bearer",
            [key, user].concat(),
            vec!["--private-key-file", pem, "--consumer-secret-file", sec],
            r#"{"private_key":"pem","consumer_secret":"sec"}"#,
            vec!["pem", "sec"],
        ),
        (
            "jwt-bearer",
            [key, user].concat(),
            vec!["--private-key-file", pem],
            r#"{"private_key":"pem"}"#,
            vec!["pem", ""],
        ),
        (
            "refresh-token",
            key.to_vec(),
            vec!["--refresh-token-file", refresh, "--no-consumer-secret"],
            r#"{"refresh_token":"ref"}"#,
            vec!["ref", ""],
        ),
    ] {
        let common = add(flow, &[&settings[..], &my_domain].concat());
        for (more, stdin) in [(files, ""), (vec!["--stdin"], stdin)] {
            let ran = fake.run_with_stdin(&[&common[..], &more].concat(), stdin);
            assert_eq!(ran.status, 0, "{flow} {ran:?}");
            let asked = fake.asked().add.unwrap();
            assert_eq!(asked.consumer_key, CONSUMER_KEY);
            assert_eq!(asked.username.is_empty(), settings.len() == 2);
            let (sent, values) = told(asked.credential.unwrap());
            assert_eq!((sent, values), (flow, to_owned(&secrets)));
        }
    }
}

fn to_owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn what_does_not_belong_to_the_flow_is_named_and_nothing_is_read_or_sent() {
    let fake = Fake::start();
    let readable = fake.file("pw", "canary");
    std::fs::set_permissions(&readable, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = readable.to_str().unwrap();
    let host = ["--login-url", MY_DOMAIN];
    let [key, user] = [&KEY[..], &USER[..]];
    for (flow, settings, more, named) in [
        ("soap-login", [user, key].concat(), vec![], "--consumer-key"),
        (
            "soap-login",
            [user, &["--audience", "https://a"]].concat(),
            vec![],
            "--audience",
        ),
        ("soap-login", vec![], vec![], "--username"),
        (
            "soap-login",
            user.to_vec(),
            vec!["--private-key-file", file],
            "--private-key-file",
        ),
        (
            "soap-login",
            user.to_vec(),
            vec!["--no-consumer-secret"],
            "--no-consumer-secret",
        ),
        ("username-password", user.to_vec(), vec![], "--consumer-key"),
        ("username-password", key.to_vec(), vec![], "--username"),
        (
            "username-password",
            [key, user].concat(),
            vec!["--refresh-token-file", file],
            "--refresh-token-file",
        ),
        (
            "client-credentials",
            [key, user].concat(),
            vec![],
            "--username",
        ),
        ("client-credentials", vec![], vec![], "--consumer-key"),
        (
            "client-credentials",
            key.to_vec(),
            vec!["--password-file", file],
            "--password-file",
        ),
        (
            "client-credentials",
            key.to_vec(),
            vec!["--no-token"],
            "--no-token",
        ),
        (
            "client-credentials",
            key.to_vec(),
            vec!["--no-consumer-secret"],
            "needs the consumer secret",
        ),
        ("jwt-bearer", key.to_vec(), vec![], "--username"),
        (
            "jwt-bearer",
            [key, user].concat(),
            vec!["--token-file", file],
            "--token-file",
        ),
        ("refresh-token", [key, user].concat(), vec![], "--username"),
        (
            "refresh-token",
            [key, &["--audience", "https://a"]].concat(),
            vec![],
            "--audience",
        ),
    ] {
        let words = add(flow, &[&settings[..], &host, &more].concat());
        let ran = fake.run(&words);
        assert_eq!(ran.status, 2, "{ran:?}");
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(named) && message.contains(flow),
            "{message}"
        );
        assert!(
            !ran.stderr.contains("warning"),
            "a file was opened: {ran:?}"
        );
        assert!(fake.asked().add.is_none());
    }
}

#[test]
fn keys_on_stdin_that_are_not_of_the_flow_are_refused_by_name() {
    let fake = Fake::start();
    let host = ["--login-url", MY_DOMAIN];
    for (flow, settings, stdin, named) in [
        (
            "soap-login",
            USER,
            r#"{"password":"canary","private_key":"canary"}"#,
            "`private_key`",
        ),
        (
            "client-credentials",
            KEY,
            r#"{"password":"canary"}"#,
            "`password`",
        ),
        ("client-credentials", KEY, r"{}", "`consumer_secret`"),
        (
            "client-credentials",
            KEY,
            r#"{"consumer_secret":""}"#,
            "the consumer secret is empty",
        ),
        (
            "refresh-token",
            KEY,
            r#"{"consumer_secret":"canary"}"#,
            "`refresh_token`",
        ),
        (
            "refresh-token",
            KEY,
            r#"{"refresh_token":""}"#,
            "the refresh token is empty",
        ),
        ("refresh-token", KEY, r#"{"canary":"x"}"#, "`refresh_token`"),
    ] {
        let words = add(flow, &[&settings[..], &host, &["--stdin"]].concat());
        let ran = fake.run_with_stdin(&words, stdin);
        assert!(ran.status == 2 && ran.stderr.contains(named), "{ran:?}");
        assert!(!ran.stderr.contains("canary"), "{ran:?}");
        assert!(fake.asked().add.is_none());
    }
    let set = ["set", "flow.jwt-bearer", "--stdin"];
    let ran = fake.run_with_stdin(&set, r#"{"refresh_token":"canary"}"#);
    assert!(
        ran.status == 2 && ran.stderr.contains("`refresh_token`"),
        "{ran:?}"
    );
    assert!(fake.asked().set.is_none());
}

#[test]
fn client_credentials_want_the_my_domain() {
    let fake = Fake::start();
    let secret = fake.file("sec", "s");
    let secret = ["--consumer-secret-file", secret.to_str().unwrap()];
    for shared in ["--production", "--sandbox"] {
        let words = add(
            "client-credentials",
            &[&KEY[..], &secret, &[shared]].concat(),
        );
        let ran = fake.run(&words);
        assert!(
            ran.status == 2 && ran.stderr.contains("--login-url https://MYDOMAIN"),
            "{ran:?}"
        );
    }
    let host = ["--login-url", MY_DOMAIN, "--production"];
    let words = add("client-credentials", &[&KEY[..], &secret, &host].concat());
    assert_eq!(fake.run(&words).status, 0);
    let asked = fake.asked().add.unwrap();
    assert_eq!(asked.environment(), Environment::Production);
    assert_eq!(asked.login_url, MY_DOMAIN);
}

#[test]
fn set_takes_the_secrets_of_the_record_s_flow() {
    let fake = Fake::start();
    let file = fake.file("new", "new");
    let file = file.to_str().unwrap();
    for (name, option, named) in [
        ("flow.username-password", "--consumer-secret-file", None),
        ("flow.client-credentials", "--consumer-secret-file", None),
        ("flow.jwt-bearer", "--private-key-file", None),
        ("flow.refresh-token", "--refresh-token-file", None),
        (
            "flow.client-credentials",
            "--token-file",
            Some("--token-file"),
        ),
        (
            "flow.refresh-token",
            "--password-file",
            Some("--password-file"),
        ),
        (
            "prod",
            "--consumer-secret-file",
            Some("--consumer-secret-file"),
        ),
        ("flow.newer", "--password-file", Some("does not know")),
    ] {
        let ran = fake.run(&["set", name, option, file]);
        let sent = fake.asked().set;
        match named {
            None => {
                let sent = sent.unwrap();
                let secrets = [
                    (sent.consumer_secret, "--consumer-secret-file"),
                    (sent.private_key, "--private-key-file"),
                    (sent.refresh_token, "--refresh-token-file"),
                ];
                for (secret, of) in secrets {
                    assert_eq!(secret.as_deref(), (of == option).then_some("new"), "{name}");
                }
            }
            Some(named) => {
                assert!(ran.status == 2 && ran.stderr.contains(named), "{ran:?}");
                assert!(sent.is_none());
            }
        }
    }
    fake.run(&[
        "set",
        "flow.refresh-token",
        "--refresh-token-file",
        file,
        "--no-consumer-secret",
    ]);
    let sent = fake.asked().set.unwrap();
    assert_eq!(sent.consumer_secret.as_deref(), Some(""));
    let ran = fake.run(&["set", "flow.jwt-bearer"]);
    assert!(
        ran.status == 2 && ran.stderr.contains("--private-key-file"),
        "{ran:?}"
    );
}

#[test]
fn records_show_their_flow_and_their_app() {
    let fake = Fake::start();
    let shown = fake.run(&["show", "flow.jwt-bearer"]).stdout;
    assert!(shown.contains("flow             jwt-bearer\n"), "{shown}");
    assert!(shown.contains(CONSUMER_KEY), "{shown}");
    let json = fake.run(&["show", "flow.jwt-bearer", "--json"]).json();
    assert_eq!(json["flow"], "jwt-bearer");
    assert_eq!(json["consumer_key"], CONSUMER_KEY);
    let plain = fake.run(&["show", "prod", "--json"]).json();
    assert_eq!(plain["consumer_key"], serde_json::Value::Null);
    assert!(fake.run(&["list"]).stdout.contains("soap-login"));
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

#[test]
fn the_reset_page_is_opened_in_the_wanted_browser_and_told() {
    let fake = Fake::start();
    let seen = fake.dir().join("seen");
    let made = std::process::Command::new("mkfifo").arg(&seen).status();
    assert!(made.unwrap().success());
    let browser = fake.file(
        "browser",
        &format!(
            "#!/bin/sh\ncut -d ' ' -f 1,5 /proc/$$/stat > {0}.group\nprintf %s \"$*\" > {0}\n",
            seen.display()
        ),
    );
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o700)).unwrap();
    let token = fake.file("tok", "canary");
    let set = [
        "set",
        "prod",
        "--open",
        "--token-file",
        token.to_str().unwrap(),
    ];
    let page = "https://login.salesforce.com/?startURL=%2Flightning%2Fsettings%2Fpersonal%2FResetApiToken%2Fhome";

    let none = fake.run(&set);
    assert!(none.status == 0 && none.stderr.contains(page), "{none:?}");
    assert!(none.stderr.contains("none could be started"), "{none:?}");
    assert!(none.stderr.contains("Reset My Security Token"), "{none:?}");

    let missing = fake
        .command(&set)
        .env("BROWSER", "/no/such/browser")
        .output()
        .unwrap();
    let missing = crate::fake::Ran::of(missing);
    assert!(
        missing.status == 0 && missing.stderr.contains("none could be started"),
        "{missing:?}"
    );

    let opened = fake
        .command(&set)
        .env(
            "BROWSER",
            format!("/no/such/browser:{} %s", browser.display()),
        )
        .output()
        .unwrap();
    assert!(opened.status.success());
    // The browser goes on after `sfvault`; opening the pipe waits for it.
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), page);
    // A Ctrl-C at the prompt is for the prompt: the browser leads a group of its own.
    let group = std::fs::read_to_string(fake.dir().join("seen.group")).unwrap();
    let (pid, group) = group.trim().split_once(' ').unwrap();
    assert_eq!(pid, group);

    let ran = fake.run(&["set", "flow.client-credentials", "--open"]);
    assert!(
        ran.status == 2 && ran.stderr.contains("no security token to reset"),
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
fn to_say_that_no_secret_is_needed_asks_for_no_other() {
    let fake = Fake::start();
    let ran = fake.run(&["set", "prod", "--no-token"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let set = fake.asked().set.unwrap();
    assert_eq!(
        (set.password, set.security_token),
        (None, Some(String::new()))
    );

    let ran = fake.run(&["rotate", "prod", "--no-token"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let rotate = fake.asked().rotate.unwrap();
    assert_eq!(
        (rotate.password, rotate.security_token),
        (None, Some(String::new()))
    );
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
