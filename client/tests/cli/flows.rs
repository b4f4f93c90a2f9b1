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
pub(crate) fn add<'a>(flow: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["add", "x", "--flow", flow, "--json"], more].concat()
}

const KEY: [&str; 2] = ["--consumer-key", CONSUMER_KEY];
pub(crate) const USER: [&str; 2] = ["--username", "etl@acme.example"];

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
