//! `sfvault exec`: the command is itself, with a session in its environment.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
};

use crate::{
    fake::{Fake, INSTANCE, SESSION},
    patience::{end_of, until, until_it_listens},
    prompt::Typist,
};

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

/// As `nohup` starts it, and a shell in the background.
#[test]
fn a_signal_that_is_ignored_stays_so_and_is_not_passed_on() {
    let fake = Fake::start();
    let file = fake.dir().join("session.json");
    let job = "grep SigIgn: /proc/$$/status; read line; echo \"$line\"";
    let arguments = [
        &["exec", "prod", "--refresh-file", file.to_str().unwrap()][..],
        &["--", "sh", "-c", job],
    ]
    .concat();
    let mut child = fake
        .shell("trap '' HUP; exec \"$@\"", "sh", &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let hang_up = rustix::process::Signal::HUP;
    assert!(ignores(&lines.next().unwrap().unwrap(), hang_up));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), hang_up).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"went on\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "went on");
    assert!(child.wait().unwrap().success());

    let mut child = fake
        .shell(
            "trap '' HUP; exec \"$@\"",
            "sh",
            &["get", "prod", "--follow"],
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until_it_listens(&mut child, rustix::process::Signal::QUIT);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    assert!(ignores(&status, hang_up), "{status}");
    let _ = child.kill();
    child.wait().unwrap();
}

/// What a `/proc/PID/status` says of a signal.
fn ignores(status: &str, signal: rustix::process::Signal) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    ignored >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
fn a_session_file_is_put_only_where_nobody_else_can_replace_it() {
    let fake = Fake::start();
    let directory = fake.dir().join("shared");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("session.json");
    for (mode, status) in [(0o777, 2), (0o770, 2), (0o757, 2), (0o1777, 0), (0o755, 0)] {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&directory, permissions).unwrap();
        let of = ["exec", "prod", "--refresh-file", file.to_str().unwrap()];
        let ran = fake.run(&[&of[..], &["--", "true"]].concat());
        assert_eq!(ran.status, status, "{mode:o}: {ran:?}");
    }
}

#[test]
fn a_session_file_belongs_to_one_job_and_takes_the_place_of_nothing_else() {
    let fake = Fake::start();
    let file = fake.dir().join("session.json");
    let of = [
        "exec",
        "prod",
        "--refresh-file",
        file.to_str().unwrap(),
        "--",
        "sh",
        "-c",
    ];
    let exec = |job| [&of[..], &[job]].concat();
    for other in ["precious", "{}", "{\"generation\":1}", "[\"session_id\"]"] {
        std::fs::write(&file, other).unwrap();
        let ran = fake.run(&exec("echo ran"));
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), other);
    }
    std::fs::remove_file(&file).unwrap();
    // The second finds what the first, which is killed, left behind.
    for killed in [true, false] {
        let mut job = fake
            .command(&exec("echo begun; read line"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = std::io::BufReader::new(job.stdout.take().unwrap());
        let begun = std::io::BufRead::lines(stdout).next();
        assert_eq!(begun.unwrap().unwrap(), "begun");
        let kept = std::fs::read(&file).unwrap();
        let ran = fake.run(&exec("echo ran"));
        assert_eq!((ran.status, ran.stdout.as_str()), (75, ""), "{ran:?}");
        assert_eq!(std::fs::read(&file).unwrap(), kept);
        if killed {
            job.kill().unwrap();
        }
        drop(job.stdin.take());
        job.wait().unwrap();
        assert_eq!(file.exists(), killed);
    }
}

#[test]
fn a_job_begins_with_the_same_session_in_its_environment_and_its_file() {
    let fake = Fake::start();
    let file = fake.dir().join("session.json");
    let arguments = ["exec", "newer", "--refresh-file", file.to_str().unwrap()];
    let job = [
        "--",
        "sh",
        "-c",
        "cat \"$SF_SESSION_FILE\"; echo \"$SF_SESSION_ID\"",
    ];
    let ran = fake.run(&[&arguments[..], &job].concat());
    let (kept, given) = ran.stdout.split_once('\n').unwrap();
    let kept: serde_json::Value = serde_json::from_str(kept).unwrap();
    assert_eq!(kept["generation"], 8);
    assert_eq!(kept["session_id"], given.trim());
}

#[test]
fn a_signal_before_the_job_has_begun_leaves_no_session_behind() {
    let fake = Fake::start();
    let file = fake.dir().join("session.json");
    let mut child = fake
        .command(&[
            "exec",
            "silent",
            "--refresh-file",
            file.to_str().unwrap(),
            "--",
            "true",
        ])
        .spawn()
        .unwrap();
    until("there is no file", || file.exists().then_some(()));
    let terminate = rustix::process::Signal::TERM;
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), terminate).unwrap();
    assert_eq!(end_of(&mut child).code(), Some(143));
    assert!(!file.exists());
}

/// The terminal has sent it to the job too.
#[test]
fn a_ctrl_c_reaches_the_job_once_though_its_stdin_is_elsewhere() {
    let fake = Fake::start();
    let file = fake.dir().join("session.json");
    let job = "sleep 60 & n=0; trap 'n=$((n + 1)); echo interrupted' INT
        trap 'echo counted $n; kill $!; exit 0' TERM; echo ready; while :; do wait; done";
    let shell = ["sh", "-c", "exec \"$@\" < /dev/null", "sh"];
    let file = file.to_str().unwrap();
    let arguments = [
        "exec",
        "prod",
        "--refresh-file",
        file,
        "--",
        "sh",
        "-c",
        job,
    ];
    let mut typist = Typist::within(&fake, &shell, &arguments);
    typist.answer("ready", "\u{3}");
    typist.wait_for("interrupted");
    let terminate = rustix::process::Signal::TERM;
    rustix::process::kill_process(rustix::process::Pid::from_child(&typist.child), terminate)
        .unwrap();
    typist.wait_for("counted 1");
    assert_eq!(typist.end().0, Some(0));
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

#[test]
fn a_job_within_a_job_has_no_session_file_of_the_outer_one() {
    let fake = Fake::start();
    let mut command = fake.command(&[
        "exec",
        "prod",
        "--",
        "sh",
        "-c",
        "echo \"${SF_SESSION_FILE-none}\"",
    ]);
    let ran = command.env("SF_SESSION_FILE", "/of/another/org").output();
    assert_eq!(ran.unwrap().stdout, b"none\n");
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
    let file = fake.file("other", "").with_file_name("session");
    let file = file.to_str().unwrap();
    // One that is refused, for this daemon's streams say nothing and are waited for.
    let refused = ["exec", "reason.VAULT_LOCKED", "--refresh-file", file];
    assert!(!asks(&[&refused[..], &["--", "true"]].concat()));
}
