//! What is measured: a simulator, and the real daemon with an unlocked vault and a session in memory.

use std::{fs, io, path::PathBuf, process::Stdio, sync::OnceLock, time::Duration};

use sfvault_proto::v1::{
    AddRecordRequest, SoapLoginCredential, add_record_request::Credential,
    records_client::RecordsClient,
};
use sfvault_tests::{
    installation::Installation,
    simulator::{Options, PASSWORD, SECURITY_TOKEN, Simulator, USERNAME},
};
use tokio::runtime::{Builder, Runtime};
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
        Self::allowing(None).await
    }

    /// The same, and one more host may be logged in at.
    pub(crate) async fn allowing(url: Option<&str>) -> Result<Self, Failed> {
        let started = apart()?.spawn(Simulator::start(Options::default()));
        let simulator = started.await?;
        let mut sfvault = Installation::new(&simulator)?;
        if let Some(url) = url {
            let config = fs::read_to_string(sfvault.path("config/config.toml"))?;
            let more = format!("allowed_hosts = [{url:?}, ");
            sfvault.configure(&config.replace("allowed_hosts = [", &more))?;
        }
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
        self.add_at(name, USERNAME, &self.simulator.login_url())
            .await
    }

    /// Adds a record of this user that logs in there.
    pub(crate) async fn add_at(&self, name: &str, user: &str, url: &str) -> Result<(), Failed> {
        let base = ["add", name, "--username", user, "--login-url", url];
        let secrets = ["--password-file", "@password", "--token-file", "@token"];
        self.run(&[&base[..], &secrets].concat()).await
    }

    /// Adds records of this user, faster.
    pub(crate) async fn add_all(
        &self,
        user: &str,
        names: impl Iterator<Item = String>,
    ) -> Result<(), Failed> {
        let mut records = RecordsClient::new(channel(&self.admin_socket()).await?);
        for name in names {
            let secrets = SoapLoginCredential {
                password: PASSWORD.to_owned(),
                security_token: SECURITY_TOKEN.to_owned(),
            };
            let record = AddRecordRequest {
                name,
                username: user.to_owned(),
                login_url: self.simulator.login_url(),
                credential: Some(Credential::SoapLogin(secrets)),
                ..AddRecordRequest::default()
            };
            records.add_record(record).await?;
        }
        Ok(())
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

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.sfvault.path("run").join("admin.sock")
    }
}

/// Where simulators run: what they compute must not delay the clients whose calls are timed.
fn apart() -> Result<&'static Runtime, Failed> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let build = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
    };
    let built = RUNTIME.get_or_init(build).as_ref();
    built.map_err(|error| failed(&error.to_string()))
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
