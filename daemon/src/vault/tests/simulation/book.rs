//! What this Salesforce knows, and what it accuses the daemon of.

mod judgement;
mod leave;
mod sessions;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

pub(super) use judgement::{Granted, Hang, Judgement, Setting};
pub(super) use leave::Leave;
pub(super) use sessions::Living;

use super::{
    super::answers::failure,
    door::Door,
    salesforce::INSTANCE,
    way::{Way, username},
};
use crate::{
    credential::FlowKind,
    failure::{Class, Failure},
    host::Host,
    ledger::Ledger,
};

/// What a user may log in in an hour: one percent of what Salesforce takes, and one before it is known whose app it is.
const SHARE: usize = 36 + 1;
/// How long a refusal for the rate asks to wait.
const RATE_PAUSE: Duration = Duration::from_mins(20);
/// Two attempts at a host that is down are so far apart at least.
const SPACING: Duration = Duration::from_secs(10);

/// A host that is down.
#[derive(Debug, Default)]
struct Outage {
    asked: Option<SystemTime>,
    /// When the present daemon found out: several of its records may at once.
    found: Option<SystemTime>,
}

#[derive(Debug)]
pub(super) struct Book {
    /// By what [`Way::door`] tells.
    pub(super) doors: BTreeMap<String, Door>,
    pub(super) sessions: BTreeMap<String, Living>,
    /// Apps of which the daemon doesn't know whose they are.
    pub(super) strangers: BTreeSet<String>,
    /// Users whose logins are refused for the rate.
    pub(super) limited: BTreeSet<String>,
    pub(super) hang: Hang,
    /// Who waits for an answer is dead, and hears none.
    pub(super) silent: bool,
    pub(super) setting: Setting,
    /// Logins that came, and other calls.
    pub(super) logins: u64,
    pub(super) proofs: u64,
    /// Until then, what hangs on memory or on the daemon's clock may be forgotten.
    pub(super) excused: SystemTime,
    /// When the daemon's clock last jumped.
    pub(super) jumped: SystemTime,
    /// While nobody asks for anything.
    leave: Option<Leave>,
    violations: Vec<String>,
    /// What was asked and answered, in order.
    pub(super) story: Vec<String>,
    down: BTreeMap<Host, Outage>,
    /// When logins of the user, or of a stranger, were last refused for the rate, and of which doors.
    refused_at: BTreeMap<String, (SystemTime, BTreeSet<String>)>,
    /// Attempts whose rejection the daemon has told.
    rejected: BTreeSet<(String, String, String)>,
    failed: BTreeMap<(String, String), Vec<SystemTime>>,
    lately: BTreeMap<String, Vec<SystemTime>>,
    serial: u64,
}

