//! The control port of the simulator program: small JSON over HTTP on loopback.
//!
//! `GET /counts` `GET /flows` `GET /requests` `GET /unexpected` `GET /mail`, and with a JSON object as body
//! `POST /expire-sessions {"username"}` `POST /reset-token {"username"}` `POST /advance {"seconds"}`
//! `POST /script {"place", "answers", "ever"}` `POST /stop {}`.
//!
//! For OAuth: `POST /approve {"username"}` gives a refresh token, `POST /revoke-approvals {"username"}` ends
//! all; `POST /app {"rotates", "jwt_tokens", "external", "session_seconds", "scope", "run_as",
//! "admin_approved", "callbacks"}` changes what it names. All three take a `consumer_key`; by default it is
//! that of the first app.
//!
//! For the retirement: `POST /date {"date": "2026-12-01"}` stops the clock at a day's begin, `POST
//! /retirement {"announced": true}` lets the announced days count, which at first they do not.

mod administer;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

pub use administer::midnight;

use super::{Answer, Place, Simulator, journal, server};

/// A running control port; it closes when it is dropped.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    stop: Arc<Notify>,
    _tasks: JoinSet<()>,
}

impl Control {
    /// Opens the control port of a simulator. Port 0 is any.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(simulator: Arc<Simulator>, port: u16) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = socket.local_addr()?;
        let stop = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        let stopper = stop.clone();
        tasks.spawn(async move {
            server::accept(&socket, |stream| {
                let (simulator, stop) = (simulator.clone(), stopper.clone());
                async move {
                    let service = service_fn(|request| respond(&simulator, &stop, request));
                    // An error is a client that went away.
                    let _: Result<(), _> = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                }
            })
            .await;
        });
        Ok(Self {
            address,
            stop,
            _tasks: tasks,
        })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until somebody asks the simulator to stop.
    pub async fn stopped(&self) {
        self.stop.notified().await;
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfUser {
    username: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    place: Place,
    #[serde(default)]
    answers: Vec<Answer>,
    /// The answer to all other requests; `null` ends it.
    #[serde(default)]
    ever: Option<Answer>,
}

/// What is wrong with a request to the control port.
struct Problem(StatusCode, String);

async fn respond(
    simulator: &Simulator,
    stop: &Notify,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, http::Error> {
    let (parts, body) = request.into_parts();
    let (status, value) = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => match act(
            simulator,
            stop,
            &parts.method,
            parts.uri.path(),
            &body.to_bytes(),
        ) {
            Ok(value) => (StatusCode::OK, value),
            Err(Problem(status, problem)) => (status, json!({ "error": problem })),
        },
        Err(_) => {
            let problem = json!({ "error": "the body is cut off or longer than 1 MiB" });
            (StatusCode::BAD_REQUEST, problem)
        }
    };
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(format!("{value}\n")))
}

fn act(
    simulator: &Simulator,
    stop: &Notify,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Result<Value, Problem> {
    match (method.as_str(), path) {
        ("GET", "/counts") => Ok(json!(simulator.all_logins())),
        ("GET", "/requests") => Ok(simulator.requests().iter().map(describe).collect()),
        ("GET", "/unexpected") => Ok(json!(simulator.take_unexpected())),
        ("POST", "/expire-sessions") => {
            let OfUser { username } = read(body)?;
            check_user(simulator, &username)?;
            simulator.expire_sessions(&username);
            Ok(json!({}))
        }
        ("POST", "/reset-token") => {
            let OfUser { username } = read(body)?;
            check_user(simulator, &username)?;
            let token = simulator.reset_security_token(&username);
            Ok(json!({ "security_token": token }))
        }
        ("POST", "/advance") => {
            let Advance { seconds } = read(body)?;
            simulator
                .clock()
                .advance(Duration::from_secs(seconds.into()));
            Ok(json!({}))
        }
        ("POST", "/script") => {
            let Script {
                place,
                answers,
                ever,
            } = read(body)?;
            simulator.script(place, answers);
            simulator.script_ever(place, ever);
            Ok(json!({}))
        }
        ("POST", "/stop") => {
            stop.notify_one();
            Ok(json!({}))
        }
        (method, path) => administer::act(simulator, method, path, body).unwrap_or_else(|| {
            let problem = format!("no {method} {path} here");
            Err(Problem(StatusCode::NOT_FOUND, problem))
        }),
    }
}

fn check_user(simulator: &Simulator, username: &str) -> Result<(), Problem> {
    match simulator.has_user(username) {
        true => Ok(()),
        false => Err(bad(format!("no user `{username}`"))),
    }
}

fn bad(problem: String) -> Problem {
    Problem(StatusCode::BAD_REQUEST, problem)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| bad(error.to_string()))
}

fn describe(request: &journal::Request) -> Value {
    let at = request
        .at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    json!({
        "at": at.as_secs_f64(),
        "listener": request.listener,
        "host": request.host,
        "method": request.method,
        "path": request.path,
        "operation": request.operation,
        "flow": request.flow,
        "user": request.user,
        "status": request.status,
        "outcome": request.outcome,
    })
}

const LARGEST_BODY: usize = 1024 * 1024;
