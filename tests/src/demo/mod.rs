//! The demo: what sfvault is for, shown step by step with the real programs, each step checked before it is printed.

mod job;
mod script;
mod steps;

use std::{env, io, process::ExitCode};

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
    let arguments: Vec<_> = env::args().skip(1).collect();
    let result = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => runtime.block_on(async {
            tokio::select! {
                shown = script::show() => shown,
                // Dropping the script stops the daemon and removes its files.
                _ = tokio::signal::ctrl_c() => Err(io::Error::other("interrupted")),
            }
        }),
        ["job"] => runtime.block_on(job::run()),
        _ => {
            eprintln!("error: the demo takes no arguments\nhint: run `cargo demo`");
            return ExitCode::from(2);
        }
    };
    result.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}

fn fail(error: &io::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
