//! Those who follow a session, while the daemon says no or is gone.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::{fake::Fake, patience::end_of};

pub(crate) const FOLLOW: &[&str] = &["get", "prod", "--follow"];

/// This command, which follows a session, once it has one; and its stdout.
pub(crate) fn following(mut command: Command) -> (Child, BufReader<ChildStdout>) {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follower = command.spawn().unwrap();
    let mut stdout = BufReader::new(follower.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    (follower, stdout)
}

/// The lines of a process's stderr.
pub(crate) fn complaints(child: &mut Child) -> Receiver<String> {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (tell, told) = channel();
    thread::spawn(move || stderr.lines().try_for_each(|line| tell.send(line.unwrap())));
    told
}

/// The next of them, which must come soon.
#[track_caller]
pub(crate) fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn a_job_whose_session_can_not_be_followed_does_not_run_and_says_why() {
    let fake = Fake::start();
    let file = fake.dir().join("session.json");
    for wait in [&[][..], &["--wait", "2s"]] {
        for (record, said) in [
            ("watch.TOO_MANY_STREAMS", "said TOO_MANY_STREAMS"),
            ("watch.THROTTLED", "said THROTTLED"),
        ] {
            let of = ["exec", record, "--refresh-file", file.to_str().unwrap()];
            let ran = fake.run(&[&of[..], wait, &["--", "echo", "ran"]].concat());
            assert_eq!((ran.status, ran.stdout.as_str()), (75, ""), "{ran:?}");
            assert!(ran.stderr.contains(&format!("error: {said}")), "{ran:?}");
            assert!(!file.exists());
        }
    }
}

#[test]
fn a_follower_ends_when_nobody_reads_it_any_more() {
    let fake = Fake::start();
    let (mut follower, stdout) = following(fake.command(FOLLOW));
    drop(stdout);
    assert_eq!(end_of(&mut follower).code(), Some(1));
    assert!(
        complaints(&mut follower).recv().is_err(),
        "there is nobody to tell"
    );
}

#[test]
fn a_follower_says_once_that_it_waits_for_what_and_what_to_do() {
    let mut fake = Fake::start();
    let (mut follower, _stdout) = following(fake.command(FOLLOW));
    fake.stop();
    let told = complaints(&mut follower);
    let waits = next(&told);
    assert!(
        waits.starts_with("warning: waiting for news of `prod`: sfvaultd is not running"),
        "{waits}"
    );
    assert!(
        waits.contains("; the daemon that made the socket is gone"),
        "{waits}"
    );
    let _ = follower.kill();
    follower.wait().unwrap();
    assert!(told.recv().is_err(), "it said more");
}
