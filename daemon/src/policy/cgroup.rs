//! The systemd unit of a process, read from its cgroup (cgroups(7); systemd's CGROUP_DELEGATION.md).
//!
//! Only the manager that made a cgroup can name it, and each manager names those below its own only. So a path is read
//! from the root: slices, then one unit. What comes below that unit was named by whoever runs in it, and counts for
//! nothing, except below the manager of a user, who names that user's units.

use crate::access::Unit;

/// The unit in the text of `/proc/PID/cgroup`; `Ok(None)` for a process that is in none.
///
/// # Errors
/// Why it can't be told.
pub(super) fn unit(text: &str) -> Result<Option<Unit>, &'static str> {
    let mut unified = text.lines().filter_map(|line| line.strip_prefix("0::"));
    let (Some(path), None) = (unified.next(), unified.next()) else {
        return Err("this host has no unified cgroup hierarchy (cgroup v2)");
    };
    // A control group that is gone was not the process's when it was removed.
    if path.ends_with(" (deleted)") {
        return Err("its control group is gone");
    }
    let Some(path) = path.strip_prefix('/') else {
        return Err("its control group has no path");
    };
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    if path.split('/').any(|part| part == "..") {
        return Err("its control group is outside of those that this daemon sees");
    }
    let Some(name) = first_unit(&mut parts) else {
        return Ok(None);
    };
    let Some(uid) = manager_of(name) else {
        return Ok(Some(Unit::System(name.to_owned())));
    };
    let uid = uid.parse().map_err(|_| "its user manager is of nobody")?;
    Ok(first_unit(&mut parts).map(|name| Unit::User {
        uid,
        name: name.to_owned(),
    }))
}

/// The first part that is no slice, if it is a unit that runs processes.
fn first_unit<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // systemd puts `_` before a name that the kernel could take for a file of its own.
    let mut names = parts.map(|part| part.strip_prefix('_').unwrap_or(part));
    let name = names.find(|name| !name.ends_with(".slice"))?;
    (name.ends_with(".service") || name.ends_with(".scope")).then_some(name)
}

/// The user whose manager runs in the system unit of this name.
fn manager_of(name: &str) -> Option<&str> {
    name.strip_prefix("user@")?.strip_suffix(".service")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(name: &str) -> Result<Option<Unit>, &'static str> {
        Ok(Some(Unit::System(name.to_owned())))
    }

    fn user(uid: u32, name: &str) -> Result<Option<Unit>, &'static str> {
        Ok(Some(Unit::User {
            uid,
            name: name.to_owned(),
        }))
    }

    #[test]
    fn the_outermost_unit_is_the_unit() {
        for (path, unit_of) in [
            ("/system.slice/nightly.service", system("nightly.service")),
            (
                "/system.slice/system-job.slice/job@1.service",
                system("job@1.service"),
            ),
            (
                "/user.slice/user-1000.slice/session-3.scope",
                system("session-3.scope"),
            ),
            ("/init.scope", system("init.scope")),
            ("/system.slice/_cpu.service", system("cpu.service")),
            ("/system.slice/a\\x2db.service", system("a\\x2db.service")),
            ("/", Ok(None)),
            ("/system.slice", Ok(None)),
            ("/system.slice/nightly.socket", Ok(None)),
        ] {
            assert_eq!(unit(&format!("0::{path}\n")), unit_of, "{path}");
        }
    }

    /// T14
    #[test]
    fn names_below_a_unit_and_below_a_user_s_manager_are_not_the_system_s() {
        let manager = "/user.slice/user-1000.slice/user@1000.service";
        for (path, unit_of) in [
            (
                format!("{manager}/app.slice/nightly.service"),
                user(1000, "nightly.service"),
            ),
            (
                format!("{manager}/system.slice/nightly.service"),
                user(1000, "nightly.service"),
            ),
            (
                format!("{manager}/nightly.service/user@0.service/x.service"),
                user(1000, "nightly.service"),
            ),
            (format!("{manager}/init.scope"), user(1000, "init.scope")),
            (manager.to_owned(), Ok(None)),
            (format!("{manager}/nightly/x.service"), Ok(None)),
            (
                "/system.slice/docker-1.scope/system.slice/nightly.service".to_owned(),
                system("docker-1.scope"),
            ),
            (
                "/machine.slice/machine-a.scope/payload/nightly.service".to_owned(),
                system("machine-a.scope"),
            ),
            ("/lxc/box/system.slice/nightly.service".to_owned(), Ok(None)),
        ] {
            assert_eq!(unit(&format!("0::{path}\n")), unit_of, "{path}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_guessed_at() {
        for text in [
            "",
            "1:name=systemd:/system.slice/nightly.service\n",
            "0::/system.slice/nightly.service (deleted)\n",
            "0::/../system.slice/nightly.service\n",
            "0::system.slice/nightly.service\n",
            "0::/a.service\n0::/b.service\n",
            "0::/user.slice/user@x.service/nightly.service\n",
        ] {
            assert!(unit(text).is_err(), "{text:?}");
        }
    }
}
