//! What holds in whatever order things happen.

use proptest::prelude::*;

use super::*;
use crate::failure::Next;

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
