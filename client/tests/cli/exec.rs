//! `sfvault exec`: the command is itself, with a session in its environment.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
};

use crate::fake::{Fake, INSTANCE, SESSION};

#[test]
fn the_exit_status_is_the_command_s_own() {
    let fake = Fake::start();
    for status in [0, 1, 7, 255] {
        let script = format!("exit {status}");
        assert_eq!(
            fake.run(&["exec", "prod", "--", "sh", "-c", &script])
                .status,
            status
        );
    }
    for (name, number) in [("TERM", 15), ("INT", 2), ("KILL", 9), ("PIPE", 13)] {
        let script = format!("kill -{name} $$");
        let ran = fake
            .command(&["exec", "prod", "--", "sh", "-c", &script])
            .output()
            .unwrap();
        assert_eq!(ran.status.signal(), Some(number), "{name}");
    }
}

#[test]
fn a_signal_to_sfvault_is_a_signal_to_the_command() {
    let fake = Fake::start();
    let script = "trap 'echo caught; exit 9' USR1; echo $$; read line";
    let mut child = fake
        .command(&["exec", "prod", "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), child.id().to_string());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "caught");
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

/// T26.
#[test]
fn the_session_is_in_the_environment_and_nowhere_else() {
    let fake = Fake::start();
    let script = "env | grep ^SF_ | sort; tr '\\0' '\\n' < /proc/$$/cmdline | grep -c canary";
    let ran = fake.run(&["exec", "prod", "--", "sh", "-c", script]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines.get(..6).unwrap(),
        [
            format!("SF_ACCESS_TOKEN={SESSION}"),
            "SF_API_VERSION=64.0".to_owned(),
            format!("SF_INSTANCE_URL={INSTANCE}"),
            "SF_ORG_ID=00Dxx0000000001EAA".to_owned(),
            format!("SF_ORG_INSTANCE_URL={INSTANCE}"),
            format!("SF_SESSION_ID={SESSION}"),
        ]
    );
    // What the script greps for stands once in its own text.
    assert_eq!(lines.get(6), Some(&"1"));
}

/// T26.
#[test]
fn no_descriptor_is_left_to_the_command() {
    let fake = Fake::start();
    let script = ["sh", "-c", "ls /proc/$$/fd"];
    let ran = fake.run(&[&["exec", "prod", "--"][..], &script].concat());
    // A test may have inherited descriptors of its own; the command has those, and no more.
    let [program, rest @ ..] = script;
    let alone = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(ran.stdout, String::from_utf8(alone.stdout).unwrap());
}

#[test]
fn arguments_reach_the_command_as_they_are() {
    let fake = Fake::start();
    let ran = fake.run(&[
        "exec", "prod", "--", "printf", "%s|", "--json", "a b", "", "--", "$HOME",
    ]);
    assert_eq!(ran.stdout, "--json|a b||--|$HOME|");
}

#[test]
fn a_command_that_can_not_be_run_is_told_as_shells_do() {
    let fake = Fake::start();
    let ran = fake.run(&["exec", "prod", "--", "no-such-command-here"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (127, ""));
    assert!(
        ran.stderr
            .starts_with("error: can't run `no-such-command-here`"),
        "{ran:?}"
    );
    let file = fake.file("not-a-program", "x");
    for path in [file.to_str().unwrap(), "/"] {
        assert_eq!(
            fake.run(&["exec", "prod", "--", path]).status,
            126,
            "{path}"
        );
    }
}

#[test]
fn without_a_session_the_command_does_not_run() {
    let fake = Fake::start();
    let ran = fake.run(&["exec", "reason.VAULT_LOCKED", "--", "echo", "ran"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (6, ""));
    let ran = fake.run(&["exec", "prod", "--json"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("{\"error\":"), "{ran:?}");
    // A `--json` for the command is not ours.
    let ran = fake.run(&["exec", "prod", "--wait", "x", "--", "echo", "--json"]);
    assert!(
        ran.status == 2 && ran.stderr.starts_with("error: "),
        "{ran:?}"
    );
}

#[test]
fn only_a_command_without_a_file_has_its_session_held_while_it_runs() {
    let fake = Fake::start();
    let asks = |arguments: &[&str]| {
        fake.run(arguments);
        fake.asked().session.unwrap().hold_until_exit
    };
    assert!(asks(&["exec", "prod", "--", "true"]));
    assert!(!asks(&["get", "prod"]));
    let file = fake.file("session", "");
    let file = file.to_str().unwrap();
    // One that is refused, for this daemon's streams say nothing and are waited for.
    let refused = ["exec", "reason.VAULT_LOCKED", "--refresh-file", file];
    assert!(!asks(&[&refused[..], &["--", "true"]].concat()));
}
