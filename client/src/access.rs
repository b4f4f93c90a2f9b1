//! Who may use a record: rules, and what the daemon sees of a process.

use std::{path::PathBuf, time::SystemTime};

/// A user or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    /// What counts.
    pub number: u32,
    /// What it was called when the rule was made; for people only.
    pub name: Option<String>,
}

/// What a peer has to be: all that is set. The daemon refuses a rule that everybody could fulfil.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRule {
    /// Its user.
    pub uid: Option<Id>,
    /// One of its groups.
    pub gid: Option<Id>,
    /// Its unit, of the system's manager.
    pub unit: Option<String>,
    /// Its unit, of the manager of the rule's user.
    pub user_unit: Option<String>,
    /// The file of its program, by its real path.
    pub exe: Option<PathBuf>,
}

/// The rules of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// A peer that one of them fits may use the record.
    pub rules: Vec<AccessRule>,
    /// Whether no operator said anything yet: in user mode the daemon's user may use it, in system mode nobody.
    pub is_default: bool,
}

/// What a change of rules led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// The rules that count now.
    pub rules: Vec<AccessRule>,
    /// False if they were so before.
    pub changed: bool,
    /// What looks odd but was accepted, in words.
    pub warnings: Vec<String>,
}

/// Whether a process could use a record if it connected now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it could.
    pub allowed: bool,
    /// What each rule says, in their order.
    pub rules: Vec<RuleVerdict>,
    /// What the daemon sees of it.
    pub peer: PeerIdentity,
}

/// What one rule says about one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleVerdict {
    /// The rule.
    pub rule: AccessRule,
    /// Whether it lets the process in.
    pub decides: bool,
    /// What the process lacks, in words.
    pub missing: Vec<String>,
}

/// A process as the kernel shows it to the daemon. The texts are the daemon's and may hold control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
    /// Its unit, of the system's manager.
    pub unit: Option<String>,
    /// Its unit, of the manager of a user.
    pub user_unit: Option<String>,
    /// That user.
    pub unit_uid: Option<u32>,
    /// The file of its program.
    pub exe: Option<String>,
    /// What can't be told, in words.
    pub unknown: Vec<String>,
}

/// Who is connected, and who is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers {
    /// By socket, user and unit.
    pub peers: Vec<PeerLoad>,
    /// What there is for all on `sfvault.sock`.
    pub limits: Vec<Limit>,
}

/// How much there is of something, and the most that one may have of it while nobody else has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// `connections`, `calls`, `waiting` or `bytes`.
    pub what: String,
    pub room: u64,
    pub user: u64,
    pub unit: u64,
    /// Where the processes of a unit are told apart.
    pub process: Option<u64>,
}

/// What one systemd unit of a user, as it connected, has of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerLoad {
    /// Its user.
    pub uid: u32,
    /// The unit, unless it is in none or that can't be told.
    pub unit: Option<String>,
    /// The process ids of those who are connected, as far as the daemon can see them.
    pub pids: Vec<i32>,
    /// The socket, or `denied` if no rule speaks of it.
    pub socket: String,
    /// Its connections.
    pub connections: u32,
    /// Its calls under way, those that wait included.
    pub calls: u32,
    /// Its calls that wait for a record to become usable.
    pub waiting: u32,
    /// Its calls since the daemon started, those that were held back included.
    pub calls_total: u64,
    /// Bytes of long requests and answers that are kept for it.
    pub bytes: u64,
    /// Logins that its calls caused since the daemon started.
    pub logins: u64,
    /// Sessions that its processes hold until they exit.
    pub holds: u32,
    /// What it was held back from.
    pub held_back: Vec<HeldBack>,
}

/// Something of which a unit or its user wanted more than its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// As in [`Limit`], or `turns` or `logins`.
    pub what: String,
    /// How often, since the daemon started.
    pub times: u64,
    /// Whether it would be so now.
    pub now: bool,
    /// Until when, if that is known.
    pub until: Option<SystemTime>,
}
