use proptest::prelude::*;

use std::time::Duration;

use super::*;
use crate::{host::Host, salesforce::Proof, secret::SessionId, session::refusals::LOGINS};

pub(super) const TIMEOUT: Duration = Duration::from_hours(2);

pub(super) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

pub(super) fn machine() -> Machine {
    Machine::new(Ledger::default(), 1)
}

pub(super) fn grant(id: &str) -> Box<Grant> {
    Box::new(Grant {
        session_id: SessionId::new(id.to_owned()),
        instance: Host::parse("acme.my.salesforce.com").unwrap(),
        org_id: "00Dxx0000001gPLEAY".to_owned(),
        user_id: "005xx000001Sv6AAAS".to_owned(),
        username: Some("etl@acme.example".to_owned()),
        sandbox: false,
        timeout: Some(TIMEOUT),
        rotated: None,
        hard_expiry: None,
    })
}

pub(super) fn proof() -> Proof {
    let Grant {
        org_id,
        user_id,
        timeout,
        ..
    } = *grant("");
    Proof {
        org_id,
        user_id,
        username: None,
        timeout,
    }
}

pub(super) fn failure(class: Class) -> Failure {
    Failure {
        class,
        code: None,
        message: "no".to_owned(),
        pause: None,
    }
}

pub(super) fn refused(generation: u64) -> Want {
    Want {
        refused: Some(generation),
        ..Want::default()
    }
}

#[track_caller]
pub(super) fn start(machine: &mut Machine, want: Want, now: SystemTime) -> Stamp {
    let decision = machine.acquire(want, now);
    let Decision::Start(stamp) = decision else {
        panic!("no flight: {decision:?}")
    };
    stamp
}

#[track_caller]
fn refusal(machine: &mut Machine, want: Want, now: SystemTime) -> Refusal {
    let decision = machine.acquire(want, now);
    let Decision::Refuse(refusal) = decision else {
        panic!("not refused: {decision:?}")
    };
    refusal
}

#[track_caller]
pub(super) fn served(machine: &mut Machine, want: Want, now: SystemTime) -> Arc<Session> {
    let decision = machine.acquire(want, now);
    let Decision::Serve(session) = decision else {
        panic!("not served: {decision:?}")
    };
    session
}

/// Flies to the login and ends it so.
#[track_caller]
pub(super) fn log_in(
    machine: &mut Machine,
    want: Want,
    now: SystemTime,
    outcome: impl FnOnce(u64) -> Outcome,
) {
    let stamp = start(machine, want, now);
    if let Some(Step::Prove(_)) = machine.step(stamp, now) {
        machine.session_died(stamp);
    }
    assert!(matches!(machine.step(stamp, now), Some(Step::LogIn)));
    let generation = machine.enter_login(stamp, now).unwrap();
    assert!(
        machine.ledger().pending.is_some(),
        "a login is entered before it is sent"
    );
    assert!(machine.complete(stamp, outcome(generation), now, 0));
}

pub(super) fn success(id: &str) -> impl FnOnce(u64) -> Outcome {
    let grant = grant(id);
    move |generation| Outcome::LoggedIn {
        grant,
        proof: proof(),
        generation,
    }
}

pub(super) fn rejected(class: Class) -> impl FnOnce(u64) -> Outcome {
    move |_| Outcome::LoginFailed(failure(class))
}

#[test]
fn the_first_caller_starts_a_login_and_the_others_join_it() {
    let mut machine = machine();
    let stamp = start(&mut machine, Want::default(), at(0));
    assert!(matches!(
        machine.acquire(Want::default(), at(0)),
        Decision::Join
    ));
    machine.enter_login(stamp, at(0)).unwrap();
    assert!(machine.complete(stamp, success("00D!a")(1), at(1), 0));
    assert_eq!(served(&mut machine, Want::default(), at(2)).generation, 1);
    assert_eq!(machine.logins(), 1);
}

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
    let refusal = refusal(&mut machine, want(3600), at(1800));
    assert_eq!(
        refusal,
        Refusal::MinTtlTooLong {
            possible: TIMEOUT / 2
        }
    );
}

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
fn a_clock_that_went_back_does_not_stretch_a_guarantee() {
    let mut machine = machine();
    log_in(&mut machine, Want::default(), at(500_000), success("00D!a"));
    let stamp = start(&mut machine, Want::default(), at(0));
    assert!(matches!(machine.step(stamp, at(0)), Some(Step::Prove(_))));
}

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
    assert_eq!(again, Refusal::RefusedAgain { until: at(40) });
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
    log_in(&mut machine, Want::default(), at(0), |generation| {
        Outcome::Unproven {
            grant: grant("00D!a"),
            generation,
            failure: failure(Class::Unavailable),
        }
    });
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
        min_ttl: Duration::from_secs(3000),
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

