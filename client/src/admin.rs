//! Administration of the vault and its records, over the socket `admin.sock`.

mod access;
mod browser_login;
mod changes;
mod connection;
mod doctor;
mod records;

pub use self::records::{Checked, Stored};
use connection::Connection;

use std::{future::Future, path::PathBuf, time::Duration};

use sfvault_proto::v1::{
    self, audit_client::AuditClient, control_client::ControlClient, doctor_client::DoctorClient,
    records_client::RecordsClient,
};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    DaemonStatus, Error, Passphrase, Peers, Places, access_wire, convert,
    sessions::{DEADLINE, MAX_LIST},
};

/// Administers the daemon. Each call has a connection of its own, which the daemon ends a second after the answer, for what
/// the call brought.
///
/// Every call fails as the daemon says, or if it can't be reached, or if the connection breaks, or if no answer comes within a
/// minute (five for [`AdminClient::check`] and [`AdminClient::finish_login`]).
#[derive(Debug, Clone)]
pub struct AdminClient {
    connection: Connection,
}

/// The vault is unlocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlocked {
    /// How many records it holds.
    pub records: u64,
    /// False if it was unlocked already.
    pub changed: bool,
}

/// The vault is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// False if it was locked already.
    pub changed: bool,
    /// Sessions dropped from memory; they go on at Salesforce.
    pub sessions_dropped: u64,
}

impl AdminClient {
    /// Connects to the daemon of these places. Starts none.
    ///
    /// # Errors
    /// If no daemon answers there, or if the one that does is not to be trusted.
    pub async fn connect(places: &Places) -> Result<Self, Error> {
        let connection = Connection::to(places.admin_socket()).await?;
        Ok(Self { connection })
    }

    /// Makes the vault, which then is unlocked; returns its file.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn initialize(&self, passphrase: Passphrase) -> Result<PathBuf, Error> {
        let request = v1::InitializeVaultRequest {
            passphrase: passphrase.into_wire(),
        };
        let mut wire = self.control().await?;
        let answer = call(DEADLINE, request, |r| wire.initialize_vault(r)).await?;
        Ok(PathBuf::from(answer.path))
    }

    /// Unlocks the vault.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn unlock(&self, passphrase: Passphrase) -> Result<Unlocked, Error> {
        let request = v1::UnlockVaultRequest {
            passphrase: passphrase.into_wire(),
        };
        let mut wire = self.control().await?;
        let answer = call(DEADLINE, request, |r| wire.unlock_vault(r)).await?;
        Ok(Unlocked {
            records: answer.records,
            changed: answer.changed,
        })
    }

    /// Locks the vault: keys and sessions leave the daemon's memory.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn lock(&self) -> Result<Locked, Error> {
        let mut wire = self.control().await?;
        let answer = call(DEADLINE, v1::LockVaultRequest {}, |r| wire.lock_vault(r)).await?;
        Ok(Locked {
            changed: answer.changed,
            sessions_dropped: answer.sessions_dropped,
        })
    }

    /// How the daemon and its records are.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn status(&self) -> Result<DaemonStatus, Error> {
        let mut wire = self.control().await?;
        let answer = call(DEADLINE, v1::GetStatusRequest {}, |r| wire.get_status(r)).await?;
        Ok(convert::daemon(answer))
    }

    /// Who is connected, and who is held back.
    ///
    /// # Errors
    /// See [`AdminClient`].
    pub async fn peers(&self) -> Result<Peers, Error> {
        let mut wire = self.control().await?;
        let answer = call(DEADLINE, v1::GetPeersRequest {}, |r| wire.get_peers(r)).await?;
        Ok(access_wire::peers(answer))
    }

    async fn control(&self) -> Result<ControlClient<Channel>, Error> {
        let channel = self.connection.unused().await?;
        Ok(ControlClient::new(channel).max_decoding_message_size(MAX_LIST))
    }

    async fn doctor(&self) -> Result<DoctorClient<Channel>, Error> {
        let channel = self.connection.unused().await?;
        Ok(DoctorClient::new(channel).max_decoding_message_size(MAX_LIST))
    }

    async fn records(&self) -> Result<RecordsClient<Channel>, Error> {
        Ok(RecordsClient::new(self.connection.unused().await?))
    }

    pub(crate) async fn audit_wire(&self) -> Result<AuditClient<Channel>, Error> {
        Ok(AuditClient::new(self.connection.unused().await?))
    }
}

async fn call<Q, A, F>(
    deadline: Duration,
    request: Q,
    send: impl FnOnce(Request<Q>) -> F,
) -> Result<A, Error>
where
    F: Future<Output = Result<Response<A>, Status>>,
{
    let mut request = Request::new(request);
    request.set_timeout(deadline);
    let answer = send(request).await;
    Ok(answer.map_err(|s| Error::from_status(&s))?.into_inner())
}
