//! Servers for the tests: real TLS on 127.0.0.1, in blocking threads, as rude as asked.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tempfile::NamedTempFile;

use crate::host::Host;

/// A certification authority of its own.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: NamedTempFile,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut pem = NamedTempFile::new().unwrap();
        pem.write_all(issuer.pem().as_bytes()).unwrap();
        Self { issuer, pem }
    }

    /// Its certificate.
    pub(super) fn path(&self) -> &Path {
        self.pem.path()
    }

    pub(super) fn certify(&self, name: &str) -> Arc<ServerConfig> {
        self.certify_with(name, |_| {})
    }

    /// For a server that speaks these versions of TLS only.
    pub(super) fn certify_for(
        &self,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(name, |_| {});
        config(certificate, &key, versions)
    }

    pub(super) fn certify_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(name, change);
        config(certificate, &key, rustls::ALL_VERSIONS)
    }

    fn issue(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), key)
    }
}

/// A certificate that vouches for itself.
pub(super) fn self_signed(name: &str) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    config(certificate.der().clone(), &key, rustls::ALL_VERSIONS)
}

/// What a server does once it has read a request.
#[derive(Clone)]
pub(super) enum Script {
    /// Sends this and closes.
    Answer(String),
    /// Sends this and says no more until the client leaves.
    AnswerAndHang(String),
    /// Sends the first and then the second again and again until the client leaves.
    Endless(String, String),
    /// Closes the connection.
    HangUp,
}

/// A listening server and what it has seen.
pub(super) struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// A server that speaks TLS and then follows the script.
    pub(super) fn tls(config: Arc<ServerConfig>, script: Script) -> Self {
        Self::raw(move |tcp, seen| {
            let mut stream =
                StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            read_request(&mut stream, seen)?;
            follow(&script, &mut stream)?;
            stream.conn.send_close_notify();
            stream.flush()
        })
    }

    /// A server that is handed each connection as it is, and a place for what it reads.
    pub(super) fn raw<F>(serve: F) -> Self
    where
        F: Fn(TcpStream, &Mutex<Vec<u8>>) -> io::Result<()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sees = Arc::clone(&seen);
        thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                // A client that breaks off is what many a test is about.
                let _ = serve(tcp, &sees);
            }
        });
        Self { port, seen }
    }

    /// An HTTP proxy: it answers `CONNECT` with this status, and relays if that is 200.
    pub(super) fn proxy(status: u16) -> Self {
        Self::raw(move |mut tcp, seen| {
            read_request(&mut tcp, seen)?;
            write!(tcp, "HTTP/1.1 {status} Whatever\r\n\r\n")?;
            if status != 200 {
                return Ok(());
            }
            let head = String::from_utf8_lossy(&locked(seen).clone()).into_owned();
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut far = TcpStream::connect(target)?;
            let (mut near_again, mut far_again) = (tcp.try_clone()?, far.try_clone()?);
            thread::spawn(move || {
                let _ = io::copy(&mut near_again, &mut far_again);
                let _ = far_again.shutdown(Shutdown::Write);
            });
            io::copy(&mut far, &mut tcp)?;
            tcp.shutdown(Shutdown::Both)
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn host(&self) -> Host {
        Host::parse(&format!("localhost:{}", self.port)).unwrap()
    }

    /// All it was sent, after TLS.
    pub(super) fn seen(&self) -> String {
        String::from_utf8_lossy(&locked(&self.seen)).into_owned()
    }
}

fn config(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// Reads a head and as much body as it announces.
fn read_request(stream: &mut impl Read, seen: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        locked(seen).extend_from_slice(bytes);
        request.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                return Ok(());
            }
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn follow(script: &Script, stream: &mut (impl Read + Write)) -> io::Result<()> {
    match script {
        Script::Answer(answer) => stream.write_all(answer.as_bytes()),
        Script::AnswerAndHang(answer) => {
            stream.write_all(answer.as_bytes())?;
            stream.flush()?;
            stream.read(&mut [0; 1]).map(|_| ())
        }
        Script::Endless(head, piece) => {
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(piece.as_bytes())?;
            }
        }
        Script::HangUp => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

fn locked(seen: &Mutex<Vec<u8>>) -> std::sync::MutexGuard<'_, Vec<u8>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
