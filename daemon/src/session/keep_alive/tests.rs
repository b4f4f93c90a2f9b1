mod processes;

use super::*;
use crate::{
    failure::{Class, Failure},
    host::Host,
    ledger::Ledger,
    salesforce::{Grant, Proof},
    secret::SessionId,
    session::{
        decision::{Decision, Outcome, Step},
        hold::Holder,
    },
};

const TWO_HOURS: u64 = 7200;
const NEVER: Duration = Duration::ZERO;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(at(0)).unwrap().as_secs()
}

/// What the other side would do: sessions that end as Salesforce's do.
struct Org {
    timeout: Option<u64>,
    /// How long a session lives whatever is done with it.
    hard: Option<u64>,
    stamp: SystemTime,
    calls: Vec<u64>,
    logins: Vec<u64>,
    down: bool,
}

impl Org {
    fn new(timeout: Option<u64>) -> Self {
        Self {
            timeout,
            hard: None,
            stamp: at(0),
            calls: Vec::new(),
            logins: Vec::new(),
            down: false,
        }
    }

    /// The timeout that it keeps, told or not.
    fn window(&self) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(900))
    }

    /// A call of a job or of ours. Returns whether the session lives.
    fn touch(&mut self, now: SystemTime) -> bool {
        let age = now.duration_since(self.stamp).unwrap();
        let counts = self.hard.is_none() && age >= self.window() / 2;
        let lives = age < self.window();
        if lives && counts {
            self.stamp = now;
        }
        lives
    }

    fn grant(&self, now: SystemTime) -> Box<Grant> {
        Box::new(Grant {
            session_id: SessionId::new(format!("00Dxx0000001gPL!{}", self.logins.len())),
            instance: Host::parse("acme.my.salesforce.com").unwrap(),
            org_id: "00Dxx0000001gPLEAY".to_owned(),
            user_id: "005xx000001Sv6AAAS".to_owned(),
            username: Some("etl@acme.example".to_owned()),
            sandbox: false,
            timeout: self.timeout.map(Duration::from_secs),
            hard_expiry: self.hard.map(|hard| now + Duration::from_secs(hard)),
            rotated: None,
        })
    }

    fn proof(&self) -> Proof {
        Proof {
            org_id: "00Dxx0000001gPLEAY".to_owned(),
            user_id: "005xx000001Sv6AAAS".to_owned(),
            username: None,
            timeout: self.timeout.map(Duration::from_secs),
        }
    }

    /// Does for the machine what a flight does.
    fn fly(&mut self, machine: &mut Machine, want: Want, now: SystemTime) {
        let Decision::Start(stamp) = machine.acquire(want, now) else {
            return;
        };
        let outcome = loop {
            match machine.step(stamp, now) {
                None => break Outcome::NotSent,
                Some(Step::ProveGrant { .. }) => unreachable!("every grant is proven at once"),
                Some(Step::Prove(_)) => {
                    self.calls.push(seconds(now));
                    if self.down {
                        break Outcome::ProofFailed(unavailable());
                    }
                    if self.touch(now) {
                        break Outcome::Proven(self.proof());
                    }
                    machine.session_died(stamp);
                }
                Some(Step::LogIn) => {
                    self.logins.push(seconds(now));
                    let generation = machine.enter_login(stamp, now).unwrap();
                    if self.down {
                        break Outcome::LoginFailed(unavailable());
                    }
                    self.stamp = now;
                    break Outcome::LoggedIn {
                        grant: self.grant(now),
                        proof: self.proof(),
                        generation,
                    };
                }
            }
        };
        machine.complete(stamp, outcome, now, 0);
    }
}

fn unavailable() -> Failure {
    Failure {
        class: Class::Unavailable,
        code: None,
        message: "down".to_owned(),
        pause: None,
    }
}

struct Kept {
    org: Org,
    machine: Machine,
    holds: Holds,
    jitter: u8,
    /// How often somebody had to wake.
    wakes: usize,
}

impl Kept {
    fn new(org: Org) -> Self {
        Self {
            org,
            machine: Machine::new(Ledger::default(), 1),
            holds: Holds::default(),
            jitter: 0,
            wakes: 0,
        }
    }

    fn watched(org: Org, min_ttl: u64) -> Self {
        let mut kept = Self::new(org);
        let holder = Holder { uid: 0, pid: None };
        kept.holds.open(holder, Duration::from_secs(min_ttl), at(0));
        kept
    }

    fn care(&self, now: SystemTime) -> Care {
        care(&self.machine, &self.holds, NEVER, self.jitter, now)
    }

