//! What a rejected login means to the next.

use super::*;
use crate::{failure::Next, secret::Fingerprint};

#[test]
fn a_rejected_credential_is_never_sent_again_until_it_changes() {
    let mut machine = machine();
    log_in(
        &mut machine,
        Want::default(),
        at(0),
        rejected(Class::BadCredentials),
    );
    for later in [1, 60, 86_400, 31_536_000] {
        let refusal = refusal(&mut machine, Want::default(), at(later));
        assert!(
            matches!(refusal, Refusal::Latched { .. }),
            "{later}: {refusal:?}"
        );
    }
    let mut restarted = Machine::new(machine.ledger().clone(), 1);
    assert!(matches!(
        refusal(&mut restarted, Want::default(), at(9)),
        Refusal::Latched { .. }
    ));

    machine.credential_changed(2);
    start(&mut machine, Want::default(), at(31_536_001));
    assert_eq!(machine.ledger().latch, None);
}

#[test]
fn every_class_that_needs_a_human_latches_and_no_other() {
    for class in Class::ALL {
        let mut machine = machine();
        log_in(&mut machine, Want::default(), at(0), rejected(class));
        let latched = matches!(
            refusal(&mut machine, Want::default(), at(1)),
            Refusal::Latched { .. }
        );
        assert_eq!(latched, class.next() == Next::Latch, "{class:?}");
    }
}

#[test]
fn an_operator_may_release_a_latch() {
    let mut machine = machine();
    log_in(
        &mut machine,
        Want::default(),
        at(0),
        rejected(Class::BadCredentials),
    );
    machine.release();
    log_in(
        &mut machine,
        Want::default(),
        at(1),
        rejected(Class::BadCredentials),
    );
    let Refusal::Latched { failure, .. } = refusal(&mut machine, Want::default(), at(2)) else {
        panic!()
    };
    assert_eq!(
        failure.class,
        Class::LockedOut,
        "two rejections in a row look like a lockout"
    );
}

#[test]
fn a_policy_before_a_rejection_does_not_make_it_look_like_a_lockout() {
    let mut machine = machine();
    log_in(
        &mut machine,
        Want::default(),
        at(0),
        rejected(Class::AccessPolicy),
    );
    machine.release();
    log_in(
        &mut machine,
        Want::default(),
        at(1),
        rejected(Class::BadCredentials),
    );
    let Refusal::Latched { failure, .. } = refusal(&mut machine, Want::default(), at(2)) else {
        panic!()
    };
    assert_eq!(failure.class, Class::BadCredentials);
}

#[test]
fn an_assertion_that_expired_is_tried_once_more_and_never_again() {
    let mut machine = machine();
    for (now, class) in [(0, Class::ClockSkew), (60, Class::AppConfig)] {
        let Decision::Start(stamp) = machine.acquire(Want::default(), at(now)) else {
            panic!("no flight at {now}");
        };
        machine.step(stamp, at(now));
        machine.enter_login(stamp, at(now)).unwrap();
        let failed = Outcome::LoginFailed(failure(Class::ClockSkew));
        assert!(machine.complete(stamp, failed, at(now), 0));
        let Decision::Refuse(
            Refusal::BackingOff { failure, .. } | Refusal::Latched { failure, .. },
        ) = machine.acquire(Want::default(), at(now + 1))
        else {
            panic!("neither back-off nor latch at {now}");
        };
        assert_eq!(failure.class, class);
    }
    for now in [1000, 100_000] {
        assert!(matches!(
            machine.acquire(Want::default(), at(now)),
            Decision::Refuse(Refusal::Latched { .. })
        ));
    }
}

#[test]
fn a_login_that_is_proved_late_forgives_no_password_that_failed_since() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), unproven("00D!a"));
    try_wrong(&mut machine, 100);
    // Once it can still not be proved, and then it is.
    for second in [300, 400] {
        let stamp = start(&mut machine, Want::default(), at(second));
        let Some(Step::ProveGrant { grant, generation }) = machine.step(stamp, at(second)) else {
            panic!()
        };
        let outcome = if second == 300 {
            let failure = failure(Class::Unavailable);
            Outcome::Unproven {
                grant,
                generation,
                failure,
            }
        } else {
            let proof = proof();
            Outcome::LoggedIn {
                grant,
                proof,
                generation,
            }
        };
        machine.complete(stamp, outcome, at(second), 0);
        assert_eq!(machine.ledger().failed_at, [at(100)]);
    }
    served(&mut machine, Want::default(), at(401));
    try_wrong(&mut machine, 401);
    let barred = machine.may_try(true, at(402));
    assert!(matches!(barred, Err(Refusal::BudgetSpent { .. })));
}

/// An operator tries a wrong password.
fn try_wrong(machine: &mut Machine, second: u64) {
    let (wrong, secrets) = (failure(Class::BadCredentials), Fingerprint([1; 32]));
    let turn = machine.begin_turn().unwrap();
    machine.enter_trial(turn, at(second)).unwrap();
    machine.trial_failed(&wrong, true, secrets, at(second));
    machine.abandon(turn, at(second));
}
