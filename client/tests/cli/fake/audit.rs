//! The service `Audit`.

use sfvault_proto::v1::{self, audit_server::Audit};
use tonic::{Request, Response, Status};

use super::{Daemon, at};

#[tonic::async_trait]
impl Audit for Daemon {
    type ReadAuditStream = tokio_stream::Once<Result<v1::ReadAuditResponse, Status>>;

    async fn read_audit(
        &self,
        request: Request<v1::ReadAuditRequest>,
    ) -> Result<Response<Self::ReadAuditStream>, Status> {
        self.note(|asked| asked.audit = Some(request.into_inner()));
        let entry = v1::AuditEntry {
            seq: 9,
            time: at(1_795_293_764),
            action: "get".to_owned(),
            verdict: "served".to_owned(),
            count: 3,
            record: "prod".to_owned(),
            generation: Some(7),
            fingerprint: "ab".repeat(8),
            uid: Some(1000),
            pid: Some(42),
            exe: "/tmp/\u{1b}[2J\n".to_owned(),
            ..v1::AuditEntry::default()
        };
        let entries = vec![entry];
        Ok(Response::new(tokio_stream::once(Ok(
            v1::ReadAuditResponse { entries },
        ))))
    }

    async fn verify_audit(
        &self,
        _: Request<v1::VerifyAuditRequest>,
    ) -> Result<Response<v1::VerifyAuditResponse>, Status> {
        Ok(Response::new(v1::VerifyAuditResponse {
            files: 1,
            lines: 20,
            findings: vec![v1::AuditFinding {
                file: "audit.jsonl".to_owned(),
                line: 4,
                problem: "is not line 4\u{1b}".to_owned(),
            }],
            more: 2,
        }))
    }

    async fn get_usage(
        &self,
        _: Request<v1::GetUsageRequest>,
    ) -> Result<Response<v1::GetUsageResponse>, Status> {
        let user = v1::AuditUser {
            uid: Some(1000),
            unit: "nightly.service".to_owned(),
            served: 5,
            refused: 1,
            flow: "soap-login".to_owned(),
            last: at(1_795_293_764),
            ..v1::AuditUser::default()
        };
        Ok(Response::new(v1::GetUsageResponse {
            users: vec![user],
            logins: 2,
            ..v1::GetUsageResponse::default()
        }))
    }
}
