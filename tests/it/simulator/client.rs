//! A client of a few lines, which does what it is told: also what no good client does.

use std::{io, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use quick_xml::escape::escape;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use sfvault_tests::simulator::{PASSWORD, SECURITY_TOKEN, Simulator, USERNAME};
use tokio::{net::TcpStream, task::AbortHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The text between the first start tag of this name and its end tag, as it is on the wire.
    pub(crate) fn text(&self, tag: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

/// A request to be sent to a URL of the simulator.
pub(crate) fn request(method: &str, url: &str) -> http::request::Builder {
    let rest = url.split_once("://").unwrap().1;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Request::builder()
        .method(method)
        .uri(if path.is_empty() { "/" } else { path })
        .header("host", host)
}

/// Sends a request to the port of a URL, and trusts the simulator's CA.
pub(crate) async fn send(
    simulator: &Simulator,
    url: &str,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let port = url.rsplit(':').next().unwrap().split('/').next().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port.parse()?)).await?;
    exchange(handshake(simulator, stream, "localhost").await?, request).await
}

/// TLS with the simulator.
pub(crate) async fn handshake(
    simulator: &Simulator,
    stream: TcpStream,
    name: &'static str,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(simulator.ca_file()).unwrap();
    roots.add(ca).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name).unwrap(), stream)
        .await
}

/// One request and its answer.
pub(crate) async fn exchange(
    stream: TlsStream<TcpStream>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let _connection = AbortOnDrop(tokio::spawn(connection).abort_handle());
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, 1024 * 1024).collect().await?.to_bytes();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The URL of the SOAP API that `login()` belongs to, at a host.
pub(crate) fn partner(base: &str) -> String {
    format!("{base}/services/Soap/u/64.0")
}

/// An envelope with headers and a body, in which `u` is the partner API.
pub(crate) fn envelope(headers: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><e:Envelope \
         xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:u=\"urn:partner.soap.sforce.com\">\
         <e:Header>{headers}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    )
}

pub(crate) fn login_envelope(username: &str, password: &str) -> String {
    envelope(
        "",
        &format!(
            "<u:login><u:username>{}</u:username><u:password>{}</u:password></u:login>",
            escape(username),
            escape(password)
        ),
    )
}

/// Posts an envelope as a good client does.
pub(crate) async fn post(
    simulator: &Simulator,
    url: &str,
    envelope: String,
) -> Result<Answer, Failure> {
    let request = request("POST", url)
        .header("content-type", "text/xml; charset=utf-8")
        .header("soapaction", "\"\"")
        .body(Full::from(envelope))?;
    send(simulator, url, request).await
}

/// `login()` of any user at the login host.
pub(crate) async fn login_as(simulator: &Simulator, username: &str, password: &str) -> Answer {
    let url = partner(&simulator.login_url());
    post(simulator, &url, login_envelope(username, password))
        .await
        .unwrap()
}

/// `login()` of the simulator's user with this in the place of password and token.
pub(crate) async fn login_with(simulator: &Simulator, password: &str) -> Answer {
    login_as(simulator, USERNAME, password).await
}

/// A right `login()`.
pub(crate) async fn login(simulator: &Simulator) -> Answer {
    login_with(simulator, &right_password()).await
}

/// The session id of a right `login()`.
pub(crate) async fn session(simulator: &Simulator) -> String {
    let answer = login(simulator).await;
    answer.text("sessionId").unwrap().to_owned()
}

pub(crate) fn right_password() -> String {
    format!("{PASSWORD}{SECURITY_TOKEN}")
}

/// A SOAP call with a session at the instance.
pub(crate) async fn call(simulator: &Simulator, session: &str, body: &str) -> Answer {
    let headers =
        format!("<u:SessionHeader><u:sessionId>{session}</u:sessionId></u:SessionHeader>");
    let url = partner(&simulator.instance_url());
    post(simulator, &url, envelope(&headers, body))
        .await
        .unwrap()
}

/// A GET at the instance.
pub(crate) async fn get(simulator: &Simulator, session: &str, path: &str) -> Answer {
    let url = format!("{}{path}", simulator.instance_url());
    let request = request("GET", &url)
        .header("authorization", format!("Bearer {session}"))
        .body(Full::default())
        .unwrap();
    send(simulator, &url, request).await.unwrap()
}