impl Book {
    pub(super) fn new(excused: SystemTime) -> Self {
        Self {
            doors: BTreeMap::new(),
            sessions: BTreeMap::new(),
            strangers: BTreeSet::new(),
            limited: BTreeSet::new(),
            hang: Hang::No,
            silent: false,
            setting: Setting::Done,
            logins: 0,
            proofs: 0,
            excused,
            jumped: excused,
            leave: None,
            violations: Vec::new(),
            story: Vec::new(),
            down: BTreeMap::new(),
            refused_at: BTreeMap::new(),
            rejected: BTreeSet::new(),
            failed: BTreeMap::new(),
            lately: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(super) fn door(&mut self, way: &Way) -> &mut Door {
        self.doors.get_mut(way.door()).unwrap()
    }

    pub(super) fn take_down(&mut self, host: &Host, down: bool) {
        if down {
            self.down.entry(host.clone()).or_default();
        } else {
            self.down.remove(host);
        }
    }

    pub(super) fn is_down(&self, host: &Host) -> bool {
        self.down.contains_key(host)
    }

    /// The daemon told that this attempt was rejected.
    pub(super) fn told_rejected(&mut self, way: &Way) {
        self.rejected.insert(way.attempt());
    }

    /// An operator says that what was rejected may be tried again, or has replaced it.
    pub(super) fn forgive(&mut self, way: &Way) {
        let host = way.host.to_string();
        let other =
            |(door, at, _): &(String, String, String)| (door.as_str(), at) != (way.door(), &host);
        self.rejected.retain(other);
    }

    /// An operator allows one more login, whatever happened before.
    pub(super) fn release(&mut self, way: &Way) {
        self.forgive(way);
        let door = way.door();
        self.refused_at.remove(&self.doors[door].user);
        self.refused_at.remove(door);
        self.begin_count(way);
        // The instance, too: a proof asks it.
        for host in [way.host.clone(), Host::parse(INSTANCE).unwrap()] {
            if let Some(outage) = self.down.get_mut(&host) {
                *outage = Outage::default();
            }
        }
    }

    /// The record is gone, and with it all that it knew.
    pub(super) fn forget_history(&mut self, way: &Way) {
        self.release(way);
        let user = &self.doors[way.door()].user;
        self.lately.remove(user);
    }

    /// What failed before does not count.
    pub(super) fn begin_count(&mut self, way: &Way) {
        let (door, host, _) = way.attempt();
        self.failed.remove(&(door, host));
    }

    /// The daemon died in this instant, before it had written what it heard in it.
    pub(super) fn forget_answers_of(&mut self, instant: SystemTime) {
        for outage in self.down.values_mut() {
            if outage.asked == Some(instant) {
                *outage = Outage::default();
            }
        }
    }

    /// The daemon's memory is gone. A pause that still lasts it finds in its file.
    pub(super) fn begin_anew(&mut self, now: SystemTime) {
        for outage in self.down.values_mut() {
            if outage.asked.is_some_and(|at| at + SPACING <= now) {
                outage.found = None;
            }
        }
    }

    pub(super) fn judge(&mut self, way: &Way, now: SystemTime) -> Judgement {
        let mut hang = Hang::No;
        let answer = self.admit(way, now).and_then(|()| {
            hang = std::mem::replace(&mut self.hang, Hang::No);
            let (door, host, _) = way.attempt();
            if hang == Hang::Lost {
                self.failed.entry((door, host)).or_default().push(now);
                return Err(failure(Class::Unanswered));
            }
            self.let_in(way, now)
        });
        self.tell(
            now,
            &format!(
                "login {}: {:?}",
                way.door(),
                answer.as_ref().map(|it| &it.session)
            ),
        );
        Judgement { hang, answer }
    }

    /// Whether the login is judged at all; and whether it should have been sent.
    fn admit(&mut self, way: &Way, now: SystemTime) -> Result<(), Failure> {
        self.logins += 1;
        self.look_at_login(way);
        self.ask(&way.host, now)?;
        let (door, host, _) = way.attempt();
        if self.rejected.contains(&way.attempt()) {
            self.accuse(format!("{door}: a login after its rejection was told"));
        }
        let failures = self.failed.entry((door.clone(), host)).or_default();
        failures.retain(|at| *at + Ledger::WINDOW > now);
        let spent = failures.len() >= Ledger::BUDGET && way.sends_password();
        if spent && self.excused + Ledger::WINDOW <= now {
            self.accuse(format!("{door}: more failed logins than the budget"));
        }
        let user = self.doors[&door].user.clone();
        let lately = self.lately.entry(user.clone()).or_default();
        lately.retain(|at| *at + Duration::from_hours(1) > now);
        lately.push(now);
        let made = lately.len();
        if made > SHARE && self.excused + Duration::from_mins(65) <= now {
            self.accuse(format!("{user}: {made} logins in an hour"));
        }
        if !self.limited.contains(&user) {
            return Ok(());
        }
        let refused = (now, BTreeSet::new());
        let whose = match self.strangers.contains(&door) {
            true => &door,
            false => &user,
        };
        let (at, doors) = self.refused_at.entry(whose.clone()).or_insert(refused);
        let pauses = now < *at + RATE_PAUSE && self.excused < *at;
        // Two records of his may begin in the instant in which a pause ends, before either hears that it goes on.
        let knew = *at < now || doors.contains(&door);
        if *at < now {
            (*at, *doors) = (now, BTreeSet::new());
        }
        doors.insert(door);
        if pauses && knew {
            self.accuse(format!("{user}: no pause after a refusal for the rate"));
        }
        Err(Failure {
            pause: Some(RATE_PAUSE),
            ..failure(Class::RateLimited)
        })
    }

    fn let_in(&mut self, way: &Way, now: SystemTime) -> Result<Granted, Failure> {
        let (name, host, _) = way.attempt();
        let by_token = way.kind() == FlowKind::RefreshToken;
        self.serial += 1;
        let serial = self.serial;
        let door = self.doors.get_mut(&name).unwrap();
        let user = door.user.clone();
        if door.secret != way.secret {
            self.failed
                .entry((name.clone(), host))
                .or_default()
                .push(now);
            if !by_token {
                return Err(failure(Class::BadCredentials));
            }
            if door.is_reused(&way.secret) {
                let orphaned = door.orphaned;
                self.end_sessions(&user);
                if !orphaned {
                    self.accuse(format!("{name}: a spent refresh token was sent"));
                }
            }
            return Err(failure(Class::RefreshDead));
        }
        let token = by_token.then(|| format!("5Aep{serial}"));
        if let Some(next) = &token {
            door.replace(next);
        }
        self.failed.remove(&(name, host));
        Ok(Granted {
            session: self.session_of(&user, now),
            username: username(&user),
            user,
            token,
        })
    }

    /// A host that is down is asked seldom, whatever for.
    fn ask(&mut self, host: &Host, now: SystemTime) -> Result<(), Failure> {
        let Some(outage) = self.down.get_mut(host) else {
            return Ok(());
        };
        let before = outage.asked.replace(now);
        let found = *outage.found.get_or_insert(now);
        let too_soon = before.is_some_and(|at| at + SPACING > now && self.excused < at);
        if too_soon && found != now {
            self.accuse(format!("{host}: asked again too soon while it is down"));
        }
        Err(failure(Class::Unavailable))
    }

    pub(super) fn assert_no_violations(&self) {
        let lately = self.story.len().saturating_sub(30);
        let lately = self.story[lately..].join("\n");
        assert!(
            self.violations.is_empty(),
            "{:#?} after\n{lately}",
            self.violations
        );
    }

    fn tell(&mut self, now: SystemTime, what: &str) {
        let at = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        self.story.push(format!("{at:?}: {what}"));
    }

    fn accuse(&mut self, what: String) {
        self.violations.push(what);
    }
}
