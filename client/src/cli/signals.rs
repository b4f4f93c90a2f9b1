//! Signals that are listened for.

use std::{fs, future::poll_fn, io, task::Poll};

use rustix::process::Signal;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// From the first [`Signals::listen`] for a signal on, the process does not die of it any more.
#[derive(Debug)]
pub(crate) struct Signals(Vec<(Signal, Listener)>);

impl Signals {
    /// Listens for these, except for what this process was started to ignore, as by `nohup` or a shell's `&`: that stays
    /// ignored, here and in what this process starts.
    pub(crate) fn listen(wanted: &[Signal]) -> io::Result<Self> {
        let ignored = ignored();
        let wanted = wanted.iter().filter(|it| ignored & bit(**it) == 0);
        wanted
            .map(|it| Ok((*it, signal(SignalKind::from_raw(it.as_raw()))?)))
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The next that comes. Dropping this future loses nothing.
    pub(crate) async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            let mut came = self.0.iter_mut().filter_map(|(signal, listener)| {
                listener.poll_recv(context).is_ready().then_some(*signal)
            });
            came.next().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// What proc(5) calls `SigIgn`. Where it can't be read, nothing is taken for ignored.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .unwrap_or(0)
}

fn bit(signal: Signal) -> u64 {
    let number = u32::try_from(signal.as_raw()).unwrap_or(0);
    1_u64.checked_shl(number.wrapping_sub(1)).unwrap_or(0)
}
