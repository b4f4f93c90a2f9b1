//! What root finds in the memory of `sfvault` after it has sent a typed secret, while it waits for the answer.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    process::{Child, Command, Stdio},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use sfvault_tests::{installation::Installation, memory::Memory};

use crate::skipped::only_root_can;

const PASSPHRASE: &str = "CANARY passphrase typed 4711";
const PASSWORD: &str = "CANARYpasswordTyped4711";
const TOKEN: &str = "CANARYtokenTyped4711";

/// A client at a terminal, with a daemon that takes its request and does not answer.
struct Prompted {
    screen: File,
    child: Child,
    daemon: UnixListener,
    _home: Installation,
}

impl Prompted {
    fn run(arguments: &[&str]) -> Self {
        let home = Installation::without_config().unwrap();
        let daemon = UnixListener::bind(home.path("run/admin.sock")).unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let screen = openpt(flags).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let terminal = ptsname(&screen, Vec::new()).unwrap();
        let terminal = File::options()
            .read(true)
            .write(true)
            .open(terminal.to_str().unwrap())
            .unwrap();
        let model = home.sfvault(arguments);
        // It makes the terminal at its stdin the controlling one, and then is `sfvault`.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(model.get_program())
            .args(model.get_args())
            .stdin(terminal)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = home.environment(command).spawn().unwrap();
        Self {
            screen: File::from(screen),
            child,
            daemon,
            _home: home,
        }
    }

    fn answer(&mut self, question: &str, answer: &str) {
        let (mut shown, mut byte) = (String::new(), [0]);
        while !shown.ends_with(question) {
            self.screen.read_exact(&mut byte).unwrap();
            shown.push(char::from(byte[0]));
        }
        writeln!(self.screen, "{answer}").unwrap();
    }

    /// The places of each secret in the client's memory once all of them were sent.
    fn copies(mut self, secrets: &[&str]) -> Vec<Vec<String>> {
        // Held, so that the client goes on waiting.
        let (mut stream, _) = self.daemon.accept().unwrap();
        receive(&mut stream, secrets);
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).unwrap();
        let memory = Memory::of(self.child.id()).unwrap();
        // An allocator that writes its own notes over the start of freed memory must not hide the rest.
        let tail = |secret: &str| memory.find_all(&secret.as_bytes()[secret.len() / 2..]);
        let found = secrets.iter().map(|secret| tail(secret)).collect();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        found
    }
}

/// Reads until every secret has come.
fn receive(stream: &mut UnixStream, secrets: &[&str]) {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !secrets.iter().all(|secret| {
        request
            .windows(secret.len())
            .any(|window| window == secret.as_bytes())
    }) {
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "the client went away");
        request.extend_from_slice(&part[..length]);
    }
}

fn is_root() -> bool {
    only_root_can("read the memory of a client that asks")
}

/// The buffer in which HTTP/2 keeps what it sent last. Neither what was read from the terminal nor a second answer to a
/// question is among them, and what was freed is wiped.
const COPIES: usize = 1;

#[track_caller]
fn assert_few(found: &[Vec<String>]) {
    for places in found {
        assert!(places.len() <= COPIES, "{}", places.join("\n"));
    }
}

/// T24
#[test]
fn a_typed_passphrase_lies_only_in_what_sent_it() {
    if !is_root() {
        return;
    }
    let mut init = Prompted::run(&["init"]);
    init.answer("new passphrase: ", PASSPHRASE);
    init.answer("the same again: ", PASSPHRASE);
    assert_few(&init.copies(&[PASSPHRASE]));
    let mut unlock = Prompted::run(&["unlock"]);
    unlock.answer("passphrase of the vault: ", PASSPHRASE);
    assert_few(&unlock.copies(&[PASSPHRASE]));
}

/// T24
#[test]
fn a_typed_credential_lies_only_in_what_sent_it() {
    if !is_root() {
        return;
    }
    let mut add = Prompted::run(&[
        "add",
        "prod",
        "--username",
        "etl@example.com",
        "--production",
    ]);
    add.answer("Salesforce password for `prod`: ", PASSWORD);
    add.answer(
        "security token for `prod` (empty if none is needed): ",
        TOKEN,
    );
    assert_few(&add.copies(&[PASSWORD, TOKEN]));
}
