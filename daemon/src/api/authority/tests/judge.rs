//! The real h2, which has to accept what the mask lets through.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

/// A request as the server above h2 sees it: `:authority`, `:path` and the fields that begin with `x-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) fields: Vec<(String, Vec<u8>)>,
}

/// What h2 made of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) seen: Vec<Seen>,
    /// Why h2 ended the connection.
    pub(super) ended: Option<h2::Reason>,
}

/// Has h2 read these octets, the first of a connection.
pub(super) fn judge(octets: &[u8]) -> Verdict {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(tokio::task::unconstrained(read(octets)))
}

async fn read(octets: &[u8]) -> Verdict {
    let (mut client, server) = duplex(1 << 20);
    client.write_all(octets).await.unwrap();
    let mut connection = h2::server::handshake(server).await.unwrap();
    let mut seen = Vec::new();
    let ended = poll_fn(|cx| accept(&mut connection, &mut seen, cx)).await;
    Verdict { seen, ended }
}

/// Everything has been written: where h2 would wait, it has read it all.
fn accept(
    connection: &mut h2::server::Connection<DuplexStream, bytes::Bytes>,
    seen: &mut Vec<Seen>,
    cx: &mut Context<'_>,
) -> Poll<Option<h2::Reason>> {
    loop {
        match connection.poll_accept(cx) {
            Poll::Ready(Some(Ok((request, _)))) => seen.push(Seen {
                authority: request.uri().authority().unwrap().to_string(),
                path: request.uri().path().to_owned(),
                fields: request
                    .headers()
                    .iter()
                    .filter(|(name, _)| name.as_str().starts_with("x-"))
                    .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                    .collect(),
            }),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(error.reason()),
            Poll::Ready(None) | Poll::Pending => return Poll::Ready(None),
        }
    }
}
