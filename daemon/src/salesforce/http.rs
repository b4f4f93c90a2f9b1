//! The only HTTP client: one request over one TLS connection, then nothing stays open.
//!
//! It follows no redirect, keeps no cookie, decodes no compression and tries nothing twice. What it
//! tells above all is whether a byte of the request may have left before something went wrong.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1,
    header,
    http::{self, HeaderValue, request::Builder},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    buffer::WipedBuffer, connector::Connector, environment::Environment, settings::Settings,
    watched::Watched,
};
use crate::host::Host;

/// Sends requests to permitted hosts; whoever calls it has asked the host rules.
#[derive(Debug)]
pub(super) struct HttpClient {
    connector: Connector,
    answer_timeout: Duration,
    answer_limit: usize,
}

/// What is posted.
pub(super) struct Post<'a> {
    pub(super) host: &'a Host,
    pub(super) path: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: WipedBuffer,
}

/// What is asked for.
pub(super) struct Get<'a> {
    pub(super) host: &'a Host,
    pub(super) path: &'static str,
    /// The value of the header `Authorization`, if any.
    pub(super) authorization: Option<WipedBuffer>,
}

/// What came back, read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    /// From `Retry-After`, if it is a number of seconds; six hours at most.
    pub(super) retry_after: Option<Duration>,
    /// The server's clock, from `Date`.
    pub(super) date: Option<SystemTime>,
    /// The host in `Location`.
    pub(super) redirects_to: Option<Host>,
    pub(super) body: WipedBuffer,
}

/// Why there is no answer. The texts may quote foreign words: they are shown through `redact` only.
#[derive(Debug)]
pub(super) enum HttpError {
    /// An answer that breaks HTTP or a limit.
    BadAnswer(String),
    /// At least a part of the request left, and no whole answer came.
    NoAnswer(String),
    /// Not a byte of the request left.
    NotSent(String),
}

/// An answer has a dozen headers of together 1 or 2 KiB.
const HEADERS: usize = 100;
const HEADER_BYTES: usize = 64 * 1024;

const LONGEST_RETRY_AFTER: u64 = 6 * 60 * 60;

impl HttpClient {
    pub(super) fn new(settings: Settings, environment: Environment) -> Self {
        Self {
            answer_timeout: settings.answer_timeout,
            answer_limit: settings.answer_limit,
            connector: Connector::new(settings, environment),
        }
    }

    /// The proxy on the way to a host, without its login.
    pub(super) fn proxy(&self, host: &Host) -> Option<String> {
        self.connector.proxy(host)
    }

    /// Sends the request once and reads the whole answer.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<Answer, HttpError> {
        let stream = self.connector.connect(post.host).await;
        self.post_over(stream.map_err(HttpError::NotSent)?, post)
            .await
    }

    /// Sends the request once and reads the whole answer.
    pub(super) async fn get(&self, get: Get<'_>) -> Result<Answer, HttpError> {
        let host = get.host;
        let request = request_for(get)?;
        let stream = self.connector.connect(host).await;
        self.send_over(stream.map_err(HttpError::NotSent)?, host, request)
            .await
    }

    async fn post_over<S>(&self, stream: S, post: Post<'_>) -> Result<Answer, HttpError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let host = post.host;
        self.send_over(stream, host, request(post)?).await
    }

    async fn send_over<S>(
        &self,
        stream: S,
        host: &Host,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, HttpError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let sent = Arc::new(AtomicBool::new(false));
        let stream = Watched::new(stream, Arc::clone(&sent));
        let limit = self.answer_timeout;
        let result = timeout(limit, exchange(stream, request, self.answer_limit))
            .await
            .unwrap_or_else(|_| {
                Err(HttpError::NoAnswer(format!(
                    "`{host}` did not answer in full within {} s",
                    limit.as_secs()
                )))
            });
        match result {
            Err(HttpError::NoAnswer(problem)) if !sent.load(Ordering::Relaxed) => {
                Err(HttpError::NotSent(problem))
            }
            result => result,
        }
    }
}

