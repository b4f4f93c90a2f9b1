//! `sfvault.v1.Doctor`.

use std::sync::Arc;

use sfvault_proto::v1::{
    self, ExamineDaemonRequest, ExamineDaemonResponse, ExamineRecordRequest, ExamineRecordResponse,
    doctor_server::Doctor,
};
use tonic::{Request, Response, Status};

use super::{About, convert, status};
use crate::{
    error::Error,
    locked,
    vault::{
        Vault,
        doctor::{self, Finding, Grade},
    },
};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) about: About,
}

impl Service {
    fn daemon(&self) -> Vec<Finding> {
        let warnings = self.about.warnings.iter().cloned();
        let mut findings = doctor::places(&self.about.paths);
        let state = self.vault.lock_state();
        findings.extend(doctor::vault(
            self.vault.path(),
            state,
            &self.vault.slot_costs(),
        ));
        let unlocked = locked::warning().map(str::to_owned);
        findings.extend(doctor::limits(warnings.chain(unlocked)));
        findings
    }

    async fn record(&self, request: ExamineRecordRequest) -> Result<Vec<Finding>, Error> {
        let view = self.vault.record(&request.name)?;
        let mut findings = doctor::record(&view);
        if request.reach {
            let host = &view.record.login_host;
            let (survey, now) = self.vault.survey(host).await;
            findings.extend(doctor::way(
                host,
                view.record.flow.kind(),
                &self.about.api_version,
                survey.as_ref(),
                now,
            ));
        }
        if request.log_in {
            let name = convert::record_name(&request.name)?;
            let checked = self.vault.check(name, false).await;
            findings.push(doctor::login(
                &request.name,
                &checked.map(|checked| checked.logged_in),
            ));
        }
        Ok(findings)
    }
}

#[tonic::async_trait]
impl Doctor for Service {
    async fn examine_daemon(
        &self,
        _request: Request<ExamineDaemonRequest>,
    ) -> Result<Response<ExamineDaemonResponse>, Status> {
        Ok(Response::new(ExamineDaemonResponse {
            findings: self.daemon().into_iter().map(finding).collect(),
        }))
    }

    async fn examine_record(
        &self,
        request: Request<ExamineRecordRequest>,
    ) -> Result<Response<ExamineRecordResponse>, Status> {
        let found = self.record(request.into_inner()).await;
        status::answer(found.map(|found| ExamineRecordResponse {
            findings: found.into_iter().map(finding).collect(),
        }))
    }
}

fn finding(finding: Finding) -> v1::Finding {
    v1::Finding {
        check: finding.check.to_owned(),
        subject: finding.subject,
        grade: match finding.grade {
            Grade::Good => v1::Grade::Good,
            Grade::Note => v1::Grade::Note,
            Grade::Warning => v1::Grade::Warning,
            Grade::Problem => v1::Grade::Problem,
        }
        .into(),
        text: finding.text,
        fix: finding.fix,
    }
}
