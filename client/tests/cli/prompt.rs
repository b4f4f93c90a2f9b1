//! Questions at a terminal: a pseudo-terminal here, on which the test types and reads.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Command},
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

use crate::fake::Fake;

/// `sfvault` with a terminal of its own.
pub(crate) struct Typist {
    screen: File,
    terminal: File,
    pub(crate) child: Child,
    shown: String,
}

impl Typist {
    pub(crate) fn run(fake: &Fake, arguments: &[&str]) -> Self {
        Self::within(fake, &[], arguments)
    }

    /// `sfvault` as these words run it, such as a shell's.
    pub(crate) fn within(fake: &Fake, words: &[&str], arguments: &[&str]) -> Self {
        let screen =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = File::from(rustix::fs::open(name, flags, Mode::empty()).unwrap());
        let model = fake.command(arguments);
        // It makes the terminal at its stdin the controlling one, and then is `sfvault`. Who runs the tests in the background
        // of a script has SIGINT ignored, and all that is run inherits that.
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "env", "--default-signal=INT"])
            .args(words)
            .arg(model.get_program())
            .args(arguments)
            .env_clear();
        for (key, value) in model.get_envs() {
            command.env(key, value.unwrap());
        }
        let end = || terminal.try_clone().unwrap();
        let child = command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self {
            screen: File::from(screen),
            terminal,
            child,
            shown: String::new(),
        }
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.screen.write_all(text.as_bytes()).unwrap();
    }

    /// Reads what is shown until this appears, then types.
    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        self.wait_for(question);
        self.write(answer);
    }

    pub(crate) fn wait_for(&mut self, text: &str) {
        let mut byte = [0];
        while !self.shown.contains(text) {
            self.screen.read_exact(&mut byte).unwrap();
            self.shown.push(char::from(byte[0]));
        }
    }

    /// The exit status, and all that was shown. The terminal must show again what is typed.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap().code();
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
        self.terminal.write_all(b"END").unwrap();
        self.wait_for("END");
        (status, self.shown)
    }
}

#[test]
fn a_new_passphrase_is_typed_twice_and_never_shown() {
    let fake = Fake::start();
    let mut typist = Typist::run(&fake, &["init"]);
    typist.answer("new passphrase: ", "canary horse\n");
    typist.answer("the same again: ", "canary horse\n");
    let (status, shown) = typist.end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    assert_eq!(fake.asked().passphrase.unwrap(), b"canary horse");
}

#[test]
fn two_passphrases_that_differ_make_no_vault() {
    let fake = Fake::start();
    let mut typist = Typist::run(&fake, &["init"]);
    typist.answer("new passphrase: ", "one\n");
    typist.answer("the same again: ", "two\n");
    let (status, shown) = typist.end();
    assert_eq!(status, Some(2), "{shown}");
    assert!(fake.asked().passphrase.is_none());
}

#[test]
fn a_typed_line_can_be_corrected_and_has_its_limit() {
    let fake = Fake::start();
    let mut typist = Typist::run(&fake, &["unlock"]);
    typist.answer("passphrase of the vault: ", "wrong\u{15}righx\u{7f}t\n");
    assert_eq!(typist.end().0, Some(0));
    assert_eq!(fake.asked().passphrase.unwrap(), b"right");

    let mut typist = Typist::run(&fake, &["unlock"]);
    typist.answer(
        "passphrase of the vault: ",
        &format!("{}\n", "x".repeat(5_000)),
    );
    let (status, shown) = typist.end();
    assert!(
        status == Some(2) && shown.contains("too long for a terminal"),
        "{shown}"
    );

    let mut typist = Typist::run(&fake, &["unlock"]);
    typist.answer("passphrase of the vault: ", "\u{4}");
    let (status, shown) = typist.end();
    assert!(
        status == Some(2) && shown.contains("the input ended"),
        "{shown}"
    );
    assert!(fake.asked().passphrase.is_none());
}

#[test]
fn secrets_of_records_are_asked_for() {
    let fake = Fake::start();
    let mut typist = Typist::run(&fake, &["set", "prod"]);
    typist.answer(
        "new Salesforce password for `prod` (empty to keep the old one): ",
        "\n",
    );
    typist.answer(
        "new security token for `prod` (empty to keep the old one): ",
        "canary\n",
    );
    let (status, shown) = typist.end();
    assert!(status == Some(0) && !shown.contains("canary"), "{shown}");
    let asked = fake.asked().set.unwrap();
    assert_eq!(
        (asked.password, asked.security_token.as_deref()),
        (None, Some("canary"))
    );

    let mut typist = Typist::run(&fake, &["remove", "prod"]);
    typist.answer("remove `prod` with its secrets? [y/N] ", "n\n");
    let (status, shown) = typist.end();
    assert!(
        status == Some(1) && shown.contains("was not removed"),
        "{shown}"
    );
    assert!(fake.asked().removed.is_none());
    let mut typist = Typist::run(&fake, &["remove", "prod"]);
    typist.answer("[y/N] ", "yes\n");
    assert_eq!(typist.end().0, Some(0));
    assert_eq!(fake.asked().removed.as_deref(), Some("prod"));
}

/// It would be asked about a list that it was not shown.
#[test]
fn nobody_is_asked_to_end_a_session_in_json() {
    let fake = Fake::start();
    let typist = Typist::run(&fake, &["logout", "prod", "--json"]);
    let (status, shown) = typist.end();
    assert!(status == Some(2) && !shown.contains("[y/N]"), "{shown}");
    assert!(fake.asked().ended.is_none());
}

