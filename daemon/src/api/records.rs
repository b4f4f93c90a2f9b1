//! `sfvault.v1.Records`.

use std::sync::Arc;

use sfvault_proto::v1::{
    AddRecordRequest, AddRecordResponse, CheckRecordRequest, CheckRecordResponse,
    DescribeRecordRequest, DescribeRecordResponse, RemoveRecordRequest, RemoveRecordResponse,
    SetCredentialRequest, SetCredentialResponse, records_server::Records,
};
use tonic::{Request, Response, Status};

use super::{audited, convert};
use crate::{
    audit::{Audit, event::Action},
    error::Error,
    vault::Vault,
};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) audit: Audit,
}

impl Service {
    async fn add(&self, request: AddRecordRequest) -> Result<AddRecordResponse, Error> {
        let (record, warnings) = self.vault.add(convert::new_record(request)?).await?;
        Ok(AddRecordResponse {
            record: Some(convert::record_status(&record)),
            warnings,
        })
    }

    async fn set(&self, request: SetCredentialRequest) -> Result<SetCredentialResponse, Error> {
        let name = convert::record_name(&request.name)?;
        let (record, changed, warnings) =
            self.vault.set(name, convert::new_secrets(request)?).await?;
        Ok(SetCredentialResponse {
            record: Some(convert::record_status(&record)),
            changed,
            warnings,
        })
    }

    async fn check(&self, request: CheckRecordRequest) -> Result<CheckRecordResponse, Error> {
        let checked = self
            .vault
            .check(convert::record_name(&request.name)?, request.release)
            .await?;
        Ok(CheckRecordResponse {
            record: Some(convert::record_status(&checked.record)),
            instance_url: checked.session.instance.url(),
            logged_in: checked.logged_in,
        })
    }

    async fn remove(&self, request: RemoveRecordRequest) -> Result<RemoveRecordResponse, Error> {
        self.vault
            .remove(convert::record_name(&request.name)?)
            .await?;
        Ok(RemoveRecordResponse {})
    }

    fn describe(&self, request: &DescribeRecordRequest) -> Result<DescribeRecordResponse, Error> {
        let record = self.vault.record(&request.name)?;
        Ok(DescribeRecordResponse {
            record: Some(convert::record_status(&record)),
        })
    }
}

#[tonic::async_trait]
impl Records for Service {
    async fn add_record(
        &self,
        request: Request<AddRecordRequest>,
    ) -> Result<Response<AddRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.add(request);
        audited::administer(&self.audit, Action::ADD, who, Some(&name), work).await
    }

    async fn set_credential(
        &self,
        request: Request<SetCredentialRequest>,
    ) -> Result<Response<SetCredentialResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.set(request);
        audited::administer(&self.audit, Action::SET, who, Some(&name), work).await
    }

    async fn describe_record(
        &self,
        request: Request<DescribeRecordRequest>,
    ) -> Result<Response<DescribeRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let result = self.describe(&request);
        audited::told(&self.audit, Action::SHOW, who, Some(&request.name), result)
    }

    async fn remove_record(
        &self,
        request: Request<RemoveRecordRequest>,
    ) -> Result<Response<RemoveRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let work = self.remove(request);
        audited::administer(&self.audit, Action::REMOVE, who, Some(&name), work).await
    }

    async fn check_record(
        &self,
        request: Request<CheckRecordRequest>,
    ) -> Result<Response<CheckRecordResponse>, Status> {
        let (who, request) = (audited::who(&request), request.into_inner());
        let name = request.name.clone();
        let action = if request.release {
            Action::RELEASE
        } else {
            Action::CHECK
        };
        let work = self.check(request);
        audited::administer(&self.audit, action, who, Some(&name), work).await
    }
}
