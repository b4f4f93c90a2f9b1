//! The command line: what can be typed, and how a run begins and ends. One file a command.
//!
//! `get` is what jobs start all day, so a run does nothing that its command does not need: no thread, no
//! file, no signal handler.

mod access;
mod add;
mod allow;
mod aside;
mod autostart;
mod browser;
mod callback;
mod check;
mod clock;
mod completions;
mod context;
mod credential;
mod day;
mod deny;
mod doctor;
mod due;
mod exec;
mod exit;
mod explain;
mod failure;
mod flow;
mod follow;
mod frequent;
mod get;
mod help;
mod hint;
mod init;
mod input;
mod instant;
mod list;
mod lock;
mod log;
mod login;
mod login_host;
mod logout;
mod man;
mod migrate;
mod misread;
mod output;
mod passphrase;
mod peers;
#[cfg(test)]
mod printed;
mod prompt;
mod record_view;
mod relay;
mod reminder;
mod remove;
mod rotate;
mod rule;
mod secret_kind;
mod session_env;
mod session_file;
mod set;
mod show;
mod signals;
mod since;
mod span;
mod spinner;
mod status;
mod token_help;
mod unlock;
mod usage;
mod want;
mod words;

use std::{
    env,
    ffi::OsString,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    process::ExitCode,
};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use rustix::process::{DumpableBehavior, Signal};
use tokio::runtime::Builder;

use self::{
    context::Context, exit::Exit, failure::Failure, output::Output, signals::Signals, words::Words,
};

/// A local credential vault for Salesforce.
///
/// `sfvault` administers the vault of the daemon `sfvaultd` and gives Salesforce sessions to shells and
/// jobs. The daemon keeps user names, passwords and security tokens sealed on disk, logs in only when
/// somebody needs a session, and hands out session ids over a socket of this host.
#[derive(Debug, Parser)]
#[command(name = "sfvault", version, after_long_help = help::MAIN)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    options: Options,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Options {
    /// Write data as JSON to stdout, and errors as JSON to stderr, one object a line
    #[arg(long, global = true)]
    json: bool,

    /// Start no daemon if none answers
    #[arg(long, global = true)]
    no_autostart: bool,

    /// Write without colours
    #[arg(long, global = true)]
    no_color: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the vault, and leave it unlocked
    #[command(after_long_help = help::INIT)]
    Init(init::Init),
    /// Unlock the vault
    #[command(after_long_help = help::UNLOCK)]
    Unlock(unlock::Unlock),
    /// Lock the vault: keys and sessions leave the daemon's memory
    #[command(after_long_help = help::LOCK)]
    Lock(lock::Lock),
    /// Tell how the daemon, the vault and the records are
    #[command(after_long_help = help::STATUS)]
    Status(status::Status),
    /// Add a record: a named Salesforce login
    #[command(after_long_help = help::ADD)]
    Add(add::Add),
    /// List the records that this user may use
    #[command(after_long_help = help::LIST)]
    List(list::List),
    /// Show a record without its secrets
    #[command(after_long_help = help::SHOW)]
    Show(show::Show),
    /// Change secrets of a record
    #[command(after_long_help = [help::SET, token_help::TEXT].concat())]
    Set(set::Set),
    /// Get a refresh token by a login in a browser
    #[command(after_long_help = help::LOGIN)]
    Login(login::Login),
    /// Change secrets of a record after one login has proved the new ones
    #[command(after_long_help = [help::ROTATE, token_help::TEXT].concat())]
    Rotate(rotate::Rotate),
    /// Change how a record logs in, after a rehearsal
    #[command(after_long_help = help::MIGRATE)]
    Migrate(migrate::Migrate),
    /// Remove a record
    #[command(after_long_help = help::REMOVE)]
    Remove(remove::Remove),
    /// End the session of a record at Salesforce, for all who share it
    #[command(after_long_help = help::LOGOUT)]
    Logout(logout::Logout),
    /// Prove that a record works
    #[command(after_long_help = help::CHECK)]
    Check(check::Check),
    /// Let somebody use a record
    #[command(after_long_help = help::ALLOW)]
    Allow(allow::Allow),
    /// Take a rule of `allow` back
    #[command(after_long_help = help::DENY)]
    Deny(deny::Deny),
    /// Show who may use a record
    #[command(after_long_help = help::ACCESS)]
    Access(access::Access),
    /// Tell whether a process could use a record, and what it lacks
    #[command(after_long_help = help::EXPLAIN)]
    Explain(explain::Explain),
    /// Write a session to stdout
    #[command(after_long_help = help::GET)]
    Get(get::Get),
    /// Run a command with a session in its environment
    #[command(after_long_help = help::EXEC)]
    Exec(exec::Exec),
    /// Tell who asked for what, and what came of it
    #[command(after_long_help = help::LOG)]
    Log(log::Log),
    /// Tell who used a record, how often and when last
    #[command(after_long_help = help::USAGE)]
    Usage(usage::Usage),
    /// Find what is wrong, and what will stop working and when
    #[command(after_long_help = help::DOCTOR)]
    Doctor(doctor::Doctor),
    /// Write a completion script for a shell
    #[command(after_long_help = help::COMPLETIONS)]
    Completions(completions::Completions),
    /// Write the manual pages
    #[command(after_long_help = help::MAN)]
    Man(man::ManPages),
}

