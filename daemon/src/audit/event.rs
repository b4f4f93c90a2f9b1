//! What happened, before it is a line.

use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
};

use super::who::Who;
use crate::{
    credential::FlowKind,
    failure::Class,
    policy::{Decision, Ruling},
    secret::SessionId,
};

/// What was asked for or done, by its name in the file: it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action(&'static str);

impl Action {
    pub const GET: Self = Self("get");
    pub const LIST: Self = Self("list");
    pub const LOGIN: Self = Self("login");
    pub const INIT: Self = Self("init");
    pub const UNLOCK: Self = Self("unlock");
    pub const LOCK: Self = Self("lock");
    pub const STATUS: Self = Self("status");
    pub const ADD: Self = Self("add");
    pub const SHOW: Self = Self("show");
    pub const SET: Self = Self("set");
    pub const REMOVE: Self = Self("remove");
    pub const CHECK: Self = Self("check");
    pub const RELEASE: Self = Self("release");
    pub const MIGRATE: Self = Self("migrate");
    pub const RESTORE: Self = Self("migrate-back");
    pub const FORGET: Self = Self("migrate-forget");
    pub const ROTATE: Self = Self("rotate");
    pub const REVEAL: Self = Self("reveal");
    pub const BEGIN_LOGIN: Self = Self("login-begin");
    pub const FINISH_LOGIN: Self = Self("login-finish");
    pub const HOLDERS: Self = Self("holders");
    pub const LOGOUT: Self = Self("logout");
    pub const ALLOW: Self = Self("allow");
    pub const DENY: Self = Self("deny");
    pub const ACCESS: Self = Self("access");
    pub const EXPLAIN: Self = Self("explain");
    pub const PEERS: Self = Self("peers");
    pub const DOCTOR: Self = Self("doctor");
    pub const LOG: Self = Self("log");
    pub const VERIFY: Self = Self("log-verify");
    pub const USAGE: Self = Self("usage");
    /// A call that was turned away before anybody looked at what it asks.
    pub const CALL: Self = Self("call");
    /// A chain of lines begins.
    pub const CHAIN: Self = Self("audit-chain");
    /// The daemon found something wrong with the audit.
    pub const DAMAGED: Self = Self("audit-damaged");
    /// Old files were removed, because the operator limits their number.
    pub const DROPPED: Self = Self("audit-dropped");
    /// Lines that there was no room for.
    pub const LOST: Self = Self("audit-lost");

    /// The name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A session was handed out.
    Served,
    /// There was no session to hand out.
    Refused,
    /// This peer may not have it.
    Denied,
    /// Administration is about to be done; another line tells how it ended.
    Begun,
    Done,
    Failed,
    /// Who asked for it went away before it ended.
    Unheard,
    /// The daemon tells something about itself.
    Noted,
}

impl Verdict {
    /// The name in the file: it never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unheard => "unheard",
            Self::Noted => "noted",
        }
    }
}

/// One thing that happened.
#[derive(Clone)]
pub struct Event<'a> {
    pub action: Action,
    pub verdict: Verdict,
    pub who: Option<Cow<'a, Who>>,
    /// The record's name, as it was asked for.
    pub record: Option<Cow<'a, str>>,
    /// The `Reason` of the failure.
    pub reason: Option<&'static str>,
    /// What the access rules said.
    pub decision: Option<Cow<'a, Decision>>,
    pub generation: Option<u64>,
    pub session: Traced<'a>,
    /// Salesforce's answer.
    pub class: Option<Class>,
    pub flow: Option<FlowKind>,
    /// What else there is to say: no secret.
    pub note: Option<Cow<'a, str>>,
}

/// A session in the audit.
#[derive(Clone, Copy)]
pub enum Traced<'a> {
    None,
    /// Not yet digested: that costs more than most lines are worth.
    Id(&'a SessionId),
    Fingerprint(Fingerprint),
}