impl Answer {
    /// Whether it is a web page, by its type or by its first characters.
    pub(super) fn is_html(&self) -> bool {
        let typed = self
            .content_type
            .as_ref()
            .is_some_and(|t| t.to_ascii_lowercase().starts_with("text/html"));
        let start = self.body.as_ref().trim_ascii_start();
        typed
            || [&b"<!doctype html"[..], b"<html"].iter().any(|page| {
                start
                    .get(..page.len())
                    .is_some_and(|head| head.eq_ignore_ascii_case(page))
            })
    }
}

/// One request and its answer. The connection is driven from here, so that it ends with this future.
async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Answer, HttpError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES)
        // Never copies the body, which holds a secret, into a buffer beside the headers.
        .writev(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(failed)?;
        read(response, limit).await
    });
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        // Its error, if any, reaches the answer as well.
        _ = &mut connection => {}
    }
    answer.await
}

fn request(post: Post<'_>) -> Result<Request<Full<Bytes>>, HttpError> {
    let mut request = with_common_headers(Request::post(post.path), post.host);
    for (name, value) in post.headers {
        request = request.header(*name, *value);
    }
    // The bytes are wiped when the last reference to them goes.
    request
        .body(Full::new(Bytes::from_owner(post.body)))
        .map_err(unbuilt)
}

fn request_for(get: Get<'_>) -> Result<Request<Full<Bytes>>, HttpError> {
    let mut request = with_common_headers(Request::get(get.path), get.host);
    if let Some(authorization) = get.authorization {
        // The same bytes, not a copy: they are wiped when the last reference to them goes.
        let mut session = HeaderValue::from_maybe_shared(Bytes::from_owner(authorization))
            .map_err(|error| unbuilt(error.into()))?;
        session.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, session);
    }
    request.body(Full::default()).map_err(unbuilt)
}

fn with_common_headers(request: Builder, host: &Host) -> Builder {
    request
        .header(header::HOST, host.as_str())
        .header(
            header::USER_AGENT,
            concat!("sfvault/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close")
}

fn unbuilt(error: http::Error) -> HttpError {
    HttpError::NotSent(format!("the request can't be built: {error}"))
}

async fn read(response: Response<Incoming>, limit: usize) -> Result<Answer, HttpError> {
    let (head, mut incoming) = response.into_parts();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    // None was asked for; a decoder would be one more thing to attack.
    if head
        .headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(HttpError::BadAnswer(
            "the answer is compressed, though that was not asked for".to_owned(),
        ));
    }
    let mut body = WipedBuffer::default();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(failed)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if body.len().saturating_add(data.len()) > limit {
            return Err(HttpError::BadAnswer(format!(
                "the answer is longer than {limit} bytes"
            )));
        }
        body.push(data);
    }
    Ok(Answer {
        status: head.status.as_u16(),
        content_type: text(header::CONTENT_TYPE).map(str::to_owned),
        retry_after: text(header::RETRY_AFTER)
            .and_then(|seconds| seconds.trim().parse::<u64>().ok())
            .map(|seconds| Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER))),
        date: text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok()),
        redirects_to: text(header::LOCATION).and_then(host_of_url),
        body,
    })
}

/// The host of an `https` or `http` URL, to tell the operator where a redirect wants to go.
fn host_of_url(url: &str) -> Option<Host> {
    let (_, rest) = url.split_once("://")?;
    Host::parse(rest.split('/').next()?).ok()
}

fn failed(error: hyper::Error) -> HttpError {
    if error.is_parse() {
        HttpError::BadAnswer(format!("the answer is not HTTP/1.1: {error}"))
    } else {
        HttpError::NoAnswer(format!("the connection broke off: {error}"))
    }
}

#[cfg(test)]
mod tests;
