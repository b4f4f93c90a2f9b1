//! Who is at the other end: what the kernel says, never what the peer says.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};
use tonic::{Status, transport::server::Connected};
use tracing::debug;

use super::{authority::AuthorityMask, door::Door, status};
pub use crate::policy::Peer;
use crate::{
    audit::who::Who,
    error::Error,
    policy::{Asker, Traits},
    seats::{Caller, Seat, SeatedStream, Sitter},
    share::Party,
};

/// What a client reads for which there is no seat: SETTINGS, then GOAWAY with the code ENHANCE_YOUR_CALM, which
/// gRPC clients take for a reason to try again later (RFC 9113, 6.5 and 6.8).
const TURNED_AWAY: &[u8] = b"\0\0\0\x04\0\0\0\0\0\
    \0\0\x46\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b\
    sfvaultd: all connections are busy with calls; try again later";

impl From<&Peer> for Who {
    fn from(peer: &Peer) -> Self {
        let Traits { unit, exe } = peer.traits().clone();
        Self {
            uid: Some(peer.uid),
            gid: Some(peer.gid),
            pid: peer.pid,
            unit,
            exe,
        }
    }
}

/// Somebody whose process was looked at for this call is named as what it was then.
impl From<&Asker<'_>> for Who {
    fn from(asker: &Asker<'_>) -> Self {
        let Traits { unit, exe } = asker.traits();
        Self {
            unit,
            exe,
            ..Self::from(asker.peer())
        }
    }
}

/// An accepted connection that knows its peer.
#[derive(Debug)]
pub struct Connection {
    stream: SeatedStream,
    origin: Origin,
    mask: AuthorityMask,
}

/// Where a call comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    pub peer: Peer,
    pub caller: Caller,
}

impl Connection {
    /// Asks the kernel for the peer, and finds it a seat.
    ///
    /// # Errors
    /// If the kernel does not say, or no seat can be had; then nobody is served.
    pub(super) fn new(stream: UnixStream, door: &Door) -> io::Result<Self> {
        let sight = door.house.policy.sight();
        let mut peer = Peer::of(&stream, sight, |uid| door.capture(uid))?;
        // Before there is a seat, for the unit is what seats are divided by. A look costs much more than a connection, so
        // a stranger, of whose seats all of his user have one share, gets none before he has a seat.
        let is_stranger = door.refuses(peer.uid);
        if !is_stranger {
            peer.get_acquainted(&stream, sight);
        }
        let party = Party {
            uid: peer.uid,
            unit: peer.traits().unit.clone(),
        };
        let sitter = Sitter {
            party,
            pid: peer.pid,
        };
        let Ok(taking) = door.seats(&peer).take(sitter) else {
            // A new socket takes these few bytes; a client that hears nothing has still been told by the end.
            let _ = stream.try_write(TURNED_AWAY);
            debug!(pid = peer.pid, "a connection was turned away");
            return Err(io::ErrorKind::ResourceBusy.into());
        };
        if is_stranger {
            peer.get_acquainted(&stream, sight);
        }
        let caller = taking.caller();
        Ok(Self {
            stream: SeatedStream::new(stream, taking),
            origin: Origin { peer, caller },
            mask: AuthorityMask::new(),
        })
    }

    pub(super) fn seat(&self) -> &Arc<Seat> {
        &self.origin.caller.seat
    }
}

/// Lets in whom the door admits. A uid of another user namespace arrives here as the uid that it is mapped to, so root of
/// a container is not root.
///
/// # Errors
/// The status for everybody else, and for a connection of which the kernel told nothing.
pub(super) fn admit<'a>(origin: Option<&'a Origin>, door: &Door) -> Result<&'a Origin, Status> {
    origin
        .filter(|origin| door.admits(&origin.peer))
        .ok_or_else(|| status::from_error(&Error::Denied))
}

impl Connected for Connection {
    type ConnectInfo = Origin;

    fn connect_info(&self) -> Origin {
        self.origin.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        // Goes when h2 takes the path of a socket as `:authority`.
        self.mask.cover(&mut buf.filled_mut()[filled..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Then h2 gathers answers of up to 1 KiB in its buffer, and one of a session, trailers and all, is one system call;
    /// else it would send what it need not copy at once, and the trailers after it.
    fn is_write_vectored(&self) -> bool {
        false
    }
}
