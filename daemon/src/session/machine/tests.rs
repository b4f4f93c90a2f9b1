//! The machine, asked as callers ask it.

mod any_order;
mod flights;
mod lifetimes;
mod pauses;
mod refusals;
mod rejections;

use std::time::Duration;

use super::*;
use crate::{
    failure::{Class, Failure},
    host::Host,
    salesforce::Proof,
    secret::SessionId,
    session::decision::Outcome,
};

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

/// A login whose session could not be proved.
pub(super) fn unproven(id: &str) -> impl FnOnce(u64) -> Outcome {
    let grant = grant(id);
    move |generation| Outcome::Unproven {
        grant,
        generation,
        failure: failure(Class::Unavailable),
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