impl Options {
    fn read(words: &mut Words<'_>) -> Self {
        Self {
            json: words.flag("--json"),
            no_autostart: words.flag("--no-autostart"),
            no_color: words.flag("--no-color"),
        }
    }
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    output::keep_panics_quiet();
    // A panic unwinds, so that the terminal shows again what is typed.
    let exit = panic::catch_unwind(AssertUnwindSafe(|| {
        let arguments: Vec<OsString> = env::args_os().collect();
        match arguments.get(1) {
            Some(first) if first == autostart::HELPER => help_start(),
            _ => run(&arguments),
        }
    }));
    ExitCode::from(exit.unwrap_or(Exit::ELSE).code())
}

/// The definition of the command line, for scripts and pages that are made of it.
fn definition() -> clap::Command {
    Cli::command()
}

fn run(arguments: &[OsString]) -> Exit {
    let cli = match frequent::parse(arguments).or_else(|_| Cli::try_parse_from(arguments)) {
        Ok(cli) => cli,
        Err(error) => return misread::explain(&error, arguments),
    };
    let context = Context {
        output: Output::new(cli.options.json, cli.options.no_color),
        autostart: !cli.options.no_autostart,
    };
    finish(block_on(cli.command.run(&context)), context.output)
}

fn help_start() -> Exit {
    let output = Output::new(true, true);
    let context = Context {
        output,
        autostart: false,
    };
    let work = async { autostart::help(&context.places()?).await };
    finish(block_on(work), output)
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format!("can't wait for events: {error}")))?
        .block_on(work)
}

fn finish(result: Result<(), Failure>, output: Output) -> Exit {
    match result {
        Ok(()) => Exit::DONE,
        Err(failure) => {
            output.failure(&failure);
            failure.exit()
        }
    }
}

impl Command {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        if !self.may_ask() {
            return self.act(context).await;
        }
        // Who asks holds a password or passphrase: no core dump and no debugger of the same user may see it.
        // Where the kernel refuses, the command still does its work.
        let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
        tokio::select! {
            // Signals come first: whoever asks must be able to rely on them.
            biased;
            // The question goes away with the work, and the terminal shows again what is typed.
            signal = interruption() => Err(signal?),
            result = self.act(context) => result,
        }
    }

    fn may_ask(&self) -> bool {
        match self {
            Self::Init(_)
            | Self::Unlock(_)
            | Self::Add(_)
            | Self::Set(_)
            | Self::Login(_)
            | Self::Rotate(_)
            | Self::Migrate(_)
            | Self::Remove(_)
            | Self::Logout(_) => true,
            Self::Lock(_)
            | Self::Status(_)
            | Self::List(_)
            | Self::Show(_)
            | Self::Check(_)
            | Self::Allow(_)
            | Self::Deny(_)
            | Self::Access(_)
            | Self::Explain(_)
            | Self::Log(_)
            | Self::Usage(_)
            | Self::Get(_)
            | Self::Exec(_)
            | Self::Doctor(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }

    /// The work of a command has memory of its own: without the box, `get` would prepare as much as the largest needs.
    fn act(self, context: &Context) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + '_>> {
        match self {
            Self::Init(command) => Box::pin(command.run(context)),
            Self::Unlock(command) => Box::pin(command.run(context)),
            Self::Lock(command) => Box::pin(command.run(context)),
            Self::Status(command) => Box::pin(command.run(context)),
            Self::Add(command) => Box::pin(command.run(context)),
            Self::List(command) => Box::pin(command.run(context)),
            Self::Show(command) => Box::pin(command.run(context)),
            Self::Set(command) => Box::pin(command.run(context)),
            Self::Login(command) => Box::pin(command.run(context)),
            Self::Rotate(command) => Box::pin(command.run(context)),
            Self::Migrate(command) => Box::pin(command.run(context)),
            Self::Remove(command) => Box::pin(command.run(context)),
            Self::Logout(command) => Box::pin(command.run(context)),
            Self::Check(command) => Box::pin(command.run(context)),
            Self::Allow(command) => Box::pin(command.run(context)),
            Self::Deny(command) => Box::pin(command.run(context)),
            Self::Access(command) => Box::pin(command.run(context)),
            Self::Explain(command) => Box::pin(command.run(context)),
            Self::Get(command) => Box::pin(command.run(context)),
            Self::Exec(command) => Box::pin(command.run(context)),
            Self::Log(command) => Box::pin(command.run(context)),
            Self::Usage(command) => Box::pin(command.run(context)),
            Self::Doctor(command) => Box::pin(command.run(context)),
            Self::Completions(command) => Box::pin(async { command.run(context) }),
            Self::Man(command) => Box::pin(async { command.run(context) }),
        }
    }
}

/// Waits for a signal that ends programs.
async fn interruption() -> Result<Failure, Failure> {
    let mut signals = listen(&[Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT])?;
    Ok(Failure::signalled(signals.next().await))
}

fn listen(wanted: &[Signal]) -> Result<Signals, Failure> {
    Signals::listen(wanted)
        .map_err(|error| Failure::local(format!("can't wait for signals: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        definition().debug_assert();
    }

    #[test]
    fn every_long_help_has_an_example_and_fits_a_terminal() {
        for command in definition().get_subcommands() {
            let help = command
                .get_after_long_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
            let long = help.lines().find(|line| line.chars().count() > 100);
            assert_eq!(long, None);
        }
    }
}
