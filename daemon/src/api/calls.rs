//! Where every call comes in, before any service: is its peer let in, and which seat does it count on?

mod messages;

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use self::messages::Messages;
use super::{
    audited,
    door::{Door, Way},
    peer::{Origin, admit},
    status,
};
use crate::{
    error::{Error, Excess},
    seats::{Call, Caller, Due, Held},
};

/// Its requests are a stream that the client may keep open for as long as it likes. None of them may be longer than
/// [`SMALL`].
const STREAMED: &str = "/grpc.reflection.";

/// Longer requests and answers are counted; that of these there are not too many is held by the number of calls.
pub(super) const SMALL: usize = 4 << 10;
/// By then calls that are under way have ended, unless they wait.
const SOON: Duration = Duration::from_secs(1);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Puts [`Guarded`] around all services, so that a new one can't be served without it.
#[derive(Debug, Clone)]
pub(super) struct CallsLayer {
    pub(super) door: Arc<Door>,
}

/// A service whose callers are let in, and whose calls are counted.
#[derive(Debug, Clone)]
pub(super) struct Guarded<S> {
    service: S,
    door: Arc<Door>,
}

impl<S> Layer<S> for CallsLayer {
    type Service = Guarded<S>;

    fn layer(&self, service: S) -> Guarded<S> {
        Guarded {
            service,
            door: Arc::clone(&self.door),
        }
    }
}

impl<S, B> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let origin = request.extensions().get::<Origin>();
        let caller = match admit(origin, &self.door) {
            Ok(origin) => origin.caller.clone(),
            Err(status) => {
                let peer = origin.map(|origin| &origin.peer);
                audited::turned_away(&self.door.audit, peer);
                let refusal = status.into_http();
                return Box::pin(async { Ok(refusal) });
            }
        };
        if self.door.way == Way::Admin {
            // The call may bring a password or take one along, and the connection's buffers keep a copy.
            caller.seat.dismiss();
        }
        let Some(call) = caller.seat.call() else {
            let refusal = throttled(&caller, Excess::Calls).into_http();
            return Box::pin(async { Ok(refusal) });
        };
        let is_stream = request.uri().path().starts_with(STREAMED);
        let request = request.map(|body| {
            Body::new(Asked {
                body,
                caller: caller.clone(),
                due: None,
                kept: Kept::default(),
                messages: is_stream.then(Messages::default),
            })
        });
        let answer = self.service.call(request);
        Box::pin(async move {
            let Some(answer) = unbroken(answer).await else {
                return Ok(status::from_error(&Error::Internal("a call broke off")).into_http());
            };
            Ok(answer?.map(|body| {
                Body::new(Answer {
                    body: Body::new(body),
                    due: Some(caller.seat.owe()),
                    caller,
                    kept: Kept::default(),
                    _call: call,
                })
            }))
        })
    }
}

fn throttled(caller: &Caller, excess: Excess) -> Status {
    status::from_error(&Error::Throttled {
        party: caller.seat.account().party().clone(),
        excess,
        retry_after: SOON,
    })
}

/// `None` if the work panicked: the caller shall hear of a defect, not of a stream that was reset.
async fn unbroken<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        // What is left half-done dies with the work; what it shares is behind locks that outlive a panic.
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)))
            .map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

/// A request on its way. Its rest is owed from the moment that somebody waits for it.
struct Asked {
    body: Body,
    caller: Caller,
    due: Option<Due>,
    kept: Kept,
    /// Of a stream of requests, of which there need not be another.
    messages: Option<Messages>,
}

/// The bytes of a request that are here, or of the part of an answer that is not taken.
#[derive(Default)]
struct Kept {
    bytes: usize,
    held: Option<Held>,
}

impl Kept {
    /// More of them came; fails if the peer may not have so many kept.
    fn grow(&mut self, caller: &Caller, frame: &Frame<Bytes>) -> Result<(), Status> {
        let more = frame.data_ref().map_or(0, Bytes::len);
        self.bytes = self.bytes.saturating_add(more);
        if self.bytes > SMALL {
            let may = match &mut self.held {
                Some(held) => held.grow(more),
                none => {
                    *none = caller.seat.hold(more);
                    none.is_some()
                }
            };
            if !may {
                return Err(throttled(caller, Excess::Bytes));
            }
        }
        Ok(())
    }
}

impl Asked {
    fn owes(&self) -> bool {
        self.messages.as_ref().is_none_or(Messages::is_amid_one)
    }
}

impl http_body::Body for Asked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Pending if self.due.is_none() && self.owes() => {
                self.due = Some(self.caller.seat.owe());
            }
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                let asked = &mut *self;
                if let Some(messages) = &mut asked.messages {
                    if messages.pass(frame.data_ref().map_or(&[], |data| &data[..])) {
                        asked.due = None;
                    }
                } else if let Err(status) = asked.kept.grow(&asked.caller, frame) {
                    return Poll::Ready(Some(Err(status)));
                }
            }
            Poll::Ready(None | Some(Err(_))) => self.due = None,
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer on its way. The next frame is asked for only when the peer has made room for it, so between two frames it
/// is the peer's turn; a stream that has nothing to say owes nothing.
struct Answer {
    body: Body,
    caller: Caller,
    due: Option<Due>,
    kept: Kept,
    _call: Call,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let answer = self.get_mut();
        let polled = Pin::new(&mut answer.body).poll_frame(cx);
        match &polled {
            Poll::Pending | Poll::Ready(None | Some(Err(_))) => answer.due = None,
            Poll::Ready(Some(Ok(_))) => match &mut answer.due {
                Some(due) => due.follow(),
                none => *none = Some(answer.caller.seat.owe()),
            },
        }
        // The one before has been taken.
        answer.kept = Kept::default();
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Err(status) = answer.kept.grow(&answer.caller, frame)
        {
            let mut trailers = HeaderMap::new();
            answer.body = Body::empty();
            return Poll::Ready(match status.add_header(&mut trailers) {
                Ok(()) => Some(Ok(Frame::trailers(trailers))),
                Err(status) => Some(Err(status)),
            });
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
