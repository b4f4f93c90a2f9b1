mod sentences;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::{io::AsyncReadExt as _, net::UnixStream};

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
    of(1000, "a.service", pid)
}

fn of(uid: u32, unit: &str, pid: i32) -> Sitter {
    let party = Party {
        uid,
        unit: Some(unit.into()),
    };
    Sitter {
        party,
        pid: Some(pid),
    }
}

/// A seat that becomes idle later than all before it.
async fn take(seats: &Arc<Seats>, pid: i32) -> Taking {
    take_for(seats, sitter(pid)).await
}

async fn take_for(seats: &Arc<Seats>, sitter: Sitter) -> Taking {
    tokio::time::advance(Duration::from_secs(1)).await;
    seats.take(sitter).unwrap()
}

/// As many connections as it gets, with a call under way on each; or, without, as many as come.
async fn flood(
    seats: &Arc<Seats>,
    times: usize,
    busy: bool,
    sitter: impl Fn(usize) -> Sitter,
) -> Vec<(Taking, Option<Call>)> {
    let mut taken = Vec::new();
    for number in 0..times {
        tokio::time::advance(Duration::from_secs(1)).await;
        if let Ok(taking) = seats.take(sitter(number)) {
            let call = busy.then(|| taking.seat.call().unwrap());
            taken.push((taking, call));
        }
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn a_process_at_its_share_loses_its_own_longest_idle_connection() {
    let seats = Seats::new(8);
    let other = take(&seats, 1).await;
    let own = flood(&seats, 5, false, |_| sitter(2)).await;
    assert!(own[0].0.seat.is_evicted());
    assert!(!own[1..].iter().any(|(taking, _)| taking.seat.is_evicted()));
    assert!(!other.seat.is_evicted());
}

#[tokio::test(start_paused = true)]
async fn the_process_with_the_most_connections_makes_way_for_another() {
    let seats = Seats::new(4);
    let old = take(&seats, 1).await;
    let crowd = [take(&seats, 2).await, take(&seats, 2).await];
    let _newcomer = take(&seats, 3).await;
    assert!(crowd[0].seat.is_evicted() && !crowd[1].seat.is_evicted());
    assert!(!old.seat.is_evicted());
    assert_eq!(pids(&seats).len(), 3);
}

/// T21
#[tokio::test(start_paused = true)]
async fn a_flood_of_a_process_a_unit_or_a_user_takes_no_seat_of_another_and_leaves_some() {
    type Flood = fn(usize) -> Sitter;
    let floods: [(Flood, Sitter, usize); 3] = [
        (|_| of(1, "a.service", 1), of(1, "a.service", 2), 32),
        (
            |n| of(1, "a.service", n as i32),
            of(1, "b.service", 9999),
            48,
        ),
        (
            |n| of(1, &format!("{n}.scope"), n as i32),
            of(2, "a.service", 9999),
            56,
        ),
    ];
    for (flooder, calm, most) in floods {
        for busy in [false, true] {
            let seats = Seats::new(64);
            let before = take_for(&seats, calm.clone()).await;
            let flood = flood(&seats, 1000, busy, flooder).await;
            let sits = |taking: &Taking| !taking.seat.is_evicted();
            let sitting = flood.iter().filter(|(taking, _)| sits(taking)).count();
            assert!((most - 1..=most).contains(&sitting), "{sitting} {calm:?}");
            assert!(sits(&before), "{calm:?}");
            let after = take_for(&seats, calm.clone()).await;
            assert!(sits(&before) && sits(&after), "{calm:?}");
            let still = flood.iter().filter(|(taking, _)| sits(taking)).count();
            assert_eq!(still, sitting, "there was a free seat");
        }
    }
}

/// T21
#[tokio::test(start_paused = true)]
async fn who_floods_gives_way_when_all_seats_are_taken_and_nobody_who_has_less() {
    let seats = Seats::new(8);
    let calm = take_for(&seats, of(2, "calm.service", 2)).await;
    let _flood = flood(&seats, 100, false, |n| of(1, "a.service", n as i32)).await;
    for uid in 3..6 {
        let newcomer = take_for(&seats, of(uid, "new.service", 3)).await;
        assert!(!newcomer.seat.is_evicted() && !calm.seat.is_evicted());
    }
    // Each user's own flood finds those who have as much as itself.
    assert!(!calm.seat.is_evicted());
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_call_under_way_is_never_closed_for_another() {
    let seats = Seats::new(2);
    let (one, two) = (take(&seats, 1).await, take(&seats, 2).await);
    let (call, _other) = (one.seat.call().unwrap(), two.seat.call().unwrap());
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

/// T21
#[tokio::test(start_paused = true)]
async fn waiting_calls_of_one_leave_room_for_those_of_others() {
    let seats = Seats::new(1000);
    let (mut held, mut takings) = (Vec::new(), Vec::new());
    let mut fill = async |sitter: &dyn Fn(i32) -> Sitter| {
        let mut filled = 0;
        for number in 0..40 {
            let taking = take_for(&seats, sitter(number)).await;
            let caller = taking.caller();
            let waiting: Vec<_> = std::iter::from_fn(|| caller.wait()).collect();
            assert!(waiting.len() <= WAITING_PER_CONNECTION);
            filled += waiting.len();
            held.extend(waiting);
            takings.push(taking);
        }
        filled
    };
    assert_eq!(fill(&|_| of(1, "a.service", 1)).await, WAITING_IN_ALL / 2);
    assert_eq!(
        fill(&|n| of(1, "a.service", 9 + n)).await,
        WAITING_IN_ALL / 4
    );
    assert_eq!(
        fill(&|n| of(1, "b.service", 9 + n)).await,
        WAITING_IN_ALL / 8
    );
    assert_eq!(
        fill(&|n| of(2, "a.service", 9 + n)).await,
        WAITING_IN_ALL * 3 / 32
    );
    assert!(fill(&|n| of(3, "a.service", 9 + n)).await > 0);
    let full = takings[0].caller();
    assert!(full.wait().is_none());
    assert!(full.seat.account().held_back(Good::Waiting) > 0);
    held.clear();
    assert!(full.wait().is_some());
}

/// T21
#[tokio::test(start_paused = true)]
async fn calls_and_bytes_of_one_leave_room_for_those_of_others() {
    let seats = Seats::new(1000);
    let storm = take_for(&seats, of(1, "storm.service", 1)).await;
    let calm = take_for(&seats, of(1, "calm.service", 2)).await;
    let calls: Vec<_> = std::iter::from_fn(|| storm.seat.call()).collect();
    assert_eq!(calls.len(), Level::Unit.most(CALLS_IN_ALL));
    assert!(calm.seat.call().is_some());
    let part = 64 << 10;
    let kept: Vec<_> = std::iter::from_fn(|| storm.seat.hold(part)).collect();
    assert_eq!(kept.len() * part, Level::Unit.most(BYTES_IN_ALL));
    assert!(calm.seat.hold(part).is_some());
    for good in [Good::Calls, Good::Bytes] {
        let held_back = |taking: &Taking| taking.seat.account().held_back(good);
        assert_eq!((held_back(&storm), held_back(&calm)), (1, 0));
    }
    drop((calls, kept));
    assert!(storm.seat.call().is_some() && storm.seat.hold(part).is_some());
}

/// T21
#[tokio::test(start_paused = true)]
async fn a_turn_is_divided_among_the_units_and_connections_of_a_user_if_he_is_not_alone() {
    let seats = Seats::new(100);
    let parts = |taking: &Taking| taking.seat.account().parts();
    let one = [
        take_for(&seats, of(1, "a.service", 1)).await,
        take_for(&seats, of(1, "a.service", 2)).await,
    ];
    let calls: Vec<_> = one.iter().map(|taking| taking.seat.call()).collect();
    assert_eq!(parts(&one[0]), 1, "alone");
    let admin = seats.beside(4);
    let operator = take_for(&admin, of(1, "a.service", 9)).await;
    assert_eq!((parts(&one[0]), parts(&operator)), (2, 1));
    drop(operator);
    assert_eq!(parts(&one[0]), 1, "alone");
    let calm = take_for(&seats, of(2, "a.service", 4)).await;
    assert_eq!((parts(&one[0]), parts(&calm)), (2, 1));
    let other = take_for(&seats, of(1, "b.service", 3)).await;
    other.seat.presses(true);
    assert_eq!((parts(&one[0]), parts(&other), parts(&calm)), (4, 2, 1));
    other.seat.presses(false);
    drop(calls);
    assert_eq!((parts(&one[0]), parts(&other)), (1, 1));
    one[0].seat.presses(true);
    drop(one);
    drop(calm);
    assert_eq!(parts(&other), 1, "alone");
}

/// A connection of this one, at whose other end somebody has said as much as the socket takes; and how much of it was
/// read so far.
fn talker(seats: &Arc<Seats>, sitter: Sitter, words: usize) -> (UnixStream, Arc<AtomicUsize>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _ = theirs.try_write(&vec![0; words]);
    let mut stream = SeatedStream::new(ours, seats.take(sitter).unwrap());
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(1..) = stream.read(&mut buffer).await.inspect(|more| {
            count.fetch_add(*more, Relaxed);
        }) {}
    });
    (theirs, read)
}

/// T21. Counted in bytes, for the time that others take is the daemon's reading.
#[tokio::test]
async fn a_storm_through_many_connections_delays_another_user_by_a_few_turns_only() {
    const MANY: usize = 20;
    let seats = Seats::new(100);
    let (calm, heard) = talker(&seats, of(2, "calm.service", 2), 0);
    let storm: Vec<_> = (0..MANY)
        .map(|n| talker(&seats, of(1, "storm.service", n as i32), 1 << 20))
        .collect();
    let read = || -> usize { storm.iter().map(|(_, read)| read.load(Relaxed)).sum() };
    let load = || seats.loads().swap_remove(0).account;
    while load().has(Good::Turns) < MANY {
        tokio::task::yield_now().await;
    }
    let before = read();
    calm.try_write(&[0; 100]).unwrap();
    while heard.load(Relaxed) < 100 {
        tokio::task::yield_now().await;
    }
    // tokio looks for news after 61 steps, and then there is a queue; a step is a twentieth of a turn.
    let meanwhile = read() - before;
    assert!(meanwhile < 6 * stream::TURN, "{meanwhile} bytes");
    assert!(load().held_back(Good::Turns) > 0);
    assert_eq!(calm_held_back(&seats), 0);
}

fn calm_held_back(seats: &Seats) -> u64 {
    let loads = seats.loads();
    loads[1].account.held_back(Good::Turns)
}

#[tokio::test(start_paused = true)]
async fn who_sits_and_who_was_held_back_is_told() {
    let seats = Seats::new(2);
    let first = take_for(&seats, of(1, "a.service", 1)).await;
    let call = first.seat.call();
    let waiting = first.caller().wait().unwrap();
    let _second = take_for(&seats, of(2, "b.service", 2)).await;
    // Takes the idle seat of 2, and leaves nothing for 3.
    let third = take_for(&seats, of(4, "d.service", 4)).await;
    let _call = third.seat.call();
    assert!(seats.take(of(3, "c.service", 3)).is_err());
    let told = || {
        let loads = seats.loads().into_iter();
        let told = loads.map(|Load { account, pids }| {
            let has = [Good::Connections, Good::Calls, Good::Waiting].map(|good| account.has(good));
            let times = account.held_back(Good::Connections);
            (account.party().uid, pids, has, account.calls(), times)
        });
        told.collect::<Vec<_>>()
    };
    let all = [
        (1, vec![1], [1, 1, 1], 1, 0),
        (2, vec![], [0, 0, 0], 0, 1),
        (3, vec![], [0, 0, 0], 0, 1),
        (4, vec![4], [1, 1, 0], 1, 0),
    ];
    assert_eq!(told(), all);
    drop((call, waiting, first));
    assert_eq!(told()[0], (1, vec![], [0, 0, 0], 1, 0));
}

#[tokio::test(start_paused = true)]
async fn units_without_number_are_not_all_remembered_but_those_that_were_held_back_are() {
    let seats = Seats::new(2);
    let one = take_for(&seats, of(1, "a.service", 1)).await;
    let two = take_for(&seats, of(2, "b.service", 2)).await;
    let calls = (one.seat.call(), two.seat.call());
    assert!(seats.take(of(3, "held.service", 3)).is_err());
    drop((calls, two));
    for run in 0..300 {
        let _ = seats.take(of(4, &format!("run-{run}.scope"), 4));
    }
    let loads = seats.loads();
    assert!((60..70).contains(&loads.len()), "{}", loads.len());
    let of_uid = |uid| {
        loads
            .iter()
            .find(|load| load.account.party().uid == uid)
            .unwrap()
    };
    assert_eq!(of_uid(3).account.held_back(Good::Connections), 1);
    assert_eq!(of_uid(1).account.has(Good::Connections), 1);
}
