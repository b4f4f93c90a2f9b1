//! Sessions for jobs, from the socket `sfvault.sock`.

use std::time::Duration;

use sfvault_proto::v1::{
    GetSessionRequest, ListRecordsRequest, WatchSessionRequest,
    sessions_client::SessionsClient as Wire,
};
use tonic::{Request, transport::Channel};

use crate::{
    Error, Places, RecordStatus, Session, SessionRequest, Watch, WatchRequest, connect, convert,
    unsent,
};

/// Takes sessions from the daemon. Clones share one connection, which is made anew when it breaks.
#[derive(Debug, Clone)]
pub struct SessionsClient {
    wire: Wire<Channel>,
}

impl SessionsClient {
    /// Connects to the daemon of these places. Starts none.
    ///
    /// # Errors
    /// If no daemon answers there, or if the one that does is not to be trusted.
    pub async fn connect(places: &Places) -> Result<Self, Error> {
        let channel = connect::channel(places.sessions_socket()).await?;
        Ok(Self {
            wire: Wire::new(channel).max_decoding_message_size(MAX_LIST),
        })
    }

    /// A working session; the daemon logs in to Salesforce only if it has none.
    ///
    /// Whoever drops this future cancels nothing but the waiting: a login that was begun goes on.
    ///
    /// # Errors
    /// As the daemon says, or if the connection breaks, or if no answer comes within five minutes and
    /// what [`SessionRequest::wait`] adds.
    pub async fn session(&self, request: &SessionRequest) -> Result<Session, Error> {
        let deadline = LOGIN_DEADLINE.saturating_add(request.wait.unwrap_or_default());
        let request = GetSessionRequest {
            record: request.record.as_str().to_owned(),
            min_ttl: request.min_ttl.map(convert::duration).transpose()?,
            refused_generation: request.refused_generation.map_or(0, Into::into),
            expect_org: request.expect_org.clone().unwrap_or_default(),
            expect_environment: convert::environment(request.expect_environment),
            wait: request.wait.map(convert::duration).transpose()?,
            hold_until_exit: request.hold_until_exit,
        };
        let answer = unsent::repeat(|| {
            let (mut wire, mut call) = (self.wire.clone(), Request::new(request.clone()));
            call.set_timeout(deadline);
            async move { wire.get_session(call).await }
        })
        .await;
        convert::session(answer.map_err(|s| Error::from_status(&s))?.into_inner())
    }

    /// Watches a record and holds its session: the daemon keeps it alive until the [`Watch`] is dropped.
    ///
    /// # Errors
    /// As the daemon says, or if the connection breaks. That there is no such record is told by [`Watch::next`].
    pub async fn watch(&self, request: &WatchRequest) -> Result<Watch, Error> {
        let call = WatchSessionRequest {
            record: request.record.as_str().to_owned(),
            include_session: request.include_session,
            min_ttl: request.min_ttl.map(convert::duration).transpose()?,
            expect_org: request.expect_org.clone().unwrap_or_default(),
            expect_environment: convert::environment(request.expect_environment),
        };
        let answer = self.wire.clone().watch_session(call).await;
        Ok(Watch::of(
            answer.map_err(|s| Error::from_status(&s))?.into_inner(),
        ))
    }

    /// The records that this user may use, in the order of their names.
    ///
    /// # Errors
    /// As the daemon says, or if the connection breaks, or if no answer comes within a minute.
    pub async fn records(&self) -> Result<Vec<RecordStatus>, Error> {
        let answer = unsent::repeat(|| {
            let (mut wire, mut call) = (self.wire.clone(), Request::new(ListRecordsRequest {}));
            call.set_timeout(DEADLINE);
            async move { wire.list_records(call).await }
        })
        .await;
        let records = answer
            .map_err(|s| Error::from_status(&s))?
            .into_inner()
            .records;
        Ok(records.into_iter().map(convert::record).collect())
    }
}

/// The most that the daemon needs to find a session dead, to log in and to prove the new one: three
/// exchanges of 70 s with its usual timeouts, and some more, since who gives up earlier learns less than
/// the daemon could have told. A daemon that hangs is found earlier, by pings.
pub(crate) const LOGIN_DEADLINE: Duration = Duration::from_mins(5);
/// For what the daemon answers from memory or disk, and for one key derivation.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// 10,000 records of 600 bytes are 6 MB; gRPC's default of 4 MiB would refuse them.
pub(crate) const MAX_LIST: usize = 64 << 20;
