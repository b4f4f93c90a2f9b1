//! Following a record's sessions for as long as a job runs, over restarts of the daemon too.

use std::time::Duration;

use sfvault::{Reason, Session, Watch, WatchRequest};
use tokio::time::sleep;

use super::{context::Context, exit::Exit, failure::Failure};

/// The first pause before the daemon is looked for again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Where that stops.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Hears of every session of a record, and holds it.
pub(crate) struct Follower<'a> {
    context: &'a Context,
    request: WatchRequest,
    watch: Option<Watch>,
    pause: Duration,
    /// What people were told last.
    warned: Option<Reason>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(context: &'a Context, request: WatchRequest) -> Self {
        Self {
            context,
            request,
            watch: None,
            pause: FIRST_PAUSE,
            warned: None,
        }
    }

    /// The session as it is now, then each time that it or what is known of it has changed. It waits for a daemon that is
    /// away and for a vault that is locked. Dropping this future loses nothing.
    ///
    /// # Errors
    /// What will not pass by itself.
    pub(crate) async fn next(&mut self) -> Result<Session, Failure> {
        loop {
            match self.look().await {
                Ok(Some(session)) => return Ok(session),
                Ok(None) => {}
                Err(failure) if may_pass(&failure) => {
                    self.watch = None;
                    sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn look(&mut self) -> Result<Option<Session>, Failure> {
        let record = &self.request.record;
        let watch = match &mut self.watch {
            Some(watch) => watch,
            none => {
                let client = self.context.sessions().await?;
                let watch = client.watch(&self.request).await;
                none.insert(watch.map_err(|error| Failure::call(error, record))?)
            }
        };
        let news = watch.next().await;
        let news = news.map_err(|error| Failure::call(error, record))?;
        self.pause = FIRST_PAUSE;
        if news.reason != self.warned {
            self.warned = news.reason;
            if let Some(reason) = news.reason {
                let what = match &news.session {
                    Some(_) => "can't be kept alive now",
                    None => "can't be had now",
                };
                let why = news.problem.unwrap_or_else(|| reason.name().to_owned());
                let warning = format!("a session of `{record}` {what}: {why}");
                self.context.output.warning(&warning);
            }
        }
        Ok(news.session)
    }
}

/// Whether the daemon is only away, or too busy.
fn may_pass(failure: &Failure) -> bool {
    [Exit::TRY_LATER, Exit::NO_DAEMON].contains(&failure.exit())
}
