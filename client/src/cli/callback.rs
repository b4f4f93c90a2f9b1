//! Where the browser comes back to: a listener on this host for one request.
//!
//! Whatever it hears is passed on unjudged; only the daemon knows what must come. But not every program that connects
//! is the browser: a request must be small, quick, for this path, and for this host by name, so that no page of another
//! name that was made to lead here (DNS rebinding) is heard.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};
use zeroize::Zeroizing;

use super::failure::Failure;

/// Browsers connect ahead of need, and so can anybody on this host. Who comes when there are so many is heard in the place of
/// the one who has been silent for longest.
const MOST_CONNECTIONS: usize = 16;
/// After a connection could not be accepted: descriptors come back when others leave.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A browser on the same host sends its request at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// A code has some 100 characters; the rest is what browsers say of themselves.
const LONGEST_REQUEST: usize = 16 << 10;
const PATH: &str = "/callback";

/// Listens on the loopback addresses of this host.
pub(crate) struct Listener {
    v4: TcpListener,
    /// Where `localhost` may lead as well. Absent where the host has no IPv6.
    v6: Option<TcpListener>,
    port: u16,
    patience: Duration,
}

/// The parameters that the browser brought, decoded; empty where absent.
#[derive(Default)]
pub(crate) struct Brought {
    pub(crate) code: Zeroizing<String>,
    pub(crate) state: Zeroizing<String>,
    pub(crate) issuer: Zeroizing<String>,
    pub(crate) error: Zeroizing<String>,
    pub(crate) error_description: Zeroizing<String>,
}

impl Listener {
    /// Listens on this port; 0 for any that is free.
    pub(crate) async fn bind(port: u16) -> Result<Self, Failure> {
        let taken = |error: io::Error| {
            Failure::usage(
                format!("can't listen on port {port} of this host: {error}"),
                "end the program that has it, or name another with `--port` and add its callback URL to the app",
            )
        };
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(taken)?;
        let port = v4.local_addr().map_err(taken)?.port();
        let v6 = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(v6) => Some(v6),
            // Whoever has it would get what is meant for us.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(taken(error)),
            Err(_) => None,
        };
        Ok(Self {
            v4,
            v6,
            port,
            patience: PATIENCE,
        })
    }

    /// What the app must have among its callback URLs. Salesforce takes `http` for `localhost` only.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    /// Waits for the browser.
    pub(crate) async fn brought(self) -> Brought {
        let mut connections = JoinSet::new();
        let mut hearing: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let accepted = tokio::select! {
                biased;
                Some(done) = connections.join_next() => {
                    if let Ok(Some((brought, mut stream))) = done {
                        let thanked = thank(&mut stream, &brought);
                        // A browser that went away has brought what it had to bring.
                        let _ = timeout(self.patience, thanked).await;
                        return brought;
                    }
                    continue;
                }
                accepted = self.accept() => accepted,
            };
            let Ok(stream) = accepted else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            hearing.retain(|connection| !connection.is_finished());
            if hearing.len() >= MOST_CONNECTIONS
                && let Some(oldest) = hearing.pop_front()
            {
                oldest.abort();
            }
            let heard = hear(stream, self.port);
            let heard = timeout(self.patience, heard);
            hearing.push_back(connections.spawn(async { heard.await.ok().flatten() }));
        }
    }

    /// By either address, for a crowd at one must not hide the other.
    async fn accept(&self) -> io::Result<TcpStream> {
        let v6 = async {
            match &self.v6 {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        let (stream, _) = tokio::select! {
            accepted = self.v4.accept() => accepted?,
            accepted = v6 => accepted?,
        };
        Ok(stream)
    }
}

/// Hears one request. If it is the one, its answer is still owed; any other is answered, and `None`.
async fn hear(mut stream: TcpStream, port: u16) -> Option<(Brought, TcpStream)> {
    let head = read_head(&mut stream).await?;
    match read(&head, port) {
        Ok(brought) => Some((brought, stream)),
        Err((status, text)) => {
            answer(&mut stream, status, text).await;
            None
        }
    }
}

async fn thank(stream: &mut TcpStream, brought: &Brought) {
    let text = match brought.error.is_empty() {
        true => "sfvault has what it needs.",
        false => "Salesforce did not let sfvault in.",
    };
    answer(stream, "200 OK", text).await;
}

/// The request up to its empty line; `None` if it ends before or is too long.
async fn read_head(stream: &mut TcpStream) -> Option<Zeroizing<Vec<u8>>> {
    // Never grows: growing leaves copies.
    let mut head = Zeroizing::new(vec![0; LONGEST_REQUEST]);
    let mut filled = 0;
    loop {
        let rest = head.get_mut(filled..).filter(|rest| !rest.is_empty())?;
        let read = stream.read(rest).await.ok().filter(|read| *read > 0)?;
        filled += read;
        let so_far = head.get(..filled)?;
        if so_far.windows(4).any(|end| end == b"\r\n\r\n") {
            head.truncate(filled);
            return Some(head);
        }
    }
}

/// Status and words of an answer to what is not the callback.
type Refusal = (&'static str, &'static str);

fn read(head: &[u8], port: u16) -> Result<Brought, Refusal> {
    const BAD: Refusal = ("400 Bad Request", "This is not what Salesforce sends.");
    let text = str::from_utf8(head).map_err(|_| BAD)?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target, version) = (first.next(), first.next(), first.next());
    if first.next().is_some() || !version.is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(BAD);
    }
    let mut hosts = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then_some(value.trim())
    });
    let own = ["localhost", "127.0.0.1"].map(|name| format!("{name}:{port}"));
    let host = hosts.next().filter(|_| hosts.next().is_none());
    if !host.is_some_and(|host| own.iter().any(|own| own.eq_ignore_ascii_case(host))) {
        return Err(("403 Forbidden", "This host has another name."));
    }
    let target = target.ok_or(BAD)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != PATH {
        return Err(("404 Not Found", "There is nothing here."));
    }
    if method != Some("GET") {
        return Err(("405 Method Not Allowed", "Only GET is heard here."));
    }
    let brought = Brought::read(query).ok_or(BAD)?;
    let whole = !brought.state.is_empty() && (brought.code.is_empty() != brought.error.is_empty());
    whole.then_some(brought).ok_or(BAD)
}

