//! Who used a record: what must be known before it is migrated or rotated.

use std::collections::HashMap;

use super::line::Entry;

/// Different users at most; more are counted together.
const MOST_USERS: usize = 1000;

/// What the lines of one record add up to.
#[derive(Debug, Default)]
pub struct Usage {
    users: HashMap<User, Uses>,
    /// Uses by users that there was no room for.
    pub others: u64,
    pub logins: u64,
    pub failed_logins: u64,
    /// How the last login was made.
    flow: Option<String>,
}

/// What a user is told apart by; a process id is none of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct User {
    pub uid: Option<u32>,
    pub unit: Option<String>,
    pub exe: Option<String>,
}

/// What one did. Times are as in the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    pub served: u64,
    pub refused: u64,
    pub denied: u64,
    /// How the session was got that was served last.
    pub flow: Option<String>,
    pub first: String,
    pub last: String,
}

impl User {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            uid: entry.uid,
            unit: entry.unit.clone(),
            exe: entry.exe.clone(),
        }
    }

    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        (self.uid, &self.unit, &self.exe) == (entry.uid, &entry.unit, &entry.exe)
    }
}

impl Usage {
    /// Adds a line.
    pub fn add(&mut self, entry: &Entry) {
        match (entry.action.as_str(), entry.verdict.as_str()) {
            ("login", "done") => {
                self.logins += entry.count;
                self.flow.clone_from(&entry.flow);
            }
            ("login", _) => self.failed_logins += entry.count,
            ("get", verdict) => self.add_use(entry, verdict),
            _ => {}
        }
    }

    /// All users, those who used it last first.
    #[must_use]
    pub fn users(&self) -> Vec<(&User, &Uses)> {
        let mut users: Vec<_> = self.users.iter().collect();
        users.sort_by(|(a, x), (b, y)| y.last.cmp(&x.last).then_with(|| a.cmp(b)));
        users
    }

    fn add_use(&mut self, entry: &Entry, verdict: &str) {
        let user = User::of(entry);
        if self.users.len() >= MOST_USERS && !self.users.contains_key(&user) {
            self.others += entry.count;
            return;
        }
        let uses = self.users.entry(user).or_default();
        match verdict {
            "served" => {
                uses.served += entry.count;
                uses.flow.clone_from(&self.flow);
            }
            "denied" => uses.denied += entry.count,
            _ => uses.refused += entry.count,
        }
        if uses.first.is_empty() {
            uses.first.clone_from(&entry.time);
        }
        uses.last.clone_from(&entry.time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: &str, verdict: &str, unit: &str, time: &str) -> Entry {
        Entry {
            action: action.to_owned(),
            verdict: verdict.to_owned(),
            unit: Some(unit.to_owned()),
            time: time.to_owned(),
            flow: Some("soap-login".to_owned()),
            count: 2,
            ..Entry::default()
        }
    }

    #[test]
    fn uses_are_added_up_by_user_with_the_flow_of_the_login_before_them() {
        let mut usage = Usage::default();
        for entry in [
            entry("get", "served", "a", "1"),
            entry("login", "done", "", "2"),
            entry("get", "served", "a", "3"),
            entry("get", "denied", "b", "4"),
            entry("set", "done", "c", "5"),
            entry("login", "failed", "", "6"),
        ] {
            usage.add(&entry);
        }
        let users = usage.users();
        assert_eq!(users.len(), 2);
        assert_eq!(users[0].0.unit.as_deref(), Some("b"));
        assert_eq!((users[0].1.denied, users[0].1.served), (2, 0));
        let a = users[1].1;
        assert_eq!((a.served, a.first.as_str(), a.last.as_str()), (4, "1", "3"));
        assert_eq!(a.flow.as_deref(), Some("soap-login"));
        assert_eq!((usage.logins, usage.failed_logins), (2, 2));
    }

    #[test]
    fn more_users_than_there_is_room_for_are_counted_together() {
        let mut usage = Usage::default();
        for unit in 0..MOST_USERS + 5 {
            usage.add(&entry("get", "served", &unit.to_string(), "1"));
        }
        assert_eq!((usage.users().len(), usage.others), (MOST_USERS, 10));
    }
}
