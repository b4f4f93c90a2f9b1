//! `sfvault.v1.Doctor`.

use std::sync::Arc;

use sfvault_proto::v1::{
    self, ExamineDaemonRequest, ExamineDaemonResponse, ExamineRecordRequest, ExamineRecordResponse,
    doctor_server::Doctor,
};
use tonic::{Request, Response, Status};

use super::{About, audited, convert};
use crate::{
    audit::{event::Action, who::Who},
    error::Error,
    locked,
    mode::Mode,
    vault::{
        RecordView, Vault,
        doctor::{self, Finding, Grade},
    },
};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) about: About,
    pub(super) mode: Mode,
    pub(super) admin_group: Option<u32>,
}

impl Service {
    fn daemon(&self) -> Vec<Finding> {
        let warnings = self.about.warnings.iter().cloned();
        let mut findings = doctor::places(&self.about.paths, self.mode, self.admin_group);
        let state = self.vault.lock_state();
        findings.extend(doctor::vault(
            self.vault.path(),
            state,
            &self.vault.slot_costs(),
        ));
        let unlocked = locked::warning().map(str::to_owned);
        findings.extend(doctor::limits(warnings.chain(unlocked)));
        let log = self.about.paths.data.join("audit.jsonl");
        findings.extend(doctor::audit(&log, self.about.audit.warnings()));
        findings.push(doctor::protections(self.about.protections()));
        findings
    }

    /// Who will notice when the record must change.
    async fn last_use(&self, name: &str, view: &RecordView) -> Option<Finding> {
        if !doctor::is_due(view) {
            return None;
        }
        let last = self.about.audit.last_uses(vec![name.to_owned()]).await;
        doctor::last_use(name, last.first()?)
    }

    async fn record(&self, who: Who, request: ExamineRecordRequest) -> Result<Vec<Finding>, Error> {
        let view = self.vault.record(&request.name)?;
        let mut findings = doctor::record(&view);
        findings.extend(self.last_use(&request.name, &view).await);
        if request.reach {
            let host = &view.record.login_host;
            findings.push(doctor::proxy(host, self.vault.proxy(host).as_deref()));
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
            let logged_in = self.log_in(who, &request.name).await;
            findings.push(doctor::login(&request.name, &logged_in));
        }
        Ok(findings)
    }

    /// What CheckRecord does, and told like that: without the audit there is no login.
    async fn log_in(&self, who: Who, name: &str) -> Result<bool, Error> {
        let record = convert::record_name(name)?;
        let work = self.vault.check(record, false);
        let audit = &self.about.audit;
        let checked = audited::administer_part(audit, Action::CHECK, who, name, work).await?;
        Ok(checked.logged_in)
    }
}

#[tonic::async_trait]
impl Doctor for Service {
    async fn examine_daemon(
        &self,
        request: Request<ExamineDaemonRequest>,
    ) -> Result<Response<ExamineDaemonResponse>, Status> {
        let found = ExamineDaemonResponse {
            findings: self.daemon().into_iter().map(finding).collect(),
        };
        let who = audited::who(&request);
        audited::told(&self.about.audit, Action::DOCTOR, who, None, Ok(found))
    }

    async fn examine_record(
        &self,
        request: Request<ExamineRecordRequest>,
    ) -> Result<Response<ExamineRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let found = self.record(who.clone(), request).await;
        let found = found.map(|found| ExamineRecordResponse {
            findings: found.into_iter().map(finding).collect(),
        });
        audited::told(&self.about.audit, Action::DOCTOR, who, Some(&name), found)
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
