//! The way of a client that administers: each call goes over a connection on which nothing was asked before.
//!
//! The daemon ends such a connection a second after a call, for what the call brought. Another call that was just on its way
//! would be given back unsent, and of one with a secret there is no second copy to make it again from.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tonic::transport::Channel;

use crate::{Error, connect};

/// Clones are the same way.
#[derive(Debug, Clone)]
pub(super) struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: PathBuf,
    latest: Mutex<Latest>,
}

#[derive(Debug)]
struct Latest {
    channel: Channel,
    used: bool,
}

impl Connection {
    pub(super) async fn to(socket: PathBuf) -> Result<Self, Error> {
        let latest = Mutex::new(Latest {
            channel: connect::channel(socket.clone()).await?,
            used: false,
        });
        Ok(Self(Arc::new(Inner { socket, latest })))
    }

    /// For one call.
    pub(super) async fn unused(&self) -> Result<Channel, Error> {
        if let Some(channel) = self.first() {
            return Ok(channel);
        }
        let channel = connect::channel(self.0.socket.clone()).await?;
        *self.0.latest.lock().unwrap_or_else(PoisonError::into_inner) = Latest {
            channel: channel.clone(),
            used: true,
        };
        Ok(channel)
    }

    fn first(&self) -> Option<Channel> {
        let mut latest = self.0.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let used = std::mem::replace(&mut latest.used, true);
        (!used).then(|| latest.channel.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn each_call_has_a_connection_of_its_own_and_the_first_was_made_already() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("admin.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut accepted = Vec::new();
        let mut made = || {
            accepted.extend(listener.incoming().map_while(Result::ok));
            accepted.len()
        };
        let connection = Connection::to(socket).await.unwrap();
        assert_eq!(made(), 1);
        let other = connection.clone();
        for calls in 1..=3 {
            let (one, two) = (connection.unused().await, other.unused().await);
            assert!(one.is_ok() && two.is_ok());
            assert_eq!(made(), 2 * calls);
        }
    }
}