impl Brought {
    /// `None` if a parameter is malformed or comes twice.
    fn read(query: &str) -> Option<Self> {
        let mut brought = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let place = match name {
                "code" => &mut brought.code,
                "state" => &mut brought.state,
                "iss" => &mut brought.issuer,
                "error" => &mut brought.error,
                "error_description" => &mut brought.error_description,
                _ => continue,
            };
            if !place.is_empty() {
                return None;
            }
            *place = decode(value)?;
        }
        Some(brought)
    }
}

fn decode(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    let text = str::from_utf8(&bytes).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}

/// The page holds nothing that came in.
async fn answer(stream: &mut TcpStream, status: &str, text: &str) {
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>sfvault</title><p>{text} You can close this page."
    );
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n",
        page.len()
    );
    // Who went away wants no answer.
    let _ = stream.write_all([head, page].concat().as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, host: &str) -> Result<Brought, Refusal> {
        read(
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
            1717,
        )
    }

    fn status(target: &str, host: &str) -> &'static str {
        match request(target, host) {
            Ok(_) => "200 OK",
            Err((status, _)) => status,
        }
    }

    #[test]
    fn the_callback_is_decoded() {
        let brought = request(
            "/callback?code=aPrx%2Bb%3D%3D&state=s+1&iss=https%3A%2F%2Facme.my.salesforce.com&x=1",
            "LOCALHOST:1717",
        );
        let brought = brought.ok().unwrap();
        assert_eq!((&**brought.code, &**brought.state), ("aPrx+b==", "s 1"));
        assert_eq!(&**brought.issuer, "https://acme.my.salesforce.com");
    }

    /// T48
    #[test]
    fn a_request_for_another_host_is_not_heard() {
        let target = "/callback?code=a&state=b";
        assert_eq!(status(target, "127.0.0.1:1717"), "200 OK");
        for host in [
            "evil.example",
            "evil.example:1717",
            "localhost",
            "localhost:80",
            "localhost:1717.evil.example",
            "[::1]:1717",
            "",
        ] {
            assert_eq!(status(target, host), "403 Forbidden", "{host}");
        }
        let two = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost:1717\r\nhost: localhost:1717\r\n\r\n"
        );
        assert!(read(two.as_bytes(), 1717).is_err());
        let none = format!("GET {target} HTTP/1.1\r\n\r\n");
        assert!(read(none.as_bytes(), 1717).is_err());
    }

    #[test]
    fn what_is_not_the_callback_is_passed_over() {
        for (target, expected) in [
            ("/favicon.ico", "404 Not Found"),
            ("/callback/", "404 Not Found"),
            ("/callback", "400 Bad Request"),
            ("/callback?code=a", "400 Bad Request"),
            ("/callback?state=b", "400 Bad Request"),
            ("/callback?code=a&error=b&state=c", "400 Bad Request"),
            ("/callback?code=a&code=b&state=c", "400 Bad Request"),
            ("/callback?code=%zz&state=c", "400 Bad Request"),
            ("/callback?code=%ff&state=c", "400 Bad Request"),
            ("/callback?code=%&state=c", "400 Bad Request"),
            ("/callback?error=access_denied&state=c", "200 OK"),
        ] {
            assert_eq!(status(target, "localhost:1717"), expected, "{target}");
        }
        for head in [
            "POST /callback?code=a&state=b HTTP/1.1",
            "GET /callback?code=a&state=b",
            "",
        ] {
            let head = format!("{head}\r\nHost: localhost:1717\r\n\r\n");
            assert!(read(head.as_bytes(), 1717).is_err(), "{head}");
        }
        assert!(read(b"\xff\xfe\r\n\r\n", 1717).is_err());
    }

    /// T48. Without an end to their patience, or it would let the browser in some time later.
    #[tokio::test]
    async fn connections_that_say_nothing_keep_the_browser_out_for_no_moment() {
        let mut listener = Listener::bind(0).await.ok().unwrap();
        listener.patience = Duration::from_hours(1);
        let port = listener.port;
        let brought = tokio::spawn(listener.brought());
        let connect = async |begun: &[u8]| {
            let address = (Ipv4Addr::LOCALHOST, port);
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun).await.unwrap();
            stream
        };
        let mut silent = Vec::new();
        for begun in ["", "GET /callback?code="].repeat(MOST_CONNECTIONS) {
            silent.push(connect(begun.as_bytes()).await);
        }
        // Only so many are heard, and the first of these have made way.
        let patience = Duration::from_mins(1);
        let hung_up = timeout(patience, silent[0].read(&mut [0])).await.unwrap();
        assert!(hung_up.map_or(true, |read| read == 0));
        let good = format!("GET {PATH}?code=a&state=b HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        let mut browser = connect(good.as_bytes()).await;
        let brought = timeout(patience, brought).await.unwrap().unwrap();
        assert_eq!((&**brought.code, &**brought.state), ("a", "b"));
        let mut page = String::new();
        browser.read_to_string(&mut page).await.unwrap();
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    }

    /// Other programs connect, too: each octet of a good request is changed to each other, and it is cut at each place.
    #[test]
    fn whatever_comes_is_heard_as_a_whole_callback_or_refused() {
        let good =
            b"GET /callback?code=a%2B&state=b+&iss=c HTTP/1.1\r\nHost: localhost:1717\r\n\r\n";
        let hear = |head: &[u8]| {
            let Ok(brought) = read(head, 1717) else {
                return;
            };
            assert!(!brought.state.is_empty());
            assert_ne!(brought.code.is_empty(), brought.error.is_empty());
        };
        for at in 0..good.len() {
            hear(&good[..at]);
            for octet in 0..=u8::MAX {
                let mut head = good.to_vec();
                head[at] = octet;
                hear(&head);
                head.insert(at, octet);
                hear(&head);
            }
        }
    }
}
