//! A restart here is a machine made anew from the ledger that the store has.

use super::super::tests::{
    TIMEOUT, at, failure, grant, log_in, machine, proof, refused, rejected, served, start, success,
    unproven,
};
use crate::{
    failure::Class,
    session::{
        decision::{Decision, Effect, Outcome, Step, Want},
        machine::Machine,
    },
};
use std::time::{Duration, SystemTime};

fn restarted(machine: &Machine) -> Machine {
    Machine::new(machine.ledger().clone(), machine.credential_version)
}

fn logged_in() -> Machine {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("00D!a"));
    machine
}

/// Proves the session there is; the flight must be one for a proof.
#[track_caller]
fn prove(machine: &mut Machine, want: Want, now: SystemTime) {
    let stamp = start(machine, want, now);
    assert!(matches!(machine.step(stamp, now), Some(Step::Prove(_))));
    assert!(machine.complete(stamp, Outcome::Proven(proof()), now, 0));
}

#[test]
fn a_restart_serves_the_session_while_it_is_guaranteed_and_proves_it_after_that() {
    let mut machine = restarted(&logged_in());
    let session = served(&mut machine, Want::default(), at(3599));
    assert_eq!(
        (session.generation, session.guaranteed_until()),
        (1, at(3600))
    );
    prove(&mut machine, Want::default(), at(3600));
    assert_eq!(machine.logins(), 1);
    let mut machine = restarted(&logged_in());
    let stamp = start(&mut machine, Want::default(), at(7200));
    assert!(matches!(machine.step(stamp, at(7200)), Some(Step::LogIn)));
}

#[test]
fn a_restart_on_a_clock_that_stands_before_the_last_proof_proves_first() {
    let mut machine = restarted(&logged_in());
    let before = at(0) - Duration::from_hours(24);
    prove(&mut machine, Want::default(), before);
}

#[test]
fn a_session_that_was_called_refused_is_not_handed_out_after_a_crash() {
    let mut machine = logged_in();
    start(&mut machine, refused(1), at(10));
    let mut machine = restarted(&machine);
    prove(&mut machine, Want::default(), at(20));
    let session = served(&mut machine, Want::default(), at(21));
    assert_eq!((session.generation, session.first_generation), (2, 1));
    let mut machine = restarted(&machine);
    assert_eq!(served(&mut machine, Want::default(), at(22)).generation, 2);
}

#[test]
fn a_session_that_died_is_gone_for_the_next_daemon_too() {
    let mut machine = logged_in();
    let stamp = start(&mut machine, refused(1), at(10));
    machine.session_died(stamp);
    assert_eq!(machine.ledger().kept, None);
}

#[test]
fn a_login_that_is_entered_ends_what_was_kept() {
    let mut machine = logged_in();
    let stamp = start(&mut machine, refused(1), at(10));
    machine.session_died(stamp);
    machine.enter_login(stamp, at(10)).unwrap();
    let mut crashed = restarted(&machine);
    assert!(crashed.session().is_none());
    let stamp = start(&mut crashed, Want::default(), at(11));
    assert!(matches!(crashed.step(stamp, at(11)), Some(Step::LogIn)));
}

#[test]
fn a_login_that_could_not_be_proven_is_not_made_again_after_a_crash() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), unproven("00D!a"));
    let mut machine = restarted(&machine);
    let stamp = start(&mut machine, Want::default(), at(600));
    let step = machine.step(stamp, at(600));
    let Some(Step::ProveGrant { grant, generation }) = step else {
        panic!("{step:?}")
    };
    let proven = Outcome::LoggedIn {
        grant,
        proof: proof(),
        generation,
    };
    assert!(machine.complete(stamp, proven, at(600), 0));
    assert_eq!(
        served(&mut restarted(&machine), Want::default(), at(601)).generation,
        1
    );
    assert_eq!(machine.logins(), 1);
}

/// As a session that only needs a proof does not.
#[test]
fn a_grant_is_proved_whatever_forbids_a_login_but_a_token_that_is_not_saved() {
    let mut granted = machine();
    log_in(&mut granted, Want::default(), at(0), unproven("00D!a"));
    let paused = granted.acquire(Want::default(), at(1));
    assert!(matches!(paused, Decision::Refuse(_)), "{paused:?}");
    let mut spent = granted.clone();
    for failed_at in [at(590), at(595)] {
        // An operator's, with other passwords.
        spent.ledger.count_failure(failed_at);
    }
    let mut latched = granted.clone();
    latched.take_effect(&Effect::Hold(failure(Class::TokenAwaited)), 1, at(590));
    for mut machine in [spent, latched] {
        let login = Want {
            fresh_login: true,
            ..Want::default()
        };
        let refused = machine.acquire(login, at(600));
        assert!(matches!(refused, Decision::Refuse(_)), "{refused:?}");
        let stamp = start(&mut machine, Want::default(), at(600));
        let step = machine.step(stamp, at(600));
        assert!(matches!(step, Some(Step::ProveGrant { .. })), "{step:?}");
        // If it is dead, there is no login.
        machine.session_died(stamp);
        assert!(machine.step(stamp, at(600)).is_none());
        machine.complete(stamp, Outcome::NotSent, at(600), 0);
        let refused = machine.acquire(Want::default(), at(600));
        assert!(matches!(refused, Decision::Refuse(_)), "{refused:?}");
    }
    granted.token_unsaved(true);
    let refused = granted.acquire(Want::default(), at(600));
    assert!(matches!(refused, Decision::Refuse(_)), "{refused:?}");
}

