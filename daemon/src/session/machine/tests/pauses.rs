//! How long no login is made.

use super::*;

#[test]
fn two_unanswered_logins_end_the_budget_of_a_quarter_of_an_hour() {
    let mut machine = machine();
    log_in(
        &mut machine,
        Want::default(),
        at(0),
        rejected(Class::Unanswered),
    );
    assert!(matches!(
        refusal(&mut machine, Want::default(), at(1)),
        Refusal::BackingOff { .. }
    ));
    log_in(
        &mut machine,
        Want::default(),
        at(60),
        rejected(Class::Unanswered),
    );
    let refusal = refusal(&mut machine, Want::default(), at(899));
    assert_eq!(refusal, Refusal::BudgetSpent { until: at(900) });
    start(&mut machine, Want::default(), at(900));
}

#[test]
fn the_budget_holds_over_a_restart_and_counts_a_login_whose_answer_was_lost() {
    let mut machine = machine();
    log_in(
        &mut machine,
        Want::default(),
        at(0),
        rejected(Class::Unanswered),
    );
    let stamp = start(&mut machine, Want::default(), at(60));
    machine.enter_login(stamp, at(60)).unwrap();
    let mut restarted = Machine::new(machine.ledger().clone(), 1);
    assert_eq!(
        refusal(&mut restarted, Want::default(), at(61)),
        Refusal::BudgetSpent { until: at(900) }
    );
}

#[test]
fn transient_failures_triple_the_pause_up_to_five_minutes_and_no_two_minutes_see_more_than_three() {
    let mut machine = machine();
    let mut now = at(0);
    let (mut pauses, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        sent.push(now);
        log_in(
            &mut machine,
            Want::default(),
            now,
            rejected(Class::Unavailable),
        );
        let Refusal::BackingOff { until, .. } = refusal(&mut machine, Want::default(), now) else {
            panic!()
        };
        pauses.push(until.duration_since(now).unwrap().as_secs());
        now = until;
    }
    assert_eq!(pauses, [10, 30, 90, 270, 300, 300, 300, 300]);
    for four in sent.windows(4) {
        assert!(four[3].duration_since(four[0]).unwrap() > Duration::from_mins(2));
    }
}

#[test]
fn jitter_adds_up_to_a_quarter() {
    let mut machine = machine();
    let stamp = start(&mut machine, Want::default(), at(0));
    machine.complete(
        stamp,
        Outcome::LoginFailed(failure(Class::Unavailable)),
        at(0),
        255,
    );
    let Refusal::BackingOff { until, .. } = refusal(&mut machine, Want::default(), at(0)) else {
        panic!()
    };
    assert_eq!(
        until.duration_since(at(0)).unwrap(),
        Duration::from_millis(12_500)
    );
}

#[test]
fn a_pause_that_salesforce_asks_for_is_kept() {
    let mut machine = machine();
    let hour = Duration::from_hours(1);
    let limited = Failure {
        pause: Some(hour),
        ..failure(Class::RateLimited)
    };
    log_in(&mut machine, Want::default(), at(0), |_| {
        Outcome::LoginFailed(limited)
    });
    assert!(matches!(
        refusal(&mut machine, Want::default(), at(3599)),
        Refusal::BackingOff { .. }
    ));
    start(&mut machine, Want::default(), at(3600));
}

/// T42
#[test]
fn a_clock_that_went_back_ends_a_pause() {
    let mut machine = machine();
    log_in(
        &mut machine,
        Want::default(),
        at(500_000),
        rejected(Class::Unavailable),
    );
    start(&mut machine, Want::default(), at(0));
}

#[test]
fn a_pause_after_a_failed_proof_holds_over_a_restart_and_costs_no_good_session() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(0), success("a"));
    let proven = Want {
        fresh_proof: true,
        ..Want::default()
    };
    let stamp = start(&mut machine, proven, at(60));
    assert!(machine.complete(stamp, Outcome::Proven(proof()), at(60), 0));
    let stamp = start(&mut machine, proven, at(120));
    let down = Outcome::ProofFailed(failure(Class::Unavailable));
    assert!(machine.complete(stamp, down, at(120), 0));
    let mut after = Machine::new(machine.ledger().clone(), 1);
    let login = Want {
        fresh_login: true,
        ..Want::default()
    };
    for want in [proven, login] {
        let refusal = refusal(&mut after, want, at(129));
        assert_eq!(refusal.until(), Some(at(130)), "{refusal:?}");
    }
    let served = served(&mut after, Want::default(), at(129));
    assert_eq!(served.proven_at, at(60));
    start(&mut after, login, at(130));
}
