//! No secret leaves by a side door.

use std::{collections::BTreeSet, fs, path::Path};

use rustix::process::geteuid;
use sfvault::{AdminClient, Places, RecordName, SessionsClient};
use sfvault_tests::{
    installation::Installation,
    simulator::{
        Answer, CONSUMER_KEY, CONSUMER_SECRET, Options, PermittedUsers, Place, SECURITY_TOKEN,
        Simulator, USERNAME, User,
    },
};

use crate::{
    browser, leaks,
    migrate::to_app,
    raw,
    scene::{Scene, watching},
    skipped::skip,
};

/// A password with nothing in it that XML or a shell would change, so that it is found in any form.
const PASSWORD: &str = "CANARYpassword4711";
const PASSPHRASE: &str = "CANARYpassphrase4711";
const WRONG: &str = "CANARYwrong4711";

/// T43. Every path that a secret takes, the failing ones included, with the daemon as talkative as it can be.
#[tokio::test]
async fn no_secret_is_in_logs_messages_files_or_arguments() {
    let scene = talkative().await;
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

    let session = session["session_id"].as_str().unwrap();
    let mut told = Told {
        said,
        ..Told::default()
    };
    told.keeps(&[PASSWORD, PASSPHRASE, WRONG, SECURITY_TOKEN, session]);
    told.assert_no_secret(&scene);
    scene.finish().await;
}

/// T43. Each call of the services, with the daemon as talkative as it can be; where a call can fail with a secret in its
/// hands, it does so as well.
#[tokio::test]
async fn no_call_tells_a_secret() {
    let scene = talkative().await;
    let mut told = Told::default();
    told.keeps(&[PASSPHRASE, WRONG, PASSWORD, SECURITY_TOKEN, CONSUMER_SECRET]);
    told.of_control(&scene).await;
    let places = Places::at(&scene.sfvault.path("run"));
    let admin = AdminClient::connect(&places).await.unwrap();
    admin.peers().await.unwrap();
    told.calls(&["Control/GetPeers"]);
    scene.add("prod").await;
    told.calls(&["Records/AddRecord"]);
    told.of_sessions(&scene, &places).await;
    told.of_records(&scene).await;
    told.of_migration(&scene).await;
    told.of_rotation(&scene, &admin).await;
    told.of_browser_login(&scene, &admin).await;
    told.of_the_end(&scene).await;
    told.assert_no_secret(&scene);
    assert_eq!(told.called, every_call());
    scene.finish().await;
}

/// What was said, and what may not have been.
#[derive(Default)]
struct Told {
    said: String,
    secrets: Vec<String>,
    called: BTreeSet<String>,
}

impl Told {
    fn keeps(&mut self, secrets: &[&str]) {
        self.secrets
            .extend(secrets.iter().map(|&secret| secret.to_owned()));
    }

    fn calls(&mut self, calls: &[&str]) {
        let path = |call: &&str| format!("/sfvault.v1.{call}");
        self.called.extend(calls.iter().map(path));
    }

    /// Runs a command that makes these calls, and hears what it says.
    async fn hear(&mut self, scene: &Scene, calls: &[&str], arguments: &[&str]) -> i32 {
        self.calls(calls);
        let ended = scene.run(arguments).await;
        self.said.push_str(&ended.stdout);
        self.said.push_str(&ended.stderr);
        ended.status
    }

    /// The same with one that must succeed.
    async fn hear_done(&mut self, scene: &Scene, calls: &[&str], arguments: &[&str]) {
        let before = self.said.len();
        let status = self.hear(scene, calls, arguments).await;
        assert_eq!(status, 0, "{arguments:?}: {}", &self.said[before..]);
    }

    async fn of_control(&mut self, scene: &Scene) {
        let (wrong, right) = (
            ["unlock", "--passphrase-file", "@wrong"],
            ["unlock", "--passphrase-file", "@passphrase"],
        );
        let init = ["init", "--passphrase-file", "@passphrase"];
        self.hear_done(scene, &["Control/InitializeVault"], &init)
            .await;
        self.hear_done(scene, &["Control/LockVault"], &["lock"])
            .await;
        assert_eq!(self.hear(scene, &["Control/UnlockVault"], &wrong).await, 6);
        self.hear_done(scene, &[], &right).await;
        self.hear_done(scene, &["Control/GetStatus"], &["status"])
            .await;
    }