#[test]
fn a_grant_that_proves_dead_is_not_kept() {
    let mut machine = machine();
    for (class, kept) in [(Class::Unavailable, true), (Class::SessionDead, false)] {
        let stamp = start(&mut machine, Want::default(), at(0));
        let generation = match machine.step(stamp, at(0)) {
            Some(Step::ProveGrant { generation, .. }) => generation,
            _ => machine.enter_login(stamp, at(0)).unwrap(),
        };
        let unproven = Outcome::Unproven {
            grant: grant("00D!a"),
            generation,
            failure: failure(class),
        };
        assert!(machine.complete(stamp, unproven, at(0), 0));
        assert_eq!(machine.ledger().kept.is_some(), kept, "{class:?}");
        machine.release();
    }
}

#[test]
fn another_credential_ends_what_was_kept_and_so_does_a_latch_on_a_proof() {
    let mut machine = logged_in();
    machine.credential_changed(2);
    assert_eq!(machine.ledger().kept, None);
    // The session is still served here; it is the next daemon that logs in with the new credential.
    prove(&mut machine, Want::default(), at(3600));
    assert_eq!(machine.ledger().kept, None);
    assert!(restarted(&machine).session().is_none());

    let mut machine = logged_in();
    let stamp = start(&mut machine, Want::default(), at(3600));
    let barred = Outcome::ProofFailed(failure(Class::SessionBarred));
    assert!(machine.complete(stamp, barred, at(3600), 0));
    assert_eq!(machine.ledger().kept, None);
}

#[test]
fn proofs_are_written_a_few_times_in_a_timeout_and_what_shortens_a_promise_at_once() {
    let mut machine = logged_in();
    let fresh = Want {
        fresh_proof: true,
        ..Want::default()
    };
    let mut writes = 0;
    for second in (10..TIMEOUT.as_secs()).step_by(10) {
        let before = machine.ledger().clone();
        prove(&mut machine, fresh, at(second));
        writes += usize::from(*machine.ledger() != before);
        let promised = restarted(&machine).session().unwrap().guaranteed_until();
        let known = machine.session().unwrap().guaranteed_until();
        assert!(
            promised <= known && promised + TIMEOUT / 4 > known,
            "{second}"
        );
    }
    assert_eq!(writes, 3);

    let stamp = start(&mut machine, fresh, at(7200));
    let mut shorter = proof();
    shorter.timeout = Some(Duration::from_mins(15));
    assert!(machine.complete(stamp, Outcome::Proven(shorter), at(7200), 0));
    let session = restarted(&machine).session().cloned().unwrap();
    assert_eq!(session.guaranteed_until(), at(7200 + 450));
}

#[test]
fn a_cached_session_changes_nothing_that_is_to_be_written() {
    let mut machine = logged_in();
    let before = machine.ledger().clone();
    for second in 1..3600 {
        assert!(matches!(
            machine.acquire(Want::default(), at(second)),
            Decision::Serve(_)
        ));
    }
    assert_eq!(*machine.ledger(), before);
}

#[test]
fn forgetting_sessions_leaves_what_is_kept_to_the_file() {
    let mut machine = logged_in();
    assert!(machine.forget_sessions());
    assert_eq!(
        served(&mut restarted(&machine), Want::default(), at(1)).generation,
        1
    );
}

#[test]
fn a_latched_record_keeps_no_session_after_a_failed_login() {
    let mut machine = machine();
    log_in(
        &mut machine,
        Want::default(),
        at(0),
        rejected(Class::BadCredentials),
    );
    assert!(restarted(&machine).session().is_none());
}

/// Its outcome says something about the host that it asked, and nothing about the other.
#[test]
fn a_login_that_is_made_beside_a_session_asks_the_login_host() {
    let mut machine = logged_in();
    let want = Want {
        fresh_proof: true,
        ..Want::default()
    };
    let stamp = start(&mut machine, want, at(60));
    assert!(machine.instance().is_some());
    machine.complete(stamp, Outcome::NotSent, at(60), 0);
    let want = Want {
        fresh_login: true,
        ..Want::default()
    };
    let stamp = start(&mut machine, want, at(60));
    assert_eq!(machine.instance(), None);
    assert!(matches!(machine.step(stamp, at(60)), Some(Step::LogIn)));
}
