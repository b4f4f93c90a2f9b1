//! Following a record's sessions for as long as a job runs, over restarts of the daemon too.

use std::time::Duration;

use sfvault::{Reason, Session, Watch, WatchRequest};
use tokio::time::{Instant, sleep};

use super::{context::Context, exit::Exit, failure::Failure, hint::hint};

/// The first pause before the daemon is looked for again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Where that stops.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Hears of every session of a record, and holds it.
pub(crate) struct Follower {
    context: Context,
    request: WatchRequest,
    watch: Option<Watch>,
    pause: Duration,
    /// How often in a row the daemon was looked for in vain.
    failures: u32,
    /// What people were told last.
    warned: Option<Reason>,
}

impl Follower {
    /// It starts no daemon: that is for whoever takes the first session. A daemon that ends later was ended by somebody.
    pub(crate) fn new(context: &Context, request: WatchRequest) -> Self {
        Self {
            context: Context {
                autostart: false,
                ..*context
            },
            request,
            watch: None,
            pause: FIRST_PAUSE,
            failures: 0,
            warned: None,
        }
    }

    /// What is to be known before anything relies on this follower: that it is let in, and the session if there is
    /// one now.
    ///
    /// # Errors
    /// What will not pass by itself, or does not until the deadline.
    pub(crate) async fn begin(&mut self, deadline: Instant) -> Result<Option<Session>, Failure> {
        loop {
            match self.look().await {
                Err(failure) if may_pass(&failure) && Instant::now() + self.pause <= deadline => {
                    self.rest(&failure).await;
                }
                result => return result,
            }
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
                Err(failure) if may_pass(&failure) => self.rest(&failure).await,
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
        if std::mem::take(&mut self.failures) > QUIET_FAILURES {
            let output = self.context.output;
            output.warning(&format!("sfvaultd tells of `{record}` again"));
        }
        if news.reason != self.warned {
            self.warned = news.reason;
            if let Some(reason) = news.reason {
                let what = match &news.session {
                    Some(_) => "can't be kept alive now",
                    None => "can't be had now",
                };
                let why = news.problem.unwrap_or_else(|| reason.name().to_owned());
                let hint = hint(reason, Some(record.as_str()));
                let warning = format!("a session of `{record}` {what}: {why}; {hint}");
                self.context.output.warning(&warning);
            }
        }
        Ok(news.session)
    }

    async fn rest(&mut self, failure: &Failure) {
        self.watch = None;
        if self.failures == QUIET_FAILURES {
            let message = failure.message().unwrap_or_default();
            let hint = failure.hint().unwrap_or_default();
            let record = &self.request.record;
            let warning = format!("waiting for news of `{record}`: {message}; {hint}");
            self.context.output.warning(&warning);
        }
        self.failures += 1;
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// A daemon that is only restarted is back when it is looked for again: nobody needs to hear of it.
const QUIET_FAILURES: u32 = 1;

/// Whether the daemon is only away, or too busy.
fn may_pass(failure: &Failure) -> bool {
    [Exit::TRY_LATER, Exit::NO_DAEMON].contains(&failure.exit())
}
