mod proxied;

use std::{
    io::{self, Write as _},
    net::TcpListener,
};

use super::*;
use crate::salesforce::loopback::{Authority, Script, Server, self_signed};

const BODY: &[u8] = b"<password>hunter2</password>";

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Trusts the authority and nobody else.
fn client(authority: &Authority, settings: Settings) -> HttpClient {
    let environment = Environment {
        ssl_cert_file: Some(authority.path().to_owned()),
        ..Environment::default()
    };
    HttpClient::new(settings, environment)
}

async fn post_with(client: &HttpClient, host: &Host) -> Result<Answer, HttpError> {
    client
        .post(Post {
            host,
            path: "/services/Soap/u/64.0",
            headers: &[("soapaction", "\"\"")],
            body: WipedBuffer::from(BODY),
        })
        .await
}

async fn post(authority: &Authority, server: &Server) -> Result<Answer, HttpError> {
    post_with(&client(authority, Settings::default()), &server.host()).await
}

fn not_sent(result: Result<Answer, HttpError>) -> String {
    match result {
        Err(HttpError::NotSent(problem)) => problem,
        Err(error) => panic!("{error:?}"),
        Ok(answer) => panic!("HTTP {}", answer.status),
    }
}

fn no_answer(result: Result<Answer, HttpError>) -> String {
    match result {
        Err(HttpError::NoAnswer(problem)) => problem,
        Err(error) => panic!("{error:?}"),
        Ok(answer) => panic!("HTTP {}", answer.status),
    }
}

fn bad_answer(result: Result<Answer, HttpError>) -> String {
    match result {
        Err(HttpError::BadAnswer(problem)) => problem,
        Err(error) => panic!("{error:?}"),
        Ok(answer) => panic!("HTTP {}", answer.status),
    }
}

#[tokio::test]
async fn a_request_is_answered() {
    let authority = Authority::new();
    let server = Server::tls(authority.certify("localhost"), Script::Answer(ok("<a/>")));
    let answer = post(&authority, &server).await.unwrap();
    assert_eq!((answer.status, answer.body.as_ref()), (200, &b"<a/>"[..]));
    assert_eq!(answer.content_type.as_deref(), Some("text/xml"));
    let seen = server.seen().to_lowercase();
    assert!(
        seen.starts_with("post /services/soap/u/64.0 http/1.1\r\n"),
        "{seen}"
    );
    assert!(
        seen.contains(&format!("host: {}\r\n", server.host())),
        "{seen}"
    );
    assert!(
        seen.contains("soapaction: \"\"\r\n") && seen.ends_with("hunter2</password>"),
        "{seen}"
    );
    assert!(!seen.contains("accept-encoding"), "{seen}");
}

/// T35.
#[tokio::test]
async fn no_request_goes_to_a_server_that_cannot_prove_its_name() {
    let authority = Authority::new();
    let expired = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    };
    for (name, config) in [
        ("another name", authority.certify("other.example")),
        ("expired", authority.certify_with("localhost", expired)),
        ("another authority", Authority::new().certify("localhost")),
        ("self-signed", self_signed("localhost")),
    ] {
        let server = Server::tls(config, Script::Answer(ok("<a/>")));
        let problem = not_sent(post(&authority, &server).await);
        assert!(problem.contains("certificate"), "{name}: {problem}");
        assert_eq!(server.seen(), "", "{name}");
    }
}

/// T35.
#[tokio::test]
async fn tls_1_2_will_do() {
    let authority = Authority::new();
    let config = authority.certify_for("localhost", &[&rustls::version::TLS12]);
    let server = Server::tls(config, Script::Answer(ok("<a/>")));
    assert!(post(&authority, &server).await.is_ok());
}

/// T35: a `ServerHello` of TLS 1.1 with a cipher suite of its time.
#[tokio::test]
async fn tls_older_than_1_2_is_refused() {
    let authority = Authority::new();
    let server = Server::raw(|mut tcp, seen| {
        let mut record = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
        record.extend([7; 32]);
        record.extend([0, 0, 0x2f, 0]);
        tcp.write_all(&record)?;
        let mut all = Vec::new();
        io::Read::read_to_end(&mut tcp, &mut all)?;
        seen.lock().unwrap().extend(all);
        Ok(())
    });
    let problem = not_sent(post(&authority, &server).await);
    assert!(problem.contains("TLS"), "{problem}");
    assert!(!server.seen().contains("hunter2"));
}

#[tokio::test]
async fn plain_http_behind_the_port_gets_nothing() {
    let authority = Authority::new();
    let server = Server::raw(|mut tcp, _| tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    not_sent(post(&authority, &server).await);
}

/// T36.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let authority = Authority::new();
    let elsewhere = Server::tls(authority.certify("localhost"), Script::Answer(ok("<a/>")));
    for status in [301, 302, 307, 308] {
        let moved = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: https://{}/services/Soap/u/64.0\r\nContent-Length: 0\r\n\r\n",
            elsewhere.host()
        );
        let server = Server::tls(authority.certify("localhost"), Script::Answer(moved));
        let answer = post(&authority, &server).await.unwrap();
        assert_eq!(
            (answer.status, answer.redirects_to),
            (status, Some(elsewhere.host()))
        );
    }
    assert_eq!(elsewhere.seen(), "");
}

