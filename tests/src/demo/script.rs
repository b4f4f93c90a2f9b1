//! The steps of the demo.

use std::{
    env, io,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::steps::{Steps, expect};
use crate::{
    binaries::Binaries,
    installation::Installation,
    simulator::{LoginCount, Options, PASSWORD, SECURITY_TOKEN, Simulator, USERNAME},
};

/// How many clients come at once.
const CROWD: usize = 200;
/// The exit status for "a human must act".
const HUMAN: i32 = 6;

/// Shows everything.
///
/// # Errors
/// The first thing that is not as it should be.
pub async fn show() -> io::Result<()> {
    println!(
        "sfvault, shown on a simulated Salesforce. Nothing leaves this machine, nothing stays on it.\n"
    );
    let mut demo = Demo::start().await?;
    demo.a_job_gets_a_session().await?;
    demo.later_calls_cost_no_login().await?;
    demo.a_crowd_shares_one_login().await?;
    demo.a_refused_session_is_replaced_once().await?;
    demo.a_reset_token_is_tried_once().await?;
    demo.the_operator_mends_it_in_one_place().await?;
    demo.end()
}

struct Demo {
    simulator: Simulator,
    sfvault: Installation,
    steps: Steps,
}

impl Demo {
    async fn start() -> io::Result<Self> {
        let mut steps = Steps::new();
        Binaries::build()?;
        steps.done("the real `sfvaultd` and `sfvault` are built")?;
        let simulator = Simulator::start(Options::default()).await;
        let mut sfvault = Installation::new(&simulator)?;
        steps.done(&format!(
            "Salesforce, simulated, serves {} over verified TLS",
            simulator.login_url()
        ))?;
        sfvault.secret_file("passphrase", "correct horse battery staple")?;
        sfvault.start()?;
        let mut demo = Self {
            simulator,
            sfvault,
            steps,
        };
        demo.succeed(&["init", "--passphrase-file", &demo.path("passphrase")])
            .await?;
        demo.steps
            .done("`sfvault init` made a vault, sealed with a passphrase")?;
        demo.sfvault.secret_file("password", PASSWORD)?;
        demo.sfvault.secret_file("token", SECURITY_TOKEN)?;
        let login_url = demo.simulator.login_url();
        let (password, token) = (demo.path("password"), demo.path("token"));
        let add = [
            "add",
            "prod",
            "--username",
            USERNAME,
            "--login-url",
            &login_url,
        ];
        let secrets = ["--password-file", &password, "--token-file", &token];
        demo.succeed(&[&add[..], &secrets[..]].concat()).await?;
        demo.logins_are(0, 0)?;
        demo.steps.done(
            "`sfvault add prod` stored user name, password and security token; nothing was sent",
        )?;
        Ok(demo)
    }

    async fn a_job_gets_a_session(&mut self) -> io::Result<()> {
        let own = env::current_exe()?;
        let job = own
            .to_str()
            .ok_or_else(|| io::Error::other("the path of the demo is not UTF-8"))?;
        let mut command = self.sfvault.sfvault(["exec", "prod", "--", job, "job"]);
        command.env("SFVAULT_DEMO_CA_FILE", self.simulator.ca_file());
        let output = run(command).await?;
        expect(output.status.success(), || {
            format!(
                "the job ended with {}: {}",
                output.status,
                text(&output.stderr)
            )
        })?;
        let rows = text(&output.stdout).lines().count();
        expect(rows > 0, || "the job read no Account rows".to_owned())?;
        self.logins_are(1, 0)?;
        self.steps.done(&format!(
            "`sfvault exec prod -- job` read {rows} Account rows with its session: the first login"
        ))
    }

    async fn later_calls_cost_no_login(&mut self) -> io::Result<()> {
        let session = self.session(&[]).await?;
        expect(session["generation"] == 1, || {
            format!("expected generation 1: {}", session["generation"])
        })?;
        self.logins_are(1, 0)?;
        self.steps
            .done("the second `sfvault get prod` was served from memory: no login")
    }

    async fn a_crowd_shares_one_login(&mut self) -> io::Result<()> {
        self.succeed(&["lock"]).await?;
        self.succeed(&["unlock", "--passphrase-file", &self.path("passphrase")])
            .await?;
        let generation = self.session(&[]).await?["generation"].to_string();
        self.logins_are(1, 0)?;
        self.steps
            .done("`sfvault lock` and `unlock`: the session came back from the vault: no login")?;
        self.simulator.expire_sessions(USERNAME);
        self.crowd(&["get", "prod", "--refused-generation", &generation], 0)
            .await?;
        self.logins_are(2, 0)?;
        self.steps.done(&format!(
            "Salesforce ended the session, {CROWD} clients at once said so: one login"
        ))
    }

    async fn a_refused_session_is_replaced_once(&mut self) -> io::Result<()> {
        let old = self.session(&[]).await?;
        self.simulator.expire_sessions(USERNAME);
        let generation = old["generation"].to_string();
        let new = self.session(&["--refused-generation", &generation]).await?;
        expect(new["session_id"] != old["session_id"], || {
            "the refused session came back".to_owned()
        })?;
        self.logins_are(3, 0)?;
        self.steps
            .done("it ended the next one too, and one job reported it as refused: one new login")
    }

    async fn a_reset_token_is_tried_once(&mut self) -> io::Result<()> {
        let generation = self.session(&[]).await?["generation"].to_string();
        let token = self.simulator.reset_security_token(USERNAME);
        self.sfvault.secret_file("new-token", &token)?;
        self.simulator.expire_sessions(USERNAME);
        self.crowd(&["get", "prod", "--refused-generation", &generation], HUMAN)
            .await?;
        self.logins_are(3, 1)?;
        self.steps.done(&format!(
            "the security token was reset at Salesforce, {CROWD} clients asked: one rejected login, no second try"
        ))?;
        self.sfvault.kill()?;
        self.sfvault.start()?;
        self.succeed(&["unlock", "--passphrase-file", &self.path("passphrase")])
            .await?;
        self.crowd(&["get", "prod"], HUMAN).await?;
        self.logins_are(3, 1)?;
        self.steps.done(&format!("sfvaultd was killed and restarted, {CROWD} clients asked again: still no second attempt"))
    }

    async fn the_operator_mends_it_in_one_place(&mut self) -> io::Result<()> {
        self.succeed(&["set", "prod", "--token-file", &self.path("new-token")])
            .await?;
        self.crowd(&["get", "prod"], 0).await?;
        self.logins_are(4, 1)?;
        self.steps.done(&format!(
            "`sfvault set prod` took the new token, {CROWD} clients asked: one login, all is well"
        ))
    }

    fn end(mut self) -> io::Result<()> {
        let LoginCount {
            accepted,
            rejected,
            total,
        } = self.simulator.logins(USERNAME);
        expect(self.sfvault.stop()?.success(), || {
            "sfvaultd did not end well".to_owned()
        })?;
        let directory = self.sfvault.directory().to_owned();
        drop(self.sfvault);
        expect(!directory.exists(), || {
            format!("{} is left behind", directory.display())
        })?;
        self.simulator.finish().map_err(io::Error::other)?;
        println!("\nSalesforce counted {total} logins: {accepted} accepted, {rejected} rejected.");
        Ok(())
    }

    /// Runs `sfvault`, which must succeed.
    async fn succeed(&self, arguments: &[&str]) -> io::Result<Output> {
        let output = run(self.sfvault.sfvault(arguments)).await?;
        expect(output.status.success(), || {
            format!(
                "`sfvault {}` ended with {}: {}",
                arguments.join(" "),
                output.status,
                text(&output.stderr)
            )
        })?;
        Ok(output)
    }

    async fn session(&self, more: &[&str]) -> io::Result<Value> {
        let output = self
            .succeed(&[&["get", "prod", "--format", "json"], more].concat())
            .await?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Many `sfvault` processes at once; all must end with this status.
    async fn crowd(&self, arguments: &[&str], status: i32) -> io::Result<()> {
        let mut clients = Vec::with_capacity(CROWD);
        for _ in 0..CROWD {
            let mut command = tokio::process::Command::from(self.sfvault.sfvault(arguments));
            clients.push(
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .kill_on_drop(true)
                    .spawn()?,
            );
        }
        for client in clients {
            let output = client.wait_with_output().await?;
            expect(output.status.code() == Some(status), || {
                format!(
                    "a client ended with {}, not {status}: {}",
                    output.status,
                    text(&output.stderr)
                )
            })?;
        }
        Ok(())
    }

    fn logins_are(&self, accepted: u64, rejected: u64) -> io::Result<()> {
        let count = self.simulator.logins(USERNAME);
        expect(
            (count.accepted, count.rejected, count.total)
                == (accepted, rejected, accepted + rejected),
            || {
                format!(
                    "expected {accepted} accepted and {rejected} rejected logins, Salesforce counted {count:?}"
                )
            },
        )
    }

    fn path(&self, name: &str) -> String {
        self.sfvault.path(name).display().to_string()
    }
}

pub(super) async fn run(command: Command) -> io::Result<Output> {
    tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output()
        .await
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
