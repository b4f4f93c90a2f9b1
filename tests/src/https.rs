//! A small HTTPS client for jobs in tests and in the demo: one request, one answer, one trusted CA file.

use std::{io, path::Path, sync::Arc};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// `GET url` with `Authorization: Bearer …`.
///
/// # Errors
/// If anything but an answer comes.
pub async fn get(url: &str, bearer: &str, ca_file: &Path) -> io::Result<(StatusCode, String)> {
    let uri: http::Uri = url.parse().map_err(io::Error::other)?;
    let host = uri
        .host()
        .ok_or_else(|| io::Error::other("no host in the URL"))?
        .to_owned();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(io::Error::other)? {
        roots
            .add(certificate.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(io::Error::other)?
    .with_root_certificates(roots)
    .with_no_client_auth();
    let tcp = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
    let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
    let tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
        .await
        .map_err(io::Error::other)?;
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(
            header::HOST,
            uri.authority()
                .map_or(host.as_str(), |authority| authority.as_str()),
        )
        .header(header::AUTHORIZATION, format!("Bearer {bearer}"))
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let exchange = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(io::Error::other)?
            .to_bytes();
        Ok::<_, io::Error>((status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::select! {
        answer = exchange => answer,
        // The connection ends only after its exchange, unless it breaks.
        ended = connection => Err(io::Error::other(format!("the connection broke: {ended:?}"))),
    }
}
