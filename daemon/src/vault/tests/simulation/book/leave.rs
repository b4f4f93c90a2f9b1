//! What may be sent while nobody asks for anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use super::{super::way::Way, Book};

/// What is due in some time.
#[derive(Debug, Default)]
pub(in super::super) struct Leave {
    /// The logins of those who are told of a session, and those that keep refresh tokens alive.
    logins: BTreeSet<(String, String)>,
    /// The calls that keep a user's session alive.
    calls: BTreeMap<String, Calls>,
}

#[derive(Debug)]
struct Calls {
    until: SystemTime,
    /// So many may succeed, unless there is a login.
    most: u64,
    succeeded: u64,
    logged_in: bool,
}

impl Leave {
    pub(in super::super) fn log_in(&mut self, way: &Way) {
        self.logins.insert(place(way));
    }

    /// For one of the user's records.
    pub(in super::super) fn call(&mut self, user: &str, until: SystemTime, most: u64) {
        let calls = self.calls.entry(user.to_owned()).or_insert(Calls {
            until,
            most: 0,
            succeeded: 0,
            logged_in: false,
        });
        calls.until = calls.until.max(until);
        calls.most += most;
    }
}

impl Book {
    /// From now on nobody asks for anything.
    pub(in super::super) fn begin_leave(&mut self, leave: Leave) {
        self.leave = Some(leave);
    }

    pub(in super::super) fn end_leave(&mut self) {
        let calls = self.leave.take().unwrap().calls;
        for (user, calls) in calls {
            if !calls.logged_in && calls.succeeded > calls.most {
                let (made, most) = (calls.succeeded, calls.most);
                self.accuse(format!("{user}: {made} calls, where {most} are enough"));
            }
        }
    }

    pub(super) fn look_at_login(&mut self, way: &Way) {
        let user = &self.doors[way.door()].user;
        let Some(leave) = &mut self.leave else {
            return;
        };
        if let Some(calls) = leave.calls.get_mut(user) {
            calls.logged_in = true;
        }
        if !leave.logins.contains(&place(way)) {
            self.accuse(format!("{}: a login for nobody", way.door()));
        }
    }

    pub(super) fn look_at_call(&mut self, session: &str, now: SystemTime) {
        let user = &self.sessions[session].user;
        let Some(leave) = &self.leave else {
            return;
        };
        let due = leave.calls.get(user);
        if due.is_none_or(|calls| now > calls.until) {
            self.accuse(format!("{user}: a call for nobody"));
        }
    }

    pub(super) fn call_succeeded(&mut self, user: &str) {
        let leave = self.leave.as_mut();
        if let Some(calls) = leave.and_then(|leave| leave.calls.get_mut(user)) {
            calls.succeeded += 1;
        }
    }
}

fn place(way: &Way) -> (String, String) {
    (way.door().to_owned(), way.host.to_string())
}
