//! The demo: what sfvault is for, shown step by step with the real programs, each step checked before it is printed.

mod job;
mod migrate;
mod script;
mod steps;

use std::{env, io, process::ExitCode};

use tokio::signal::unix::{SignalKind, signal};

/// Runs the demo, or the job that the demo runs under `sfvault exec`.
#[must_use]
pub fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    // `cargo demo -- migrate` hands the `--` on: the alias ends with one of its own.
    let arguments: Vec<_> = env::args().skip(1).filter(|word| word != "--").collect();
    let result = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => runtime.block_on(until_interrupted(script::show())),
        ["migrate"] => runtime.block_on(until_interrupted(migrate::show())),
        ["job"] => runtime.block_on(job::run()),
        _ => {
            eprintln!("error: no such demo\nhint: run `cargo demo` or `cargo demo -- migrate`");
            return ExitCode::from(2);
        }
    };
    result.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}

/// Dropping a script stops its daemon and removes its files.
async fn until_interrupted(script: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::select! {
        biased;
        interrupted = interrupted() => Err(interrupted),
        shown = script => shown,
    }
}

/// Ends when somebody wants the demo to end.
async fn interrupted() -> io::Error {
    let wanted = async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        Ok::<(), io::Error>(())
    };
    wanted
        .await
        .err()
        .unwrap_or_else(|| io::Error::other("interrupted"))
}

fn fail(error: &io::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
