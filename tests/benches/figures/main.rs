//! Figures: what sfvault costs, each beside what it is compared with, measured in turns in one run.
//!
//! `cargo bench` prints all; `cargo bench -- calls idle` those parts. Absolute numbers tell of the machine and of what
//! else it does; the ratios are what counts. It ends with 0 whether a goal is met or missed: figures are for people.

mod bystanders;
mod calls;
mod cold;
mod crowd;
mod echo;
mod get;
mod idle;
mod many;
mod memory;
mod neighbours;
mod peers;
mod process;
mod records;
mod refreshing;
mod stage;
mod stopwatch;
mod table;

use std::{env, path::Path, process::ExitCode};

use stage::Failed;
use tokio::runtime::Builder;

const PARTS: [&str; 10] = [
    "calls",
    "get",
    "records",
    "memory",
    "bystanders",
    "refreshing",
    "cold",
    "many",
    "neighbours",
    "idle",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [role, answer, socket] if role == echo::ROLE => {
            echo::serve(Path::new(answer), Path::new(socket))
        }
        [role, socket, count, way] if role == crowd::ROLE => crowd::serve(socket, count, way),
        // Cargo adds options that are for another harness.
        parts => figures(parts.iter().filter(|part| !part.starts_with("--"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn figures<'a>(chosen: impl Iterator<Item = &'a String>) -> Result<(), Failed> {
    let chosen: Vec<&str> = chosen.map(String::as_str).collect();
    if let Some(unknown) = chosen.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("no part `{unknown}`; there are {}", PARTS.join(", ")).into());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for part in PARTS {
        if chosen.is_empty() || chosen.contains(&part) {
            runtime.block_on(run(part))?;
        }
    }
    Ok(())
}

async fn run(part: &str) -> Result<(), Failed> {
    match part {
        "calls" => calls::run().await,
        "get" => get::run().await,
        "records" => records::run().await,
        "memory" => memory::run().await,
        "bystanders" => bystanders::run().await,
        "refreshing" => refreshing::run().await,
        "cold" => cold::run().await,
        "many" => many::run().await,
        "neighbours" => neighbours::run().await,
        _ => idle::run().await,
    }
}
