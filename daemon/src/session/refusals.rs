//! What is done about callers who say that Salesforce refused their session.
//!
//! The hazard is a client that calls every session refused, or ends the shared one after every run: it must not
//! drive logins. So a report only casts doubt, a cheap call settles it, and few logins follow from it.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use crate::ledger::Ledger;

/// A session that was called refused, but proved to be alive, is not doubted again for so long: a job that calls
/// every session refused costs one cheap call in that time, and no login.
const VOUCHED_FOR: Duration = Duration::from_secs(30);
/// How many logins refusals may cause in 5 minutes, whoever reported them: the last resort. Each unit that asks may cause
/// fewer ([`Reported`](super::reported::Reported)), so this is reached only if several do.
pub const LOGINS: usize = 12;
/// See [`LOGINS`].
pub(super) const WINDOW: Duration = Duration::from_mins(5);

/// The reports on one record, and what came of them.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    /// A caller was refused with the present session; it is not handed out until a call proves that it is alive.
    doubted: bool,
    /// When a doubted session last proved to be alive.
    vouched_at: Option<SystemTime>,
    /// A session died while it was doubted: the next login is due to a report.
    caused_next_login: bool,
    /// When reports caused logins, oldest first; at most [`LOGINS`].
    caused_at: VecDeque<SystemTime>,
}

impl Refusals {
    /// What a ledger remembers: how many logins reports caused, and whether the next one is due to one. A doubt it keeps
    /// with the session.
    #[must_use]
    pub fn remembered(ledger: &Ledger) -> Self {
        let caused = &ledger.refusal_logins;
        let latest = caused.len().saturating_sub(LOGINS);
        Self {
            caused_next_login: ledger.refusal_login_due,
            caused_at: caused.iter().skip(latest).copied().collect(),
            ..Self::default()
        }
    }

    /// Has the ledger remember it: a crash must not allow more logins.
    pub fn remember(&self, ledger: &mut Ledger) {
        ledger.refusal_login_due = self.caused_next_login;
        ledger.refusal_logins = self.caused_at.iter().copied().collect();
    }

    /// Whether the present session is doubted.
    #[must_use]
    pub fn doubted(&self) -> bool {
        self.doubted
    }

    /// Somebody called the present session refused.
    pub fn doubt(&mut self) {
        self.doubted = true;
    }

    /// The present session works. Returns whether it was doubted.
    pub fn vouch(&mut self, now: SystemTime) -> bool {
        let doubted = std::mem::take(&mut self.doubted);
        if doubted {
            self.vouched_at = Some(now);
        }
        doubted
    }

    /// A login gave the refused id again, and it works.
    pub fn vouch_for_same_id(&mut self, now: SystemTime) {
        self.vouched_at = Some(now);
    }

    /// The present session is gone.
    pub fn session_gone(&mut self) {
        self.caused_next_login = std::mem::take(&mut self.doubted);
    }

    /// Whether the next login is due to a report.
    #[must_use]
    pub fn caused_next_login(&self) -> bool {
        self.caused_next_login
    }

    /// A login is about to be made.
    pub fn login_entered(&mut self, now: SystemTime) {
        if std::mem::take(&mut self.caused_next_login) {
            self.caused_at.push_back(now);
            if self.caused_at.len() > LOGINS {
                self.caused_at.pop_front();
            }
        }
    }

    /// Until when another report changes nothing, because the session has just proved to be alive.
    #[must_use]
    pub fn vouched_until(&self, now: SystemTime) -> Option<SystemTime> {
        let vouched_at = self.vouched_at?;
        let until = vouched_at + VOUCHED_FOR;
        (vouched_at <= now && now < until).then_some(until)
    }

    /// Until when the login that a report caused may not be made, because too many were.
    #[must_use]
    pub fn spaced_until(&self, now: SystemTime) -> Option<SystemTime> {
        let oldest = *self
            .caused_at
            .front()
            .filter(|_| self.caused_at.len() >= LOGINS)?;
        let until = oldest + WINDOW;
        (self.caused_next_login && oldest <= now && now < until).then_some(until)
    }
}
