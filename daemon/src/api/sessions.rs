//! `sfvault.v1.Sessions`.

use std::{sync::Arc, time::Duration};

use sfvault_proto::v1::{
    GetSessionRequest, GetSessionResponse, ListRecordsRequest, ListRecordsResponse,
    WatchSessionRequest, sessions_server::Sessions,
};
use tonic::{Request, Response, Status};

use super::{
    About, House, audited, convert,
    peer::{Origin, Peer},
    status,
    watch::{Pusher, Pushes},
};
use crate::{
    error::Error,
    policy::Asker,
    seats::Caller,
    session::{Session, hold::Holder},
    vault::{Vault, watching::Watcher},
};

pub(super) struct Service {
    pub(super) vault: Arc<Vault>,
    pub(super) about: About,
    pub(super) house: Arc<House>,
}

impl Service {
    /// Made anew for every answer, and for every push of a stream: rules and processes change.
    fn asker<'a, T>(&'a self, request: &'a Request<T>) -> Result<Asker<'a>, Status> {
        let origin = request.extensions().get::<Origin>();
        origin
            .map(|origin| Asker::new(&self.house.policy, &origin.peer))
            .ok_or_else(|| status::from_error(&Error::Denied))
    }

    async fn session(
        &self,
        asker: &mut Asker<'_>,
        caller: Option<&Caller>,
        request: &GetSessionRequest,
    ) -> Result<Arc<Session>, Error> {
        let mut wanted = convert::session_request(request)?;
        wanted.cause = caller
            .as_ref()
            .map(|caller| Arc::clone(caller.seat.account()));
        // Held until the answer. Who finds too many waiting already is told at once what he would have waited for.
        let waiting = caller
            .filter(|_| !wanted.wait.is_zero())
            .and_then(|caller| caller.wait());
        if waiting.is_none() {
            wanted.wait = Duration::ZERO;
        }
        self.vault
            .session_for(asker, &request.record, &wanted)
            .await
    }

    /// Has the peer's process hold the session until it exits. Returns false if it has to do with less.
    fn bind(&self, origin: &Origin, record: &str) -> bool {
        let Origin { peer, caller } = origin;
        let process = self.watcher(peer.clone());
        self.vault
            .hold_until_exit(record, process, caller.seat.account())
    }

    fn watcher(&self, peer: Peer) -> Watcher {
        Watcher {
            policy: self.house.policy.clone(),
            holder: holder_of(&peer),
            peer,
        }
    }
}

#[tonic::async_trait]
impl Sessions for Service {
    async fn get_session(
        &self,
        request: Request<GetSessionRequest>,
    ) -> Result<Response<GetSessionResponse>, Status> {
        let mut asker = self.asker(&request)?;
        let holder = holder_of(asker.peer());
        let origin = request.extensions().get::<Origin>();
        let caller = origin.map(|origin| &origin.caller);
        let request = request.get_ref();
        let result = self.session(&mut asker, caller, request).await;
        audited::session(&self.about.audit, &asker, &request.record, &result);
        status::answer(result.map(|session| {
            let bound = origin
                .filter(|_| request.hold_until_exit)
                .is_some_and(|origin| self.bind(origin, &request.record));
            let warnings = if bound {
                self.vault.warnings(&request.record)
            } else {
                self.vault.got(&request.record, holder)
            };
            convert::session(&session, &self.about.api_version, warnings)
        }))
    }

    type WatchSessionStream = Pushes;

    async fn watch_session(
        &self,
        request: Request<WatchSessionRequest>,
    ) -> Result<Response<Pushes>, Status> {
        let origin = request.extensions().get::<Origin>().cloned();
        let pusher = (|| {
            let Origin { peer, caller } = origin.ok_or(Error::Denied)?;
            let waiting = caller.wait().ok_or(Error::TooManyStreams)?;
            let request = request.get_ref();
            let watch = self.vault.watch(
                &request.record,
                convert::watch_request(request)?,
                self.watcher(peer),
            );
            Ok::<_, Error>(Pusher {
                watch,
                vault: Arc::clone(&self.vault),
                audit: self.about.audit.clone(),
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
        request: Request<ListRecordsRequest>,
    ) -> Result<Response<ListRecordsResponse>, Status> {
        let asker = self.asker(&request)?;
        let result = self.vault.records_for(&asker).await;
        audited::listing(&self.about.audit, &asker, &result);
        status::answer(result.map(|listing| ListRecordsResponse {
            records: listing.records.iter().map(convert::record_status).collect(),
        }))
    }
}

fn holder_of(peer: &Peer) -> Holder {
    Holder {
        uid: peer.uid,
        pid: peer.pid,
    }
}
