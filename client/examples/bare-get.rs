//! The least that can take a session id from the daemon: clap, tonic, one call.
//!
//! It does without all that makes `sfvault get` pleasant and safe (it does not even ask whose socket it is), and is
//! what `cargo bench` holds `sfvault get` against. `bare-get SOCKET NAME`

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use hyper_util::rt::TokioIo;
use sfvault_proto::v1::{GetSessionRequest, sessions_client::SessionsClient};
use tokio::{net::UnixStream, runtime::Builder};
use tonic::transport::{Endpoint, Uri};
use tower::service_fn;

#[derive(Debug, Parser)]
struct BareGet {
    /// The daemon's socket for jobs
    socket: PathBuf,
    /// The record
    record: String,
}

fn main() -> ExitCode {
    let arguments = BareGet::parse();
    match get(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn get(arguments: BareGet) -> Result<(), Box<dyn std::error::Error>> {
    let BareGet { socket, record } = arguments;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connector = service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await?;
        let request = GetSessionRequest {
            record,
            ..GetSessionRequest::default()
        };
        let answer = SessionsClient::new(channel).get_session(request).await?;
        // EXPOSE: to whoever reads stdout, as the caller asked.
        writeln!(std::io::stdout(), "{}", answer.get_ref().session_id)?;
        Ok(())
    })
}
