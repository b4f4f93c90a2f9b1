//! Clients that know only Salesforce's own hosts get here through a proxy.

use http_body_util::Full;
use sfvault_tests::simulator::{Listener, Options, Org, Simulator, USERNAME};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::client::{Answer, exchange, handshake, login_envelope, request, right_password};

const INSTANCE: &str = "https://acme.my.salesforce.com";

/// Opens a tunnel, or returns the head of the refusal.
async fn tunnel(sim: &Simulator, line: &str) -> Result<TcpStream, String> {
    let proxy = sim.proxy_url().replace("http://", "");
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    let head = format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    match answer.starts_with("HTTP/1.1 200 ") {
        true => Ok(stream),
        false => Err(answer),
    }
}

async fn login_at(sim: &Simulator, host: &'static str) -> Answer {
    let stream = tunnel(sim, &format!("CONNECT {host}:443")).await.unwrap();
    let stream = handshake(sim, stream, host).await.unwrap();
    let request = request("POST", &format!("https://{host}/services/Soap/u/64.0"))
        .header("content-type", "text/xml")
        .header("soapaction", "login")
        .body(Full::from(login_envelope(USERNAME, &right_password())))
        .unwrap();
    exchange(stream, request).await.unwrap()
}

async fn start(sandbox: bool) -> Simulator {
    Simulator::start(Options {
        org: Org {
            instance_url: INSTANCE.to_owned(),
            sandbox,
            ..Org::default()
        },
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn a_login_through_the_proxy_leads_to_the_my_domain() {
    let sim = start(false).await;
    let answer = login_at(&sim, "login.salesforce.com").await;
    let server_url = answer.text("serverUrl").unwrap();
    assert!(server_url.starts_with(INSTANCE), "{server_url}");
    let id = answer.text("sessionId").unwrap().to_owned();

    for (host, status) in [
        ("acme.my.salesforce.com", 200),
        ("other.my.salesforce.com", 401),
    ] {
        let stream = tunnel(&sim, &format!("CONNECT {host}:443")).await.unwrap();
        let stream = handshake(&sim, stream, host).await.unwrap();
        let request = request("GET", &format!("https://{host}/services/data/v64.0/limits"))
            .header("authorization", format!("Bearer {id}"))
            .body(Full::default())
            .unwrap();
        assert_eq!(
            exchange(stream, request).await.unwrap().status,
            status,
            "{host}"
        );
    }
    let requests = sim.requests();
    let tunnels = requests.iter().filter(|r| r.listener == Listener::Proxy);
    assert_eq!(tunnels.count(), 3);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_user_of_the_other_environment_does_not_exist() {
    for (sandbox, right, wrong) in [
        (false, "login.salesforce.com", "test.salesforce.com"),
        (true, "test.salesforce.com", "login.salesforce.com"),
    ] {
        let sim = start(sandbox).await;
        assert_eq!(
            login_at(&sim, right).await.text("sandbox"),
            Some(if sandbox { "true" } else { "false" })
        );
        assert_eq!(
            login_at(&sim, wrong).await.text("faultcode"),
            Some("INVALID_LOGIN")
        );
        assert_eq!(login_at(&sim, "acme.my.salesforce.com").await.status, 200);
        assert_eq!(login_at(&sim, "other.my.salesforce.com").await.status, 500);
        sim.finish().unwrap();
    }
}

#[tokio::test]
async fn the_proxy_leads_nowhere_else_and_writes_it_down() {
    let sim = start(false).await;
    for line in [
        "CONNECT evil.example:443",
        "CONNECT login.salesforce.com:80",
        "CONNECT my.salesforce.com.evil.example:443",
        "CONNECT login.salesforce.com",
        "GET http://login.salesforce.com/",
    ] {
        let refusal = tunnel(&sim, line).await.unwrap_err();
        assert!(refusal.starts_with("HTTP/1.1 403 "), "{line}: {refusal}");
        let unexpected = sim.take_unexpected();
        assert_eq!(unexpected.len(), 1, "{line}: {unexpected:?}");
        assert!(unexpected[0].starts_with("no host of Salesforce"));
    }
    sim.finish().unwrap();
}
