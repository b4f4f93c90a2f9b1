//! What was asked of the simulator: no secrets, and every request that nobody should have made.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::SystemTime,
};

use serde::Serialize;

use super::{flow::Flow, reply::Outcome, server::Listener};

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub at: SystemTime,
    pub listener: Listener,
    /// The `Host` header.
    pub host: String,
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The SOAP call or the OAuth grant, if it was one.
    pub operation: Option<String>,
    /// The flow, if it was a login.
    pub flow: Option<Flow>,
    /// The user whom it named or whose session it brought.
    pub user: Option<String>,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    pub outcome: Outcome,
}

/// A login that a request tries, whatever becomes of it.
pub(super) struct Attempt {
    pub(super) flow: Flow,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

/// How often a user logged in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LoginCount {
    pub accepted: u64,
    /// Refused by `login()` or the token endpoint itself.
    pub rejected: u64,
    /// These two, and those that met a scripted answer.
    pub total: u64,
}

/// The requests that no client should have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexpected(pub Vec<String>);

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulator did not expect: ")?;
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Unexpected {}

/// All requests so far.
#[derive(Debug, Default)]
pub(super) struct Journal {
    requests: VecDeque<Request>,
    /// By user in lower case, and by flow.
    logins: BTreeMap<String, BTreeMap<Flow, LoginCount>>,
    unexpected: Vec<String>,
}

impl Journal {
    pub(super) fn add(&mut self, request: Request, complaints: Vec<String>) {
        for complaint in complaints {
            let Request { method, path, .. } = &request;
            self.complain(format!("{complaint} ({method} {path})"));
        }
        if let (Some(flow), Some(user)) = (request.flow, &request.user) {
            let flows = self.logins.entry(user.to_ascii_lowercase()).or_default();
            let count = flows.entry(flow).or_default();
            count.total += 1;
            match request.outcome {
                Outcome::LoginAccepted => count.accepted += 1,
                Outcome::Noise => {}
                Outcome::LoginRefused(_) | Outcome::SessionRefused | Outcome::Answered => {
                    count.rejected += 1;
                }
            }
        }
        if self.requests.len() == KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(super) fn complain(&mut self, complaint: String) {
        if self.unexpected.len() < KEPT {
            self.unexpected.push(complaint);
        }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.iter().cloned().collect()
    }

    pub(super) fn logins(&self, user: &str) -> LoginCount {
        sum(&self.logins_by_flow(user))
    }

    pub(super) fn logins_by_flow(&self, user: &str) -> BTreeMap<Flow, LoginCount> {
        let flows = self.logins.get(&user.to_ascii_lowercase());
        flows.cloned().unwrap_or_default()
    }

    pub(super) fn all_logins(&self) -> BTreeMap<String, LoginCount> {
        let users = self.logins.iter();
        users
            .map(|(user, flows)| (user.clone(), sum(flows)))
            .collect()
    }

    pub(super) fn take_unexpected(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unexpected)
    }
}

fn sum(flows: &BTreeMap<Flow, LoginCount>) -> LoginCount {
    let mut sum = LoginCount::default();
    for count in flows.values() {
        sum.accepted += count.accepted;
        sum.rejected += count.rejected;
        sum.total += count.total;
    }
    sum
}

/// Enough for any test, and an end for a simulator that runs for days.
const KEPT: usize = 100_000;
