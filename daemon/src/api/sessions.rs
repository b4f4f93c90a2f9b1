//! `sfvault.v1.Sessions`.

use std::sync::Arc;

use sfvault_proto::v1::{
    GetSessionRequest, GetSessionResponse, ListRecordsRequest, ListRecordsResponse,
    sessions_server::Sessions,
};
use tonic::{Request, Response, Status};

use super::{About, convert, status};
use crate::vault::Vault;

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) about: About,
}

#[tonic::async_trait]
impl Sessions for Service {
    async fn get_session(
        &self,
        request: Request<GetSessionRequest>,
    ) -> Result<Response<GetSessionResponse>, Status> {
        let request = request.into_inner();
        let wanted =
            convert::session_request(&request).map_err(|error| status::from_error(&error))?;
        match self.vault.session(&request.record, &wanted).await {
            Ok(session) => Ok(Response::new(convert::session(
                &session,
                &self.about.api_version,
            ))),
            Err(error) => Err(status::from_error(&error)),
        }
    }

    async fn list_records(
        &self,
        _request: Request<ListRecordsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        let records = self
            .vault
            .records()
            .map_err(|error| status::from_error(&error))?;
        Ok(Response::new(ListRecordsResponse {
            records: records.iter().map(convert::record_status).collect(),
        }))
    }
}
