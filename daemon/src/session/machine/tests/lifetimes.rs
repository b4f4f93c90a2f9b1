//! How long a session is served, and what is asked of it.

use super::*;

#[test]
fn a_session_is_served_for_half_its_timeout_and_then_proved_not_replaced() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    served(&mut machine, Want::default(), at(3599));
    let stamp = start(&mut machine, Want::default(), at(3600));
    assert!(matches!(
        machine.step(stamp, at(3600)),
        Some(Step::Prove(_))
    ));
    assert!(machine.complete(stamp, Outcome::Proven(proof()), at(3601), 0));
    let session = served(&mut machine, Want::default(), at(7200));
    assert_eq!(
        (session.generation, session.guaranteed_until()),
        (1, at(7201))
    );
    assert_eq!(machine.logins(), 1);
}

#[test]
fn a_session_past_its_timeout_is_not_tried_again() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let stamp = start(&mut machine, Want::default(), at(7200));
    assert!(matches!(machine.step(stamp, at(7200)), Some(Step::LogIn)));
}

#[test]
fn min_ttl_is_kept_or_named_as_impossible() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let want = |seconds| Want {
        min_ttl: Duration::from_secs(seconds),
        ..Want::default()
    };
    served(&mut machine, want(1799), at(1800));
    // Half an hour in, half an hour is not guaranteed any more; a proof would do.
    start(&mut machine, want(1800), at(1800));
    for seconds in [2701, 3599, 3600, u64::MAX] {
        assert_eq!(
            refusal(&mut machine, want(seconds), at(1800)),
            Refusal::MinTtlTooLong {
                possible: TIMEOUT / 8 * 3
            }
        );
    }
}

/// Else every call of a greedy job would cost one to Salesforce.
#[test]
fn the_longest_min_ttl_is_served_for_a_quarter_of_the_guarantee() {
    let mut machine = machine();
    log_in(&mut machine, wanting(2700), at(0), success("00D!a"));
    served(&mut machine, wanting(2700), at(899));
    start(&mut machine, wanting(2700), at(900));
}

/// T42
#[test]
fn a_clock_that_went_back_does_not_stretch_a_guarantee() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(500_000), success("00D!a"));
    let stamp = start(&mut machine, Want::default(), at(0));
    assert!(matches!(machine.step(stamp, at(0)), Some(Step::Prove(_))));
}

fn until(end: u64) -> Box<Grant> {
    Box::new(Grant {
        hard_expiry: Some(at(end)),
        ..*grant("eyJ.e30.c2ln")
    })
}

fn wanting(min_ttl: u64) -> Want {
    Want {
        min_ttl: Duration::from_secs(min_ttl),
        ..Want::default()
    }
}

/// A login at this second whose session ends at that one.
fn logged_in_until(machine: &mut Machine, now: u64, end: u64, want: Want) {
    let Decision::Start(stamp) = machine.acquire(want, at(now)) else {
        panic!("no flight");
    };
    assert!(matches!(machine.step(stamp, at(now)), Some(Step::LogIn)));
    let generation = machine.enter_login(stamp, at(now)).unwrap();
    let outcome = Outcome::LoggedIn {
        grant: until(end),
        proof: proof(),
        generation,
    };
    assert!(machine.complete(stamp, outcome, at(now), 0));
}

#[test]
fn a_session_that_ends_too_soon_is_replaced_and_not_proved_for_ever() {
    let mut machine = machine();
    logged_in_until(&mut machine, 0, 7200, wanting(0));
    // Too little is left for one who asks for ten minutes, though a proof would succeed.
    logged_in_until(&mut machine, 6900, 14_100, wanting(600));
    assert!(matches!(
        machine.acquire(wanting(600), at(6900)),
        Decision::Serve(_)
    ));
    assert_eq!(machine.logins(), 2);
}

#[test]
fn a_session_that_ends_too_soon_is_kept_while_no_other_can_be_got() {
    let mut machine = machine();
    logged_in_until(&mut machine, 0, 7200, wanting(0));
    machine.ledger.count_failure(at(6800));
    machine.ledger.count_failure(at(6801));
    assert!(matches!(
        machine.acquire(wanting(600), at(6900)),
        Decision::Refuse(Refusal::BudgetSpent { .. })
    ));
    assert!(matches!(
        machine.acquire(wanting(0), at(6900)),
        Decision::Start(_)
    ));
    assert!(machine.session().is_some());
}

#[test]
fn what_no_new_session_lasts_for_costs_no_login() {
    let mut machine = machine();
    logged_in_until(&mut machine, 0, 60, wanting(0));
    assert!(matches!(
        machine.acquire(wanting(60), at(1)),
        Decision::Refuse(Refusal::MinTtlTooLong { possible }) if possible == Duration::from_secs(45)
    ));
    assert_eq!(machine.logins(), 1);
}

#[test]
fn a_session_that_is_over_does_not_say_what_min_ttl_is_possible() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), |generation| {
        let quarter = Duration::from_mins(15);
        Outcome::LoggedIn {
            grant: grant("00D!a"),
            proof: Proof {
                timeout: Some(quarter),
                ..proof()
            },
            generation,
        }
    });
    let too_long = Refusal::MinTtlTooLong {
        possible: Duration::from_secs(900 / 8 * 3) + Duration::from_millis(1500),
    };
    assert_eq!(refusal(&mut machine, wanting(1800), at(899)), too_long);
    // An administrator may have raised the timeout since.
    log_in(&mut machine, wanting(1800), at(900), success("00D!b"));
    served(&mut machine, wanting(1800), at(901));
}

/// A token that this host's clock finds to be over when it comes.
#[test]
fn a_session_that_came_too_late_is_followed_by_another_a_minute_later_and_no_sooner() {
    let mut machine = machine();
    logged_in_until(&mut machine, 100, 100, wanting(0));
    for mut machine in [machine.clone(), Machine::new(machine.ledger().clone(), 1)] {
        for now in [100, 101, 159] {
            let Refusal::BackingOff { failure, until } = refusal(&mut machine, wanting(0), at(now))
            else {
                panic!("not backing off at {now}");
            };
            assert_eq!((failure.class, until), (Class::ClockSkew, at(160)));
        }
        logged_in_until(&mut machine, 160, 7360, wanting(0));
        served(&mut machine, wanting(0), at(161));
    }
}
