//! `sfvault exec`: a command with a session in its environment.
//!
//! Nothing is left to do once the command runs, so `sfvault` turns into it: signals, exit status, job
//! control and the process id are the command's own, and no parent keeps a copy of the session. A file
//! with the session that is kept fresh while the command runs would need a parent that lives.

use std::{ffi::OsString, io, os::unix::process::CommandExt as _, process::Command};

use clap::Args;

use super::{
    context::Context,
    failure::Failure,
    session_env::variables,
    want::Want,
    words::{Doubtful, Words},
};

#[derive(Debug, Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    want: Want,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Exec {
    pub(crate) fn read(words: Words<'_>, command: &[OsString]) -> Result<Self, Doubtful> {
        Ok(Self {
            want: Want::read(words)?,
            command: command.to_vec(),
        })
    }

    /// Returns only if it fails.
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let session = self.want.session(context).await?;
        let mut words = self.command.iter();
        let Some(program) = words.next() else {
            return Err(Failure::usage("there is no command", "put it after `--`"));
        };
        // Every descriptor of ours closes by itself here, and the standard library gives the command
        // the default reaction to a broken pipe, which it took from us at the start.
        let error = Command::new(program)
            .args(words)
            .envs(variables(&session))
            .exec();
        let message = format!("can't run `{}`: {error}", program.display());
        Err(if error.kind() == io::ErrorKind::NotFound {
            Failure::CommandNotFound { message }
        } else {
            Failure::CommandNotExecutable { message }
        })
    }
}
