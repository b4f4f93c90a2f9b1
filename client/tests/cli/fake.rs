//! A daemon that answers by the record's name, and the program run against it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use prost_types::Timestamp;
use sfvault_proto::v1::{
    self,
    audit_server::{Audit, AuditServer},
    control_server::{Control, ControlServer},
    records_server::{Records, RecordsServer},
    sessions_server::{Sessions, SessionsServer},
};
use tempfile::TempDir;
use tokio::{net::UnixListener, sync::oneshot};
use tokio_stream::{StreamExt as _, wrappers::UnixListenerStream};
use tonic::{Code, Request, Response, Status, transport::Server};
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

/// The record, or the refusal that its name asks for: `reason.VAULT_LOCKED`, `wait.RATE_LIMITED`.
fn record(name: &str) -> Result<v1::RecordStatus, Status> {
    if let Some(reason) = name.strip_prefix("reason.") {
        return Err(refusal(reason, None));
    }
    if let Some(reason) = name.strip_prefix("wait.") {
        return Err(refusal(reason, Some(Duration::from_millis(60_500))));
    }
    if name == "bare" {
        return Err(Status::unavailable("from elsewhere"));
    }
    // `flow.jwt-bearer` is a record of that flow.
    let flow = match name.strip_prefix("flow.") {
        Some("username-password") => v1::Flow::UsernamePassword,
        Some("client-credentials") => v1::Flow::ClientCredentials,
        Some("jwt-bearer") => v1::Flow::JwtBearer,
        Some("refresh-token") => v1::Flow::RefreshToken,
        Some("newer") => v1::Flow::Unspecified,
        Some(_) | None => v1::Flow::SoapLogin,
    };
    let has_app = flow != v1::Flow::SoapLogin;
    Ok(v1::RecordStatus {
        consumer_key: if has_app { CONSUMER_KEY } else { "" }.to_owned(),
        remind_after: name.starts_with("due").then_some(prost_types::Duration {
            seconds: 90 * 86_400,
            nanos: 0,
        }),
        credential_changed_at: at(1_700_000_000),
        retirements: if name.starts_with("due") {
            vec![retirement()]
        } else {
            Vec::new()
        },
        name: name.to_owned(),
        username: "etl@acme.example\u{1b}[2J\u{9b}31m\u{202e}".to_owned(),
        login_url: "https://login.salesforce.com".to_owned(),
        flow: flow.into(),
        state: v1::RecordState::Latched.into(),
        reason: v1::Reason::CredentialRejected.into(),
        problem: "INVALID_LOGIN: no\n".to_owned(),
        failed_at: at(1_795_293_764),
        created_at: at(0),
        generation: 3,
        logins: 2,
        ..v1::RecordStatus::default()
    })
}

fn retirement() -> v1::Retirement {
    v1::Retirement {
        event: "soap_login".to_owned(),
        text: "from about 2027-06-01 on, SOAP login() is switched off".to_owned(),
        day: "2027-06-01".to_owned(),
        certainty: "release-only".to_owned(),
        source: "Help 005132110\u{1b}[2J".to_owned(),
        advice: "`sfvault migrate due-prod`".to_owned(),
        over: false,
    }
}

/// By name: nobody used `unused`, nobody lately `unread`, and of the others it is not told unless something is due.
fn last_use(name: &str) -> Option<v1::LastUse> {
    let user = |unit: &str, seconds| v1::LastUser {
        uid: Some(1000),
        unit: unit.to_owned(),
        exe: "/usr/bin/etl\u{1b}[2J".to_owned(),
        at: at(seconds),
    };
    let due = name.starts_with("due");
    (due || name.starts_with("un")).then(|| v1::LastUse {
        record: name.to_owned(),
        users: if due {
            vec![user("nightly.service", 1_795_293_764), user("", 0)]
        } else {
            Vec::new()
        },
        more: due,
        unread: name == "unread",
    })
}

