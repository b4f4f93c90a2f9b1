//! `sfvault.v1.Records`.

use std::sync::Arc;

use sfvault_proto::v1::{
    AddRecordRequest, AddRecordResponse, CheckRecordRequest, CheckRecordResponse,
    DescribeRecordRequest, DescribeRecordResponse, EndSessionRequest, EndSessionResponse, Holder,
    ListHoldersRequest, ListHoldersResponse, RemoveRecordRequest, RemoveRecordResponse,
    SetCredentialRequest, SetCredentialResponse, records_server::Records,
};
use tonic::{Request, Response, Status};

use super::{convert, status};
use crate::{error::Error, vault::Vault};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
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

    fn holders(&self, request: &ListHoldersRequest) -> Result<ListHoldersResponse, Error> {
        let holders = self.vault.holders(&request.name)?;
        let has_session = holders.is_some();
        let holders = holders.unwrap_or_default();
        Ok(ListHoldersResponse {
            has_session,
            holders: holders
                .into_iter()
                .map(|hold| Holder {
                    uid: hold.holder.uid,
                    pid: hold.holder.pid.unwrap_or_default(),
                    watching: hold.stream,
                    at: Some(hold.at.into()),
                })
                .collect(),
        })
    }

    async fn end_session(&self, request: EndSessionRequest) -> Result<EndSessionResponse, Error> {
        let ended = self.vault.end_session(&request.name).await?;
        Ok(EndSessionResponse { ended })
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

    async fn list_holders(
        &self,
        request: Request<ListHoldersRequest>,
    ) -> Result<Response<ListHoldersResponse>, Status> {
        status::answer(self.holders(request.get_ref()))
    }

    async fn end_session(
        &self,
        request: Request<EndSessionRequest>,
    ) -> Result<Response<EndSessionResponse>, Status> {
        status::answer(self.end_session(request.into_inner()).await)
    }

    async fn check_record(
        &self,
        request: Request<CheckRecordRequest>,
    ) -> Result<Response<CheckRecordResponse>, Status> {
        status::answer(self.check(request.into_inner()).await)
    }
}
