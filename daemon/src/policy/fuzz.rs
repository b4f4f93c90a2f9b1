//! The readers of `/proc`, for `crate::fuzz`.

use super::{cgroup, status};
use crate::access::Unit;

/// Whatever the kernel says of a process.
pub(crate) fn process(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(Some(unit)) = cgroup::unit(text) {
        let (Unit::System(name) | Unit::User { name, .. }) = unit;
        assert!(name.ends_with(".service") || name.ends_with(".scope"));
        assert!(!name.contains(['/', '\n']), "one part of one line");
        assert!(text.contains(&name));
    }
    if status::ids(text).is_some() {
        let has = |name| text.lines().any(|line| line.starts_with(name));
        assert!(["Uid:", "Gid:", "Groups:"].into_iter().all(has));
    }
}
