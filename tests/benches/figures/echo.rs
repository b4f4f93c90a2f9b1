//! The reference for calls: a tonic server that does nothing but answer, in a process of its own.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sfvault_proto::v1::{
    GetSessionRequest, GetSessionResponse, ListRecordsRequest, ListRecordsResponse,
    WatchSessionRequest, WatchSessionResponse,
    sessions_client::SessionsClient,
    sessions_server::{Sessions, SessionsServer},
};
use tokio::{net::UnixListener, runtime::Builder};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::stage::{Failed, RECORD, channel};

/// The argument with which this program is the server.
pub(crate) const ROLE: &str = "--serve-echo";

/// A running server; it dies with this.
pub(crate) struct Echo {
    child: Child,
    directory: tempfile::TempDir,
}

impl Echo {
    /// Starts one that gives every caller the answer that the daemon gives, byte for byte.
    pub(crate) async fn of(daemon: &Path) -> Result<Self, Failed> {
        let mut sessions = SessionsClient::new(channel(daemon).await?);
        let answer = sessions.get_session(request()).await?.into_inner();
        let directory = tempfile::TempDir::with_prefix("sfv-echo-")?;
        let file = directory.path().join("answer");
        std::fs::write(&file, prost::Message::encode_to_vec(&answer))?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .args([&file, &directory.path().join("sock")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = [0];
        let mut stdout = child.stdout.take().ok_or("no pipe")?;
        stdout.read_exact(&mut ready)?;
        Ok(Self { child, directory })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("sock")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is asked in every bench.
pub(crate) fn request() -> GetSessionRequest {
    GetSessionRequest {
        record: RECORD.to_owned(),
        ..GetSessionRequest::default()
    }
}

struct Answer(GetSessionResponse);

#[tonic::async_trait]
impl Sessions for Answer {
    async fn get_session(
        &self,
        _request: Request<GetSessionRequest>,
    ) -> Result<Response<GetSessionResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    type WatchSessionStream = tokio_stream::Empty<Result<WatchSessionResponse, Status>>;

    async fn watch_session(
        &self,
        _request: Request<WatchSessionRequest>,
    ) -> Result<Response<Self::WatchSessionStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn list_records(
        &self,
        _request: Request<ListRecordsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        Ok(Response::new(ListRecordsResponse::default()))
    }
}

/// Serves for ever, on a runtime of the same kind as the daemon's.
pub(crate) fn serve(answer: &Path, socket: &Path) -> Result<(), Failed> {
    let bytes = std::fs::read(answer)?;
    let answer: GetSessionResponse = prost::Message::decode(bytes.as_slice())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        println!();
        Server::builder()
            .add_service(SessionsServer::new(Answer(answer)))
            .serve_with_incoming(UnixListenerStream::new(listener))
            .await?;
        Ok(())
    })
}
