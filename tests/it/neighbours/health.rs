//! What the kernel says about a daemon.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use sfvault_tests::installation::Installation;

/// One look.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) descriptors: usize,
    /// What they lead to, where root may see it.
    _open: Vec<String>,
    pub(crate) resident_kib: u64,
    /// How often its thread went to sleep: each wake-up costs one.
    pub(crate) sleeps: u64,
    pub(crate) log_lines: usize,
}

impl Health {
    pub(crate) fn of(sfvault: &Installation) -> Self {
        let pid = sfvault.pid().unwrap();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.unwrap().trim().trim_end_matches(" kB");
            number.parse::<u64>().unwrap()
        };
        let directory = format!("/proc/{pid}/fd");
        let open: Vec<String> = fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .map(|leads_to| leads_to.display().to_string())
            .collect();
        let descriptors = match open.len() {
            // The daemon is undumpable, so only root may look inside; the size tells it to all (Linux 6.2).
            0 => usize::try_from(fs::metadata(directory).unwrap().len()).unwrap(),
            open => open,
        };
        Self {
            descriptors,
            _open: open,
            resident_kib: value("VmRSS:"),
            sleeps: value("voluntary_ctxt_switches:"),
            log_lines: sfvault.daemon_log().lines().count(),
        }
    }
}

/// Sets how many files the daemon may have open from now on.
pub(crate) fn limit_descriptors(sfvault: &Installation, most: Option<u64>) {
    let pid = sfvault.pid().and_then(|pid| i32::try_from(pid).ok());
    let pid = pid.and_then(Pid::from_raw).unwrap();
    let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: most.or(hard),
        maximum: hard,
    };
    prlimit(Some(pid), Resource::Nofile, limit).unwrap();
}
