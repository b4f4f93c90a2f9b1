//! Counts the system calls of a process, thread by thread, as a debugger can.
//!
//! `sfvault-tracer PID`: prints `ready` when it has all threads, then for each line on stdin one line with the calls so
//! far, as `NUMBER=TIMES` with blanks between. It lets go at the end of stdin.

use std::{
    collections::{BTreeMap, HashSet},
    env,
    error::Error,
    fs,
    io::{self, BufRead as _, Write as _},
    process,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Options},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// How often each call was made, by its number.
type Counts = Arc<Mutex<BTreeMap<u64, u64>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let pid = env::args().nth(1).ok_or("usage: sfvault-tracer PID")?;
    let counts = Counts::default();
    let mut unheard = HashSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let name = entry?.file_name();
        let thread = Pid::from_raw(name.to_string_lossy().parse()?);
        ptrace::seize(
            thread,
            Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE,
        )?;
        ptrace::interrupt(thread)?;
        unheard.insert(thread);
    }
    let mut inside = HashSet::new();
    loop {
        let (thread, signal) = match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceSyscall(thread)) => {
                // It stops when it enters a call, and when it leaves it.
                if !inside.remove(&thread) {
                    inside.insert(thread);
                    count(&counts, thread);
                }
                (thread, None)
            }
            Ok(WaitStatus::PtraceEvent(thread, ..)) => {
                if unheard.remove(&thread) && unheard.is_empty() {
                    tell("ready")?;
                    let counts = Arc::clone(&counts);
                    thread::spawn(move || answer(&counts));
                }
                (thread, None)
            }
            Ok(WaitStatus::Stopped(thread, signal)) => (thread, Some(signal)),
            Ok(_) => continue,
            Err(Errno::EINTR) => continue,
            // The process is gone.
            Err(Errno::ECHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // It can be killed at any time.
        match ptrace::syscall(thread, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The kernel says by its number which call a stopped thread is in.
fn count(counts: &Counts, thread: Pid) {
    let Ok(text) = fs::read_to_string(format!("/proc/{thread}/syscall")) else {
        return;
    };
    let number = text
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    if let Some(number) = number {
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(number).or_default() += 1;
    }
}

fn answer(counts: &Counts) {
    for line in io::stdin().lock().lines() {
        let told = line.is_ok() && {
            let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = counts
                .iter()
                .map(|(number, times)| format!("{number}={times}"));
            tell(&counts.collect::<Vec<_>>().join(" ")).is_ok()
        };
        if !told {
            break;
        }
    }
    // Whom a process traces is free when it ends.
    process::exit(0);
}

fn tell(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
