//! A simulator and an installation that logs in at it: where most tests begin.

use std::process::Output;

use serde_json::Value;
use sfvault::{Places, RecordName, SessionsClient, Watch, WatchRequest};
use sfvault_tests::{
    installation::Installation,
    simulator::{LoginCount, Options, PASSWORD, SECURITY_TOKEN, Simulator, USERNAME},
};

pub(crate) struct Scene {
    pub(crate) simulator: Simulator,
    pub(crate) sfvault: Installation,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    /// A daemon with an unlocked, empty vault.
    pub(crate) async fn empty() -> Self {
        let simulator = Simulator::start(Options::default()).await;
        let sfvault = Installation::new(&simulator).unwrap();
        Self::of(simulator, sfvault, &[]).await
    }

    /// The same with this configuration under `[salesforce]` and these variables in the daemon's environment.
    pub(crate) async fn configured(
        simulator: Simulator,
        salesforce: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let sfvault = Installation::without_config().unwrap();
        let vault = "[vault]\nkdf_memory_mib = 8\nkdf_iterations = 1\n";
        sfvault
            .configure(&format!("[salesforce]\n{salesforce}\n{vault}"))
            .unwrap();
        Self::of(simulator, sfvault, variables).await
    }

    pub(crate) async fn of(
        simulator: Simulator,
        mut sfvault: Installation,
        variables: &[(&str, &str)],
    ) -> Self {
        sfvault.start_in(variables).unwrap();
        Self::around(simulator, sfvault).await
    }

    /// The same with a daemon that runs already.
    pub(crate) async fn around(simulator: Simulator, sfvault: Installation) -> Self {
        sfvault.secret_file("passphrase", "correct horse").unwrap();
        sfvault.secret_file("password", PASSWORD).unwrap();
        sfvault.secret_file("token", SECURITY_TOKEN).unwrap();
        let scene = Self { simulator, sfvault };
        scene
            .ok(&["init", "--passphrase-file", "@passphrase"])
            .await;
        scene
    }

    /// The same with the record `prod`, which nobody has used yet.
    pub(crate) async fn with_record() -> Self {
        let scene = Self::empty().await;
        scene.add("prod").await;
        scene
    }

    pub(crate) async fn add(&self, name: &str) {
        self.add_at(name, &["--login-url", &self.simulator.login_url()])
            .await;
    }

    /// Adds a record that logs in there: `--production`, or `--login-url` and a URL.
    pub(crate) async fn add_at(&self, name: &str, place: &[&str]) {
        let base = [&["add", name, "--username", USERNAME], place].concat();
        self.ok(&[
            &base[..],
            &["--password-file", "@password", "--token-file", "@token"],
        ]
        .concat())
            .await;
    }

    /// Runs `sfvault`; an argument `@name` becomes the path of that file of the installation.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).output().await.unwrap())
    }

    /// Runs `sfvault`, which must succeed, and returns its stdout.
    pub(crate) async fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(
            ended.status,
            0,
            "`sfvault {}`: {}",
            arguments.join(" "),
            ended.stderr
        );
        ended.stdout
    }

    /// Runs `sfvault --json`, which must fail, and returns its status and its error object.
    pub(crate) async fn fails(&self, arguments: &[&str]) -> (i32, Value) {
        let ended = self.run(&[arguments, &["--json"]].concat()).await;
        assert_ne!(
            ended.status,
            0,
            "`sfvault {}` succeeded: {}",
            arguments.join(" "),
            ended.stdout
        );
        let error: Value = serde_json::from_str(ended.stderr.trim())
            .unwrap_or_else(|_| panic!("{}", ended.stderr));
        (ended.status, error["error"].clone())
    }

    /// The session of `prod` is this one, if proved anew since and so good for longer.
    pub(crate) async fn assert_session_is(&self, before: &Value) {
        let now = self.session(&[]).await;
        for key in ["session_id", "generation", "instance_url", "user_id"] {
            assert_eq!(now[key], before[key], "{key}");
        }
    }

    /// `sfvault get prod` as JSON, with more options.
    pub(crate) async fn session(&self, more: &[&str]) -> Value {
        let output = self
            .ok(&[&["get", "prod", "--format", "json"], more].concat())
            .await;
        serde_json::from_str(&output).unwrap()
    }

    /// A stream of the news of `prod`, with its sessions.
    pub(crate) async fn watch(&self) -> Watch {
        let places = Places::at(&self.sfvault.path("run"));
        let client = SessionsClient::connect(&places).await.unwrap();
        client.watch(&watching("prod")).await.unwrap()
    }

    /// Until so many calls and streams wait for something.
    pub(crate) async fn await_waiting(&self, calls: u64) {
        loop {
            let peers = self.ok(&["status", "--peers", "--json"]).await;
            let peers: Value = serde_json::from_str(&peers).unwrap();
            let peers = peers["peers"].as_array().unwrap();
            let waiting = peers.iter().filter_map(|peer| peer["waiting"].as_u64());
            if waiting.sum::<u64>() >= calls {
                return;
            }
        }
    }

    pub(crate) async fn unlock(&self) {
        self.ok(&["unlock", "--passphrase-file", "@passphrase"])
            .await;
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let arguments = arguments
            .iter()
            .map(|argument| match argument.strip_prefix('@') {
                Some(name) => self.sfvault.path(name).display().to_string(),
                None => (*argument).to_owned(),
            });
        let mut command = tokio::process::Command::from(self.sfvault.sfvault(arguments));
        command.kill_on_drop(true);
        command
    }

    pub(crate) fn logins(&self) -> LoginCount {
        self.simulator.logins(USERNAME)
    }

    #[track_caller]
    pub(crate) fn assert_logins(&self, accepted: u64, rejected: u64) {
        let expected = LoginCount {
            accepted,
            rejected,
            total: accepted + rejected,
        };
        assert_eq!(self.logins(), expected);
    }

    /// Ends the daemon well and looks at what the simulator did not expect.
    pub(crate) async fn finish(self) {
        let Self {
            simulator,
            mut sfvault,
        } = self;
        // Not on this thread: clients of this test must hear that the daemon says goodbye.
        let stopping =
            tokio::task::spawn_blocking(move || (sfvault.stop().unwrap(), sfvault.daemon_log()));
        let (status, log) = stopping.await.unwrap();
        assert!(status.success(), "{log}");
        simulator.finish().unwrap();
    }
}

/// Asks for all news of a record, with its sessions.
pub(crate) fn watching(record: &str) -> WatchRequest {
    WatchRequest {
        record: RecordName::parse(record).unwrap(),
        include_session: true,
        min_ttl: None,
        expect_org: None,
        expect_environment: None,
    }
}

pub(crate) fn ended(output: Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
