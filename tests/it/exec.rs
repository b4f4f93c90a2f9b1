//! `exec` with the real daemon: the job is itself, and only it has the session.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    process::{Child, ChildStdout, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{Scene, ended};

/// Starts `sfvault exec prod -- sh -c SCRIPT` and waits for its first line.
async fn job(scene: &Scene, script: &str) -> (Child, BufReader<ChildStdout>, String) {
    // The simulator answers while this test waits; what follows does not.
    scene.session(&[]).await;
    let mut job = scene
        .sfvault
        .sfvault(["exec", "prod", "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(job.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    (job, said, line.trim_end().to_owned())
}

#[tokio::test]
async fn the_status_is_the_command_s_own_or_says_why_it_did_not_run() {
    let scene = Scene::with_record().await;
    for status in [0, 1, 7, 75, 255] {
        let script = format!("exit {status}");
        let ran = scene
            .run(&["exec", "prod", "--", "sh", "-c", &script])
            .await;
        assert_eq!((ran.status, ran.stderr.as_str()), (status, ""));
    }
    let directory = scene.sfvault.directory().to_str().unwrap().to_owned();
    for (command, status) in [("no-such-command-here", 127), (directory.as_str(), 126)] {
        let mut command_line = scene.command(&["exec", "prod", "--", command]);
        // A directory that can't be searched would make "not found" "not allowed", as in a shell.
        command_line.env("PATH", "/usr/bin:/bin");
        let ran = ended(command_line.output().await.unwrap());
        assert_eq!((ran.status, ran.stdout.as_str()), (status, ""), "{command}");
        assert!(
            ran.stderr.starts_with("error: can't run `"),
            "{}",
            ran.stderr
        );
    }
    for (name, number) in [("TERM", 15), ("KILL", 9), ("INT", 2)] {
        let script = format!("kill -{name} $$");
        let arguments = ["exec", "prod", "--", "sh", "-c", &script];
        let status = scene.command(&arguments).status().await.unwrap();
        assert_eq!(status.signal(), Some(number));
    }
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_command_without_a_session_is_not_run() {
    let scene = Scene::with_record().await;
    scene.ok(&["lock"]).await;
    let ran = scene.run(&["exec", "prod", "--", "echo", "ran"]).await;
    assert_eq!((ran.status, ran.stdout.as_str()), (6, ""), "{}", ran.stderr);
    scene.assert_logins(0, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_scheduler_s_signal_reaches_the_command() {
    let scene = Scene::with_record().await;
    let script = "trap 'echo caught; exit 9' TERM; echo $$; read line; echo went on";
    let (mut child, mut said, pid) = job(&scene, script).await;
    assert_eq!(pid, child.id().to_string(), "there is nobody in between");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(
        (line.as_str(), child.wait().unwrap().code()),
        ("caught\n", Some(9))
    );
    scene.finish().await;
}

/// T26
#[tokio::test]
async fn the_session_is_in_the_job_s_environment_and_in_no_argument_of_any_process() {
    let scene = Scene::with_record().await;
    let (mut child, _said, session) = job(&scene, "echo \"$SF_SESSION_ID\"; read line").await;
    assert_eq!(scene.session(&[]).await["session_id"], session);
    let environment = fs::read(format!("/proc/{}/environ", child.id())).unwrap();
    let holds = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&session);
    assert!(holds(&environment), "or this test looks in the wrong way");
    let mut seen = 0;
    for process in fs::read_dir("/proc").unwrap() {
        let path = process.unwrap().path();
        // A process that is gone, or that is no process.
        let Ok(arguments) = fs::read(path.join("cmdline")) else {
            continue;
        };
        assert!(!holds(&arguments), "{}", path.display());
        seen += 1;
    }
    assert!(seen > 1);
    drop(child.stdin.take());
    child.wait().unwrap();
    scene.finish().await;
}

/// T26: what an earlier job left running has nothing of a later one, nor anything open of `sfvault`.
#[tokio::test]
async fn a_process_that_an_earlier_job_left_behind_learns_nothing_of_the_next_session() {
    let scene = Scene::with_record().await;
    // By another descriptor, for a shell gives what it puts into the background `/dev/null` as its descriptor 0.
    let script = "exec 3<&0; sh -c 'echo $$; read line; exec env' <&3 3<&- & wait";
    let (mut first, said, left_behind) = job(&scene, script).await;
    let targets: Vec<String> = fs::read_dir(format!("/proc/{left_behind}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .map(|target| target.display().to_string())
        .collect();
    assert!(
        !targets.iter().any(|target| target.starts_with("socket:")),
        "the way to the daemon stayed open: {targets:?}"
    );
    kill_process(Pid::from_child(&first), Signal::KILL).unwrap();
    let stdin = first.stdin.take();
    first.wait().unwrap();

    scene
        .simulator
        .expire_sessions(sfvault_tests::simulator::USERNAME);
    let next = scene.session(&["--refused-generation", "1"]).await;
    drop(stdin);
    let environment: Vec<String> = said.lines().map(Result::unwrap).collect();
    assert!(
        environment
            .iter()
            .any(|line| line.starts_with("SF_SESSION_ID="))
    );
    let next = next["session_id"].as_str().unwrap();
    assert!(!environment.iter().any(|line| line.contains(next)));
    scene.finish().await;
}

/// A job that ends its output early, as `head` does, kills the command and nothing else.
#[tokio::test]
async fn a_broken_pipe_is_the_command_s_own_affair() {
    let scene = Scene::with_record().await;
    let script = "yes | head -1; kill -PIPE $$";
    let mut command = scene.command(&["exec", "prod", "--", "sh", "-c", script]);
    let ran = command.output().await.unwrap();
    assert_eq!(ran.status.signal(), Some(13));
    assert_eq!(ended(ran).stdout, "y\n");
    scene.finish().await;
}
