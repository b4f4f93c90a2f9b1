//! What becomes of what is asked.

use crate::failure::Failure;

/// What becomes of the next login's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Hang {
    No,
    /// It is judged, and the answer comes late.
    Late,
    /// It is counted, and there is no answer.
    Lost,
}

/// What becomes of the next change of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Setting {
    Done,
    Refused,
    DoneUnanswered,
    Lost,
}

#[derive(Debug)]
pub(in super::super) struct Judgement {
    pub(in super::super) hang: Hang,
    pub(in super::super) answer: Result<Granted, Failure>,
}

#[derive(Debug)]
pub(in super::super) struct Granted {
    pub(in super::super) session: String,
    pub(in super::super) user: String,
    pub(in super::super) username: String,
    /// The refresh token from now on.
    pub(in super::super) token: Option<String>,
}
