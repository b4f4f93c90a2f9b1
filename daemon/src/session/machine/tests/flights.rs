//! How a flight ends, and whose its result is.

use super::*;

#[test]
fn a_late_result_lands_nowhere() {
    let mut machine = machine();
    let late = start(&mut machine, Want::default(), at(0));
    machine.abandon(late, at(1));
    let current = start(&mut machine, Want::default(), at(2));
    let generation = machine.enter_login(current, at(2)).unwrap();
    assert!(!machine.complete(late, success("00D!old")(9), at(3), 0));
    assert!(!machine.complete(
        late,
        Outcome::LoginFailed(failure(Class::BadCredentials)),
        at(3),
        0
    ));
    assert!(
        matches!(machine.acquire(Want::default(), at(3)), Decision::Join),
        "the late one ended the current one"
    );
    assert!(machine.complete(current, success("00D!new")(generation), at(4), 0));
    assert_eq!(
        served(&mut machine, Want::default(), at(5))
            .session_id
            .expose(),
        "00D!new"
    );
}

#[test]
fn the_result_of_a_login_with_a_changed_credential_is_dropped_but_counted() {
    let mut machine = machine();
    let stamp = start(&mut machine, Want::default(), at(0));
    machine.enter_login(stamp, at(0)).unwrap();
    machine.credential_changed(2);
    assert!(
        matches!(machine.acquire(Want::default(), at(1)), Decision::Join),
        "two logins are never under way"
    );
    assert!(!machine.complete(
        stamp,
        Outcome::LoginFailed(failure(Class::BadCredentials)),
        at(2),
        0
    ));
    assert_eq!(
        (
            machine.ledger().latch.clone(),
            machine.ledger().failed_at.len()
        ),
        (None, 1)
    );
    start(&mut machine, Want::default(), at(3));
}

#[test]
fn a_broken_flight_frees_the_record_and_counts_its_login() {
    let mut machine = machine();
    let stamp = start(&mut machine, Want::default(), at(0));
    machine.enter_login(stamp, at(0)).unwrap();
    machine.abandon(stamp, at(1));
    assert_eq!(
        (machine.ledger().pending, machine.ledger().failed_at.len()),
        (None, 1)
    );
    start(&mut machine, Want::default(), at(2));
}

#[test]
fn a_login_that_could_not_be_proved_is_not_made_again() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), unproven("00D!a"));
    assert!(matches!(
        refusal(&mut machine, Want::default(), at(1)),
        Refusal::BackingOff { .. }
    ));
    let stamp = start(&mut machine, Want::default(), at(60));
    let Some(Step::ProveGrant { grant, generation }) = machine.step(stamp, at(60)) else {
        panic!()
    };
    machine.complete(
        stamp,
        Outcome::LoggedIn {
            grant,
            proof: proof(),
            generation,
        },
        at(61),
        0,
    );
    served(&mut machine, Want::default(), at(62));
    assert_eq!(machine.logins(), 1);
}

#[test]
fn a_failed_proof_takes_no_good_session_away_and_latches_nothing() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let want = Want {
        min_ttl: Duration::from_secs(2700),
        ..Want::default()
    };
    let stamp = start(&mut machine, want, at(1800));
    machine.step(stamp, at(1800));
    machine.complete(
        stamp,
        Outcome::ProofFailed(failure(Class::Protocol)),
        at(1800),
        0,
    );
    assert!(matches!(
        refusal(&mut machine, want, at(1801)),
        Refusal::BackingOff { .. }
    ));
    served(&mut machine, Want::default(), at(1801));
}

#[test]
fn a_flight_that_is_not_to_log_in_ends_where_the_session_is_dead_and_the_next_one_does() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    let call = Want {
        fresh_proof: true,
        no_login: true,
        ..Want::default()
    };
    let stamp = start(&mut machine, call, at(4000));
    assert!(matches!(
        machine.step(stamp, at(4000)),
        Some(Step::Prove(_))
    ));
    // Who wants one waits, and then asks again.
    let joined = machine.acquire(Want::default(), at(4000));
    assert!(matches!(joined, Decision::Join), "{joined:?}");
    machine.session_died(stamp);
    assert!(machine.step(stamp, at(4000)).is_none());
    machine.complete(stamp, Outcome::NotSent, at(4000), 0);
    let stamp = start(&mut machine, Want::default(), at(4000));
    assert!(matches!(machine.step(stamp, at(4000)), Some(Step::LogIn)));
}
