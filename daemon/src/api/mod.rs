//! gRPC, and the only place that knows it: requests in, domain calls, answers or a `Status` out.
//!
//! Every handler has the same shape: the peer was let in before it ([`peer`]), the request becomes domain types, the
//! vault answers, `convert` and `status` turn the answer into messages. No handler decides anything.

mod access;
mod audit;
mod audited;
pub mod authority;
mod browser_login;
mod calls;
mod changes;
mod connections;
mod control;
mod convert;
mod doctor;
mod door;
pub mod peer;
mod peers;
mod records;
mod sessions;
mod status;
mod watch;

use std::{io, sync::Arc, time::SystemTime};

use sfvault_proto::v1::{
    FILE_DESCRIPTOR_SET, audit_server::AuditServer, control_server::ControlServer,
    doctor_server::DoctorServer, records_server::RecordsServer, sessions_server::SessionsServer,
};
use tokio::{net::UnixStream, sync::mpsc};
use tonic::{service::Routes, transport::Server};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};

pub use self::door::House;
use self::{
    calls::{CallsLayer, SMALL},
    door::{Door, Way},
};
use crate::{
    attempts::Attempts,
    audit::Audit,
    harden::Protection,
    locked,
    paths::Paths,
    policy::Capture,
    vault::{LockState, Vault},
    witness::Sight,
};

/// The longest request, in bytes: a name, a URL and two secrets fit many times over.
const LONGEST_REQUEST: usize = 64 << 10;
/// Calls under way on one connection. A client that wants more waits.
const STREAMS_PER_CONNECTION: u32 = 256;
/// The names and values in the head of a call, in bytes, as HTTP/2 counts them (RFC 9113, 6.5.2).
const LONGEST_HEAD: u32 = 16 << 10;
/// What a peer may send on one call before anybody has read it, in bytes: one request and its frame.
const WINDOW_PER_CALL: u32 = (64 << 10) + 1024;
/// The same on all calls of a connection: so much memory can one connection fill with requests.
const WINDOW_PER_CONNECTION: u32 = 256 << 10;
/// The longest frame, in bytes: the least that HTTP/2 allows to demand.
const LONGEST_FRAME: u32 = 16 << 10;
/// Calls that were begun and taken back before they were looked at. An honest client is never near.
const TAKEN_BACK: usize = 20;
/// Calls that break HTTP/2 and are reset for it, before the connection is closed.
const BROKEN: usize = 100;

/// What the services tell about the daemon.
#[derive(Debug, Clone)]
pub struct About {
    pub started_at: SystemTime,
    /// What could not be hardened, in words.
    pub warnings: Vec<String>,
    /// What was hardened at start, and what not.
    pub protections: Arc<[Protection]>,
    /// How other processes are seen.
    pub sight: Sight,
    /// The API version that jobs are told to use.
    pub api_version: Arc<str>,
    pub audit: Audit,
    pub paths: Arc<Paths>,
}

impl About {
    /// All protections as they are now.
    fn protections(&self) -> impl Iterator<Item = Protection> {
        let at_start = self.protections.iter().cloned();
        at_start
            .chain(self.sight.protection())
            .chain([locked::protection()])
    }
}

/// Serves `sfvault.sock` until `shutdown` ends and its last call is answered.
///
/// # Errors
/// If the transport fails for a reason that no client caused.
pub async fn serve_sessions(
    vault: Arc<Vault>,
    about: About,
    house: Arc<House>,
    connections: mpsc::Receiver<io::Result<UnixStream>>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    let audit = about.audit.clone();
    let sessions = SessionsServer::new(sessions::Service {
        vault: Arc::clone(&vault),
        about,
        house: Arc::clone(&house),
    });
    let mut services = Routes::new(sessions.max_decoding_message_size(LONGEST_REQUEST))
        .add_service(health.max_decoding_message_size(SMALL));
    let door = Arc::new(Door {
        house: Arc::clone(&house),
        vault: Arc::clone(&vault),
        audit,
        way: Way::Sessions,
    });
    // The descriptors are compiled in; if they could not be read, jobs still get their sessions.
    if let Ok(reflection) = reflection {
        services = services.add_service(reflection.max_decoding_message_size(SMALL));
    }
    let forgotten = vault.forgotten();
    tokio::select! {
        served = connections::serve(services, connections, door, forgotten, shutdown) => served,
        () = report_health(Arc::clone(&vault), reporter) => Ok(()),
        () = renew_connections(vault, house) => Ok(()),
    }
}

/// Serves `admin.sock` until `shutdown` ends and its last call is answered.
///
/// # Errors
/// If the transport fails for a reason that no client caused.
pub async fn serve_admin(
    vault: Arc<Vault>,
    about: About,
    house: Arc<House>,
    connections: mpsc::Receiver<io::Result<UnixStream>>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let forgotten = vault.forgotten();
    let records = RecordsServer::new(records::Service {
        vault: Arc::clone(&vault),
        policy: house.policy.clone(),
        audit: about.audit.clone(),
    });
    let audit = AuditServer::new(audit::Service {
        audit: about.audit.clone(),
        vault: Arc::clone(&vault),
    });
    let log = about.audit.clone();
    let doctor = DoctorServer::new(doctor::Service {
        vault: Arc::clone(&vault),
        about: about.clone(),
        mode: house.policy.mode(),
        admin_group: house.admin_group,
    });
    let control = ControlServer::new(control::Service {
        vault: Arc::clone(&vault),
        about,
        house: Arc::clone(&house),
        attempts: Attempts::default(),
    });
    let door = Arc::new(Door {
        house,
        vault,
        audit: log,
        way: Way::Admin,
    });
    let services = Routes::new(records.max_decoding_message_size(LONGEST_REQUEST))
        .add_service(audit.max_decoding_message_size(LONGEST_REQUEST))
        .add_service(control.max_decoding_message_size(LONGEST_REQUEST))
        .add_service(doctor.max_decoding_message_size(LONGEST_REQUEST));
    connections::serve(services, connections, door, forgotten, shutdown).await
}

/// The guard stands before every service, so that a new one can't be served without it.
///
/// No pings: a Unix socket ends when its peer does, and a ping wakes both ends. No age either: a connection that nobody
/// uses goes when its seat is needed, or when its buffers may hold what nobody needs any more ([`connections`]).
fn server(door: &Arc<Door>) -> Server<Stack<CallsLayer, Identity>> {
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(LONGEST_HEAD)
        .initial_stream_window_size(WINDOW_PER_CALL)
        .initial_connection_window_size(WINDOW_PER_CONNECTION)
        .max_frame_size(LONGEST_FRAME)
        .http2_max_pending_accept_reset_streams(Some(TAKEN_BACK))
        .http2_max_local_error_reset_streams(Some(BROKEN))
        .layer(CallsLayer {
            door: Arc::clone(door),
        })
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

/// When a rule asks for the first time what a user's processes are, their connections know only who they were. Those that
/// are idle are closed: their clients connect again, and are looked at.
async fn renew_connections(vault: Arc<Vault>, house: Arc<House>) {
    let mut changes = vault.changes();
    let mut before = vault.guests();
    while changes.changed().await.is_ok() {
        let now = vault.guests();
        if let (Some(before), Some(now)) = (&before, &now) {
            house.sessions.close_idle(|uid| {
                before.capture(uid) == Capture::Ids && now.capture(uid) == Capture::Process
            });
        }
        before = now;
    }
    std::future::pending().await
}