/// T38.
#[tokio::test]
async fn an_endless_answer_ends_at_the_limit() {
    let authority = Authority::new();
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    for (head, piece, problem) in [
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            piece.as_str(),
            "longer than 1048576",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n",
            &piece,
            "longer than 1048576",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", &piece, "longer than 1048576"),
        ("HTTP/1.1 200 OK\r\n", "X-Header: value\r\n", "not HTTP"),
        (
            "HTTP/1.1 200 OK\r\nX-Header: ",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "not HTTP",
        ),
        ("HTTP/1.1 ", "2", "not HTTP"),
    ] {
        let script = Script::Endless(head.to_owned(), piece.to_owned());
        let server = Server::tls(authority.certify("localhost"), script);
        let result = bad_answer(post(&authority, &server).await);
        assert!(result.contains(problem), "{head:?}: {result}");
    }
}

/// T38.
#[tokio::test]
async fn an_answer_that_was_not_asked_for_so_is_refused() {
    let authority = Authority::new();
    for (answer, problem) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\u{b}",
            "compressed",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "not HTTP",
        ),
    ] {
        let server = Server::tls(
            authority.certify("localhost"),
            Script::Answer(answer.to_owned()),
        );
        let result = bad_answer(post(&authority, &server).await);
        assert!(result.contains(problem), "{answer:?}: {result}");
    }
}

/// T38.
#[tokio::test]
async fn a_slow_answer_is_given_up_at_the_deadline() {
    let authority = Authority::new();
    let impatient = || Settings {
        answer_timeout: Duration::from_millis(300),
        ..Settings::default()
    };
    for start in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<a",
    ] {
        let script = Script::AnswerAndHang(start.to_owned());
        let server = Server::tls(authority.certify("localhost"), script);
        let problem = no_answer(post_with(&client(&authority, impatient()), &server.host()).await);
        assert!(problem.contains("did not answer in full"), "{problem}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_tells_whether_the_request_left() {
    let authority = Authority::new();
    let before = Server::raw(|tcp, _| tcp.shutdown(std::net::Shutdown::Both));
    not_sent(post(&authority, &before).await);

    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let host = Host::parse(&format!("localhost:{}", nobody.port())).unwrap();
    not_sent(post_with(&client(&authority, Settings::default()), &host).await);

    for script in [
        Script::HangUp,
        Script::Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<a".to_owned()),
        Script::Answer("HTTP/1.1 200 OK\r\nContent-Le".to_owned()),
    ] {
        let after = Server::tls(authority.certify("localhost"), script);
        no_answer(post(&authority, &after).await);
        assert!(after.seen().ends_with("hunter2</password>"));
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_before_the_request_leaves_costs_nothing() {
    let authority = Authority::new();
    let host = Host::parse("localhost").unwrap();
    let (near, far) = tokio::io::duplex(1024);
    drop(far);
    let post = Post {
        host: &host,
        path: "/",
        headers: &[],
        body: WipedBuffer::from(BODY),
    };
    let client = client(&authority, Settings::default());
    not_sent(client.post_over(near, post).await);
}

#[tokio::test]
async fn an_answer_may_be_as_long_as_the_limit_and_no_longer() {
    let authority = Authority::new();
    for (body, read) in [("<ab/>", true), ("<abc/>", false)] {
        let script = Script::Answer(ok(body));
        let server = Server::tls(authority.certify("localhost"), script);
        let settings = Settings {
            answer_limit: 5,
            ..Settings::default()
        };
        let result = post_with(&client(&authority, settings), &server.host()).await;
        assert_eq!(result.is_ok(), read, "{body}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up_before_anything_is_sent() {
    let authority = Authority::new();
    let server =
        Server::raw(|mut tcp, _| io::Read::read_to_end(&mut tcp, &mut Vec::new()).map(|_| ()));
    let settings = Settings {
        connect_timeout: Duration::from_millis(300),
        ..Settings::default()
    };
    let problem = not_sent(post_with(&client(&authority, settings), &server.host()).await);
    assert!(problem.contains("no connection to"), "{problem}");
}

#[tokio::test]
async fn a_certificate_is_trusted_by_ca_file_or_environment_only() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::tls(ours.certify("localhost"), Script::Answer(ok("<a/>")));
    let reach = async |ca_file: Option<&Authority>, environment: &Authority| {
        let settings = Settings {
            ca_file: ca_file.map(|authority| authority.path().to_owned()),
            ..Settings::default()
        };
        post_with(&client(environment, settings), &server.host()).await
    };
    assert!(reach(None, &ours).await.is_ok());
    assert!(reach(Some(&ours), &theirs).await.is_ok());
    assert!(reach(None, &theirs).await.is_err());
}

#[tokio::test]
async fn an_unreadable_certificate_file_is_named() {
    let authority = Authority::new();
    let host = Host::parse("localhost:1").unwrap();
    let empty = tempfile::NamedTempFile::new().unwrap();
    let missing = std::path::Path::new("/nonexistent/ca.pem");
    for path in [missing, empty.path()] {
        let settings = Settings {
            ca_file: Some(path.to_owned()),
            ..Settings::default()
        };
        let problem = not_sent(post_with(&client(&authority, settings), &host).await);
        assert!(problem.contains(&path.display().to_string()), "{problem}");
    }
    let environment = Environment {
        ssl_cert_file: Some(missing.to_owned()),
        ..Environment::default()
    };
    let nobody = HttpClient::new(Settings::default(), environment);
    let problem = not_sent(post_with(&nobody, &host).await);
    assert!(problem.contains("no trusted certificate"), "{problem}");
}