#[expect(clippy::unnecessary_wraps, reason = "as the messages want it")]
fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn session() -> v1::GetSessionResponse {
    v1::GetSessionResponse {
        session_id: SESSION.to_owned(),
        instance_url: INSTANCE.to_owned(),
        api_version: "64.0".to_owned(),
        org_id: "00Dxx0000000001EAA".to_owned(),
        user_id: "005xx0000000001AAA".to_owned(),
        username: "etl@acme.example".to_owned(),
        sandbox: false,
        generation: 7,
        issued_at: at(1_795_293_764),
        guaranteed_until: at(1_795_297_364),
        expires_at: at(1_795_300_964),
        warnings: Vec::new(),
    }
}

#[tonic::async_trait]
impl Sessions for Daemon {
    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        let request = request.into_inner();
        let name = request.record.clone();
        self.note(|asked| asked.session = Some(request));
        record(&name)?;
        let split = if name == "split" { "\nX: y" } else { "" };
        let mut session = session();
        session.session_id.push_str(split);
        Ok(Response::new(session))
    }

    type WatchSessionStream = std::pin::Pin<
        Box<dyn tokio_stream::Stream<Item = Result<v1::WatchSessionResponse, Status>> + Send>,
    >;

    async fn watch_session(
        &self,
        request: Request<v1::WatchSessionRequest>,
    ) -> Result<Response<Self::WatchSessionStream>, Status> {
        let name = request.into_inner().record;
        record(&name)?;
        // `watch.THROTTLED` may have a session, and not watch it.
        if let Some(reason) = name.strip_prefix("watch.") {
            return Err(refusal(reason, None));
        }
        let stream = tokio_stream::pending();
        if name == "silent" {
            return Ok(Response::new(Box::pin(stream)));
        }
        let mut session = session();
        if name == "newer" {
            session.generation += 1;
            session.session_id.push_str("_8");
        }
        let news = v1::WatchSessionResponse {
            state: v1::WatchState::Ready.into(),
            generation: session.generation,
            guaranteed_until: session.guaranteed_until,
            expires_at: session.expires_at,
            session: Some(session),
            ..v1::WatchSessionResponse::default()
        };
        let stream = tokio_stream::once(Ok(news)).chain(stream);
        Ok(Response::new(Box::pin(stream)))
    }

    async fn list_records(
        &self,
        _: Request<v1::ListRecordsRequest>,
    ) -> Result<Response<v1::ListRecordsResponse>, Status> {
        Ok(Response::new(v1::ListRecordsResponse {
            records: vec![record("acme-prod")?, record("b")?],
        }))
    }
}

#[tonic::async_trait]
impl Records for Daemon {
    async fn add_record(
        &self,
        request: Request<v1::AddRecordRequest>,
    ) -> Result<Response<v1::AddRecordResponse>, Status> {
        let request = request.into_inner();
        let record = record(&request.name)?;
        self.note(|asked| asked.add = Some(request));
        Ok(Response::new(v1::AddRecordResponse {
            record: Some(record),
            warnings: vec!["odd\u{7}".to_owned()],
        }))
    }

    async fn set_credential(
        &self,
        request: Request<v1::SetCredentialRequest>,
    ) -> Result<Response<v1::SetCredentialResponse>, Status> {
        let request = request.into_inner();
        let mut record = record(&request.name)?;
        record.remind_after = request.remind_after.filter(|span| span.seconds > 0);
        let secrets = [
            &request.password,
            &request.security_token,
            &request.consumer_secret,
            &request.private_key,
            &request.refresh_token,
        ];
        let changed = secrets.iter().any(|secret| secret.is_some());
        self.note(|asked| asked.set = Some(request));
        Ok(Response::new(v1::SetCredentialResponse {
            record: Some(record),
            changed,
            warnings: Vec::new(),
        }))
    }

    async fn migrate_record(
        &self,
        _: Request<v1::MigrateRecordRequest>,
    ) -> Result<Response<v1::MigrateRecordResponse>, Status> {
        Err(Status::unimplemented("not asked of this daemon"))
    }

    async fn restore_login(
        &self,
        _: Request<v1::RestoreLoginRequest>,
    ) -> Result<Response<v1::RestoreLoginResponse>, Status> {
        Err(Status::unimplemented("not asked of this daemon"))
    }

    async fn forget_old_login(
        &self,
        _: Request<v1::ForgetOldLoginRequest>,
    ) -> Result<Response<v1::ForgetOldLoginResponse>, Status> {
        Err(Status::unimplemented("not asked of this daemon"))
    }

