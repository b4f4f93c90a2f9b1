//! Connections in eras: whenever the vault forgets secrets, those that there are end, and take along the buffers in
//! which HTTP/2 and gRPC keep what they last received and sent.
//!
//! They end as HTTP/2 has it (GOAWAY; RFC 9113, 6.8): calls under way are answered, and a client's next call makes a new
//! connection. A client that does not leave then is shown out by its seat.

use std::{future::pending, io, pin::pin, sync::Arc};

use tokio::{
    net::UnixStream,
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Error, server::Router};
use tower::layer::util::{Identity, Stack};

use super::{calls::CallsLayer, peer::Connection};
use crate::seats::Seats;

type Services = Router<Stack<CallsLayer, Identity>>;

/// The way into an era, which is over for those who are in it when this is dropped.
type Newcomers = mpsc::Sender<io::Result<Connection>>;

/// Serves connections until `shutdown` ends and the last call is answered; `forgotten` begins a new era.
///
/// # Errors
/// If the transport fails for a reason that no client caused.
pub(super) async fn serve(
    services: Services,
    mut connections: mpsc::Receiver<io::Result<UnixStream>>,
    seats: Arc<Seats>,
    mut forgotten: watch::Receiver<()>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut shutdown = pin!(shutdown);
    let mut eras = JoinSet::new();
    let mut newcomers = begin(&mut eras, services.clone());
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Ok(()) = forgotten.changed() => {
                newcomers = begin(&mut eras, services.clone());
                seats.dismiss();
            }
            Some(ended) = eras.join_next() => without_fault(ended)?,
            accepted = connections.recv() => {
                let Some(accepted) = accepted else { break };
                // Seated before it enters, so that whoever is told to leave has a seat that sees to it.
                let arrived = accepted.and_then(|stream| Connection::new(stream, &seats));
                newcomers.send(arrived).await.map_err(io::Error::other)?;
            }
        }
    }
    drop(newcomers);
    while let Some(ended) = eras.join_next().await {
        without_fault(ended)?;
    }
    Ok(())
}

fn begin(eras: &mut JoinSet<Result<(), Error>>, services: Services) -> Newcomers {
    let (newcomers, incoming) = mpsc::channel(1);
    let incoming = ReceiverStream::new(incoming);
    // A signal is what makes the end of an era a graceful one; the era ends with its newcomers all the same.
    eras.spawn(services.serve_with_incoming_shutdown(incoming, pending()));
    newcomers
}

fn without_fault(ended: Result<Result<(), Error>, JoinError>) -> io::Result<()> {
    ended.map_err(io::Error::other)?.map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
