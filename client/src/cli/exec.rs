//! `sfvault exec`: a command with a session in its environment.
//!
//! Nothing is left to do once the command runs, so `sfvault` turns into it: signals, exit status, job
//! control and the process id are the command's own, and no parent keeps a copy of the session. Only a file
//! with the session that is kept fresh while the command runs needs a parent that lives.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{self, ExitStatus},
};

use clap::Args;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::{
    context::Context,
    exit::Exit,
    failure::Failure,
    follow::Follower,
    listen,
    relay::{PASSED_ON, Relay},
    session_env::variables,
    session_file::SessionFile,
    want::Want,
    words::{Doubtful, Words},
};

#[derive(Debug, Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    want: Want,

    /// Keep the session in this file while the command runs: alive, and replaced when it must be
    #[arg(long, value_name = "PATH")]
    refresh_file: Option<PathBuf>,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Exec {
    pub(crate) fn read(mut words: Words<'_>, command: &[OsString]) -> Result<Self, Doubtful> {
        let path = |word: &str| {
            Some(word.into())
                .filter(|_| !word.is_empty())
                .ok_or(Doubtful)
        };
        Ok(Self {
            refresh_file: words.value("--refresh-file", path)?,
            want: Want::read(words)?,
            command: command.to_vec(),
        })
    }

    /// Without a file it returns only if it fails.
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut words = self.command.iter();
        let Some(program) = words.next() else {
            return Err(Failure::usage("there is no command", "put it after `--`"));
        };
        let mut command = process::Command::new(program);
        command.args(words);
        if let Some(path) = &self.refresh_file {
            // This process keeps a session for as long as the job runs: no core dump and no debugger may see it.
            let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
            return keep(self.want, SessionFile::at(path)?, command, context).await;
        }
        let session = self.want.session_until_exit(context).await?;
        // That of an `exec` around this one has another session.
        command.env_remove(SESSION_FILE);
        // Every descriptor of ours closes by itself here, and the standard library gives the command
        // the default reaction to a broken pipe, which it took from us at the start.
        let error = command.envs(variables(&session)).exec();
        Err(not_run(&command, &error))
    }
}

/// Where the job finds the path of its file.
const SESSION_FILE: &str = "SF_SESSION_FILE";

/// Runs the command beside a file in which there is always the record's session.
async fn keep(
    want: Want,
    mut file: SessionFile,
    mut command: process::Command,
    context: &Context,
) -> Result<(), Failure> {
    let mut follower = Follower::new(context, want.watch());
    let deadline = want.deadline();
    // The daemon says in this call what it is asked for in vain; the other would wait.
    let mut session = want.session(context).await?;
    // From here on there is a file that must go, whatever ends this.
    let mut signals = listen(&PASSED_ON)?;
    file.write(&session)?;
    // Before the job runs: what can't be kept for it must not be found out in the middle of the night.
    let newest = tokio::select! {
        biased;
        signal = signals.next() => return Err(Failure::signalled(signal)),
        newest = follower.begin(deadline) => newest?,
    };
    if let Some(newest) = newest {
        file.write(&newest)?;
        session = newest;
    }
    command.envs(variables(&session));
    command.env(SESSION_FILE, file.path());
    drop(session);
    let mut job = Relay::start(&mut command, signals).map_err(|error| not_run(&command, &error))?;
    let mut followed = true;
    loop {
        tokio::select! {
            status = job.ended() => {
                let status = status.map_err(|error| Failure::local(format!("can't wait for the command: {error}")))?;
                return ended(status);
            }
            next = follower.next(), if followed => {
                let kept = match next {
                    Ok(session) => file.write(&session),
                    Err(failure) => {
                        followed = false;
                        Err(failure)
                    }
                };
                // The job goes on with what it has: it may be done before it needs another.
                if let Err(failure) = kept {
                    context.output.failure(&failure);
                }
            }
        }
    }
}

fn ended(status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::JobEnded(Exit::of_job(status)))
}

fn not_run(command: &process::Command, error: &io::Error) -> Failure {
    let message = format!("can't run `{}`: {error}", command.get_program().display());
    if error.kind() == io::ErrorKind::NotFound {
        Failure::CommandNotFound { message }
    } else {
        Failure::CommandNotExecutable { message }
    }
}