    async fn of_sessions(&mut self, scene: &Scene, places: &Places) {
        let client = SessionsClient::connect(places).await.unwrap();
        let mut watch = client.watch(&watching("prod")).await.unwrap();
        let session = loop {
            if let Some(session) = watch.next().await.unwrap().session {
                break session;
            }
        };
        // EXPOSE: to this test.
        self.keeps(&[session.session_id.expose()]);
        let refused = match client.watch(&watching("nobody")).await {
            Ok(mut watch) => watch.next().await.map(drop),
            Err(error) => Err(error),
        };
        let error = refused.unwrap_err();
        self.said.push_str(&format!("{error} {error:?}"));
        self.calls(&["Sessions/WatchSession"]);
        scene.session(&[]).await;
        self.calls(&["Sessions/GetSession"]);
        self.hear_done(scene, &["Sessions/ListRecords"], &["list", "--json"])
            .await;
    }

    async fn of_records(&mut self, scene: &Scene) {
        let pid = std::process::id().to_string();
        for (call, arguments) in [
            ("Records/DescribeRecord", &["show", "prod", "--json"][..]),
            ("Records/CheckRecord", &["check", "prod", "--release"]),
            (
                "Records/SetCredential",
                &["set", "prod", "--token-file", "@wrong"],
            ),
            (
                "Records/SetCredential",
                &["set", "prod", "--token-file", "@token"],
            ),
            ("Records/AllowPeer", &["allow", "prod", "--uid", "4711"]),
            ("Records/GetAccess", &["access", "prod"]),
            ("Records/DenyPeer", &["deny", "prod", "--uid", "4711"]),
        ] {
            self.hear_done(scene, &[call], arguments).await;
        }
        self.hear(
            scene,
            &["Records/ExplainAccess"],
            &["explain", "prod", "--pid", &pid],
        )
        .await;
        let daemon = ["Doctor/ExamineDaemon", "Doctor/ExamineRecord"];
        self.hear(scene, &daemon, &["doctor", "prod", "--login"])
            .await;
    }

    async fn of_migration(&mut self, scene: &Scene) {
        let url = scene.simulator.instance_url();
        let migrate = to_app(&url);
        scene.session(&[]).await;
        scene
            .simulator
            .script(Place::Instance, [Answer::EchoedPassword]);
        let calls = ["Records/MigrateRecord"];
        self.hear(scene, &calls, &[&migrate[..], &["--dry-run"]].concat())
            .await;
        self.hear_done(scene, &calls, &migrate).await;
        scene.session(&[]).await;
        self.secrets.extend(scene.simulator.sessions(USERNAME));
        let back = ["migrate", "prod", "--back"];
        self.hear_done(scene, &["Records/RestoreLogin"], &back)
            .await;
        let forget = ["migrate", "prod", "--forget-old"];
        self.hear_done(scene, &["Records/ForgetOldLogin"], &forget)
            .await;
    }

    async fn of_rotation(&mut self, scene: &Scene, admin: &AdminClient) {
        let calls = ["Records/RotateCredential"];
        scene.session(&[]).await;
        let wrong = ["rotate", "prod", "--token-file", "@wrong"];
        assert_ne!(self.hear(scene, &calls, &wrong).await, 0);
        self.hear_done(scene, &calls, &["rotate", "prod", "--generate"])
            .await;
        let name = RecordName::parse("prod").unwrap();
        let (password, _) = admin.reveal_generated_password(&name).await.unwrap();
        self.calls(&["Records/RevealGeneratedPassword"]);
        // EXPOSE: to this test.
        self.keeps(&[password.expose()]);
        let mails = scene.simulator.mail(USERNAME);
        let token = mails.last().unwrap().security_token().unwrap();
        self.keeps(&[token]);
        scene.sfvault.secret_file("mailed", token).unwrap();
        let mailed = ["rotate", "prod", "--token-file", "@mailed"];
        self.hear_done(scene, &calls, &mailed).await;
        self.secrets.extend(scene.simulator.sessions(USERNAME));
    }

