//! A CONNECT proxy that knows Salesforce's hosts, for clients whose login host can't be set.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use super::{journal, reply::Outcome, server, server::Listener, state::State};

/// The proxy's listener.
pub(super) struct Proxy {
    pub(super) state: Arc<State>,
    pub(super) login: SocketAddr,
    pub(super) instance: SocketAddr,
}

impl Proxy {
    /// Serves until it is dropped; connections end with it.
    pub(super) async fn run(self, socket: TcpListener) {
        let proxy = Arc::new(self);
        server::accept(&socket, |stream| {
            let proxy = proxy.clone();
            async move {
                // An error is an end that went away.
                let _: io::Result<()> = proxy.connection(stream).await;
            }
        })
        .await;
    }

    async fn connection(&self, mut client: TcpStream) -> io::Result<()> {
        let head = read_head(&mut client).await?;
        let mut words = head.split_ascii_whitespace();
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let address = match method {
            "CONNECT" => self.address(target),
            _ => None,
        };
        self.note(method, target, address.is_some());
        let Some(address) = address else {
            let refusal =
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return client.write_all(refusal).await;
        };
        let mut server = TcpStream::connect(address).await?;
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
        copy_bidirectional(&mut client, &mut server).await?;
        Ok(())
    }

    fn address(&self, target: &str) -> Option<SocketAddr> {
        match target.strip_suffix(":443")? {
            "login.salesforce.com" | "test.salesforce.com" => Some(self.login),
            host if host.ends_with(".my.salesforce.com") => Some(self.instance),
            _ => None,
        }
    }

    fn note(&self, method: &str, target: &str, known: bool) {
        self.state.with(|world| {
            let request = journal::Request {
                at: world.now,
                listener: Listener::Proxy,
                host: target.to_owned(),
                method: method.to_owned(),
                path: target.to_owned(),
                operation: None,
                flow: None,
                user: None,
                status: Some(if known { 200 } else { 403 }),
                outcome: Outcome::Answered,
            };
            let complaint = (!known).then(|| "no host of Salesforce".to_owned());
            world.journal.add(request, complaint.into_iter().collect());
        });
        self.state.announce();
    }
}

/// Reads a request's head, and no byte more: the next one belongs to the tunnel.
async fn read_head(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(client.read_u8().await?);
    }
    String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData.into())
}

const LONGEST_HEAD: usize = 8 * 1024;