#[test]
fn every_flow_asks_for_its_own_secrets() {
    use sfvault_proto::v1::add_record_request::Credential;
    let fake = Fake::start();
    let key = ["--consumer-key", "k", "--login-url", "https://x"];
    let add = |flow| [&["add", "x", "--flow", flow], &key[..]].concat();

    let mut typist = Typist::run(&fake, &add("client-credentials"));
    typist.answer("consumer secret for `x`: ", "canary\n");
    let (status, shown) = typist.end();
    assert!(status == Some(0) && !shown.contains("canary"), "{shown}");
    let asked = fake.asked().add.unwrap();
    assert!(
        matches!(asked.credential, Some(Credential::ClientCredentials(c)) if c.consumer_secret == "canary")
    );

    let mut typist = Typist::run(&fake, &add("client-credentials"));
    typist.answer("consumer secret for `x`: ", "\n");
    let (status, shown) = typist.end();
    assert!(
        status == Some(2) && shown.contains("the consumer secret is empty"),
        "{shown}"
    );
    assert!(fake.asked().add.is_none());

    let mut typist = Typist::run(&fake, &add("refresh-token"));
    typist.answer("refresh token for `x`: ", "r\n");
    typist.answer("consumer secret for `x` (empty if none is needed): ", "\n");
    assert_eq!(typist.end().0, Some(0));
    let asked = fake.asked().add.unwrap();
    assert!(
        matches!(asked.credential, Some(Credential::RefreshToken(c)) if c.refresh_token == "r" && c.consumer_secret.is_empty())
    );

    let with_user = [&add("username-password")[..], &["--username", "u@x"]].concat();
    let mut typist = Typist::run(&fake, &with_user);
    typist.answer("Salesforce password for `x`: ", "p\n");
    typist.answer("security token for `x` (empty if none is needed): ", "t\n");
    typist.answer("consumer secret for `x` (empty if none is needed): ", "s\n");
    assert_eq!(typist.end().0, Some(0));
    assert!(
        matches!(fake.asked().add.unwrap().credential, Some(Credential::UsernamePassword(c))
        if (&*c.password, &*c.security_token, &*c.consumer_secret) == ("p", "t", "s"))
    );

    let with_user = [&add("jwt-bearer")[..], &["--username", "u@x"]].concat();
    let (status, shown) = Typist::run(&fake, &with_user).end();
    assert!(
        status == Some(2) && shown.contains("--private-key-file"),
        "{shown}"
    );

    let mut typist = Typist::run(&fake, &["set", "flow.client-credentials"]);
    typist.answer(
        "new consumer secret for `flow.client-credentials` (empty to keep the old one): ",
        "n\n",
    );
    assert_eq!(typist.end().0, Some(0));
    assert_eq!(
        fake.asked().set.unwrap().consumer_secret.as_deref(),
        Some("n")
    );
}

#[test]
fn whoever_interrupts_gets_a_terminal_that_shows_what_is_typed() {
    let fake = Fake::start();
    let mut typist = Typist::run(&fake, &["unlock"]);
    typist.answer("passphrase of the vault: ", "half\u{3}");
    let (status, shown) = typist.end();
    // The shell's prompt begins a line.
    assert!(status == Some(130) && shown.ends_with("\nEND"), "{shown:?}");
    let mut typist = Typist::run(&fake, &["remove", "prod"]);
    typist.answer("[y/N] ", "\u{3}");
    let (status, shown) = typist.end();
    assert!(status == Some(130) && shown.ends_with("\nEND"), "{shown:?}");
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let mut typist = Typist::run(&fake, &["unlock"]);
        typist.wait_for("passphrase of the vault: ");
        rustix::process::kill_process(Pid::from_child(&typist.child), signal).unwrap();
        assert_eq!(typist.end().0, Some(status));
    }
    assert!(fake.asked().passphrase.is_none());
}

#[test]
fn a_generated_password_is_followed_by_the_question_for_its_token() {
    let fake = Fake::start();
    let mut typist = Typist::run(&fake, &["rotate", "prod", "--generate"]);
    typist.answer("the security token that Salesforce mailed to ", "canary\n");
    let (status, shown) = typist.end();
    assert!(status == Some(0) && !shown.contains("canary"), "{shown}");
    let asked = fake.asked().rotate.unwrap();
    assert_eq!(
        (
            asked.generate,
            asked.security_token.as_deref(),
            asked.password
        ),
        (false, Some("canary"), None)
    );
    // Who does not have it yet comes back later.
    let mut typist = Typist::run(&fake, &["rotate", "prod", "--generate"]);
    typist.answer("the security token that Salesforce mailed to ", "\n");
    let (status, shown) = typist.end();
    assert!(status == Some(2) && shown.contains("stays kept"), "{shown}");
    assert!(fake.asked().rotate.unwrap().generate);
    // A script is not asked.
    let ran = fake.run(&["rotate", "prod", "--generate", "--json"]);
    assert_eq!(ran.json()["result"], "token-awaited");
}

#[test]
fn a_generated_password_is_shown_at_a_terminal_to_who_says_yes() {
    let fake = Fake::start();
    let reveal = ["rotate", "prod", "--reveal-pending"];
    let mut typist = Typist::run(&fake, &reveal);
    typist.answer("on this terminal? [y/N] ", "y\n");
    let (status, shown) = typist.end();
    assert!(
        status == Some(0) && shown.contains("canary-password"),
        "{shown}"
    );
    let mut typist = Typist::run(&fake, &reveal);
    typist.answer("on this terminal? [y/N] ", "n\n");
    let (status, shown) = typist.end();
    assert!(
        status == Some(1) && !shown.contains("canary-password"),
        "{shown}"
    );
    let ran = fake.run_with_stdin(&reveal, "y\n");
    assert_eq!(ran.status, 2);
    assert!(!format!("{ran:?}").contains("canary-password"));
}
