//! The questions that the machine is asked and the answers that it gives.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Session;
use crate::{
    failure::Failure,
    salesforce::{Grant, Proof},
};

/// What a caller needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Want {
    /// The session must be guaranteed for so long.
    pub min_ttl: Duration,
    /// The generation of a session that Salesforce refused.
    pub refused: Option<u64>,
    /// A session that is proven now, not merely guaranteed; none if that fails, however good the old one is.
    pub fresh_proof: bool,
    /// A session of a login made now, whatever there is.
    pub fresh_login: bool,
    /// No login: if the session turns out dead, there is none.
    pub no_login: bool,
}

/// What to do for a caller.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Hand this out.
    Serve(Arc<Session>),
    /// A flight is under way: wait for it, then ask again.
    Join,
    /// Begin a flight with this stamp, and join it.
    Start(Stamp),
    /// Say no.
    Refuse(Refusal),
}

/// What to do for somebody who wants the session ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// There is none.
    Nothing,
    /// A flight is under way: wait for it, then ask again.
    Join,
    /// End this one in a flight with this stamp.
    Start(Stamp, Arc<Session>),
}

/// Why a caller gets nothing, for now or until somebody acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No login before `until`: the last one failed for a reason that may pass.
    BackingOff { failure: Failure, until: SystemTime },
    /// No login before `until`: too many failed.
    BudgetSpent { until: SystemTime },
    /// No login with this credential.
    Latched { failure: Failure, since: SystemTime },
    /// No session of this org is guaranteed for so long.
    MinTtlTooLong { possible: Duration },
    /// The session that was called refused works, if it `lives`; else one after the other was, and was dead. Nothing is
    /// done about it before `until`.
    RefusedAgain { until: SystemTime, lives: bool },
    /// No login before the refresh token that the last one brought is saved: the one on disk is spent.
    TokenUnsaved,
}

impl Refusal {
    /// When asking again may help, if time alone helps.
    #[must_use]
    pub fn until(&self) -> Option<SystemTime> {
        match self {
            Self::BackingOff { until, .. }
            | Self::BudgetSpent { until }
            | Self::RefusedAgain { until, .. } => Some(*until),
            Self::Latched { .. } | Self::MinTtlTooLong { .. } | Self::TokenUnsaved => None,
        }
    }
}

/// What a record is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// The next caller gets no session.
    Barred(Refusal),
    /// There is no session: the next caller causes a login.
    Idle,
    /// A login or a proof is under way.
    InFlight,
    /// There is a session.
    Ready,
}

/// Marks one flight: the work between a decision to ask Salesforce and its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub(super) u64);

/// What a flight does next.
#[derive(Debug, Clone)]
pub enum Step {
    /// Prove this session; if it is dead, ask for the next step again.
    Prove(Arc<Session>),
    /// Prove what an earlier flight's login gave but could not prove.
    ProveGrant { grant: Box<Grant>, generation: u64 },
    /// Enter a login in the ledger, save it, and send it.
    LogIn,
}

/// How a flight ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A call with the session succeeded.
    Proven(Proof),
    /// A login gave a session, and a call with it succeeded.
    LoggedIn {
        grant: Box<Grant>,
        proof: Proof,
        generation: u64,
    },
    /// A login gave a session, but the call with it failed for a reason that may pass.
    Unproven {
        grant: Box<Grant>,
        generation: u64,
        failure: Failure,
    },
    /// A login gave a session and another refresh token, which is not saved yet: the session waits for that.
    Unsaved { grant: Box<Grant>, generation: u64 },
    /// The call with the session failed, and says nothing about the session.
    ProofFailed(Failure),
    /// A login was sent and failed.
    LoginFailed(Failure),
    /// A login was entered but never sent, for a reason of our own.
    NotSent,
}

/// A login that was tried and works.
#[derive(Debug)]
pub struct Passed {
    pub grant: Grant,
    /// Absent if the session could not be proved, but the login has spent a refresh token: then the one that replaced
    /// it must be kept, whatever becomes of the session.
    pub proof: Option<Proof>,
    pub generation: u64,
}

/// What a change of a record means to its sessions and logins.
#[derive(Debug)]
pub enum Effect {
    Nothing,
    /// It logs in with what was tried, and has the session that this gave.
    Adopt(Box<Passed>),
    /// It logs in with what nobody has tried.
    ChangeOver,
    /// Its credential must not be used, for this reason.
    Hold(Failure),
    /// A generated password is not awaited any more; any other latch stays.
    Unhold,
}
