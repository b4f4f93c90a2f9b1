//! The audit: who asked for what and what came of it, from the socket `admin.sock`.

use std::time::SystemTime;

use sfvault_proto::v1;
use tonic::{Request, Streaming};

use crate::{
    AdminClient, Error, RecordName, SessionId,
    convert::{filled, instant},
    sessions::{DEADLINE, LOGIN_DEADLINE},
};

/// Which lines are wanted; what is not said does not matter.
#[derive(Default)]
pub struct AuditFilter {
    pub record: Option<RecordName>,
    /// Only from then on.
    pub since: Option<SystemTime>,
    /// Only of this user.
    pub uid: Option<u32>,
    /// Such as `get`.
    pub action: Option<String>,
    pub denied: bool,
    /// 16 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// Only of this session; the daemon makes its fingerprint.
    pub session: Option<SessionId>,
    /// Go on with the lines that are yet to come.
    pub follow: bool,
    /// Of those that are there, only the newest so many.
    pub last: Option<u32>,
}

/// A line of the audit. The texts may hold control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number; none is left out.
    pub seq: u64,
    /// When it happened; of a line for many, when the last of them did.
    pub time: Option<SystemTime>,
    pub action: String,
    pub verdict: String,
    /// How many like it the line stands for.
    pub count: u64,
    pub record: Option<String>,
    pub reason: Option<String>,
    pub rule: Option<String>,
    pub class: Option<String>,
    pub flow: Option<String>,
    pub generation: Option<u64>,
    pub fingerprint: Option<String>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub pid: Option<i32>,
    pub unit: Option<String>,
    pub exe: Option<String>,
    pub note: Option<String>,
}

/// Lines, as they come.
#[derive(Debug)]
pub struct AuditEntries {
    wire: Streaming<v1::ReadAuditResponse>,
    batch: std::vec::IntoIter<v1::AuditEntry>,
}

/// What a check of the audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    pub files: u64,
    pub lines: u64,
    /// What is wrong; none if all is well.
    pub findings: Vec<AuditFinding>,
    /// How many findings there are beyond those.
    pub more: u64,
}

/// Something wrong with the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFinding {
    /// A file in the data directory.
    pub file: String,
    /// Counted from 1; for what is missing at the end, the one after the last.
    pub line: u64,
    pub problem: String,
}

/// Who used a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Those who used it last first.
    pub users: Vec<UsageUser>,
    /// Uses by more users than these.
    pub others: u64,
    pub logins: u64,
    pub failed_logins: u64,
}

/// A user, unit and program that used a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageUser {
    pub uid: Option<u32>,
    pub unit: Option<String>,
    pub exe: Option<String>,
    /// Sessions handed out.
    pub served: u64,
    /// Times that there was no session.
    pub refused: u64,
    /// Times that it was not allowed.
    pub denied: u64,
    /// How the session was got that was handed out last.
    pub flow: Option<String>,
    pub first: Option<SystemTime>,
    pub last: Option<SystemTime>,
}

impl AdminClient {
    /// The lines that pass the filter, oldest first.
    ///
    /// # Errors
    /// See [`AdminClient`]; the time for an answer ends with the first of it.
    pub async fn audit(&self, filter: AuditFilter) -> Result<AuditEntries, Error> {
        let mut request = Request::new(v1::ReadAuditRequest {
            record: filter
                .record
                .map_or_else(String::new, |name| name.as_str().to_owned()),
            since: filter.since.map(Into::into),
            uid: filter.uid,
            action: filter.action.unwrap_or_default(),
            denied: filter.denied,
            fingerprint: filter.fingerprint.unwrap_or_default(),
            // EXPOSE: the daemon, which makes its fingerprint
            session_id: filter
                .session
                .map_or_else(String::new, |session| session.expose().to_owned()),
            follow: filter.follow,
            last: filter.last.unwrap_or(0),
        });
        request.set_timeout(DEADLINE);
        let answer = self.audit_wire().await?.read_audit(request).await;
        Ok(AuditEntries {
            wire: answer.map_err(|s| Error::from_status(&s))?.into_inner(),
            batch: Vec::new().into_iter(),
        })
    }

    /// Checks that no line was changed, removed, reordered or cut off.
    ///
    /// # Errors
    /// See [`AdminClient`]; it has five minutes.
    pub async fn verify_audit(&self) -> Result<AuditReport, Error> {
        let mut request = Request::new(v1::VerifyAuditRequest {});
        request.set_timeout(LOGIN_DEADLINE);
        let answer = self.audit_wire().await?.verify_audit(request).await;
        let report = answer.map_err(|s| Error::from_status(&s))?.into_inner();
        let findings = report.findings.into_iter();
        Ok(AuditReport {
            files: report.files,
            lines: report.lines,
            findings: findings
                .map(|finding| AuditFinding {
                    file: finding.file,
                    line: finding.line,
                    problem: finding.problem,
                })
                .collect(),
            more: report.more,
        })
    }

    /// Who used a record, from the lines that there are.
    ///
    /// # Errors
    /// See [`AdminClient`]; it has five minutes.
    pub async fn usage(
        &self,
        record: &RecordName,
        since: Option<SystemTime>,
    ) -> Result<Usage, Error> {
        let mut request = Request::new(v1::GetUsageRequest {
            record: record.as_str().to_owned(),
            since: since.map(Into::into),
        });
        request.set_timeout(LOGIN_DEADLINE);
        let answer = self.audit_wire().await?.get_usage(request).await;
        let usage = answer.map_err(|s| Error::from_status(&s))?.into_inner();
        Ok(Usage {
            users: usage.users.into_iter().map(user).collect(),
            others: usage.others,
            logins: usage.logins,
            failed_logins: usage.failed_logins,
        })
    }
}

impl AuditEntries {
    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// If the daemon can't read on, or the connection breaks.
    pub async fn next(&mut self) -> Result<Option<AuditEntry>, Error> {
        loop {
            if let Some(wire) = self.batch.next() {
                return Ok(Some(entry(wire)));
            }
            let message = self.wire.message().await;
            match message.map_err(|s| Error::from_status(&s))? {
                Some(message) => self.batch = message.entries.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

fn entry(wire: v1::AuditEntry) -> AuditEntry {
    AuditEntry {
        seq: wire.seq,
        time: instant(wire.time),
        action: wire.action,
        verdict: wire.verdict,
        count: wire.count,
        record: filled(wire.record),
        reason: filled(wire.reason),
        rule: filled(wire.rule),
        class: filled(wire.class),
        flow: filled(wire.flow),
        generation: wire.generation,
        fingerprint: filled(wire.fingerprint),
        uid: wire.uid,
        gid: wire.gid,
        pid: wire.pid,
        unit: filled(wire.unit),
        exe: filled(wire.exe),
        note: filled(wire.note),
    }
}

fn user(wire: v1::AuditUser) -> UsageUser {
    UsageUser {
        uid: wire.uid,
        unit: filled(wire.unit),
        exe: filled(wire.exe),
        served: wire.served,
        refused: wire.refused,
        denied: wire.denied,
        flow: filled(wire.flow),
        first: instant(wire.first),
        last: instant(wire.last),
    }
}