    /// Does what is due from one time until before another, and looks at the state at each of these moments.
    fn run(&mut self, from: u64, to: u64, mut look: impl FnMut(&Self, SystemTime)) {
        let mut now = at(from);
        while now < at(to) {
            self.wakes += 1;
            assert!(self.wakes < 10_000, "it spins");
            match self.care(now) {
                Care::Rest | Care::Watch => return,
                Care::At(time) => {
                    assert!(time > now);
                    now = time;
                    if now < at(to) {
                        look(self, now);
                    }
                }
                Care::Now(want) => self.org.fly(&mut self.machine, want, now),
            }
        }
    }
}

const TEN_HOURS: u64 = 36_000;

#[test]
fn a_job_of_ten_hours_keeps_one_session_with_a_call_in_each_second_half() {
    for (timeout, calls) in [
        (Some(7200), 9),
        (Some(900), 78),
        (Some(43_200), 1),
        (None, 78),
    ] {
        for jitter in [0, 128, 255] {
            let mut kept = Kept::watched(Org::new(timeout), 0);
            kept.jitter = jitter;
            kept.run(0, TEN_HOURS, |_, _| ());
            assert_eq!(kept.org.logins, [0], "{timeout:?}");
            let made = kept.org.calls.len();
            assert!(
                (calls - 1..=calls).contains(&made),
                "{timeout:?}: {made} calls"
            );
            let window = timeout.unwrap_or(900);
            let mut last = 0;
            for call in &kept.org.calls {
                // In the second half, and all of them counted.
                assert!((window / 2..window * 52 / 100 + 1).contains(&(call - last)));
                last = *call;
            }
            assert!(kept.wakes < 3 * made + 5);
        }
    }
}

/// Every call that the daemon makes counts; if a job's calls do so in its stead, no login follows either.
#[test]
fn whatever_a_job_does_meanwhile_its_session_outlives_the_longest_silence() {
    for last_call in (10..14_400).step_by(10) {
        let mut kept = Kept::watched(Org::new(Some(TWO_HOURS)), 0);
        kept.run(0, 3660, |_, _| ());
        // Unseen; then silence.
        kept.run(3660, 3660 + last_call, |_, _| ());
        kept.org.touch(at(3660 + last_call));
        kept.run(3660 + last_call, TEN_HOURS, |_, _| ());
        assert_eq!(kept.org.logins, [0], "{last_call}");
    }
}

#[test]
fn nobody_holds_it_then_nothing_is_sent_and_nobody_wakes() {
    let mut kept = Kept::new(Org::new(Some(TWO_HOURS)));
    kept.org.fly(&mut kept.machine, Want::default(), at(0));
    for now in [0, 3601, 7300] {
        assert!(matches!(kept.care(at(now)), Care::Rest));
    }
    let holder = Holder { uid: 0, pid: None };
    let number = kept.holds.open(holder, NEVER, at(0));
    assert!(matches!(kept.care(at(0)), Care::At(time) if time == at(3660)));
    kept.holds.close(number);
    assert!(matches!(kept.care(at(0)), Care::Rest));
}

#[test]
fn who_took_it_holds_it_for_the_time_that_is_set_and_gets_no_new_one() {
    let mut kept = Kept::new(Org::new(Some(900)));
    kept.org.fly(&mut kept.machine, Want::default(), at(0));
    kept.holds.got(Holder { uid: 0, pid: None }, at(0));
    let half_hour = Duration::from_mins(30);
    let next = |kept: &Kept, now| care(&kept.machine, &kept.holds, half_hour, 0, now);
    let Care::At(first) = next(&kept, at(0)) else {
        panic!("a call is due within half an hour")
    };
    assert_eq!(seconds(first), 457);
    // No timer for a call that would come when nobody holds it any more.
    assert!(matches!(
        care(
            &kept.machine,
            &kept.holds,
            Duration::from_secs(457),
            0,
            at(0)
        ),
        Care::Rest
    ));
    assert!(matches!(next(&kept, at(900)), Care::Rest), "it is dead");
}

