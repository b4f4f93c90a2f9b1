//! `sfvault.v1.Sessions`.

use std::{sync::Arc, time::Duration};

use sfvault_proto::v1::{
    GetSessionRequest, GetSessionResponse, ListRecordsRequest, ListRecordsResponse,
    sessions_server::Sessions,
};
use tonic::{Request, Response, Status};

use super::{About, convert, status};
use crate::{seats::Caller, vault::Vault};

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
        let caller = request.extensions().get::<Caller>().cloned();
        let request = request.into_inner();
        let mut wanted =
            convert::session_request(&request).map_err(|error| status::from_error(&error))?;
        // Held until the answer. Who finds too many waiting already is told at once what he would have waited for.
        let waiting = caller
            .filter(|_| !wanted.wait.is_zero())
            .and_then(|caller| caller.wait());
        if waiting.is_none() {
            wanted.wait = Duration::ZERO;
        }
        match self.vault.session(&request.record, &wanted).await {
            Ok(session) => Ok(Response::new(convert::session(
                &session,
                &self.about.api_version,
                self.vault.warnings(&request.record),
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
