//! Who may use which record: the verdict is a pure function of the rules and of what the kernel says about the peer.
//!
//! What was captured when the peer connected (uid, gid, groups) costs nothing to ask again. A unit or a program is looked
//! at for every call, and only if no rule allows the peer without it.

mod asker;
mod cgroup;
mod decision;
pub(crate) mod fuzz;
mod group;
mod guests;
mod identity;
mod lifeline;
mod peer;
mod process;
mod program;
mod status;

use std::sync::Arc;

pub use self::{
    asker::Asker,
    decision::{Decision, Ruling},
    group::gid_of,
    guests::Guests,
    identity::{Identity, Program, Seen, Traits},
    lifeline::{Exit, Lifeline},
    peer::{Capture, Peer},
    process::{ProcessError, explain, unit_of},
    program::check_program,
};
use crate::{
    access::{Rule, Unit},
    mode::Mode,
    witness::Sight,
};

/// What one daemon's verdicts depend on besides rules and peers.
#[derive(Debug, Clone)]
pub struct Policy {
    mode: Mode,
    own_uid: u32,
    default: Arc<[Rule]>,
    sight: Sight,
}

/// Whether a peer may use a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The rule of this number, counted from 0, lets it.
    Allowed { rule: usize },
    /// No rule does; what is missing for each, in the order of the rules.
    Denied { missing: Vec<Vec<String>> },
    /// The process has to be looked at first.
    Unsettled,
}

impl Policy {
    /// The policy of a daemon that runs as this user.
    #[must_use]
    pub fn new(mode: Mode, own_uid: u32) -> Self {
        let default = match mode {
            Mode::User => [Rule::of_user(own_uid)].into(),
            Mode::System => [].into(),
        };
        Self {
            mode,
            own_uid,
            default,
            sight: Sight::Own,
        }
    }

    /// The same, of a daemon that sees other processes in this way.
    #[must_use]
    pub fn with_sight(self, sight: Sight) -> Self {
        Self { sight, ..self }
    }

    /// How other processes are seen.
    #[must_use]
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Whom the daemon serves.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The user that the daemon runs as.
    #[must_use]
    pub fn own_uid(&self) -> u32 {
        self.own_uid
    }

    /// The rules that count for a record: its own, else the daemon's user in user mode and nobody in system mode.
    #[must_use]
    pub fn rules<'a>(&'a self, own: Option<&'a [Rule]>) -> &'a [Rule] {
        own.unwrap_or(&self.default)
    }

    /// The rule of this number among those that count for a record.
    #[must_use]
    pub fn ruling(&self, own: Option<&Arc<[Rule]>>, number: usize) -> Ruling {
        Ruling::new(Arc::clone(own.unwrap_or(&self.default)), number)
    }

    /// Whether this user needs no rule to be spoken to: it runs the daemon, or could read its memory.
    #[must_use]
    pub fn is_owner(&self, uid: u32) -> bool {
        uid == self.own_uid || uid == 0
    }
}

/// The verdict. The first rule that fits decides.
#[must_use]
pub fn verdict(rules: &[Rule], who: &Identity) -> Verdict {
    let mut unsettled = false;
    for (number, rule) in rules.iter().enumerate() {
        match fit(rule, who) {
            Fit::Yes => return Verdict::Allowed { rule: number },
            Fit::No => {}
            Fit::Unasked => unsettled = true,
        }
    }
    if unsettled {
        return Verdict::Unsettled;
    }
    Verdict::Denied {
        missing: rules.iter().map(|rule| missing(rule, who)).collect(),
    }
}

/// The rule that would decide for this peer, counted from 0: the verdict without its reasons, which cost a text for each
/// rule.
fn fitting(rules: &[Rule], who: &Identity) -> Option<usize> {
    rules.iter().position(|rule| fit(rule, who) == Fit::Yes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Yes,
    No,
    /// It would, if something that was not asked yet is as the rule wants it.
    Unasked,
}

fn fit(rule: &Rule, who: &Identity) -> Fit {
    // Cheap ones first: who is another user is not looked at.
    let selectors = [
        rule.uid().map(|uid| Fit::of(uid.number == who.uid)),
        rule.gid().map(|gid| in_group(gid.number, who)),
        rule.unit().map(|unit| in_unit(unit, who)),
        rule.exe()
            .map(|exe| who.program.fit(|program| program.is(exe))),
    ];
    let mut fit = Fit::Yes;
    for selector in selectors.into_iter().flatten() {
        match selector {
            Fit::Yes => {}
            Fit::No => return Fit::No,
            Fit::Unasked => fit = Fit::Unasked,
        }
    }
    fit
}

impl Fit {
    fn of(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::No }
    }
}

fn in_group(gid: u32, who: &Identity) -> Fit {
    if who.gid == gid {
        return Fit::Yes;
    }
    who.groups.fit(|groups| groups.contains(&gid))
}

fn in_unit(unit: &Unit, who: &Identity) -> Fit {
    who.unit.fit(|found| found.as_ref() == Some(unit))
}

impl<T> Seen<T> {
    fn fit(&self, is_so: impl FnOnce(&T) -> bool) -> Fit {
        match self {
            Self::Unasked => Fit::Unasked,
            Self::Unknown(_) => Fit::No,
            Self::Is(value) => Fit::of(is_so(value)),
        }
    }
}

/// What keeps this rule from letting the peer in, in words for the operator.
fn missing(rule: &Rule, who: &Identity) -> Vec<String> {
    let mut missing = Vec::new();
    if let Some(uid) = rule.uid()
        && uid.number != who.uid
    {
        missing.push(format!("its uid is {}, not {uid}", who.uid));
    }
    if let Some(gid) = rule.gid()
        && in_group(gid.number, who) != Fit::Yes
    {
        missing.push(match &who.groups {
            Seen::Is(_) => format!("it is not in group {gid}"),
            groups @ (Seen::Unknown(_) | Seen::Unasked) => format!(
                "its gid is {}, not {gid}, and {}",
                who.gid,
                groups.why("groups")
            ),
        });
    }
    if let Some(unit) = rule.unit()
        && in_unit(unit, who) != Fit::Yes
    {
        missing.push(match &who.unit {
            Seen::Is(Some(found)) => format!("its unit is {found}, not {unit}"),
            Seen::Is(None) => format!("it is in no unit, not in {unit}"),
            unit @ (Seen::Unknown(_) | Seen::Unasked) => unit.why("unit"),
        });
    }
    if let Some(exe) = rule.exe()
        && who.program.fit(|program| program.is(exe)) != Fit::Yes
    {
        missing.push(match &who.program {
            Seen::Is(program) => program.is_not(exe),
            program @ (Seen::Unknown(_) | Seen::Unasked) => program.why("program"),
        });
    }
    missing
}

#[cfg(test)]
mod tests;
