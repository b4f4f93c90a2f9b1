//! `sfvault.v1.Sessions`.

use std::{sync::Arc, time::Duration};

use sfvault_proto::v1::{
    GetSessionRequest, GetSessionResponse, ListRecordsRequest, ListRecordsResponse,
    WatchSessionRequest, sessions_server::Sessions,
};
use tonic::{Request, Response, Status};

use super::{
    About, convert,
    peer::Peer,
    status,
    watch::{Pusher, Pushes},
};
use crate::{error::Error, seats::Caller, session::hold::Holder, vault::Vault};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) about: About,
    pub(super) own_uid: u32,
}

#[tonic::async_trait]
impl Sessions for Service {
    async fn get_session(
        &self,
        request: Request<GetSessionRequest>,
    ) -> Result<Response<GetSessionResponse>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let holder = holder(&request);
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
            Ok(session) => {
                if let Some(holder) = holder {
                    self.vault.got(&request.record, holder);
                }
                Ok(Response::new(convert::session(
                    &session,
                    &self.about.api_version,
                    self.vault.warnings(&request.record),
                )))
            }
            Err(error) => Err(status::from_error(&error)),
        }
    }

    type WatchSessionStream = Pushes;

    async fn watch_session(
        &self,
        request: Request<WatchSessionRequest>,
    ) -> Result<Response<Pushes>, Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let caller = request.extensions().get::<Caller>().cloned();
        let pusher = (|| {
            let peer = peer.ok_or(Error::Denied)?;
            let waiting = caller
                .and_then(|caller| caller.wait())
                .ok_or(Error::TooManyStreams)?;
            let request = request.get_ref();
            let watch = self.vault.watch(
                &request.record,
                convert::watch_request(request)?,
                holder_of(peer),
            );
            Ok::<_, Error>(Pusher {
                watch,
                vault: Arc::clone(&self.vault),
                peer,
                own_uid: self.own_uid,
                record: request.record.clone(),
                api_version: request
                    .include_session
                    .then(|| Arc::clone(&self.about.api_version)),
                _waiting: waiting,
            })
        })();
        match pusher {
            Ok(pusher) => Ok(Response::new(Pushes::of(pusher))),
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

fn holder<T>(request: &Request<T>) -> Option<Holder> {
    request.extensions().get::<Peer>().copied().map(holder_of)
}

fn holder_of(peer: Peer) -> Holder {
    Holder {
        uid: peer.uid,
        pid: peer.pid,
    }
}
