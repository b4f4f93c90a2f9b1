//! `sfvault exec --refresh-file`.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sfvault_tests::simulator::USERNAME;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::{scene::Scene, start::soon};

/// What is in the file, which only its owner can read.
fn read(path: &std::path::Path) -> Value {
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_refresh_file_has_the_session_of_the_moment_and_goes_with_the_job() {
    let scene = Scene::with_record().await;
    let path = scene.sfvault.path("session.json");
    // As a job that was killed leaves it.
    fs::write(&path, r#"{"session_id":"old","generation":1}"#).unwrap();
    let script = "echo \"$SF_SESSION_FILE\"; trap 'exit 7' TERM; read go; echo again; while :; do read more; done";
    let file = path.to_str().unwrap().to_owned();
    let mut command = scene.command(&[
        "exec",
        "prod",
        "--refresh-file",
        &file,
        "--",
        "sh",
        "-c",
        script,
    ]);
    let mut job = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(job.stdout.take().unwrap()).lines();
    assert_eq!(said.next_line().await.unwrap(), Some(file));
    let first = read(&path);
    assert_eq!(first, scene.session(&[]).await);
    scene.simulator.expire_sessions(USERNAME);
    let second = scene.session(&["--refused-generation", "1"]).await;
    let written = async {
        while read(&path) != second {
            tokio::task::yield_now().await;
        }
    };
    soon("written", written).await;
    let mut stdin = job.stdin.take().unwrap();
    stdin.write_all(b"go\n").await.unwrap();
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some("again"));
    let pid = Pid::from_raw(i32::try_from(job.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    stdin.write_all(b"\n").await.unwrap();
    assert_eq!(job.wait().await.unwrap().code(), Some(7));
    assert!(!path.exists());
    for (script, status) in [
        ("exit 0", 0),
        ("exit 75", 75),
        ("exit 255", 255),
        ("kill -9 $$", 137),
    ] {
        let file = path.to_str().unwrap();
        let ran = scene
            .run(&[
                "exec",
                "prod",
                "--refresh-file",
                file,
                "--",
                "sh",
                "-c",
                script,
            ])
            .await;
        assert_eq!((ran.status, ran.stderr.as_str()), (status, ""), "{script}");
        assert!(!path.exists());
    }
    scene.assert_logins(2, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_refresh_file_is_put_only_where_nobody_else_can_put_one() {
    let scene = Scene::with_record().await;
    let open = scene.sfvault.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let (open, directory) = (open.join("session.json"), scene.sfvault.path("run"));
    for path in [
        open.to_str().unwrap(),
        directory.to_str().unwrap(),
        "/nowhere/at/all",
    ] {
        let (status, error) = scene
            .fails(&[
                "exec",
                "prod",
                "--refresh-file",
                path,
                "--json",
                "--",
                "true",
            ])
            .await;
        assert_eq!(
            (status, error["reason"].as_str()),
            (2, Some("USAGE")),
            "{path}"
        );
    }
    scene.assert_logins(0, 0);
    scene.finish().await;
}
