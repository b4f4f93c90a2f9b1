//! The service `Sessions`.

use sfvault_proto::v1::{self, sessions_server::Sessions};
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status};

use super::{Daemon, INSTANCE, SESSION, at, record::record, refusal};

fn session() -> v1::GetSessionResponse {
    v1::GetSessionResponse {
        session_id: SESSION.to_owned(),
        instance_url: INSTANCE.to_owned(),
        api_version: "64.0".to_owned(),
        org_id: "00Dxx0000000001EAA".to_owned(),
        user_id: "005xx0000000001AAA".to_owned(),
        username: "etl@acme.example".to_owned(),
        sandbox: false,
        generation: 7,
        issued_at: at(1_795_293_764),
        guaranteed_until: at(1_795_297_364),
        expires_at: at(1_795_300_964),
        warnings: Vec::new(),
    }
}

#[tonic::async_trait]
impl Sessions for Daemon {
    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        let request = request.into_inner();
        let name = request.record.clone();
        self.note(|asked| asked.session = Some(request));
        record(&name)?;
        let split = if name == "split" { "\nX: y" } else { "" };
        let mut session = session();
        session.session_id.push_str(split);
        Ok(Response::new(session))
    }

    type WatchSessionStream = std::pin::Pin<
        Box<dyn tokio_stream::Stream<Item = Result<v1::WatchSessionResponse, Status>> + Send>,
    >;

    async fn watch_session(
        &self,
        request: Request<v1::WatchSessionRequest>,
    ) -> Result<Response<Self::WatchSessionStream>, Status> {
        let name = request.into_inner().record;
        record(&name)?;
        // `watch.THROTTLED` may have a session, and not watch it.
        if let Some(reason) = name.strip_prefix("watch.") {
            return Err(refusal(reason, None));
        }
        let stream = tokio_stream::pending();
        if name == "silent" {
            return Ok(Response::new(Box::pin(stream)));
        }
        let mut session = session();
        if name == "newer" {
            session.generation += 1;
            session.session_id.push_str("_8");
        }
        let news = v1::WatchSessionResponse {
            state: v1::WatchState::Ready.into(),
            generation: session.generation,
            guaranteed_until: session.guaranteed_until,
            expires_at: session.expires_at,
            session: Some(session),
            ..v1::WatchSessionResponse::default()
        };
        let stream = tokio_stream::once(Ok(news)).chain(stream);
        Ok(Response::new(Box::pin(stream)))
    }

    async fn list_records(
        &self,
        _: Request<v1::ListRecordsRequest>,
    ) -> Result<Response<v1::ListRecordsResponse>, Status> {
        Ok(Response::new(v1::ListRecordsResponse {
            records: vec![record("acme-prod")?, record("b")?],
        }))
    }
}
