//! What the kernel counts for a process.

use std::{fs, io};

fn file(pid: u32, name: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{pid}/{name}"))
}

fn field(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Memory that only this process holds, and its part of what it shares, in KiB. sfvaultd is not dumpable, so only root may
/// read it.
pub(crate) fn pss(pid: u32) -> Option<f64> {
    number(field(&file(pid, "smaps_rollup").ok()?, "Pss:"))
}

/// The most memory that it ever held, in KiB.
pub(crate) fn peak(pid: u32) -> Option<f64> {
    number(field(&file(pid, "status").ok()?, "VmHWM:"))
}

/// The time that its main thread has spent on a processor, in microseconds.
pub(crate) fn cpu(pid: u32) -> Option<f64> {
    let text = file(pid, "schedstat").ok()?;
    let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(number(Some(nanos))? / 1e3)
}

/// Whether it runs, and is no zombie.
pub(crate) fn lives(pid: u32) -> bool {
    file(pid, "status").is_ok_and(|text| !text.contains("State:\tZ"))
}

/// How many threads it has, and how often any of them has left the processor: at least once per wake-up.
pub(crate) fn switches(pid: u32) -> io::Result<(usize, u64)> {
    let (mut threads, mut switches) = (0, 0);
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("status"))?;
        threads += 1;
        for key in ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"] {
            switches += field(&text, key).unwrap_or_default();
        }
    }
    Ok((threads, switches))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn number(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}