    async fn rotate_credential(
        &self,
        request: Request<v1::RotateCredentialRequest>,
    ) -> Result<Response<v1::RotateCredentialResponse>, Status> {
        let request = request.into_inner();
        let rotation = match request.generate {
            true => v1::Rotation::TokenAwaited,
            false => v1::Rotation::Replaced,
        };
        let record = record(&request.name)?;
        self.note(|asked| asked.rotate = Some(request));
        Ok(Response::new(v1::RotateCredentialResponse {
            record: Some(record),
            rotation: rotation.into(),
            warnings: Vec::new(),
        }))
    }

    async fn reveal_generated_password(
        &self,
        _: Request<v1::RevealGeneratedPasswordRequest>,
    ) -> Result<Response<v1::RevealGeneratedPasswordResponse>, Status> {
        Ok(Response::new(v1::RevealGeneratedPasswordResponse {
            password: "canary-password".to_owned(),
            state: v1::GeneratedPassword::InForce.into(),
        }))
    }

    async fn describe_record(
        &self,
        request: Request<v1::DescribeRecordRequest>,
    ) -> Result<Response<v1::DescribeRecordResponse>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(v1::DescribeRecordResponse {
            record: Some(record(&name)?),
            last_use: last_use(&name),
        }))
    }

    async fn remove_record(
        &self,
        request: Request<v1::RemoveRecordRequest>,
    ) -> Result<Response<v1::RemoveRecordResponse>, Status> {
        self.note(|asked| asked.removed = Some(request.into_inner().name));
        Ok(Response::new(v1::RemoveRecordResponse {}))
    }

    async fn list_holders(
        &self,
        request: Request<v1::ListHoldersRequest>,
    ) -> Result<Response<v1::ListHoldersResponse>, Status> {
        record(&request.into_inner().name)?;
        let holder = |pid, watching, until_exit| v1::Holder {
            uid: 1000,
            pid,
            watching,
            until_exit,
            at: at(1_795_293_764),
        };
        Ok(Response::new(v1::ListHoldersResponse {
            has_session: true,
            holders: vec![
                holder(4711, true, false),
                holder(4712, false, true),
                holder(0, false, false),
            ],
        }))
    }

    async fn end_session(
        &self,
        request: Request<v1::EndSessionRequest>,
    ) -> Result<Response<v1::EndSessionResponse>, Status> {
        self.note(|asked| asked.ended = Some(request.into_inner().name));
        Ok(Response::new(v1::EndSessionResponse { ended: true }))
    }

    async fn begin_login(
        &self,
        _: Request<v1::BeginLoginRequest>,
    ) -> Result<Response<v1::BeginLoginResponse>, Status> {
        Err(Status::unimplemented("no browser here"))
    }

    async fn finish_login(
        &self,
        _: Request<v1::FinishLoginRequest>,
    ) -> Result<Response<v1::FinishLoginResponse>, Status> {
        Err(Status::unimplemented("no browser here"))
    }

    async fn check_record(
        &self,
        request: Request<v1::CheckRecordRequest>,
    ) -> Result<Response<v1::CheckRecordResponse>, Status> {
        let request = request.into_inner();
        let record = record(&request.name)?;
        self.note(|asked| asked.check = Some(request));
        Ok(Response::new(v1::CheckRecordResponse {
            record: Some(record),
            instance_url: INSTANCE.to_owned(),
            logged_in: true,
        }))
    }

    async fn allow_peer(
        &self,
        _: Request<v1::AllowPeerRequest>,
    ) -> Result<Response<v1::AllowPeerResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }

    async fn deny_peer(
        &self,
        _: Request<v1::DenyPeerRequest>,
    ) -> Result<Response<v1::DenyPeerResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }

    async fn get_access(
        &self,
        _: Request<v1::GetAccessRequest>,
    ) -> Result<Response<v1::GetAccessResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }

    async fn explain_access(
        &self,
        _: Request<v1::ExplainAccessRequest>,
    ) -> Result<Response<v1::ExplainAccessResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }
}

