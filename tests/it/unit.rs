//! A systemd unit as the kernel sees it: a control group of the unified hierarchy, at the path that systemd would use.

use std::{fs, path::PathBuf, process::Command};

use crate::skipped::skip;

pub(crate) struct Unit {
    root: tempfile::TempDir,
    made: Vec<PathBuf>,
    directory: PathBuf,
    name: String,
}

impl Unit {
    /// A service in these control groups. Says why if there can be none.
    pub(crate) fn make(groups: &str, service: &str) -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "cgroup2", "none"])
            .arg(root.path())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            skip("the unified cgroup hierarchy can't be mounted");
            return None;
        }
        // The hierarchy is the machine's, and the tests may run there twice at a time.
        let name = format!("sfv-{service}-{}.service", std::process::id());
        let mut unit = Self {
            directory: root.path().join(groups).join(&name),
            root,
            made: Vec::new(),
            name,
        };
        // Another test may remove what it made between two steps of ours; with one of ours in it, nobody can.
        for _ in 0..1000 {
            if unit.directory.is_dir() {
                break;
            }
            let mut way = unit.root.path().to_owned();
            for group in groups.split('/').chain([unit.name.as_str()]) {
                way.push(group);
                if fs::create_dir(&way).is_ok() {
                    unit.made.push(way.clone());
                }
            }
        }
        assert!(unit.directory.is_dir(), "no group can be made in {groups}");
        Some(unit)
    }

    /// As rules and the daemon call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Puts a process into it.
    pub(crate) fn takes(&self, pid: u32) {
        fs::write(self.directory.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// A command whose process is in it from its start.
    pub(crate) fn runs(&self, command: &Command) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "echo $$ >\"$0\" && exec \"$@\""])
            .arg(self.directory.join("cgroup.procs"))
            .arg(command.get_program())
            .args(command.get_args());
        shell
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        for directory in self.made.iter().rev() {
            // Whoever was in it has been killed, and may take a moment to be gone.
            for _ in 0..1000 {
                if fs::remove_dir(directory).is_ok() {
                    break;
                }
                std::thread::yield_now();
            }
        }
        let _ = Command::new("umount").arg(self.root.path()).status();
    }
}
