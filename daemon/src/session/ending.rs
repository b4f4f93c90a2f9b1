//! The end of a session at Salesforce, because an operator wants it. Nothing else ends one.

use std::sync::Arc;

use tokio::{
    sync::watch,
    task::{self, JoinHandle},
};
use tracing::{info, warn};

use super::{
    Session,
    decision::{Ending, Outcome},
    entry::{Entry, Landing},
    refresh::{Flight, Refresher},
};
use crate::error::Error;

/// What was begun.
enum Begun {
    /// There is no session.
    Nothing,
    /// A flight is to be waited for.
    Wait(Option<watch::Receiver<Landing>>),
    /// The session is being ended.
    End(JoinHandle<Result<(), Error>>),
}

impl Refresher {
    /// Ends the record's session at Salesforce, for all who share it. Who asks for one meanwhile waits, and gets another.
    /// Returns false if there is none. Goes on to its end even if the caller goes away.
    ///
    /// # Errors
    /// If Salesforce did not say that it ended, or the store can't write: then it is proved before anybody gets it again.
    pub async fn end_session(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<bool, Error> {
        loop {
            match self.begin_end(entry)? {
                Begun::Nothing => return Ok(false),
                Begun::Wait(landing) => {
                    if let Some(mut landing) = landing {
                        // How it ended matters to those who wanted a session.
                        let _ = landing.wait_for(Option::is_some).await;
                    }
                }
                Begun::End(end) => {
                    let broken = Error::Internal("the end of a session broke off");
                    return end.await.map_err(|_| broken)?.map(|()| true);
                }
            }
        }
    }

    fn begin_end(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<Begun, Error> {
        let mut state = entry.lock();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        let (stamp, session) = match state.machine.end_session() {
            Ending::Nothing => return Ok(Begun::Nothing),
            Ending::Join => return Ok(Begun::Wait(state.landing.clone())),
            Ending::Start(stamp, session) => (stamp, session),
        };
        let flight = self.take_off(entry, stamp);
        // Without a task nothing would ever end the flight.
        let flight = flight.inspect_err(|_| state.machine.abandon(stamp, self.clock.now()))?;
        let (tell, landing) = watch::channel(None);
        state.landing = Some(landing);
        drop(state);
        entry.tell();
        Ok(Begun::End(task::spawn(async move {
            let ended = flight.end(&session).await;
            // Nobody waits any more: then nobody needs to know.
            let _ = tell.send(Some(Ok(())));
            ended
        })))
    }
}

impl Flight {
    async fn end(&self, session: &Session) -> Result<(), Error> {
        // A crash on the way must not make it good again.
        if let Err(error) = self.refresher.catch_up(&self.entry).await {
            let now = self.refresher.clock.now();
            let mut state = self.entry.lock();
            state.machine.complete(self.stamp, Outcome::NotSent, now, 0);
            drop(state);
            self.entry.tell();
            return Err(error);
        }
        let login = &self.refresher.login;
        let ended = login.end(&session.session_id, &session.instance).await;
        let record = {
            let mut state = self.entry.lock();
            if ended.is_ok() {
                state.machine.session_died(self.stamp);
            }
            let now = self.refresher.clock.now();
            state.machine.complete(self.stamp, Outcome::NotSent, now, 0);
            state.record.name.clone()
        };
        self.entry.tell();
        match ended {
            Ok(()) => {
                // What the store keeps for a restart is dead. If it can't be written, a restart finds out by a refusal.
                if let Err(error) = self.refresher.catch_up(&self.entry).await {
                    warn!(%record, %error, "the end of a session could not be saved");
                }
                info!(%record, generation = session.generation, "ended the session");
                Ok(())
            }
            Err(failure) => Err(Error::LogoutFailed { record, failure }),
        }
    }
}
