//! When a connection has to end: what it owes for too long, and a dismissal.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use super::{super::seat::Sentence, *};

#[tokio::test(start_paused = true)]
async fn a_due_is_overdue_after_the_patience_and_forgotten_when_met() {
    let seats = Seats::new(1);
    let taking = take(&seats, 1).await;
    let judge = || taking.seat.sentence(Waker::noop());
    assert_eq!(judge(), Sentence::Stay);
    let (first, began) = (taking.seat.owe(), Instant::now());
    tokio::time::advance(PATIENCE / 2).await;
    let second = taking.seat.owe();
    assert_eq!(judge(), Sentence::Until(began + PATIENCE));
    drop(first);
    assert_eq!(judge(), Sentence::Until(Instant::now() + PATIENCE));
    tokio::time::advance(PATIENCE).await;
    assert_eq!(judge(), Sentence::Overdue);
    drop(second);
    assert_eq!(judge(), Sentence::Stay);
    taking.seat.evict();
    assert_eq!(judge(), Sentence::Evicted);
}

#[tokio::test(start_paused = true)]
async fn who_is_dismissed_is_told_when_he_has_been_quiet_and_then_has_the_patience() {
    let seats = Seats::new(4);
    let (idle, busy) = (take(&seats, 1).await, take(&seats, 2).await);
    let judge = |taking: &Taking| taking.seat.sentence(Waker::noop());
    let told = |taking: &Taking| {
        let mut farewell = pin!(taking.seat.farewell());
        let context = &mut Context::from_waker(Waker::noop());
        farewell.as_mut().poll(context).is_ready()
    };
    let call = busy.seat.call();
    drop(idle.seat.call());
    seats.dismiss();
    assert_eq!(judge(&idle), Sentence::Until(Instant::now() + QUIET));
    assert_eq!(judge(&busy), Sentence::Stay);
    assert!(!told(&idle));
    tokio::time::advance(QUIET / 2).await;
    // A call within this time, and it begins again.
    drop(idle.seat.call());
    tokio::time::advance(QUIET / 2).await;
    assert_eq!(judge(&idle), Sentence::Until(Instant::now() + QUIET / 2));
    assert!(!told(&idle));
    tokio::time::advance(QUIET / 2).await;
    assert_eq!(judge(&idle), Sentence::Until(Instant::now() + PATIENCE));
    assert!(told(&idle));
    tokio::time::advance(PATIENCE).await;
    // A second time changes nothing for those who know.
    let late = idle.seat.call();
    seats.dismiss();
    assert_eq!(judge(&idle), Sentence::Stay);
    drop(late);
    assert_eq!(judge(&idle), Sentence::Until(Instant::now() + PATIENCE));
    tokio::time::advance(PATIENCE).await;
    assert_eq!(judge(&idle), Sentence::Overdue);

    assert_eq!(judge(&busy), Sentence::Stay);
    assert!(!told(&busy));
    drop(call);
    assert_eq!(judge(&busy), Sentence::Until(Instant::now() + QUIET));
    tokio::time::advance(QUIET).await;
    judge(&busy);
    assert!(told(&busy));
    assert_eq!(judge(&take(&seats, 3).await), Sentence::Stay);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_by_itself_needs_nobody_to_wait_for_its_farewell() {
    let seats = Seats::new(1);
    let taking = take(&seats, 1).await;
    let seat = Arc::clone(&taking.seat);
    drop(taking);
    seat.farewell().await;
}
