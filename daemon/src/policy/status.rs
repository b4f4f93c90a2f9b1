//! `/proc/PID/status`, as far as it says who a process is (proc_pid_status(5)).

/// The ids of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ids {
    /// The effective one.
    pub(super) uid: u32,
    /// The effective one.
    pub(super) gid: u32,
    /// Supplementary.
    pub(super) groups: Vec<u32>,
}

/// Reads the ids; nothing if the text is not of the kernel's form.
pub(super) fn ids(text: &str) -> Option<Ids> {
    let numbers = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_ascii_whitespace()
            .map(|word| word.parse::<u32>().ok())
            .collect::<Option<Vec<_>>>()
    };
    // Real, effective, saved, file system.
    let effective = |name| numbers(name).and_then(|ids| ids.get(1).copied());
    Some(Ids {
        uid: effective("Uid")?,
        gid: effective("Gid")?,
        groups: numbers("Groups")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_ids_and_all_groups_are_read() {
        let text = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 20 30 \n";
        let ids = ids(text).unwrap();
        assert_eq!((ids.uid, ids.gid, ids.groups), (2, 6, vec![10, 20, 30]));
    }

    /// A process names itself, but the kernel escapes line ends in the name.
    #[test]
    fn a_name_can_t_add_a_line_and_a_text_of_another_form_is_nobody() {
        let text = "Name:\tx\\nUid:\t0\t0\t0\t0\nUid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t\n";
        assert_eq!(ids(text).map(|ids| ids.uid), Some(1));
        assert_eq!(ids(""), None);
        assert_eq!(ids("Uid:\t1\nGid:\t1\t1\nGroups:\t\n"), None);
        assert_eq!(ids("Uid:\t1\t-1\nGid:\t1\t1\nGroups:\t\n"), None);
    }
}
