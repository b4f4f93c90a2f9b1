use std::{
    collections::VecDeque,
    task::{Context, Waker},
};

use http_body::Body as _;
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::*;
use crate::{
    seats::{BYTES_IN_ALL, Seats, Sitter},
    share::Party,
};

/// A body that comes in these parts.
struct Parts(VecDeque<usize>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let next = self.0.pop_front();
        Poll::Ready(next.map(|bytes| Ok(Frame::data(vec![0; bytes].into()))))
    }
}

fn next<B>(body: &mut B) -> Option<Result<Frame<Bytes>, Status>>
where
    B: http_body::Body<Data = Bytes, Error = Status> + Unpin,
{
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("it is all there"),
    }
}

fn caller(seats: &Arc<Seats>, unit: &str) -> Caller {
    let party = Party {
        uid: 1000,
        unit: Some(unit.into()),
    };
    let sitter = Sitter {
        party,
        pid: Some(1),
    };
    seats.take(sitter).unwrap().caller()
}

fn asked(caller: &Caller, parts: &[usize]) -> Asked {
    Asked {
        body: Body::new(Parts(parts.iter().copied().collect())),
        caller: caller.clone(),
        due: None,
        kept: Kept::default(),
        messages: None,
    }
}

fn answer(caller: &Caller, parts: &[usize]) -> Answer {
    Answer {
        body: Body::new(Parts(parts.iter().copied().collect())),
        caller: caller.clone(),
        due: None,
        kept: Kept::default(),
        _call: caller.seat.call().unwrap(),
    }
}

/// T21
#[tokio::test]
async fn long_requests_of_a_unit_that_has_its_share_of_bytes_are_refused_and_short_ones_are_not() {
    let seats = Seats::new(10);
    let (storm, calm) = (caller(&seats, "storm"), caller(&seats, "calm"));
    let kept = storm.seat.hold(BYTES_IN_ALL * 3 / 4).unwrap();
    let mut long = asked(&storm, &[SMALL, 1]);
    assert!(next(&mut long).unwrap().is_ok());
    let refused = next(&mut long).unwrap().unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    assert!(refused.message().contains("storm"), "{refused:?}");
    let mut others = asked(&calm, &[SMALL, 60_000]);
    assert!(next(&mut others).unwrap().is_ok() && next(&mut others).unwrap().is_ok());
    drop(kept);
    assert!(next(&mut asked(&storm, &[60_000])).unwrap().is_ok());
}

/// T21
#[tokio::test]
async fn a_long_answer_that_a_unit_may_not_have_ends_in_a_status_and_not_in_silence() {
    let seats = Seats::new(10);
    let (storm, calm) = (caller(&seats, "storm"), caller(&seats, "calm"));
    let kept = storm.seat.hold(BYTES_IN_ALL * 3 / 4).unwrap();
    let mut long = answer(&storm, &[1 << 20]);
    let trailers = next(&mut long).unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "8");
    assert!(next(&mut long).is_none());
    assert!(
        next(&mut answer(&storm, &[SMALL]))
            .unwrap()
            .unwrap()
            .is_data()
    );
    assert!(
        next(&mut answer(&calm, &[1 << 20]))
            .unwrap()
            .unwrap()
            .is_data()
    );
    drop(kept);
    assert!(
        next(&mut answer(&storm, &[1 << 20]))
            .unwrap()
            .unwrap()
            .is_data()
    );
}

/// Its frames may be of one byte each: what is remembered of them must not outweigh them.
#[tokio::test]
async fn a_request_of_many_frames_is_one_sum() {
    let seats = Seats::new(10);
    let storm = caller(&seats, "storm");
    let mut parts = vec![SMALL];
    parts.extend([1; 1000]);
    let mut long = asked(&storm, &parts);
    while let Some(part) = next(&mut long) {
        assert!(part.is_ok());
    }
    assert_eq!(storm.seat.account().has(crate::share::Good::Bytes), 1000);
    assert_eq!(
        size_of_val(&long.kept),
        size_of::<usize>() + size_of::<Option<Held>>()
    );
    drop(long);
    assert_eq!(storm.seat.account().has(crate::share::Good::Bytes), 0);
}

/// T16: a stream that is open may be silent for ever, but not amid a message; and each has its own time.
#[tokio::test]
async fn of_a_stream_of_requests_the_rest_of_a_message_is_owed_and_no_further_message() {
    let seats = Seats::new(10);
    let caller = caller(&seats, "tool");
    let (client, body) = mpsc::channel::<Result<Frame<Bytes>, Status>>(1);
    let mut stream = Asked {
        body: Body::new(StreamBody::new(ReceiverStream::new(body))),
        messages: Some(Messages::default()),
        ..asked(&caller, &[])
    };
    for (bytes, owes) in [
        (&[][..], false),
        (&[0], true),
        (&[0, 0, 0], true),
        (&[2, 7, 7], false),
        (&[0, 0, 0, 0, 0, 0], true),
        (&[0, 0, 0, 0], false),
    ] {
        let frame = Frame::data(Bytes::from_static(bytes));
        client.try_send(Ok(frame)).unwrap();
        assert!(next(&mut stream).unwrap().is_ok());
        let mut waker = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut stream).poll_frame(&mut waker).is_pending());
        assert_eq!(stream.due.is_some(), owes, "after {bytes:?}");
    }
}

/// What was taken from the answer is no longer kept for the peer.
#[tokio::test]
async fn only_the_part_of_an_answer_that_is_not_taken_counts() {
    let seats = Seats::new(10);
    let storm = caller(&seats, "storm");
    let mut parts = answer(&storm, &[BYTES_IN_ALL; 3]);
    for _ in 0..3 {
        assert!(next(&mut parts).unwrap().unwrap().is_data());
    }
    assert_eq!(
        storm.seat.account().has(crate::share::Good::Bytes),
        BYTES_IN_ALL
    );
    drop(parts);
    assert_eq!(storm.seat.account().has(crate::share::Good::Bytes), 0);
}
