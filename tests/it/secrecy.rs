//! No secret leaves by a side door.

use std::{fs, path::Path};

use sfvault_tests::{
    installation::Installation,
    simulator::{Answer, Options, Place, SECURITY_TOKEN, Simulator, USERNAME, User},
};

use crate::scene::Scene;

/// A password with nothing in it that XML or a shell would change, so that it is found in any form.
const PASSWORD: &str = "CANARYpassword4711";
const PASSPHRASE: &str = "CANARYpassphrase4711";

/// T43. Every path that a secret takes, the failing ones included, with the daemon as talkative as it can be.
#[tokio::test]
async fn no_secret_is_in_logs_messages_files_or_arguments() {
    let simulator = Simulator::start(Options {
        users: vec![User::new(USERNAME, PASSWORD, SECURITY_TOKEN)],
        ..Options::default()
    })
    .await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    for (name, text) in [
        ("passphrase", PASSPHRASE),
        ("wrong", "CANARYwrong4711"),
        ("password", PASSWORD),
        ("token", SECURITY_TOKEN),
    ] {
        sfvault.secret_file(name, text).unwrap();
    }
    sfvault.start_in(&[("RUST_LOG", "trace")]).unwrap();
    let scene = Scene { simulator, sfvault };
    let mut said = String::new();
    let mut note = |ended: crate::scene::Ended| {
        said.push_str(&ended.stdout);
        said.push_str(&ended.stderr);
    };
    note(
        scene
            .run(&["init", "--passphrase-file", "@passphrase"])
            .await,
    );
    note(
        scene
            .run(&["init", "--passphrase-file", "@passphrase"])
            .await,
    );
    note(scene.run(&["lock"]).await);
    note(scene.run(&["unlock", "--passphrase-file", "@wrong"]).await);
    note(
        scene
            .run(&["unlock", "--passphrase-file", "@passphrase"])
            .await,
    );
    scene.add("prod").await;
    for answer in [
        Answer::EchoedPassword,
        Answer::Truncated,
        Answer::TwoSessionIds,
        Answer::LoginPage,
    ] {
        scene.simulator.script(Place::Login, [answer]);
        note(scene.run(&["check", "prod", "--release"]).await);
        note(scene.run(&["get", "prod"]).await);
        note(scene.run(&["show", "prod"]).await);
    }
    note(scene.run(&["check", "prod", "--release"]).await);
    let session = scene.session(&[]).await;
    let generation = session["generation"].to_string();
    let session = session["session_id"].as_str().unwrap().to_owned();
    note(
        scene
            .run(&["get", "prod", "--refused-generation", &generation])
            .await,
    );
    note(
        scene
            .run(&["exec", "prod", "--", "cat", "/proc/self/cmdline"])
            .await,
    );
    note(scene.run(&["set", "prod", "--token-file", "@wrong"]).await);
    note(scene.run(&["status"]).await);
    note(scene.run(&["list", "--json"]).await);

    let pid = scene.sfvault.pid().unwrap();
    let log = scene.sfvault.daemon_log();
    assert!(
        log.contains("TRACE"),
        "the daemon is not as talkative as it can be"
    );
    let mut places = vec![("what commands said", said), ("the daemon's log", log)];
    for name in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        places.push((name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    for directory in ["data", "run", "config"] {
        places.push((directory, everything_in(&scene.sfvault.path(directory))));
    }
    let secrets = [
        PASSWORD,
        PASSPHRASE,
        "CANARYwrong4711",
        SECURITY_TOKEN,
        &session,
        session.split_once('!').unwrap().1,
    ];
    for (place, text) in &places {
        for secret in secrets {
            assert!(
                !text.contains(secret),
                "{place}: holds a secret ({} characters)",
                secret.len()
            );
            // A fragment is as good as the whole to whoever guesses the rest.
            assert!(
                !text.contains(&secret[secret.len() - 8..]),
                "{place}: holds part of a secret"
            );
        }
    }
    scene.finish().await;
}

fn everything_in(directory: &Path) -> String {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    files
        .map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())
        .collect()
}