#[tonic::async_trait]
impl Control for Daemon {
    async fn get_peers(
        &self,
        _: Request<v1::GetPeersRequest>,
    ) -> Result<Response<v1::GetPeersResponse>, Status> {
        Err(refusal("INTERNAL", None))
    }

    async fn initialize_vault(
        &self,
        request: Request<v1::InitializeVaultRequest>,
    ) -> Result<Response<v1::InitializeVaultResponse>, Status> {
        self.note(|asked| asked.passphrase = Some(request.into_inner().passphrase));
        Ok(Response::new(v1::InitializeVaultResponse {
            path: "/data/vault.redb".to_owned(),
        }))
    }

    async fn unlock_vault(
        &self,
        request: Request<v1::UnlockVaultRequest>,
    ) -> Result<Response<v1::UnlockVaultResponse>, Status> {
        let passphrase = request.into_inner().passphrase;
        if passphrase == b"wrong" {
            return Err(refusal("WRONG_PASSPHRASE", None));
        }
        self.note(|asked| asked.passphrase = Some(passphrase));
        Ok(Response::new(v1::UnlockVaultResponse {
            records: 2,
            changed: true,
        }))
    }

    async fn lock_vault(
        &self,
        _: Request<v1::LockVaultRequest>,
    ) -> Result<Response<v1::LockVaultResponse>, Status> {
        Ok(Response::new(v1::LockVaultResponse {
            changed: true,
            sessions_dropped: 1,
        }))
    }

    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        Ok(Response::new(v1::GetStatusResponse {
            version: "9.9.9".to_owned(),
            pid: 42,
            started_at: at(1_795_293_764),
            vault_path: "/data/vault.redb".to_owned(),
            vault: v1::VaultState::Unlocked.into(),
            records: vec![record("acme-prod")?, record("due-prod")?],
            protections: vec![v1::Protection {
                name: "files".to_owned(),
                state: v1::ProtectionState::NotAvailable.into(),
                reason: "too old a \u{1b}[2Jkernel".to_owned(),
            }],
            warnings: vec!["memory is not locked".to_owned()],
            last_uses: last_use("due-prod").into_iter().collect(),
        }))
    }
}

#[tonic::async_trait]
impl Audit for Daemon {
    type ReadAuditStream = tokio_stream::Once<Result<v1::ReadAuditResponse, Status>>;

    async fn read_audit(
        &self,
        request: Request<v1::ReadAuditRequest>,
    ) -> Result<Response<Self::ReadAuditStream>, Status> {
        self.note(|asked| asked.audit = Some(request.into_inner()));
        let entry = v1::AuditEntry {
            seq: 9,
            time: at(1_795_293_764),
            action: "get".to_owned(),
            verdict: "served".to_owned(),
            count: 3,
            record: "prod".to_owned(),
            generation: Some(7),
            fingerprint: "ab".repeat(8),
            uid: Some(1000),
            pid: Some(42),
            exe: "/tmp/\u{1b}[2J\n".to_owned(),
            ..v1::AuditEntry::default()
        };
        let entries = vec![entry];
        Ok(Response::new(tokio_stream::once(Ok(
            v1::ReadAuditResponse { entries },
        ))))
    }

    async fn verify_audit(
        &self,
        _: Request<v1::VerifyAuditRequest>,
    ) -> Result<Response<v1::VerifyAuditResponse>, Status> {
        Ok(Response::new(v1::VerifyAuditResponse {
            files: 1,
            lines: 20,
            findings: vec![v1::AuditFinding {
                file: "audit.jsonl".to_owned(),
                line: 4,
                problem: "is not line 4\u{1b}".to_owned(),
            }],
            more: 2,
        }))
    }

    async fn get_usage(
        &self,
        _: Request<v1::GetUsageRequest>,
    ) -> Result<Response<v1::GetUsageResponse>, Status> {
        let user = v1::AuditUser {
            uid: Some(1000),
            unit: "nightly.service".to_owned(),
            served: 5,
            refused: 1,
            flow: "soap-login".to_owned(),
            last: at(1_795_293_764),
            ..v1::AuditUser::default()
        };
        Ok(Response::new(v1::GetUsageResponse {
            users: vec![user],
            logins: 2,
            ..v1::GetUsageResponse::default()
        }))
    }
}
