//! Groups by name, from the host's own list: asking a directory service at start could take for ever.

use std::fs;

/// The number of a group that is given by its name or number.
///
/// # Errors
/// What to do if it is not known.
pub fn gid_of(group: &str) -> Result<u32, String> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let list =
        fs::read_to_string("/etc/group").map_err(|error| format!("`/etc/group`: {error}"))?;
    find(&list, group)
        .ok_or_else(|| format!("there is no group `{group}` in /etc/group; give its number"))
}

/// group(5): name, password, number, members.
fn find(list: &str, name: &str) -> Option<u32> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name_or_is_a_number() {
        let list = "root:x:0:\nsfvault-old:x:7:\nsfvault:x:990:ann,bob\nbroken\nsfvault2:x:y:\n";
        assert_eq!(find(list, "sfvault"), Some(990));
        for name in ["sfvaul", "ann", "broken", "sfvault2", ""] {
            assert_eq!(find(list, name), None, "{name}");
        }
        assert_eq!(gid_of("42"), Ok(42));
        assert!(gid_of("no such group").is_err());
    }
}
