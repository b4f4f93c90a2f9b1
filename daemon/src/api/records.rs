//! `sfvault.v1.Records`.

use std::sync::Arc;

use sfvault_proto::v1::{
    AddRecordRequest, AddRecordResponse, AllowPeerRequest, AllowPeerResponse, CheckRecordRequest,
    CheckRecordResponse, DenyPeerRequest, DenyPeerResponse, DescribeRecordRequest,
    DescribeRecordResponse, ExplainAccessRequest, ExplainAccessResponse, GetAccessRequest,
    GetAccessResponse, RemoveRecordRequest, RemoveRecordResponse, SetCredentialRequest,
    SetCredentialResponse, records_server::Records,
};
use tonic::{Request, Response, Status};

use super::{access, convert, status};
use crate::{error::Error, policy::Policy, vault::Vault};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) policy: Policy,
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
        status::answer(self.add(request.into_inner()).await)
    }

    async fn set_credential(
        &self,
        request: Request<SetCredentialRequest>,
    ) -> Result<Response<SetCredentialResponse>, Status> {
        status::answer(self.set(request.into_inner()).await)
    }

    async fn describe_record(
        &self,
        request: Request<DescribeRecordRequest>,
    ) -> Result<Response<DescribeRecordResponse>, Status> {
        status::answer(self.describe(request.get_ref()))
    }

    async fn remove_record(
        &self,
        request: Request<RemoveRecordRequest>,
    ) -> Result<Response<RemoveRecordResponse>, Status> {
        status::answer(self.remove(request.into_inner()).await)
    }

    async fn check_record(
        &self,
        request: Request<CheckRecordRequest>,
    ) -> Result<Response<CheckRecordResponse>, Status> {
        status::answer(self.check(request.into_inner()).await)
    }

    async fn allow_peer(
        &self,
        request: Request<AllowPeerRequest>,
    ) -> Result<Response<AllowPeerResponse>, Status> {
        status::answer(access::allow(&self.vault, &self.policy, request.into_inner()).await)
    }

    async fn deny_peer(
        &self,
        request: Request<DenyPeerRequest>,
    ) -> Result<Response<DenyPeerResponse>, Status> {
        status::answer(access::deny(&self.vault, &self.policy, request.into_inner()).await)
    }

    async fn get_access(
        &self,
        request: Request<GetAccessRequest>,
    ) -> Result<Response<GetAccessResponse>, Status> {
        status::answer(access::get(&self.vault, &self.policy, request.get_ref()))
    }

    async fn explain_access(
        &self,
        request: Request<ExplainAccessRequest>,
    ) -> Result<Response<ExplainAccessResponse>, Status> {
        status::answer(access::explain(
            &self.vault,
            &self.policy,
            request.get_ref(),
        ))
    }
}