/// A keyed digest of a session id: the same for the same id as long as there is the vault, and worth nothing to a thief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 8]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[derive(PartialEq)]
struct Likeness<'e> {
    what: (Action, Verdict, Option<&'static str>, Option<Class>),
    user: Option<(Option<u32>, Option<u32>)>,
    process: Option<(Option<i32>, Option<&'e str>, Option<&'e str>)>,
    record: (Option<&'e str>, Option<u64>),
    words: (Option<&'e Ruling>, Option<&'e str>),
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("action", &self.action)
            .field("verdict", &self.verdict)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl<'a> Event<'a> {
    /// An event about which nothing else is known.
    #[must_use]
    pub fn new(action: Action, verdict: Verdict) -> Self {
        Self {
            action,
            verdict,
            who: None,
            record: None,
            reason: None,
            decision: None,
            generation: None,
            session: Traced::None,
            class: None,
            flow: None,
            note: None,
        }
    }

    /// Something that the daemon tells about itself.
    #[must_use]
    pub fn noted(action: Action, note: impl Into<Cow<'a, str>>) -> Self {
        Self {
            note: Some(note.into()),
            ..Self::new(action, Verdict::Noted)
        }
    }

    /// Whether two events may share a line. Who is turned away is told apart by user and group only: with a process, or
    /// a name, for each attempt he would fill the disk.
    #[must_use]
    pub fn is_like(&self, other: &Event<'_>) -> bool {
        self.likeness() == other.likeness()
    }

    /// The most telling of what [`Event::is_like`] compares, for a hasher.
    pub fn hash_likeness(&self, state: &mut impl Hasher) {
        let likeness = self.likeness();
        let (_, verdict, ..) = likeness.what;
        state.write_u8(verdict as u8);
        state.write(self.action.name().as_bytes());
        likeness.user.hash(state);
        likeness.process.map(|(pid, ..)| pid).hash(state);
        state.write_u64(self.generation.unwrap_or(0));
        state.write(likeness.record.0.unwrap_or_default().as_bytes());
    }

    /// Whether who asked got nothing, and may be anybody.
    #[must_use]
    pub fn is_of_anybody(&self) -> bool {
        self.verdict == Verdict::Denied || self.is_of_no_record()
    }

    /// Whether a session was asked for of a record that there is not, as far as it is known: any name will do for that.
    #[must_use]
    pub fn is_of_no_record(&self) -> bool {
        let known = match self.decision.as_deref() {
            Some(Decision::Allowed(_) | Decision::Denied { .. }) => true,
            Some(Decision::NoRecord) | None => false,
        };
        self.action == Action::GET && self.verdict == Verdict::Refused && !known
    }

    fn likeness(&self) -> Likeness<'_> {
        let who = self.who.as_deref();
        let named = who.filter(|_| !self.is_of_anybody());
        let ruling = match self.decision.as_deref() {
            Some(Decision::Allowed(ruling)) => Some(ruling),
            Some(Decision::Denied { .. } | Decision::NoRecord) | None => None,
        };
        let record = self.record.as_deref().filter(|_| !self.is_of_no_record());
        Likeness {
            what: (self.action, self.verdict, self.reason, self.class),
            user: who.map(|who| (who.uid, who.gid)),
            process: named.map(|who| (who.pid, who.unit.as_deref(), who.exe.as_deref())),
            record: (record, self.generation),
            words: (ruling, self.note.as_deref()),
        }
    }

    /// The same with nothing borrowed; `digest` makes the fingerprint of a session.
    #[must_use]
    pub fn into_owned(
        self,
        digest: impl FnOnce(&SessionId) -> Option<Fingerprint>,
    ) -> Event<'static> {
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Event {
            action: self.action,
            verdict: self.verdict,
            who: self.who.map(|who| Cow::Owned(who.into_owned())),
            record: self.record.map(own),
            reason: self.reason,
            decision: self
                .decision
                .map(|decision| Cow::Owned(decision.into_owned())),
            generation: self.generation,
            session: match self.session {
                Traced::None => Traced::None,
                Traced::Id(id) => digest(id).map_or(Traced::None, Traced::Fingerprint),
                Traced::Fingerprint(fingerprint) => Traced::Fingerprint(fingerprint),
            },
            class: self.class,
            flow: self.flow,
            note: self.note.map(own),
        }
    }
}
