//! Where passphrases and the secrets of records come from: files, descriptors, stdin.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use sfvault_proto::v1::add_record_request::Credential;

use crate::{
    admin::RECORD_KEYS,
    fake::{Fake, Ran, keys},
};

#[test]
fn the_passphrase_comes_from_a_file_or_a_descriptor() {
    let fake = Fake::start();
    let file = fake.file("pass", "correct horse\n");
    let path = file.to_str().unwrap();
    let ran = fake.run(&["init", "--passphrase-file", path, "--json"]);
    assert_eq!(ran.json()["vault_path"], "/data/vault.redb");
    assert_eq!(fake.asked().passphrase.unwrap(), b"correct horse");

    let script = format!(
        "exec {} unlock --passphrase-fd 5 5<{path}",
        env!("CARGO_BIN_EXE_sfvault")
    );
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &script])
        .env("SFVAULT_RUNTIME_DIR", fake.dir());
    let ran = Ran::of(shell.output().unwrap());
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr, "the vault is open (unlocked); records: 2\n");
    assert_eq!(fake.asked().passphrase.unwrap(), b"correct horse");

    let ran = fake.run_with_stdin(&["unlock", "--passphrase-fd", "0"], "piped\r\n");
    assert_eq!(
        (ran.status, fake.asked().passphrase.unwrap().as_slice()),
        (0, &b"piped"[..])
    );
    let ran = fake.run_with_stdin(&["unlock", "--passphrase-fd", "0", "--json"], "wrong");
    assert!(
        ran.status == 6 && ran.stderr.contains("WRONG_PASSPHRASE"),
        "{ran:?}"
    );
}

#[test]
fn a_passphrase_that_is_empty_or_too_long_is_refused_unsent() {
    let fake = Fake::start();
    for passphrase in [String::new(), "\n".to_owned(), "x".repeat(1025)] {
        let ran = fake.run_with_stdin(&["unlock", "--passphrase-fd", "0"], &passphrase);
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(fake.asked().passphrase.is_none());
    }
}

/// The secrets that reached the daemon with `add`.
fn added(fake: &Fake) -> (String, String, String) {
    let request = fake.asked().add.unwrap();
    let Some(Credential::SoapLogin(secrets)) = request.credential else {
        panic!("no credential");
    };
    (request.login_url, secrets.password, secrets.security_token)
}

#[test]
fn a_record_s_secrets_come_from_files_or_stdin() {
    let fake = Fake::start();
    let password = fake.file("pw", "p\"w\n");
    let token = fake.file("tok", "t0k\n");
    let [password, token] = [&password, &token].map(|path| path.to_str().unwrap());
    let production = "https://login.salesforce.com".to_owned();
    let add = ["add", "prod", "--username", "etl@acme.example", "--json"];
    let run = |more: &[&str]| fake.run(&[&add, more].concat());

    let ran = run(&[
        "--production",
        "--password-file",
        password,
        "--token-file",
        token,
    ]);
    assert_eq!(ran.keys(), ["record", "warnings"]);
    assert_eq!(keys(&ran.json()["record"]), RECORD_KEYS);
    assert_eq!(
        added(&fake),
        (production.clone(), "p\"w".to_owned(), "t0k".to_owned())
    );

    run(&["--sandbox", "--password-file", password, "--no-token"]).json();
    let sandbox = "https://test.salesforce.com".to_owned();
    assert_eq!(added(&fake), (sandbox, "p\"w".to_owned(), String::new()));

    let arguments = [&add[..], &["--login-url", "https://x", "--stdin"]].concat();
    fake.run_with_stdin(&arguments, r#"{"password":"a","security_token":"b"}"#)
        .json();
    assert_eq!(
        added(&fake),
        ("https://x".to_owned(), "a".to_owned(), "b".to_owned())
    );
}

#[test]
fn secrets_that_can_not_be_are_refused_unsent_and_unrepeated() {
    let fake = Fake::start();
    let empty = fake.file("empty", "\n");
    let empty = empty.to_str().unwrap();
    let add = ["add", "prod", "--username", "u", "--production"];
    for (more, stdin) in [
        (&["--stdin"][..], r#"{"security_token":"canary"}"#),
        (&["--stdin"], r#"{"password":""}"#),
        (&["--stdin"], r#"{"password":"canary","extra":1}"#),
        (&["--stdin"], "canary"),
        (&["--password-file", empty], ""),
        (&["--password-file", "/nowhere"], ""),
        (&["--password-file", "canary-file", "--stdin"], ""),
        (&["--password=canary"], ""),
        (&[], "canary"),
    ] {
        let ran = fake.run_with_stdin(&[&add, more].concat(), stdin);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert!(
            !ran.stderr.contains("canary") || more.contains(&"canary-file"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
        assert!(fake.asked().add.is_none());
    }
    let both = ["set", "prod", "--token-file", empty];
    assert!(fake.run(&both).stderr.contains("--no-token"));
}

#[test]
fn a_readable_secret_file_is_warned_of_and_used() {
    let fake = Fake::start();
    let file = fake.file("pw", "pw");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let path = file.to_str().unwrap();
    let ran = fake.run(&["set", "prod", "--password-file", path]);
    assert_eq!(ran.status, 0);
    assert!(
        ran.stderr
            .starts_with("warning: other users of this host may read"),
        "{ran:?}"
    );
    assert_eq!(fake.asked().set.unwrap().password.as_deref(), Some("pw"));
}

/// systemd gives a service's user its credentials by access control lists, which show as bits of the group.
#[test]
fn a_credential_of_systemd_s_is_used_without_a_warning() {
    let fake = Fake::start();
    let path = fake.file("pw", "pw");
    let run = |mode, credentials: &Path| {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let mut command = fake.command(&["set", "prod", "--password-file"]);
        command.arg(&path).env("CREDENTIALS_DIRECTORY", credentials);
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(ran.status, 0, "{ran:?}");
        ran.stderr.contains("warning: ")
    };
    let (here, elsewhere) = (path.parent().unwrap(), Path::new("/elsewhere"));
    assert!(!run(0o440, here));
    assert!(run(0o440, elsewhere));
    assert!(run(0o440, Path::new("")));
    assert!(run(0o444, here));
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
