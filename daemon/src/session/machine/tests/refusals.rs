//! What callers who were refused bring about.

use super::*;
use crate::session::refusals::LOGINS;

#[test]
fn many_reports_of_one_dead_session_cause_one_login() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let stamp = start(&mut machine, refused(1), at(10));
    for _ in 0..100 {
        assert!(matches!(
            machine.acquire(refused(1), at(10)),
            Decision::Join
        ));
    }
    assert!(
        matches!(machine.acquire(Want::default(), at(10)), Decision::Join),
        "a doubted session goes to nobody"
    );
    assert!(matches!(machine.step(stamp, at(10)), Some(Step::Prove(_))));
    machine.session_died(stamp);
    assert!(matches!(machine.step(stamp, at(10)), Some(Step::LogIn)));
    let generation = machine.enter_login(stamp, at(10)).unwrap();
    machine.complete(stamp, success("00D!b")(generation), at(11), 0);
    for _ in 0..100 {
        assert_eq!(served(&mut machine, refused(1), at(12)).generation, 2);
    }
    assert_eq!(machine.logins(), 2);
}

#[test]
fn a_report_of_an_older_generation_changes_nothing() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    log_in(&mut machine, refused(1), at(1), success("00D!b"));
    assert_eq!(served(&mut machine, refused(1), at(2)).generation, 2);
    assert_eq!(machine.logins(), 2);
}

#[test]
fn a_session_called_refused_that_works_costs_no_login_and_never_goes_back_to_who_called_it_so() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let stamp = start(&mut machine, refused(1), at(10));
    machine.step(stamp, at(10));
    machine.complete(stamp, Outcome::Proven(proof()), at(10), 0);
    let again = refusal(&mut machine, refused(1), at(11));
    assert_eq!(
        again,
        Refusal::RefusedAgain {
            until: at(40),
            lives: true
        }
    );
    let session = served(&mut machine, Want::default(), at(11));
    assert_eq!(
        session.generation, 2,
        "the generation that was refused is never handed out again"
    );
    assert!(matches!(
        refusal(&mut machine, refused(2), at(12)),
        Refusal::RefusedAgain { .. }
    ));
    assert_eq!(machine.logins(), 1);
    // Half a minute later it is doubted again.
    start(&mut machine, refused(2), at(40));
}

#[test]
fn the_same_id_after_a_new_login_is_recognised() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    log_in(&mut machine, refused(1), at(10), success("00D!a"));
    assert!(matches!(
        refusal(&mut machine, refused(1), at(11)),
        Refusal::RefusedAgain { .. }
    ));
    assert!(matches!(
        refusal(&mut machine, refused(2), at(11)),
        Refusal::RefusedAgain { .. }
    ));
    assert_eq!(served(&mut machine, Want::default(), at(11)).generation, 2);
}

#[test]
fn a_session_that_dies_again_and_again_causes_few_logins() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!0"));
    let mut spaced = 0;
    for second in 1..300 {
        let generation = machine
            .session()
            .map_or(machine.ledger().generation, |session| session.generation);
        match machine.acquire(refused(generation), at(second)) {
            Decision::Start(stamp) => {
                if let Some(Step::Prove(_)) = machine.step(stamp, at(second)) {
                    machine.session_died(stamp);
                }
                match machine.step(stamp, at(second)) {
                    Some(Step::LogIn) => {
                        let generation = machine.enter_login(stamp, at(second)).unwrap();
                        machine.complete(
                            stamp,
                            success(&format!("00D!{second}"))(generation),
                            at(second),
                            0,
                        );
                    }
                    _ => drop(machine.complete(stamp, Outcome::NotSent, at(second), 0)),
                }
            }
            Decision::Refuse(Refusal::RefusedAgain { .. }) => spaced += 1,
            other @ (Decision::Serve(_) | Decision::Join | Decision::Refuse(_)) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!(machine.logins(), 1 + LOGINS as u64);
    assert!(spaced > 0);
}

#[test]
fn reports_cause_no_more_logins_because_the_daemon_died_between_them() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("0"));
    for round in 1..=LOGINS as u64 {
        let generation = machine.session().unwrap().generation;
        let id = round.to_string();
        log_in(&mut machine, refused(generation), at(round), success(&id));
    }
    let generation = machine.session().unwrap().generation;
    let stamp = start(&mut machine, refused(generation), at(10));
    machine.session_died(stamp);
    // It dies before anything else is done, or when it has heard that nothing may be.
    let died = machine.ledger().clone();
    assert!(machine.complete(stamp, Outcome::NotSent, at(10), 0));
    for ledger in [died, machine.ledger().clone()] {
        let mut after = Machine::new(ledger, 1);
        let refusal = refusal(&mut after, Want::default(), at(11));
        assert_eq!(
            refusal,
            Refusal::RefusedAgain {
                until: at(301),
                lives: false
            }
        );
        start(&mut after, Want::default(), at(301));
    }
}

#[test]
fn a_login_that_is_not_sent_leaves_reports_and_the_kept_session_as_they_were() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let kept = machine.ledger().kept.clone();
    assert!(kept.is_some());
    let anew = Want {
        fresh_login: true,
        ..Want::default()
    };
    let stamp = start(&mut machine, anew, at(10));
    machine.enter_login(stamp, at(10)).unwrap();
    assert_eq!(machine.ledger().kept, None);
    assert!(machine.complete(stamp, Outcome::NotSent, at(10), 0));
    assert_eq!(machine.ledger().kept, kept);

    let stamp = start(&mut machine, refused(1), at(20));
    machine.session_died(stamp);
    machine.enter_login(stamp, at(20)).unwrap();
    assert!(!machine.ledger().refusal_login_due);
    assert!(machine.complete(stamp, Outcome::NotSent, at(20), 0));
    assert!(machine.ledger().refusal_login_due && machine.is_due_to_a_report());
    assert!(machine.ledger().refusal_logins.is_empty());
    assert_eq!(machine.logins(), 1);
}

#[test]
fn a_session_whose_end_is_under_way_is_doubted_by_the_next_daemon_too() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    assert!(matches!(machine.end_session(), Ending::Start(..)));
    let mut next = Machine::new(machine.ledger().clone(), 1);
    let stamp = start(&mut next, Want::default(), at(1));
    assert!(matches!(next.step(stamp, at(1)), Some(Step::Prove(_))));
}

#[test]
fn a_session_that_is_found_dead_before_its_time_counts_like_a_report() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let proven = Want {
        fresh_proof: true,
        ..Want::default()
    };
    for login in 0..LOGINS as u64 {
        let now = at(10 + login * 5);
        log_in(&mut machine, proven, now, success(&format!("00D!{login}")));
    }
    let now = at(10 + LOGINS as u64 * 5);
    let stamp = start(&mut machine, proven, now);
    assert!(matches!(machine.step(stamp, now), Some(Step::Prove(_))));
    machine.session_died(stamp);
    assert!(machine.step(stamp, now).is_none(), "one more than allowed");
}

#[test]
fn a_session_that_died_of_age_counts_for_nobody() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let late = at(0) + TIMEOUT / 2;
    let stamp = start(&mut machine, Want::default(), late);
    assert!(matches!(machine.step(stamp, late), Some(Step::Prove(_))));
    machine.session_died(stamp);
    assert!(!machine.is_due_to_a_report());
}
