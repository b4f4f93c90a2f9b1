//! What happened, in numbers, for people to see that something did.

use std::collections::BTreeMap;

#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Figures {
    pub(in super::super) hours: u64,
    pub(in super::super) did: BTreeMap<&'static str, u64>,
    pub(in super::super) faults: BTreeMap<&'static str, u64>,
}

/// A simulation in which one of these does not happen tests less than it says.
const BUSY: [&str; 25] = [
    "access rules changed",
    "calls after a denial",
    "calls with the vault locked",
    "credentials set",
    "graces after a clock jump",
    "held sessions kept alive",
    "idle hours without a call",
    "ids given again",
    "logins",
    "logins kept over a restart",
    "locks on a bad disk",
    "logins kept over a lock",
    "migrations",
    "migrations that failed",
    "migrations undone",
    "passwords generated",
    "records removed and added",
    "refresh tokens replaced",
    "rejections told",
    "reports",
    "reports in an outage",
    "rotations",
    "sessions",
    "streams told",
    "wrong secrets insisted on",
];

const FAULTS: [&str; 12] = [
    "clock jumps",
    "deaths in a login",
    "deaths in a migration",
    "disk faults",
    "kills",
    "lost answers to a new password",
    "outages",
    "power cuts",
    "rate limits",
    "secrets changed elsewhere",
    "sessions ended",
    "suspends",
];

impl Figures {
    pub(super) fn did(&mut self, what: &'static str) {
        self.add_to(what, 1);
    }

    pub(super) fn add_to(&mut self, what: &'static str, many: u64) {
        *self.did.entry(what).or_default() += many;
    }

    pub(super) fn fault(&mut self, what: &'static str) {
        *self.faults.entry(what).or_default() += 1;
    }

    pub(in super::super) fn add(&mut self, other: &Self) {
        self.hours += other.hours;
        for (what, many) in &other.did {
            *self.did.entry(what).or_default() += many;
        }
        for (what, many) in &other.faults {
            *self.faults.entry(what).or_default() += many;
        }
    }

    pub(in super::super) fn assert_busy(&self) {
        for (names, counts) in [(&BUSY[..], &self.did), (&FAULTS[..], &self.faults)] {
            for name in names {
                let many = counts.get(name).copied().unwrap_or_default();
                assert!(many > 2, "{name}: {many}");
            }
        }
    }
}
