//! A response body: whole, or as slow, huge or broken as a network and its machines can make it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// A response body.
#[derive(Debug)]
pub(super) enum Body {
    /// All at once; empty in the end.
    Whole(Bytes),
    /// Byte by byte.
    Drip(Bytes, Interval),
    /// Nothing, until the client goes away.
    Silent,
    /// Some bytes, then spaces without an end in sight.
    Flood(Bytes, u64),
    /// Some bytes, then a broken connection.
    Cut(Bytes),
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }

    pub(super) fn drip(bytes: Bytes, every: Duration) -> Self {
        let mut timer = interval(every.max(Duration::from_millis(1)));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Drip(bytes, timer)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) => std::mem::take(bytes),
            Self::Drip(bytes, timer) => match timer.poll_tick(context) {
                Poll::Ready(_) => bytes.split_to(bytes.len().min(1)),
                Poll::Pending => return Poll::Pending,
            },
            Self::Silent => return Poll::Pending,
            Self::Flood(start, left) => {
                if start.is_empty() {
                    let length = FILLER
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= length as u64;
                    Bytes::from_static(FILLER).split_to(length)
                } else {
                    std::mem::take(start)
                }
            }
            Self::Cut(bytes) if bytes.is_empty() => {
                let broken = io::Error::from(io::ErrorKind::ConnectionAborted);
                return Poll::Ready(Some(Err(broken)));
            }
            Self::Cut(bytes) => std::mem::take(bytes),
        };
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Drip(..) | Self::Silent | Self::Flood(..) | Self::Cut(_) => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }
}

const FILLER: &[u8] = &[b' '; 64 * 1024];
