//! A caller's request for a session, and who holds the one that it got.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Vault, kind};
use crate::{
    environment::Environment,
    error::Error,
    policy::Asker,
    record::same_org,
    session::{
        Session,
        decision::Want,
        hold::{Hold, Holder},
    },
    share::Account,
};

/// The longest that a call may wait for a record to become usable.
pub const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A waiting caller looks again at least so often: sleeps must not outlast a suspend or a clock step by much.
const LONGEST_NAP: Duration = Duration::from_mins(1);

/// A caller's request for a session.
#[derive(Debug, Clone, Default)]
pub struct SessionRequest {
    pub want: Want,
    /// The org that the record must belong to, as 15 or 18 characters.
    pub expect_org: Option<String>,
    /// The kind of org that the record must belong to.
    pub expect_environment: Option<Environment>,
    /// How long to wait for a record to become usable, at most [`LONGEST_WAIT`].
    pub wait: Duration,
    /// Who answers for a login that comes of it; nobody if the operator asks.
    pub cause: Option<Arc<Account>>,
}

impl Vault {
    /// A session of the record for the operator, who needs no rule; otherwise as [`Self::session_for`].
    ///
    /// # Errors
    /// As [`Self::session_for`].
    pub async fn session(
        &self,
        name: &str,
        request: &SessionRequest,
    ) -> Result<Arc<Session>, Error> {
        self.session_of(name, request, None).await
    }

    /// A session of the record, from memory where there is one that fits, if the peer may use the record: when it asks,
    /// and again when it has waited.
    ///
    /// # Errors
    /// Why there is none. All callers of one login get the same. Who may not use the record gets what he would get if
    /// there were none.
    pub async fn session_for(
        &self,
        asker: &mut Asker<'_>,
        name: &str,
        request: &SessionRequest,
    ) -> Result<Arc<Session>, Error> {
        self.session_of(name, request, Some(asker)).await
    }

    async fn session_of(
        &self,
        name: &str,
        request: &SessionRequest,
        mut asker: Option<&mut Asker<'_>>,
    ) -> Result<Arc<Session>, Error> {
        if request.wait.is_zero() {
            return self.session_now(name, request, asker).await;
        }
        let deadline = Instant::now() + request.wait.min(LONGEST_WAIT);
        // Before the first look, so that no change falls between looking and waiting.
        let (mut changed, mut usable) = (self.changed.subscribe(), self.usable.subscribe());
        loop {
            if let Some(asker) = &mut asker {
                asker.ask_again();
            }
            let result = self.session_now(name, request, asker.as_deref_mut()).await;
            let nap = match &result {
                Err(error) => error.may_pass_in(),
                Ok(_) => None,
            };
            let Some(nap) = nap.filter(|_| Instant::now() < deadline) else {
                return result;
            };
            // Which of them it is does not matter.
            tokio::select! {
                _ = changed.changed() => {}
                _ = usable.changed() => {}
                () = sleep_until(deadline.min(Instant::now() + nap.min(LONGEST_NAP))) => {}
            }
        }
    }

    async fn session_now(
        &self,
        name: &str,
        request: &SessionRequest,
        mut asker: Option<&mut Asker<'_>>,
    ) -> Result<Arc<Session>, Error> {
        let (refresher, entry) = match asker.as_deref_mut() {
            Some(asker) => self.find_for(asker, name)?,
            None => self.find(name)?,
        };
        let expected = request.expect_org.as_deref();
        if let Some(expected) = expected
            && let Some(pin) = &entry.lock().record.pin
        {
            // Before anything is sent: a job that names the wrong org must not cost a login.
            is_expected(expected, &pin.org_id)?;
        }
        let environment = request.expect_environment;
        kind::is_expected(environment, kind::known(&entry))?;
        let mut answer = pin!(refresher.session_for(&entry, request.want, request.cause.as_ref()));
        let mut waited = false;
        let answer = poll_fn(|cx| {
            let polled = answer.as_mut().poll(cx);
            waited |= polled.is_pending();
            polled
        });
        let answer = answer.await;
        if let Some(asker) = asker.filter(|_| waited) {
            // A login takes its time, and the rules or the peer may be others by now.
            asker.ask_again();
            self.find_for(asker, name)?;
        }
        let session = answer?;
        if let Some(expected) = expected {
            is_expected(expected, &session.org_id)?;
        }
        kind::is_expected(environment, Some(Environment::of_flag(session.sandbox)))?;
        Ok(session)
    }

    /// Somebody took the record's session: it is held for a while. Returns [`Self::warnings`].
    pub fn got(&self, name: &str, holder: Holder) -> Vec<String> {
        // Who removed the record meanwhile has ended that hold too.
        let Ok((refresher, entry)) = self.find(name) else {
            return Vec::new();
        };
        let now = self.parts.clock.now();
        let (record, by_process) = {
            let mut state = entry.lock();
            state.holds.got(holder, now);
            (Arc::clone(&state.record), state.holds.has_processes())
        };
        // A process that holds what the record has may have outlived the session before this one.
        if by_process || !refresher.hold_after_get.is_zero() {
            refresher.keep(&entry);
        }
        self.warnings_of(&record, now)
    }

    /// Who may be cut off if the record's session ends, if there is one: streams, processes that hold it until they exit,
    /// and who took it within its timeout.
    ///
    /// # Errors
    /// If there is no such record, or the vault is missing or locked.
    pub fn holders(&self, name: &str) -> Result<Option<Vec<Hold>>, Error> {
        let (_, entry) = self.find(name)?;
        let state = entry.lock();
        let now = self.parts.clock.now();
        let session = state.machine.session();
        Ok(session.map(|session| state.holds.list(session.timeout, now)))
    }

    /// Ends the record's session at Salesforce. Returns false if there is none here.
    ///
    /// # Errors
    /// If there is no such record, the vault is missing or locked, or Salesforce did not say that it ended.
    pub async fn end_session(&self, name: &str) -> Result<bool, Error> {
        let (refresher, entry) = self.find(name)?;
        refresher.end_session(&entry).await
    }
}

pub(super) fn is_expected(expected: &str, actual: &str) -> Result<(), Error> {
    if same_org(expected, actual) {
        return Ok(());
    }
    Err(Error::UnexpectedOrg {
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    })
}
