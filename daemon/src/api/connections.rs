//! Every connection is served by itself, so that each can be told to leave when nothing is under way on it.
//!
//! When the vault forgets secrets, connections end, and take along the buffers in which HTTP/2 and gRPC keep what they
//! last received and sent; one that administers ends after its calls ([`super::calls`]), for what these brought. The seat
//! knows when that suits the client ([`crate::seats::Seat::dismiss`]); it is told with GOAWAY (RFC 9113, 6.8), so that a
//! call that was just on its way is still answered, and the next makes a new connection.

use std::{io, pin::pin, sync::Arc};

use tokio::{
    net::UnixStream,
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
};
use tokio_stream::{StreamExt as _, once, pending};
use tonic::{
    service::Routes,
    transport::{Error, Server},
};
use tower::layer::util::{Identity, Stack};
use tracing::debug;

use super::{calls::CallsLayer, door::Door, peer::Connection, server};

type Transport = Server<Stack<CallsLayer, Identity>>;

/// Serves connections until `shutdown` ends and the last call is answered; `forgotten` dismisses those that there are.
///
/// # Errors
/// If the transport fails for a reason that no client caused.
pub(super) async fn serve(
    services: Routes,
    mut connections: mpsc::Receiver<io::Result<UnixStream>>,
    door: Arc<Door>,
    mut forgotten: watch::Receiver<()>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    // Once: each connection has a copy, and this one is cheap to copy.
    let (transport, services) = (server(&door), services.prepare());
    let mut shutdown = pin!(shutdown);
    let mut served = JoinSet::new();
    let (stop, stopped) = watch::channel(());
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Ok(()) = forgotten.changed() => door.dismiss(),
            Some(ended) = served.join_next() => without_fault(ended)?,
            accepted = connections.recv() => {
                let Some(accepted) = accepted else { break };
                match accepted.and_then(|stream| Connection::new(stream, &door)) {
                    Ok(connection) => {
                        let (transport, services) = (transport.clone(), services.clone());
                        served.spawn(attend(transport, services, connection, stopped.clone()));
                    }
                    Err(error) => debug!(%error, "a connection was not taken"),
                }
            }
        }
    }
    drop((stop, stopped));
    while let Some(ended) = served.join_next().await {
        without_fault(ended)?;
    }
    Ok(())
}

/// Serves one connection until it ends: by itself, because it was dismissed, or because all do.
async fn attend(
    transport: Transport,
    services: Routes,
    connection: Connection,
    mut stopped: watch::Receiver<()>,
) -> Result<(), Error> {
    let seat = Arc::clone(connection.seat());
    let farewell = async {
        tokio::select! {
            () = seat.farewell() => {}
            // The sender says it by going away.
            _ = stopped.changed() => {}
        }
    };
    // Without an end of its own: that would be a farewell.
    let incoming = once(Ok::<_, io::Error>(connection)).chain(pending());
    transport
        .serve_with_incoming_shutdown(services, incoming, farewell)
        .await
}

fn without_fault(ended: Result<Result<(), Error>, JoinError>) -> io::Result<()> {
    ended.map_err(io::Error::other)?.map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