    async fn of_browser_login(&mut self, scene: &Scene, admin: &AdminClient) {
        scene.simulator.app(CONSUMER_KEY, |app| {
            app.rotates = true;
            app.pkce_required = true;
            app.callbacks = vec![browser::REDIRECT_URI.to_owned()];
            app.permitted_users = PermittedUsers::SelfAuthorized;
        });
        for changed in [true, false] {
            let login = browser::login("me", &scene.simulator);
            let begun = admin.begin_login(login).await.unwrap();
            let location = browser::sent_to(&scene.simulator, &begun.authorize_url).await;
            let mut callback = browser::brought(begun.login_id, &location);
            self.keeps(&[&callback.code, &callback.state]);
            if changed {
                callback.state.push_str("CANARY");
            }
            let finished = admin.finish_login(callback).await;
            assert_eq!(finished.is_err(), changed, "{finished:?}");
            self.said.push_str(&format!("{finished:?}"));
        }
        self.calls(&["Records/BeginLogin", "Records/FinishLogin"]);
        let tokens = || scene.simulator.refresh_tokens(USERNAME, CONSUMER_KEY);
        self.secrets.extend(tokens());
        self.hear_done(scene, &[], &["check", "me"]).await;
        self.secrets.extend(tokens());
        self.secrets.extend(scene.simulator.sessions(USERNAME));
    }

    /// The end of sessions and records, and what the audit knows of them.
    async fn of_the_end(&mut self, scene: &Scene) {
        let session = scene.session(&[]).await;
        let session = session["session_id"].as_str().unwrap();
        self.keeps(&[session]);
        scene.sfvault.secret_file("session", session).unwrap();
        for (calls, arguments) in [
            (
                &["Records/ListHolders", "Records/EndSession"][..],
                &["logout", "prod", "--yes"][..],
            ),
            (&["Audit/ReadAudit"], &["log", "--json"]),
            (&[], &["log", "--session-file", "@session"]),
            (&["Audit/VerifyAudit"], &["log", "verify"]),
            (&["Audit/GetUsage"], &["usage", "prod"]),
            (&["Records/RemoveRecord"], &["remove", "me", "--yes"]),
        ] {
            self.hear_done(scene, calls, arguments).await;
        }
    }

    /// In what commands and the daemon said, in its files, its arguments and its environment.
    fn assert_no_secret(&self, scene: &Scene) {
        let pid = scene.sfvault.pid().unwrap();
        let log = scene.sfvault.daemon_log();
        assert!(
            log.contains("TRACE"),
            "the daemon is not as talkative as it can be"
        );
        let of_process = |name| fs::read(format!("/proc/{pid}/{name}"));
        let mut places = vec![
            ("what commands said", self.said.clone()),
            ("the daemon's log", log),
            ("its arguments", lossy(&of_process("cmdline").unwrap())),
        ];
        match of_process("environ") {
            Ok(environment) => {
                let environment = lossy(&environment);
                assert!(environment.contains("RUST_LOG=trace"), "another process");
                places.push(("its environment", environment));
            }
            // It can't be traced, so the kernel shows its environment to root only.
            Err(error) if !geteuid().is_root() => {
                skip(&format!(
                    "only root can read the environment of the daemon: {error}"
                ));
            }
            Err(error) => panic!("{error}"),
        }
        for directory in ["data", "run", "config"] {
            places.push((directory, everything_in(&scene.sfvault.path(directory))));
        }
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        for (place, text) in &places {
            leaks::assert_none(place, text, &secrets);
        }
    }
}

fn every_call() -> BTreeSet<String> {
    let methods = raw::methods().into_iter();
    methods
        .filter(|path| path.starts_with("/sfvault.v1."))
        .collect()
}

/// A daemon without a vault yet, and files with all secrets.
async fn talkative() -> Scene {
    let simulator = Simulator::start(Options {
        users: vec![User::new(USERNAME, PASSWORD, SECURITY_TOKEN)],
        ..Options::default()
    })
    .await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    for (name, text) in [
        ("passphrase", PASSPHRASE),
        ("wrong", WRONG),
        ("password", PASSWORD),
        ("token", SECURITY_TOKEN),
        ("consumer-secret", CONSUMER_SECRET),
    ] {
        sfvault.secret_file(name, text).unwrap();
    }
    sfvault.start_in(&[("RUST_LOG", "trace")]).unwrap();
    Scene { simulator, sfvault }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn everything_in(directory: &Path) -> String {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    files.map(|path| lossy(&fs::read(path).unwrap())).collect()
}
