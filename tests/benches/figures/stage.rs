//! What is measured: a simulator, and the real daemon with an unlocked vault and a session in memory.

use std::{io, path::PathBuf, process::Stdio, time::Duration};

use sfvault_tests::{
    installation::Installation,
    simulator::{Options, PASSWORD, SECURITY_TOKEN, Simulator, USERNAME},
};
use tonic::transport::{Channel, Endpoint};

pub(crate) type Failed = Box<dyn std::error::Error>;

/// The record that has a session.
pub(crate) const RECORD: &str = "prod";

pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) sfvault: Installation,
    pub(crate) pid: u32,
}

impl Stage {
    /// A daemon with an empty, unlocked vault.
    pub(crate) async fn empty() -> Result<Self, Failed> {
        let simulator = Simulator::start(Options::default()).await;
        let mut sfvault = Installation::new(&simulator)?;
        sfvault.secret_file("passphrase", "correct horse")?;
        sfvault.secret_file("password", PASSWORD)?;
        sfvault.secret_file("token", SECURITY_TOKEN)?;
        sfvault.start()?;
        let pid = sfvault.pid().ok_or("the daemon has no process id")?;
        let stage = Self {
            simulator,
            sfvault,
            pid,
        };
        stage
            .run(&["init", "--passphrase-file", "@passphrase"])
            .await?;
        Ok(stage)
    }

    /// The same with so many records, the first of which has a session.
    pub(crate) async fn with_records(count: usize) -> Result<Self, Failed> {
        let stage = Self::empty().await?;
        stage.add(RECORD).await?;
        for number in 1..count {
            stage.add(&format!("record-{number}")).await?;
        }
        stage.run(&["get", RECORD]).await?;
        Ok(stage)
    }

    pub(crate) async fn add(&self, name: &str) -> Result<(), Failed> {
        let url = self.simulator.login_url();
        let base = ["add", name, "--username", USERNAME, "--login-url", &url];
        let secrets = ["--password-file", "@password", "--token-file", "@token"];
        self.run(&[&base[..], &secrets].concat()).await
    }

    /// Runs `sfvault`, which must succeed; `@name` is a file of the installation.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<(), Failed> {
        let named = arguments
            .iter()
            .map(|argument| match argument.strip_prefix('@') {
                Some(name) => self.sfvault.path(name).display().to_string(),
                None => (*argument).to_owned(),
            });
        let mut command = tokio::process::Command::from(self.sfvault.sfvault(named));
        let ended = command.stdout(Stdio::null()).output().await?;
        if ended.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        Err(format!("`sfvault {}`: {said}", arguments.join(" ")).into())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.sfvault.path("run").join("sfvault.sock")
    }
}

/// A connection as any gRPC client makes one. While the queue of the socket is full it tries again, as a client must.
pub(crate) async fn channel(socket: &std::path::Path) -> Result<Channel, Failed> {
    let endpoint = Endpoint::try_from(format!("unix:{}", socket.display()))?;
    let mut attempts = 0;
    loop {
        match endpoint.connect().await {
            Ok(channel) => return Ok(channel),
            Err(error) if attempts == 500 => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        attempts += 1;
    }
}

pub(crate) fn failed(what: &str) -> Failed {
    io::Error::other(what.to_owned()).into()
}