#[test]
fn what_a_holder_asks_for_is_guaranteed_at_any_time() {
    for min_ttl in [1, 60, 1800, 2700] {
        let mut kept = Kept::watched(Org::new(Some(TWO_HOURS)), min_ttl);
        kept.run(0, TEN_HOURS, |kept, now| {
            let session = kept.machine.session().unwrap();
            assert!(session.is_guaranteed(Duration::from_secs(min_ttl), now));
            assert!(longest_kept(session) >= Duration::from_secs(min_ttl));
        });
        assert_eq!(kept.org.logins, [0]);
        assert!(kept.org.calls.len() <= 50, "{}", kept.org.calls.len());
    }
    let mut greedy = Kept::watched(Org::new(Some(TWO_HOURS)), 3599);
    greedy.run(0, TEN_HOURS, |_, _| ());
    assert!(greedy.org.calls.len() <= 50, "{}", greedy.org.calls.len());
    let session = greedy.machine.session().unwrap();
    assert!(longest_kept(session) < Duration::from_secs(3599));
}

#[test]
fn a_session_with_a_hard_end_gets_a_successor_before_it_and_no_calls() {
    let mut org = Org::new(Some(TWO_HOURS));
    org.hard = Some(TWO_HOURS);
    let mut kept = Kept::watched(org, 0);
    let mut shortest = u64::MAX;
    kept.run(0, TEN_HOURS, |kept, now| {
        let end = kept.machine.session().unwrap().expires_at();
        shortest = shortest.min(end.duration_since(now).unwrap().as_secs());
    });
    assert!(kept.org.calls.is_empty(), "{:?}", kept.org.calls);
    assert_eq!(kept.org.logins.len(), 6, "{:?}", kept.org.logins);
    assert!(shortest >= 300, "{shortest}");
}

#[test]
fn sessions_that_end_within_seconds_cause_a_login_a_minute_at_most() {
    let mut org = Org::new(Some(10));
    org.hard = Some(10);
    let mut kept = Kept::watched(org, 0);
    kept.run(0, 3600, |_, _| ());
    assert!(kept.org.logins.len() <= 60, "{}", kept.org.logins.len());
}

#[test]
fn an_outage_takes_no_session_that_is_still_good() {
    let mut kept = Kept::watched(Org::new(Some(TWO_HOURS)), 0);
    kept.run(0, 3660, |_, _| ());
    kept.org.down = true;
    kept.run(3660, 5000, |kept, now| {
        assert!(now < kept.machine.session().unwrap().expires_at());
    });
    assert!(
        (3..9).contains(&kept.org.calls.len()),
        "{:?}",
        kept.org.calls
    );
    kept.org.down = false;
    kept.run(5000, TEN_HOURS, |_, _| ());
    assert_eq!(kept.org.logins, [0]);
}

#[test]
fn an_outage_before_a_hard_end_leaves_the_session_until_that_end() {
    let mut org = Org::new(Some(TWO_HOURS));
    org.hard = Some(TWO_HOURS);
    let mut kept = Kept::watched(org, 600);
    kept.run(0, 6000, |_, _| ());
    kept.org.down = true;
    kept.run(6000, 7100, |_, _| ());
    assert!(kept.org.logins.len() > 1);
    let decision = kept.machine.acquire(Want::default(), at(7100));
    assert!(matches!(decision, Decision::Serve(session) if session.generation == 1));
}

#[test]
fn a_dead_session_is_followed_by_one_login() {
    let mut kept = Kept::watched(Org::new(Some(TWO_HOURS)), 0);
    kept.run(0, 3000, |_, _| ());
    kept.org.stamp = at(0) - Duration::from_secs(TWO_HOURS);
    kept.run(3000, TEN_HOURS, |_, _| ());
    assert_eq!(kept.org.logins, [0, 3660]);
}

#[test]
fn a_latched_record_is_left_alone_however_many_hold_it() {
    let mut kept = Kept::watched(Org::new(Some(TWO_HOURS)), 0);
    let Decision::Start(stamp) = kept.machine.acquire(Want::default(), at(0)) else {
        panic!("no flight")
    };
    kept.machine.enter_login(stamp, at(0)).unwrap();
    let rejected = Failure {
        class: Class::BadCredentials,
        ..unavailable()
    };
    kept.machine
        .complete(stamp, Outcome::LoginFailed(rejected), at(0), 0);
    assert!(matches!(kept.care(at(0)), Care::Watch));
    assert!(matches!(kept.care(at(TEN_HOURS)), Care::Watch));
}

/// T42
#[test]
fn a_clock_that_went_back_causes_a_call_and_no_wait_of_years() {
    let mut kept = Kept::watched(Org::new(Some(TWO_HOURS)), 0);
    kept.org.fly(&mut kept.machine, Want::default(), at(86_400));
    assert!(matches!(kept.care(at(0)), Care::Now(want) if want.fresh_proof));
}
