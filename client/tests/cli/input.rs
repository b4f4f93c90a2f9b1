//! Secrets that come from elsewhere than a prompt, or that do not come.

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    fake::Fake,
    patience::{end_of, until_it_listens},
    prompt::Typist,
};

#[test]
fn whoever_waits_for_a_secret_from_elsewhere_can_be_interrupted() {
    let fake = Fake::start();
    let fifo = fake.dir().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let from_fifo = ["unlock", "--passphrase-file", fifo.to_str().unwrap()];
    for arguments in [
        &["set", "prod", "--stdin"][..],
        &["unlock", "--passphrase-fd", "0"],
        &from_fifo,
    ] {
        let mut typist = Typist::run(&fake, arguments);
        until_it_listens(&mut typist.child, Signal::INT);
        typist.write("\u{3}");
        assert_eq!(end_of(&mut typist.child).code(), Some(130), "{arguments:?}");
        assert_eq!(typist.end().0, Some(130));

        let mut typist = Typist::run(&fake, arguments);
        until_it_listens(&mut typist.child, Signal::TERM);
        kill_process(Pid::from_child(&typist.child), Signal::TERM).unwrap();
        assert_eq!(end_of(&mut typist.child).code(), Some(143), "{arguments:?}");
        assert_eq!(typist.end().0, Some(143));
    }
    let asked = fake.asked();
    assert!(asked.passphrase.is_none() && asked.set.is_none());
}

/// As after `sudo -u`, whose user can't open it, and as a socket, which nobody can.
#[test]
fn a_descriptor_is_read_and_not_opened_anew() {
    let fake = Fake::start();
    let file = fake.file("lines", "first line\ncorrect horse\n");
    let script = "exec 3<\"$0\"; read first <&3; chmod 0 \"$0\"; \"$@\" 3";
    let unlock = ["unlock", "--passphrase-fd"];
    let ran = fake.shell(script, file.to_str().unwrap(), &unlock).output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(fake.asked().passphrase.unwrap(), b"correct horse");

    for number in ["0", "7"] {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut ours, b"correct horse\n").unwrap();
        drop(ours);
        let script = "exec 7<&0; \"$@\" \"$0\"";
        let mut shell = fake.shell(script, number, &unlock);
        let ran = shell.stdin(std::os::fd::OwnedFd::from(theirs)).output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{number}: {ran:?}");
        assert_eq!(fake.asked().passphrase.unwrap(), b"correct horse");
    }
}

#[test]
fn a_passphrase_may_come_in_parts_by_a_terminal_a_pipe_or_a_fifo() {
    let fake = Fake::start();
    let mut typist = Typist::run(&fake, &["unlock", "--passphrase-fd", "0"]);
    typist.write("correct horse\n\u{4}");
    assert_eq!(end_of(&mut typist.child).code(), Some(0));
    assert_eq!(fake.asked().passphrase.unwrap(), b"correct horse");

    let fifo = fake.dir().join("fifo");
    let script =
        "mkfifo \"$0\"; { printf cor; printf 'rect horse\\n'; } > \"$0\" & exec \"$@\" \"$0\"";
    let piped = "{ printf cor; printf 'rect horse\\n'; } | \"$@\" 0";
    for (script, option) in [(script, "--passphrase-file"), (piped, "--passphrase-fd")] {
        let mut shell = fake.shell(script, fifo.to_str().unwrap(), &["unlock", option]);
        let ran = shell.output().unwrap();
        assert!(ran.status.success(), "{script}");
        assert_eq!(fake.asked().passphrase.unwrap(), b"correct horse");
    }
}
