//! A tunnel through an HTTP proxy: `CONNECT` (RFC 9110, section 9.3.6), then the bytes of whoever asked.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{buffer::WipedBuffer, proxy::ProxyUrl};
use crate::host::Host;

/// A proxy's answer has a few hundred bytes.
const LONGEST_ANSWER: usize = 16 * 1024;

/// Asks the proxy at the other end of `stream` for a tunnel to `host`.
///
/// # Errors
/// Says what the proxy answered, by its status only: its words are foreign.
pub(super) async fn open<S>(stream: &mut S, proxy: &ProxyUrl, host: &Host) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let target = format!("{}:{}", host.name(), host.port());
    let mut request = WipedBuffer::with_capacity(1024);
    request.push(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").as_bytes());
    if let Some(login) = proxy.login() {
        request.push(b"Proxy-Authorization: Basic ");
        push_base64(login.as_bytes(), &mut request);
        request.push(b"\r\n");
    }
    request.push(b"\r\n");
    let broken = |error: std::io::Error| format!("the proxy {proxy} broke off: {error}");
    stream.write_all(request.as_ref()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;

    let mut answer = Vec::with_capacity(512);
    // TLS clients speak first, so nothing but the proxy's answer can be there yet.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.windows(4).any(|end| end == b"\r\n\r\n") || answer.len() > LONGEST_ANSWER {
            return Err(format!(
                "the proxy {proxy} does not answer as an HTTP proxy does"
            ));
        }
        if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(format!(
                "the proxy {proxy} closed the connection without an answer"
            ));
        }
    }
    match status(&answer) {
        Some(200..300) => Ok(()),
        Some(407) => Err(format!(
            "the proxy {proxy} wants another user or password (HTTP 407); they belong into its URL"
        )),
        Some(status) => Err(format!(
            "the proxy {proxy} does not let connections to `{host}` through (HTTP {status})"
        )),
        None => Err(format!(
            "the proxy {proxy} does not answer as an HTTP proxy does"
        )),
    }
}

/// The status in `HTTP/1.x NNN ..`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|b| *b == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let version = words.next()?;
    let status = words.next().filter(|text| text.len() == 3)?;
    version.starts_with("HTTP/1.").then_some(())?;
    status.parse().ok()
}

/// RFC 4648, section 4. Here and not from a crate, because the copy must be wiped as well.
fn push_base64(bytes: &[u8], out: &mut WipedBuffer) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let byte = |n: usize| usize::from(three.get(n).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            out.push(if n > three.len() {
                b"="
            } else {
                std::slice::from_ref(&ALPHABET[bits >> (18 - 6 * n) & 63])
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(answer: &[u8]) -> (Result<(), String>, String) {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        far.write_all(answer).await.unwrap();
        let proxy = ProxyUrl::parse("http://us%65r:p%40ss@proxy:3128").unwrap();
        let host = Host::parse("acme.my.salesforce.com").unwrap();
        let (mut reader, writer) = tokio::io::split(far);
        drop(writer);
        let result = open(&mut near, &proxy, &host).await;
        drop(near);
        let mut request = String::new();
        reader.read_to_string(&mut request).await.unwrap();
        (result, request)
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_with_the_login_of_the_url() {
        let (result, request) =
            answered(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await;
        assert_eq!(result, Ok(()));
        assert_eq!(
            request,
            "CONNECT acme.my.salesforce.com:443 HTTP/1.1\r\nHost: acme.my.salesforce.com:443\r\n\
             Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn a_refusal_tells_the_status_and_no_more() {
        for (answer, expected) in [
            (&b"HTTP/1.1 407 dXNlcjpwQHNz\r\n\r\n"[..], "(HTTP 407)"),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", "(HTTP 403)"),
            (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "(HTTP 502)"),
            (
                b"HTTP/1.1 301 Moved\r\nLocation: http://evil.example\r\n\r\n",
                "(HTTP 301)",
            ),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "does not answer as"),
            (b"HTTP/1.1 \r\n\r\n", "does not answer as"),
            (b"HTTP/1.1 200 OK\r\n\r\nmore", "does not answer as"),
            (&b"x".repeat(20_000), "does not answer as"),
        ] {
            let (result, _) = answered(answer).await;
            let problem = result.unwrap_err();
            assert!(problem.contains(expected), "{problem}");
            assert!(
                !problem.contains("p@ss") && !problem.contains("dXNl"),
                "{problem}"
            );
        }
    }

    #[test]
    fn base64_pads() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            let mut out = WipedBuffer::default();
            push_base64(text.as_bytes(), &mut out);
            assert_eq!(out.as_ref(), encoded.as_bytes());
        }
    }
}
