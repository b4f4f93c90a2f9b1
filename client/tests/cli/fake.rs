//! A daemon that answers by the record's name, and the program run against it.

mod audit;
mod control;
mod record;
mod records;
mod sessions;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use prost_types::Timestamp;
use sfvault_proto::v1::{
    self, audit_server::AuditServer, control_server::ControlServer, records_server::RecordsServer,
    sessions_server::SessionsServer,
};
use tempfile::TempDir;
use tokio::{net::UnixListener, sync::oneshot};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Code, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The session id of every record.
pub(crate) const SESSION: &str = "00Dxx0000000001!AQ.canary_session";
pub(crate) const CONSUMER_KEY: &str = "3MVG9.key";
pub(crate) const INSTANCE: &str = "https://acme.my.salesforce.com";

/// What the daemon was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) session: Option<v1::GetSessionRequest>,
    pub(crate) passphrase: Option<Vec<u8>>,
    pub(crate) add: Option<v1::AddRecordRequest>,
    pub(crate) set: Option<v1::SetCredentialRequest>,
    pub(crate) rotate: Option<v1::RotateCredentialRequest>,
    pub(crate) removed: Option<String>,
    pub(crate) ended: Option<String>,
    pub(crate) check: Option<v1::CheckRecordRequest>,
    pub(crate) audit: Option<v1::ReadAuditRequest>,
}

/// A daemon in this process, and its directories.
pub(crate) struct Fake {
    home: TempDir,
    asked: Arc<Mutex<Asked>>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<thread::JoinHandle<()>>,
}

impl Fake {
    /// Listens when this returns.
    pub(crate) fn start() -> Self {
        Self::listening("sfvault.sock", "admin.sock")
    }

    /// Listens on sockets of other names, for a test to move into place.
    pub(crate) fn listening(sessions: &str, admin: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let asked = Arc::new(Mutex::new(Asked::default()));
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let paths = [home.path().join(sessions), home.path().join(admin)];
        let daemon = Daemon(Arc::clone(&asked));
        let server = thread::spawn(move || serve(paths, daemon, stopped, &ready));
        started.recv().unwrap();
        Self {
            home,
            asked,
            stop: Some(stop),
            server: Some(server),
        }
    }

    /// Ends the daemon; its sockets stay, as if it had been killed.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn asked(&self) -> Asked {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// `sfvault` with these arguments, for this daemon, with an environment of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(self.dir(), arguments)
    }

    /// A shell with this script, whose `"$0"` is `zero` and whose `"$@"` is `sfvault` with these arguments.
    pub(crate) fn shell(&self, script: &str, zero: &str, arguments: &[&str]) -> Command {
        let model = self.command(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", script, zero]).arg(model.get_program());
        command.args(arguments).env_clear().stdin(Stdio::null());
        for (key, value) in model.get_envs() {
            command.env(key, value.unwrap());
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs with a file on stdin.
    pub(crate) fn run_with_stdin(&self, arguments: &[&str], stdin: &str) -> Ran {
        let file = self.file("stdin", stdin);
        let file = std::fs::File::open(file).unwrap();
        Ran::of(self.command(arguments).stdin(file).output().unwrap())
    }

    /// A private file with this content.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `sfvault` for the daemon of this directory; it starts none.
pub(crate) fn command(runtime: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sfvault"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("SFVAULT_RUNTIME_DIR", runtime)
        .env("SFVAULT_DATA_DIR", runtime)
        .env("SFVAULT_CONFIG_DIR", runtime)
        .env("SFVAULT_NO_AUTOSTART", "1")
        .stdin(Stdio::null());
    command
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// stdout as JSON, after the run went well.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The keys of stdout's JSON object.
    pub(crate) fn keys(&self) -> Vec<String> {
        keys(&self.json())
    }
}

pub(crate) fn keys(value: &serde_json::Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

pub(crate) fn refusal(reason: &str, retry_after: Option<Duration>) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, v1::ERROR_DOMAIN, [(String::new(), String::new())]);
    if retry_after.is_some() {
        details.set_retry_info(retry_after);
    }
    Status::with_error_details(Code::FailedPrecondition, format!("said {reason}"), details)
}

fn serve(
    [sessions, admin]: [PathBuf; 2],
    daemon: Daemon,
    stopped: oneshot::Receiver<()>,
    ready: &mpsc::Sender<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let for_jobs = UnixListenerStream::new(UnixListener::bind(sessions).unwrap());
        let for_admins = UnixListenerStream::new(UnixListener::bind(admin).unwrap());
        ready.send(()).unwrap();
        let jobs = Server::builder()
            .add_service(SessionsServer::new(daemon.clone()))
            .serve_with_incoming(for_jobs);
        let admins = Server::builder()
            .add_service(RecordsServer::new(daemon.clone()))
            .add_service(AuditServer::new(daemon.clone()))
            .add_service(ControlServer::new(daemon))
            .serve_with_incoming(for_admins);
        tokio::select! {
            _ = jobs => {}
            _ = admins => {}
            _ = stopped => {}
        }
    });
}

#[derive(Clone)]
struct Daemon(Arc<Mutex<Asked>>);

impl Daemon {
    fn note(&self, note: impl FnOnce(&mut Asked)) {
        note(&mut self.0.lock().unwrap());
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the messages want it")]
fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}
