//! The program and its control port.

use std::process::Stdio;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

/// The running program and its line.
struct Program {
    child: Child,
    line: Value,
}

impl Program {
    async fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sfvault-simulator"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().unwrap();
        Self {
            child,
            line: serde_json::from_str(&line).unwrap(),
        }
    }

    async fn control(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let url = self.line["control_url"].as_str().unwrap();
        let stream = TcpStream::connect(url.replace("http://", ""))
            .await
            .unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1")
            .body(Full::<Bytes>::from(body.to_owned()))
            .unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    async fn ends_with(self, status: i32) -> String {
        let output = self.child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(status));
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test]
async fn the_line_tells_where_everything_is_and_stop_ends_it() {
    let program =
        Program::start(&["--user", "a@b.example", "--password", "p", "--token", "t"]).await;
    let line = &program.line;
    assert_eq!(
        [
            &line["username"],
            &line["password"],
            &line["security_token"]
        ],
        ["a@b.example", "p", "t"]
    );
    for (key, start) in [
        ("login_url", "https://localhost:"),
        ("instance_url", "https://localhost:"),
        ("proxy_url", "http://127.0.0.1:"),
        ("control_url", "http://127.0.0.1:"),
    ] {
        assert!(line[key].as_str().unwrap().starts_with(start), "{key}");
    }
    assert_eq!(line["my_domain_url"], line["instance_url"]);
    assert!(line["consumer_key"].is_string() && line["consumer_secret"].is_string());
    let key = std::fs::read_to_string(line["private_key_file"].as_str().unwrap()).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    let ca_file = line["ca_file"].as_str().unwrap().to_owned();
    assert!(
        std::fs::read_to_string(&ca_file)
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    assert_eq!(program.control("POST", "/stop", "").await, (200, json!({})));
    assert_eq!(program.ends_with(0).await, "");
    assert!(!std::path::Path::new(&ca_file).exists());
}

#[tokio::test]
async fn the_control_port_changes_what_it_is_asked_to_and_names_what_is_wrong() {
    let program = Program::start(&[]).await;
    let user = r#"{"username": "etl@acme.example"}"#;
    let (status, answer) = program.control("POST", "/reset-token", user).await;
    assert_eq!(status, 200);
    assert_eq!(answer["security_token"].as_str().unwrap().len(), 24);
    for (method, path, body, expected) in [
        ("POST", "/expire-sessions", user, 200),
        ("POST", "/advance", r#"{"seconds": 7200}"#, 200),
        (
            "POST",
            "/script",
            r#"{"place": "login", "answers": ["setting-up", {"redirect": 302},
                {"drip": {"milliseconds": 5}}, {"fault": {"code": "ORG_LOCKED", "message": "m"}}],
                "ever": "unavailable"}"#,
            200,
        ),
        ("GET", "/counts", "", 200),
        ("GET", "/requests", "", 200),
        ("GET", "/unexpected", "", 200),
        ("POST", "/expire-sessions", r#"{"username": "nobody"}"#, 400),
        ("POST", "/advance", r#"{"seconds": -1}"#, 400),
        ("POST", "/script", r#"{"place": "moon"}"#, 400),
        (
            "POST",
            "/script",
            r#"{"place": "login", "answers": ["hold"]}"#,
            400,
        ),
        ("POST", "/script", "not JSON", 400),
        ("GET", "/stop", "", 404),
    ] {
        let (status, answer) = program.control(method, path, body).await;
        assert_eq!(status, expected, "{method} {path} {body}: {answer}");
        if status != 200 {
            assert!(answer["error"].is_string());
        }
    }
    terminate(&program);
    assert_eq!(program.ends_with(0).await, "");
}

#[tokio::test]
async fn the_control_port_administers_apps_approvals_and_dates() {
    let program = Program::start(&["--rotate", "--date", "2026-11-30"]).await;
    let user = r#"{"username": "etl@acme.example"}"#;
    let (status, answer) = program.control("POST", "/approve", user).await;
    assert_eq!(status, 200);
    assert!(answer["refresh_token"].is_string());
    for (path, body, expected) in [
        ("/revoke-approvals", user, 200),
        (
            "/app",
            r#"{"rotates": false, "jwt_tokens": true, "session_seconds": 900, "run_as": null,
                "admin_approved": null, "external": true, "scope": "api", "callbacks": []}"#,
            200,
        ),
        ("/app", r#"{"admin_approved": ["etl@acme.example"]}"#, 200),
        ("/app", r#"{"consumer_key": "unknown"}"#, 400),
        ("/app", r#"{"rotate": true}"#, 400),
        ("/approve", r#"{"username": "nobody"}"#, 400),
        ("/date", r#"{"date": "2027-06-01"}"#, 200),
        ("/date", r#"{"date": "2027-02-29"}"#, 400),
        ("/retirement", r#"{"announced": true}"#, 200),
        ("/reset-token", user, 200),
    ] {
        let (status, answer) = program.control("POST", path, body).await;
        assert_eq!(status, expected, "{path} {body}: {answer}");
    }
    let (_, mail) = program.control("GET", "/mail", "").await;
    let body = mail["etl@acme.example"][0]["body"].as_str().unwrap();
    assert!(body.contains("Security token"), "{body}");
    let (_, flows) = program.control("GET", "/flows", "").await;
    assert_eq!(flows, json!({ "etl@acme.example": {} }));
    terminate(&program);
    assert_eq!(program.ends_with(0).await, "");
}

#[tokio::test]
async fn the_program_fails_if_it_met_what_no_good_client_does() {
    let program = Program::start(&[]).await;
    let proxy = program.line["proxy_url"]
        .as_str()
        .unwrap()
        .replace("http://", "");
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    stream
        .write_all(b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut refusal = String::new();
    stream.read_to_string(&mut refusal).await.unwrap();
    assert!(refusal.starts_with("HTTP/1.1 403 "), "{refusal}");
    terminate(&program);
    let message = program.ends_with(1).await;
    assert!(
        message.starts_with("error: the simulator did not expect: no host of Salesforce"),
        "{message}"
    );
}

#[tokio::test]
async fn the_program_ends_with_its_standard_input_if_it_is_told_to() {
    let mut program = Program::start(&["--stdin-lifetime"]).await;
    drop(program.child.stdin.take());
    assert_eq!(program.ends_with(0).await, "");
}

fn terminate(program: &Program) {
    let pid = i32::try_from(program.child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
}
