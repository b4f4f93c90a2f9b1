//! `sfvault.v1.Sessions`.

use std::{sync::Arc, time::Duration};

use sfvault_proto::v1::{
    GetSessionRequest, GetSessionResponse, ListRecordsRequest, ListRecordsResponse,
    sessions_server::Sessions,
};
use tonic::{Request, Response, Status};

use super::{About, audited, convert, status};
use crate::{error::Error, seats::Caller, session::Session, vault::Vault};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) about: About,
}

impl Service {
    async fn session(
        &self,
        caller: Option<Caller>,
        request: &GetSessionRequest,
    ) -> Result<Arc<Session>, Error> {
        let mut wanted = convert::session_request(request)?;
        // Held until the answer. Who finds too many waiting already is told at once what he would have waited for.
        let waiting = caller
            .filter(|_| !wanted.wait.is_zero())
            .and_then(|caller| caller.wait());
        if waiting.is_none() {
            wanted.wait = Duration::ZERO;
        }
        self.vault.session(&request.record, &wanted).await
    }
}

#[tonic::async_trait]
impl Sessions for Service {
    async fn get_session(
        &self,
        request: Request<GetSessionRequest>,
    ) -> Result<Response<GetSessionResponse>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let (who, request) = (audited::who(&request), request.into_inner());
        let result = self.session(caller, &request).await;
        audited::session(&self.about.audit, &who, &request.record, &result);
        status::answer(result.map(|session| {
            let warnings = self.vault.warnings(&request.record);
            convert::session(&session, &self.about.api_version, warnings)
        }))
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