/// One thing that can happen to a record.
#[derive(Debug, Clone)]
enum Event {
    Acquire { min_ttl: u64, refuse: u8 },
    Step,
    EnterLogin,
    SessionDied,
    Complete { class: Option<usize>, id: u8 },
    Abandon,
    CredentialChanged,
    Restart,
    Wait(u64),
    ClockBack(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0_u64..4000, 0_u8..3).prop_map(|(min_ttl, refuse)| Event::Acquire { min_ttl, refuse }),
        6 => Just(Event::Step),
        6 => Just(Event::EnterLogin),
        2 => Just(Event::SessionDied),
        6 => (proptest::option::of(0..Class::ALL.len()), 0_u8..3).prop_map(|(class, id)| Event::Complete { class, id }),
        1 => Just(Event::Abandon),
        1 => Just(Event::CredentialChanged),
        1 => Just(Event::Restart),
        3 => (0_u64..10_000).prop_map(Event::Wait),
        1 => (0_u64..100_000).prop_map(Event::ClockBack),
    ]
}

proptest! {
    /// Whatever happens, in whatever order: no login on a latch or a spent budget, none beside another, generations only
    /// grow, and nobody gets what he just called refused.
    #[test]
    fn no_order_of_events_breaks_the_rules(events in proptest::collection::vec(event(), 1..200)) {
        let mut machine = machine();
        let mut now = at(1_000_000);
        let mut version = 1;
        let mut flight: Option<Stamp> = None;
        let mut step: Option<Step> = None;
        let mut entered: Option<u64> = None;
        let mut newest = 0;
        let mut rejected_version: Option<u64> = None;
        for event in events {
            match event {
                Event::Acquire { min_ttl, refuse } => {
                    let current = machine.session().map_or(0, |session| session.generation);
                    let refused = match refuse { 0 => None, 1 => Some(current), _ => Some(current.saturating_sub(1)) };
                    let want = Want { min_ttl: Duration::from_secs(min_ttl), refused, ..Want::default() };
                    match machine.acquire(want, now) {
                        Decision::Serve(session) => {
                            prop_assert!(session.guaranteed_until() > now + want.min_ttl);
                            if let Some(refused) = refused { prop_assert!(!session.is_refused_by(refused)); }
                        }
                        Decision::Join => prop_assert!(flight.is_some(), "joined nothing"),
                        Decision::Start(stamp) => {
                            prop_assert!(flight.is_none(), "two flights at once");
                            flight = Some(stamp);
                        }
                        Decision::Refuse(_) => {}
                    }
                }
                Event::Step => if let Some(stamp) = flight && step.is_none() && entered.is_none() {
                    step = machine.step(stamp, now);
                },
                Event::EnterLogin => if let (Some(stamp), Some(Step::LogIn)) = (flight, &step)
                    && let Some(generation) = machine.enter_login(stamp, now)
                {
                    prop_assert!(generation > newest, "a generation came back");
                    prop_assert!(rejected_version != Some(version), "a login with a rejected credential");
                    newest = generation;
                    entered = Some(generation);
                    step = None;
                },
                Event::SessionDied => if let (Some(stamp), Some(Step::Prove(_))) = (flight, &step) {
                    machine.session_died(stamp);
                    step = None;
                },
                Event::Complete { class, id } => if let Some(stamp) = flight.take() {
                    let outcome = match (entered.take(), step.take(), class) {
                        (Some(_), _, Some(class)) => Outcome::LoginFailed(failure(Class::ALL[class])),
                        (Some(generation), _, None) => {
                            Outcome::LoggedIn { grant: grant(&format!("00D!{id}")), proof: proof(), generation }
                        }
                        (None, Some(Step::Prove(_)), None) => Outcome::Proven(proof()),
                        (None, Some(Step::Prove(_)), Some(class)) => Outcome::ProofFailed(failure(Class::ALL[class])),
                        (None, _, _) => Outcome::NotSent,
                    };
                    let rejection = matches!(&outcome, Outcome::LoginFailed(f) if f.class.next() == Next::Latch);
                    if machine.complete(stamp, outcome, now, id) && rejection {
                        rejected_version = Some(version);
                        prop_assert!(machine.may_log_in(now).is_err());
                    }
                    newest = newest.max(machine.ledger().generation);
                },
                Event::Abandon => if let Some(stamp) = flight.take() {
                    machine.abandon(stamp, now);
                    (step, entered) = (None, None);
                },
                Event::CredentialChanged => {
                    version += 1;
                    machine.credential_changed(version);
                }
                Event::Restart => {
                    machine = Machine::new(machine.ledger().clone(), version);
                    (flight, step, entered) = (None, None, None);
                }
                Event::Wait(seconds) => now += Duration::from_secs(seconds),
                Event::ClockBack(seconds) => now -= Duration::from_secs(seconds),
            }
            prop_assert!(machine.ledger().failed_at.len() <= Ledger::BUDGET);
        }
    }
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
        Decision::Refuse(Refusal::MinTtlTooLong { possible }) if possible == Duration::from_secs(60)
    ));
    assert_eq!(machine.logins(), 1);
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
