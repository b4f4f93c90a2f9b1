//! A socket that knows its seat: it fails once the seat is another's, or its peer kept us waiting for too long.
//!
//! An alarm is set only while the peer owes something, so connected clients that ask nothing cause no wake-ups.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    task::coop,
    time::{Sleep, sleep_until},
};

use super::{
    Taking,
    frames::Frames,
    seat::{Due, Sentence},
};

/// A call is one unit; 3,600 empty frames are a turn.
const BYTES_PER_UNIT: usize = 256;

/// A connection's socket.
pub struct SeatedStream {
    stream: UnixStream,
    taking: Taking,
    frames: Frames,
    /// Held while the peer is in the middle of a frame.
    unfinished: Option<Due>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl SeatedStream {
    /// From now on the peer has to show that it speaks HTTP/2.
    #[must_use]
    pub fn new(stream: UnixStream, taking: Taking) -> Self {
        let unfinished = Some(taking.seat.owe());
        Self {
            stream,
            taking,
            frames: Frames::new(),
            unfinished,
            alarm: None,
        }
    }

    /// To be called wherever the socket would block: h2 reads nothing while it can't write.
    fn judge(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            match self.taking.seat.sentence(cx.waker()) {
                Sentence::Stay => {
                    self.alarm = None;
                    return Ok(());
                }
                Sentence::Overdue => return Err(io::ErrorKind::TimedOut.into()),
                Sentence::Evicted => return Err(io::ErrorKind::ConnectionAborted.into()),
                Sentence::Until(then) => {
                    let alarm = self
                        .alarm
                        .get_or_insert_with(|| Box::pin(sleep_until(then)));
                    // One that rings too early costs nothing but a look.
                    if then < alarm.deadline() {
                        alarm.as_mut().reset(then);
                    }
                    match alarm.as_mut().poll(cx) {
                        Poll::Pending => return Ok(()),
                        Poll::Ready(()) => self.alarm = None,
                    }
                }
            }
        }
    }

    fn or_judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Pending => match self.judge(cx) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            Poll::Ready(result) => Poll::Ready(result),
        }
    }
}

/// Lets the other connections have their turn after [`BYTES_PER_UNIT`] times 128 bytes: a task has 128 units a turn, and
/// tokio takes one for a read of any length, which lets thousands of tiny frames through before anybody else.
fn pay(cx: &mut Context<'_>, bytes: usize) {
    for _ in 0..bytes / BYTES_PER_UNIT {
        match coop::poll_proceed(cx) {
            Poll::Ready(unit) => unit.made_progress(),
            Poll::Pending => return,
        }
    }
}

impl AsyncRead for SeatedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A peer that never stops talking is never judged below.
        if self.taking.seat.is_evicted() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let news = buf.filled().get(before..).unwrap_or_default();
        self.frames.follow(news);
        pay(cx, news.len());
        if self.frames.at_rest() {
            self.unfinished = None;
        } else if self.unfinished.is_none() {
            self.unfinished = Some(self.taking.seat.owe());
        }
        self.or_judge(cx, polled)
    }
}

impl AsyncWrite for SeatedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.or_judge(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.or_judge(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl fmt::Debug for SeatedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeatedStream").finish_non_exhaustive()
    }
}
