//! Approvals: a user lets an app act, and the app holds a refresh token for it.

use std::time::{Duration, SystemTime};

use crate::simulator::id;

/// One approval.
#[derive(Debug)]
pub(super) struct Approval {
    pub(super) number: u64,
    pub(super) consumer_key: String,
    pub(super) username: String,
    /// The refresh token.
    pub(super) token: String,
    /// The refresh tokens that rotation took out of use.
    spent: Vec<String>,
    pub(super) granted: SystemTime,
    used: SystemTime,
    /// Ended, and a refresh says why: the user has another password.
    pub(super) password_changed: bool,
}

impl Approval {
    pub(super) fn is_of(&self, consumer_key: &str, username: &str) -> bool {
        self.consumer_key == consumer_key && self.username.eq_ignore_ascii_case(username)
    }

    /// Notes a refresh.
    pub(super) fn touch(&mut self, now: SystemTime) {
        self.used = now;
    }

    /// Puts a new refresh token in the place of the old one.
    pub(super) fn rotate(&mut self) -> String {
        let old = std::mem::replace(&mut self.token, id::refresh_token());
        self.spent.push(old);
        self.token.clone()
    }
}

/// The approvals of all users.
#[derive(Debug, Default)]
pub(super) struct Approvals {
    list: Vec<Approval>,
    last: u64,
}

impl Approvals {
    /// Adds an approval. The numbers of those that had to make room come with it.
    pub(super) fn grant(
        &mut self,
        consumer_key: &str,
        username: &str,
        max: usize,
        now: SystemTime,
    ) -> (&Approval, Vec<u64>) {
        let own: Vec<u64> = self.of(consumer_key, username).map(|a| a.number).collect();
        let dropped = own[..(own.len() + 1).saturating_sub(max)].to_vec();
        self.end(|approval| dropped.contains(&approval.number));
        self.last += 1;
        let place = self.list.len();
        self.list.push(Approval {
            number: self.last,
            consumer_key: consumer_key.to_owned(),
            username: username.to_owned(),
            token: id::refresh_token(),
            spent: Vec::new(),
            granted: now,
            used: now,
            password_changed: false,
        });
        (&self.list[place], dropped)
    }

    /// The approvals of an app by a user, the oldest first.
    pub(super) fn of(&self, consumer_key: &str, username: &str) -> impl Iterator<Item = &Approval> {
        let live = self.list.iter().filter(|a| !a.password_changed);
        live.filter(move |approval| approval.is_of(consumer_key, username))
    }

    /// The approval of a refresh token in use.
    pub(super) fn find(&mut self, token: &str) -> Option<&mut Approval> {
        self.list.iter_mut().find(|a| a.token == token)
    }

    /// The approval whose refresh token this once was.
    pub(super) fn find_spent(&self, token: &str) -> Option<&Approval> {
        let is_spent = |approval: &&Approval| approval.spent.iter().any(|spent| spent == token);
        self.list.iter().find(is_spent)
    }

    /// The approval whose refresh token this is or once was.
    pub(super) fn ever(&self, token: &str) -> Option<&Approval> {
        let current = self.list.iter().find(|approval| approval.token == token);
        current.or_else(|| self.find_spent(token))
    }

    /// Ends those that lay idle for so long, and returns their numbers.
    pub(super) fn end_idle(&mut self, idle: Duration, now: SystemTime) -> Vec<u64> {
        self.end(|a| now.duration_since(a.used).is_ok_and(|age| age >= idle))
    }

    /// Ends all approvals by a user because of another password, and returns their numbers.
    pub(super) fn change_password(&mut self, username: &str) -> Vec<u64> {
        let own = self
            .list
            .iter_mut()
            .filter(|a| a.username.eq_ignore_ascii_case(username));
        own.map(|approval| {
            approval.password_changed = true;
            approval.number
        })
        .collect()
    }

    /// Ends approvals and returns their numbers.
    pub(super) fn end(&mut self, mut which: impl FnMut(&Approval) -> bool) -> Vec<u64> {
        self.list
            .extract_if(.., |approval| which(approval))
            .map(|approval| approval.number)
            .collect()
    }
}
