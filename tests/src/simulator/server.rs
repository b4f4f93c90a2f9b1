//! The HTTPS listeners.

use std::{fmt, sync::Arc, time::Duration};

use http::{Request as HttpRequest, Response, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{
    answer::{Answer, Delivery},
    body::Body,
    flow::Flow,
    journal,
    noise::Scene,
    oauth::{self, OAuthError},
    reply::{Outcome, Reply},
    rest, router,
    script::Place,
    soap::{self, Api, envelope::Call, fault::Fault},
    state::{State, World},
};

/// A port on which the simulator listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listener {
    /// The login host.
    Login,
    /// The instance of the org, which is its My Domain and has `login()` too.
    Instance,
    /// Where redirects point: nothing should arrive here.
    Elsewhere,
    /// The CONNECT proxy.
    Proxy,
}

/// One HTTPS listener.
pub(super) struct Server {
    pub(super) state: Arc<State>,
    pub(super) listener: Listener,
    pub(super) tls: TlsAcceptor,
    /// Scheme and host of [`Listener::Elsewhere`].
    pub(super) elsewhere: String,
}

/// The connection is closed without an answer.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed without an answer")
    }
}

impl std::error::Error for Closed {}

impl Server {
    /// Serves until it is dropped; connections end with it.
    pub(super) async fn run(self, socket: TcpListener) {
        let server = Arc::new(self);
        accept(&socket, |stream| {
            let server = server.clone();
            async move { server.connection(stream).await }
        })
        .await;
    }

    async fn connection(&self, stream: TcpStream) {
        if self.listener == Listener::Elsewhere {
            self.complain("a connection to where a redirect or an entity pointed");
        }
        // A client that distrusts the certificate ends here; that it sent nothing is what tests look at.
        let Ok(stream) = self.tls.accept(stream).await else {
            return;
        };
        let service = service_fn(|request| self.respond(request));
        // An error is a client that went away, or a connection that was closed as scripted.
        let _: Result<(), _> = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn respond(&self, request: HttpRequest<Incoming>) -> Result<Response<Body>, Closed> {
        let (parts, body) = request.into_parts();
        let answer = self.scripted(&parts);
        let delivery = answer.delivery();
        if matches!(delivery, Delivery::CloseUnread) {
            self.reply(&parts, &[], &answer);
            return Err(Closed);
        }
        let Ok(body) = Limited::new(body, LARGEST_REQUEST).collect().await else {
            self.complain("a request that is cut off or larger than 1 MiB");
            return Err(Closed);
        };
        let reply = self.reply(&parts, &body.to_bytes(), &answer);
        let body = match delivery {
            Delivery::Whole => None,
            Delivery::Hold(gate) => {
                gate.pass().await;
                None
            }
            Delivery::Drip(every) => Some(Body::drip(reply.body.clone(), every)),
            Delivery::Silence => Some(Body::Silent),
            Delivery::Flood => Some(Body::Flood(reply.body.clone(), FLOOD)),
            Delivery::Cut => Some(Body::Cut(reply.body.slice(..reply.body.len() / 2))),
            Delivery::Hang => std::future::pending().await,
            Delivery::Close | Delivery::CloseUnread => return Err(Closed),
        };
        // Only a scripted status that HTTP does not have can fail here.
        reply.into_response(body).map_err(|_| Closed)
    }

    fn scripted(&self, parts: &Parts) -> Answer {
        let place = match self.listener {
            Listener::Login => Place::Login,
            Listener::Instance => Place::Instance,
            Listener::Elsewhere | Listener::Proxy => return Answer::Usual,
        };
        if router::asks_versions(parts) {
            return Answer::Usual;
        }
        self.state.with(|world| world.scripts.next(place))
    }

    /// Lets the request have its effect, if it is to have one, and writes it down.
    fn reply(&self, parts: &Parts, body: &[u8], answer: &Answer) -> Reply {
        let call = router::is_soap(parts)
            .then(|| Call::parse(body).ok())
            .flatten();
        let reply = self.state.with(|world| {
            let attempt = match &call {
                Some(call) => soap::attempt(call),
                None => oauth::attempt(world, parts, body),
            };
            let scene = Scene {
                path: parts.uri.path(),
                password: attempt.as_ref().and_then(|a| a.password.as_deref()),
                elsewhere: &self.elsewhere,
            };
            let scripted = match (answer, answer.fault(&scene)) {
                (Answer::OAuth(error), _) if router::is_oauth(parts) => Some(error.to_json(world)),
                (_, Some(fault)) => Some(refusal(world, parts, &fault)),
                (_, None) => answer.replacement(&scene),
            };
            let mut reply = match scripted {
                Some(reply) => reply.outcome(Outcome::Noise),
                None if self.listener == Listener::Elsewhere => Reply::html(200, "")
                    .complaint("a request to where a redirect or an entity pointed"),
                None => router::answer(world, self.listener, parts, body),
            };
            answer.spoil(&mut reply, &world.org);
            let flow = attempt.as_ref().map(|attempt| attempt.flow);
            let user = attempt.and_then(|attempt| attempt.user);
            let operation = call.as_ref().map(|call| call.operation.as_str());
            let request = journal::Request {
                at: world.now,
                listener: self.listener,
                host: router::host(parts).to_owned(),
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                operation: operation.or(flow.map(Flow::operation)).map(str::to_owned),
                flow,
                user: reply.user.clone().or(user),
                status: answer.delivery().has_status().then_some(reply.status),
                outcome: reply.outcome,
            };
            world
                .journal
                .add(request, std::mem::take(&mut reply.complaints));
            reply
        });
        self.state.announce();
        reply
    }

    fn complain(&self, complaint: &str) {
        self.state
            .with(|world| world.journal.complain(complaint.to_owned()));
        self.state.announce();
    }
}

/// A scripted fault, in the words of the API that it meets.
fn refusal(world: &mut World, parts: &Parts, fault: &Fault) -> Reply {
    if router::is_soap(parts) {
        let api = Api::of_path(parts.uri.path());
        return Reply::xml(500, fault.to_xml(api, world.org.fault_style));
    }
    if router::is_oauth(parts) {
        return OAuthError::new(&fault.code, &fault.message).to_json(world);
    }
    let request = rest::Request::of(parts);
    rest::error(&request, 403, &fault.code, &fault.message)
}

/// Accepts connections and runs each in a task of its own, until it is dropped.
pub(super) async fn accept<F>(socket: &TcpListener, mut run: impl FnMut(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(run(stream));
                }
                // Out of descriptors, most likely: somebody must close one first.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A login takes a kilobyte.
const LARGEST_REQUEST: usize = 1024 * 1024;

const FLOOD: u64 = 100_000_000;
