//! A command as a child: signals go on to it, and its end is ours.

use std::{
    io,
    process::{Child, Command, ExitStatus},
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, getpgrp, kill_process},
    termios::tcgetpgrp,
};
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

use super::signals::Signals;

/// What a service manager, an operator or a terminal sends to a job. What stops and continues one reaches it anyhow where
/// a terminal sends it.
pub(crate) const PASSED_ON: [Signal; 6] = [
    Signal::TERM,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
    Signal::INT,
    Signal::QUIT,
];

/// A child and the signals that are for it.
pub(crate) struct Relay {
    child: Child,
    ended: Listener,
    signals: Signals,
}

impl Relay {
    /// Starts the command. Signals are listened for already, so that none is lost.
    pub(crate) fn start(command: &mut Command, signals: Signals) -> io::Result<Self> {
        let ended = signal(SignalKind::child())?;
        Ok(Self {
            child: command.spawn()?,
            ended,
            signals,
        })
    }

    /// Passes signals on until the child has ended. Dropping this future loses nothing.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            let came = tokio::select! {
                _ = self.ended.recv() => None,
                signal = self.signals.next() => Some(signal),
            };
            if let Some(signal) = came.filter(|signal| !is_the_terminals(*signal)) {
                self.pass_on(signal);
            }
        }
    }

    /// The child is not waited for yet, so its number is still its own.
    fn pass_on(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended a moment ago; then that is what comes next.
            let _ = kill_process(pid, signal);
        }
    }
}

/// A terminal sends its signals to all of the foreground, wherever its stdin is: the child has had it already.
fn is_the_terminals(signal: Signal) -> bool {
    let is_foreground = || {
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let terminal = rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()?;
        Some(tcgetpgrp(terminal).ok()? == getpgrp())
    };
    [Signal::INT, Signal::QUIT].contains(&signal) && is_foreground() == Some(true)
}
