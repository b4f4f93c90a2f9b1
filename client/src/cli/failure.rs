//! Why a command failed, and everything that is said about it.

use std::time::Duration;

use rustix::process::Signal;
use sfvault::Error;

use super::{
    exit::Exit,
    hint::{hint, hint_of_trial},
    span,
};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The daemon said no, or there is no way to it.
    Call {
        error: Error,
        record: Option<String>,
    },
    /// A login that this command tried for the record did not succeed, or was not made.
    Trial {
        error: Error,
        record: String,
        again: String,
    },
    /// The daemon could not be started.
    NotStarted { message: String, hint: String },
    /// What was asked for makes no sense.
    Usage { message: String, hint: String },
    /// Something on this machine failed: a file, a pipe, the terminal.
    Local {
        message: String,
        hint: Option<String>,
    },
    /// Another run has what this one needs.
    Taken { message: String, hint: String },
    /// `exec` found no such command.
    CommandNotFound { message: String },
    /// `exec` could not run the command.
    CommandNotExecutable { message: String },
    /// `doctor` found problems, and has told them.
    ProblemsFound(Exit),
    /// The command that `exec` ran beside itself ended so; what there was to say, it said.
    JobEnded(Exit),
    /// A signal ended the waiting, for a person or for what a job needs.
    Signalled(u8),
    /// Whoever reads stdout went away. There is nobody to tell.
    ReaderGone,
}

impl Failure {
    pub(crate) fn call(error: Error, record: &sfvault::RecordName) -> Self {
        Self::Call {
            error,
            record: Some(record.to_string()),
        }
    }

    /// After a call in which the daemon tries a login; `again` says how to try again.
    pub(crate) fn trial(error: Error, record: &sfvault::RecordName, again: String) -> Self {
        Self::Trial {
            error,
            record: record.to_string(),
            again,
        }
    }

    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self::Local {
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn signalled(signal: Signal) -> Self {
        Self::Signalled(u8::try_from(signal.as_raw()).unwrap_or(u8::MAX))
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Call { error, .. } | Self::Trial { error, .. } => Exit::of(error.reason()),
            Self::NotStarted { .. } => Exit::NO_DAEMON,
            Self::Usage { .. } => Exit::USAGE,
            Self::Taken { .. } => Exit::TRY_LATER,
            Self::Local { .. } | Self::ReaderGone => Exit::ELSE,
            Self::CommandNotFound { .. } => Exit::NOT_FOUND,
            Self::JobEnded(exit) | Self::ProblemsFound(exit) => *exit,
            Self::CommandNotExecutable { .. } => Exit::NOT_EXECUTABLE,
            Self::Signalled(signal) => Exit::signalled(*signal),
        }
    }

    /// The name for scripts.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Call { error, .. } | Self::Trial { error, .. } => error.reason().name(),
            Self::NotStarted { .. } => "DAEMON_NOT_STARTED",
            Self::Usage { .. } => "USAGE",
            Self::Taken { .. } => "TAKEN",
            Self::Local { .. } | Self::ReaderGone => "LOCAL",
            Self::CommandNotFound { .. } => "COMMAND_NOT_FOUND",
            Self::JobEnded(_) => "JOB_ENDED",
            Self::ProblemsFound(_) => "PROBLEMS_FOUND",
            Self::CommandNotExecutable { .. } => "COMMAND_NOT_EXECUTABLE",
            Self::Signalled(_) => "SIGNALLED",
        }
    }

    /// What happened; nothing where there is nobody to tell, or where the person knows.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Self::Call { error, .. } | Self::Trial { error, .. } => Some(error.message()),
            Self::NotStarted { message, .. }
            | Self::Usage { message, .. }
            | Self::Taken { message, .. }
            | Self::Local { message, .. }
            | Self::CommandNotFound { message }
            | Self::CommandNotExecutable { message } => Some(message),
            Self::JobEnded(_) | Self::ProblemsFound(_) | Self::Signalled(_) | Self::ReaderGone => {
                None
            }
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Call { error, record } => {
                Some(with_pause(hint(error.reason(), record.as_deref()), error))
            }
            Self::Trial {
                error,
                record,
                again,
            } => Some(with_pause(
                hint_of_trial(error.reason(), record, again),
                error,
            )),
            Self::NotStarted { hint, .. } | Self::Usage { hint, .. } | Self::Taken { hint, .. } => {
                Some(hint.clone())
            }
            Self::Local { hint, .. } => hint.clone(),
            Self::CommandNotFound { .. } | Self::CommandNotExecutable { .. } => Some(
                "no shell reads the command: give the program and its arguments as separate words"
                    .to_owned(),
            ),
            Self::JobEnded(_) | Self::ProblemsFound(_) | Self::Signalled(_) | Self::ReaderGone => {
                None
            }
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Call { error, .. } | Self::Trial { error, .. } => error.retry_after(),
            Self::NotStarted { .. }
            | Self::Usage { .. }
            | Self::Taken { .. }
            | Self::Local { .. }
            | Self::CommandNotFound { .. }
            | Self::CommandNotExecutable { .. }
            | Self::JobEnded(_)
            | Self::ProblemsFound(_)
            | Self::Signalled(_)
            | Self::ReaderGone => None,
        }
    }
}

fn with_pause(hint: String, error: &Error) -> String {
    match error.retry_after() {
        Some(pause) => format!("{hint}; try again in {}", span::words_up(pause)),
        None => hint,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call {
            error,
            record: None,
        }
    }
}
