//! `sfvault.v1.Audit`.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use sfvault_proto::v1::{
    self, AuditEntry, AuditFinding, AuditUser, GetUsageRequest, GetUsageResponse, ReadAuditRequest,
    ReadAuditResponse, VerifyAuditRequest, VerifyAuditResponse, audit_server::Audit as Rpc,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::{audited, convert, status};
use crate::{
    audit::{
        Audit,
        event::Action,
        instant,
        last_use::{LastUse, LastUser},
        line::Entry,
        reader::{Filter, Reader},
        usage::Usage,
        verify::Report,
    },
    error::Error,
    secret::SessionId,
    vault::Vault,
};

pub(super) struct Service {
    pub(super) audit: Audit,
    pub(super) vault: Arc<Vault>,
}

impl Service {
    async fn read(&self, request: ReadAuditRequest) -> Result<Entries, Error> {
        let session = Some(request.session_id).filter(|id| !id.is_empty());
        let mut fingerprint = filled(request.fingerprint);
        if let Some(id) = session {
            let id = SessionId::new(id);
            fingerprint = Some(self.vault.fingerprint(&id)?.to_string());
        }
        let last = usize::try_from(request.last).ok().filter(|last| *last > 0);
        if last.is_some_and(|last| last > MOST_LAST) {
            return Err(Error::invalid("last", "is at most 100,000"));
        }
        let filter = Filter {
            record: filled(request.record),
            since: convert::instant("since", request.since)?,
            uid: request.uid,
            action: filled(request.action),
            denied: request.denied,
            fingerprint,
            follow: request.follow,
            last,
        };
        Ok(Entries::new(self.audit.read(filter).await?))
    }

    async fn usage(&self, request: GetUsageRequest) -> Result<GetUsageResponse, Error> {
        let filter = Filter {
            record: Some(convert::record_name(&request.record)?.to_string()),
            since: convert::instant("since", request.since)?,
            ..Filter::default()
        };
        Ok(usage(&self.audit.usage(filter).await?))
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    type ReadAuditStream = Entries;

    async fn read_audit(
        &self,
        request: Request<ReadAuditRequest>,
    ) -> Result<Response<Entries>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let record = request.record.clone();
        let result = self.read(request).await;
        audited::told(&self.audit, Action::LOG, who, Some(&record), result)
    }

    async fn verify_audit(
        &self,
        request: Request<VerifyAuditRequest>,
    ) -> Result<Response<VerifyAuditResponse>, Status> {
        let who = audited::who(&request);
        let result = self.audit.verify().await.map(report);
        audited::told(&self.audit, Action::VERIFY, who, None, result)
    }

    async fn get_usage(
        &self,
        request: Request<GetUsageRequest>,
    ) -> Result<Response<GetUsageResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let record = request.record.clone();
        let result = self.usage(request).await;
        audited::told(&self.audit, Action::USAGE, who, Some(&record), result)
    }
}

type Reading = Pin<Box<dyn Future<Output = (Reader, Result<Option<Vec<Entry>>, Error>)> + Send>>;

/// Lines, read as fast as they are taken.
pub(super) struct Entries(Option<Reading>);

impl Entries {
    fn new(reader: Reader) -> Self {
        Self(Some(next(reader)))
    }
}

impl Stream for Entries {
    type Item = Result<ReadAuditResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(reading) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let (reader, batch) = ready!(reading.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(match batch {
            Ok(Some(batch)) => {
                self.0 = Some(next(reader));
                let entries = batch.into_iter().map(entry).collect();
                Some(Ok(ReadAuditResponse { entries }))
            }
            Ok(None) => None,
            Err(error) => Some(Err(status::from_error(&error))),
        })
    }
}

/// So many lines are held in memory to know that they are the newest.
const MOST_LAST: usize = 100_000;

fn next(mut reader: Reader) -> Reading {
    Box::pin(async move {
        let batch = reader.next_batch().await;
        (reader, batch)
    })
}

fn entry(entry: Entry) -> AuditEntry {
    AuditEntry {
        seq: entry.seq,
        time: time(&entry.time),
        action: entry.action,
        verdict: entry.verdict,
        count: entry.count,
        record: entry.record.unwrap_or_default(),
        reason: entry.reason.unwrap_or_default(),
        rule: entry.rule.unwrap_or_default(),
        class: entry.class.unwrap_or_default(),
        flow: entry.flow.unwrap_or_default(),
        generation: entry.generation,
        fingerprint: entry.fingerprint.unwrap_or_default(),
        uid: entry.uid,
        gid: entry.gid,
        pid: entry.pid,
        unit: entry.unit.unwrap_or_default(),
        exe: entry.exe.unwrap_or_default(),
        note: entry.note.unwrap_or_default(),
    }
}

fn report(report: Report) -> VerifyAuditResponse {
    let findings = report.findings.into_iter();
    VerifyAuditResponse {
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
    }
}

fn usage(usage: &Usage) -> GetUsageResponse {
    let users = usage.users().into_iter();
    GetUsageResponse {
        users: users
            .map(|(user, uses)| AuditUser {
                uid: user.uid,
                unit: user.unit.clone().unwrap_or_default(),
                exe: user.exe.clone().unwrap_or_default(),
                served: uses.served,
                refused: uses.refused,
                denied: uses.denied,
                flow: uses.flow.clone().unwrap_or_default(),
                first: time(&uses.first),
                last: time(&uses.last),
            })
            .collect(),
        others: usage.others,
        logins: usage.logins,
        failed_logins: usage.failed_logins,
    }
}

/// Who used these records last.
pub(super) async fn last_uses(audit: &Audit, records: Vec<String>) -> Vec<v1::LastUse> {
    let uses = audit.last_uses(records.clone()).await;
    let uses = records.into_iter().zip(uses);
    uses.map(|(record, last)| last_use(record, last)).collect()
}

fn last_use(record: String, last: LastUse) -> v1::LastUse {
    v1::LastUse {
        record,
        users: last
            .users
            .into_iter()
            .map(|LastUser { user, at, .. }| v1::LastUser {
                uid: user.uid,
                unit: user.unit.unwrap_or_default(),
                exe: user.exe.unwrap_or_default(),
                at: time(&at),
            })
            .collect(),
        more: last.more,
        unread: last.unread,
    }
}

fn time(text: &str) -> Option<prost_types::Timestamp> {
    instant::parse(text).map(|time: SystemTime| time.into())
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
