use std::{
    pin::pin,
    task::{Context, Waker},
};

use super::*;

fn pids(seats: &Seats) -> Vec<Pid> {
    seats
        .lock()
        .seats
        .values()
        .map(|seat| seat.sitter.pid)
        .collect()
}

fn sitter(pid: i32) -> Sitter {
    Sitter {
        uid: 1000,
        pid: Some(pid),
    }
}

/// A seat that becomes idle later than all before it.
async fn take(seats: &Arc<Seats>, pid: i32) -> Taking {
    tokio::time::advance(Duration::from_secs(1)).await;
    seats.take(sitter(pid)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_process_at_its_share_loses_its_own_longest_idle_connection() {
    let seats = Seats::new(4);
    let other = take(&seats, 1).await;
    let first = take(&seats, 2).await;
    let second = take(&seats, 2).await;
    let third = take(&seats, 2).await;
    assert!(first.seat.is_evicted());
    assert!(
        ![&other, &second, &third]
            .iter()
            .any(|taking| taking.seat.is_evicted())
    );
}

#[tokio::test(start_paused = true)]
async fn the_process_with_the_most_connections_makes_way_for_another() {
    let seats = Seats::new(4);
    let old = take(&seats, 1).await;
    let crowd = [take(&seats, 2).await, take(&seats, 2).await];
    let _fourth = take(&seats, 3).await;
    let _newcomer = take(&seats, 4).await;
    assert!(crowd[0].seat.is_evicted() && !crowd[1].seat.is_evicted());
    assert!(!old.seat.is_evicted());
    assert_eq!(pids(&seats).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_call_under_way_is_never_closed_for_another() {
    let seats = Seats::new(2);
    let (one, two) = (take(&seats, 1).await, take(&seats, 2).await);
    let (call, _other) = (one.seat.call(), two.seat.call());
    assert_eq!(seats.take(sitter(3)).unwrap_err(), Full);
    drop(call);
    assert!(seats.take(sitter(3)).is_ok());
    assert!(one.seat.is_evicted() && !two.seat.is_evicted());
}

#[tokio::test(start_paused = true)]
async fn a_seat_given_back_is_free_also_after_an_eviction() {
    let seats = Seats::new(1);
    let evicted = take(&seats, 1).await;
    let sitting = take(&seats, 1).await;
    drop(evicted);
    assert_eq!(pids(&seats).len(), 1);
    drop(sitting);
    assert!(pids(&seats).is_empty());
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_are_bounded_by_connection_and_process_and_in_all() {
    let seats = Seats::new(1000);
    let fill = |taking: &Taking| {
        let caller = taking.caller();
        std::iter::from_fn(move || caller.wait()).collect::<Vec<_>>()
    };
    let (mut held, mut takings) = (Vec::new(), Vec::new());
    for pid in 0..8 {
        let mut of_process = 0;
        for _ in 0..10 {
            let taking = take(&seats, pid).await;
            let waiting = fill(&taking);
            assert!(waiting.len() <= WAITING_PER_CONNECTION);
            of_process += waiting.len();
            held.extend(waiting);
            takings.push(taking);
        }
        assert_eq!(of_process, if pid < 4 { WAITING_PER_PROCESS } else { 0 });
    }
    assert_eq!(held.len(), WAITING_IN_ALL);
    held.pop();
    assert!(takings[79].caller().wait().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_due_is_overdue_after_the_patience_and_forgotten_when_met() {
    use seat::Sentence;
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
    use seat::Sentence;
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

#[tokio::test(start_paused = true)]
async fn who_sits_and_who_was_held_back_is_told() {
    let seats = Seats::new(2);
    let first = take(&seats, 1).await;
    let _call = first.seat.call();
    let _waiting = seats.wait(&first.seat).unwrap();
    let _second = take(&seats, 2).await;
    // Takes the idle seat of 2, and leaves nothing for 3.
    let third = take(&seats, 4).await;
    let _call = third.seat.call();
    assert!(seats.take(sitter(3)).is_err());
    let loads = seats.loads();
    let busy = Load {
        connections: 1,
        calls: 1,
        waiting: 1,
        held_back: 0,
    };
    assert_eq!(loads[&sitter(1)], busy);
    let gone = Load {
        held_back: 1,
        ..Load::default()
    };
    assert_eq!((loads[&sitter(2)], loads[&sitter(3)]), (gone, gone));
    for pid in 100..300 {
        let _ = seats.take(sitter(pid));
    }
    assert!(seats.loads().len() <= REMEMBERED + 2);
}
