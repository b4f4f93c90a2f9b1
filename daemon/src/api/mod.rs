//! gRPC, and the only place that knows it: requests in, domain calls, answers or a `Status` out.
//!
//! Every handler has the same shape: the peer was let in before it ([`peer`]), the request becomes domain types, the
//! vault answers, `convert` and `status` turn the answer into messages. No handler decides anything.

pub mod authority;
mod control;
mod convert;
pub mod peer;
mod records;
mod sessions;
mod status;

use std::{io, sync::Arc, time::SystemTime};

use sfvault_proto::v1::{
    FILE_DESCRIPTOR_SET, control_server::ControlServer, records_server::RecordsServer,
    sessions_server::SessionsServer,
};
use tokio::{net::UnixStream, sync::mpsc};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Status, service::InterceptorLayer, transport::Server};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};

use self::peer::{Connection, only_ours};
use crate::vault::{LockState, Vault};

/// The longest request, in bytes: a name, a URL and two secrets fit many times over.
const LONGEST_REQUEST: usize = 64 << 10;
/// Calls under way on one connection. A client that wants more waits.
const STREAMS_PER_CONNECTION: u32 = 256;
/// What a client may have sent for one call, and for all calls of its connection, before a handler takes it, in bytes.
/// Requests are short and taken at once: windows as wide as hyper's would only let a client fill the daemon's memory.
const CALL_WINDOW: u32 = LONGEST_REQUEST as u32;
const CONNECTION_WINDOW: u32 = 4 * CALL_WINDOW;

type Guard = fn(Request<()>) -> Result<Request<()>, Status>;

/// What the services tell about the daemon.
#[derive(Debug, Clone)]
pub struct About {
    pub started_at: SystemTime,
    /// What could not be hardened, in words.
    pub warnings: Vec<String>,
    /// The API version that jobs are told to use.
    pub api_version: Arc<str>,
}

/// Serves `sfvault.sock` until `shutdown` ends and its last call is answered.
///
/// # Errors
/// If the transport fails for a reason that no client caused.
pub async fn serve_sessions(
    vault: Arc<Vault>,
    about: About,
    connections: mpsc::Receiver<io::Result<UnixStream>>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    let sessions = SessionsServer::new(sessions::Service {
        vault: Arc::clone(&vault),
        about,
    });
    let mut router = server()
        .add_service(sessions.max_decoding_message_size(LONGEST_REQUEST))
        .add_service(health);
    // The descriptors are compiled in; if they could not be read, jobs still get their sessions.
    if let Ok(reflection) = reflection {
        router = router.add_service(reflection);
    }
    tokio::select! {
        served = router.serve_with_incoming_shutdown(incoming(connections), shutdown) => served,
        () = report_health(vault, reporter) => Ok(()),
    }
}

/// Serves `admin.sock` until `shutdown` ends and its last call is answered.
///
/// # Errors
/// If the transport fails for a reason that no client caused.
pub async fn serve_admin(
    vault: Arc<Vault>,
    about: About,
    connections: mpsc::Receiver<io::Result<UnixStream>>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let records = RecordsServer::new(records::Service {
        vault: Arc::clone(&vault),
    });
    let control = ControlServer::new(control::Service { vault, about });
    server()
        .add_service(records.max_decoding_message_size(LONGEST_REQUEST))
        .add_service(control.max_decoding_message_size(LONGEST_REQUEST))
        .serve_with_incoming_shutdown(incoming(connections), shutdown)
        .await
}

/// The guard stands before every service, so that a new one can't be served without it.
fn server() -> Server<Stack<InterceptorLayer<Guard>, Identity>> {
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .initial_stream_window_size(CALL_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(16 << 10)
        .layer(InterceptorLayer::new(only_ours as Guard))
}

fn incoming(
    connections: mpsc::Receiver<io::Result<UnixStream>>,
) -> impl tokio_stream::Stream<Item = io::Result<Connection>> {
    ReceiverStream::new(connections).map(|accepted| accepted.and_then(Connection::new))
}

/// `Sessions` is serving while the vault is unlocked; the daemon as a whole (the empty name) always.
async fn report_health(vault: Arc<Vault>, reporter: HealthReporter) {
    let mut changes = vault.changes();
    loop {
        let status = match vault.lock_state() {
            LockState::Missing | LockState::Locked => ServingStatus::NotServing,
            LockState::Unlocked => ServingStatus::Serving,
        };
        reporter
            .set_service_status("sfvault.v1.Sessions", status)
            .await;
        if changes.changed().await.is_err() {
            // The vault is gone, and with it whoever could ask.
            return std::future::pending().await;
        }
    }
}
