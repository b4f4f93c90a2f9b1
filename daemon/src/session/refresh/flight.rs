//! A flight: one piece of work for Salesforce, step by step until it lands.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use tokio::sync::OwnedRwLockReadGuard;

use super::Refresher;
use crate::{
    error::Error,
    failure::{Class, Failure},
    record::RecordName,
    salesforce::Grant,
    session::{
        Session,
        decision::{Outcome, Stamp, Step},
        entry::Entry,
        outages::Asking,
        pin::{disagree, leads_elsewhere},
    },
    share::Account,
};

/// One piece of work for Salesforce.
pub(in crate::session) struct Flight {
    pub(in crate::session) refresher: Arc<Refresher>,
    pub(in crate::session) entry: Arc<Entry>,
    pub(in crate::session) stamp: Stamp,
    /// Who answers for a login.
    pub(super) cause: Option<Arc<Account>>,
    /// The host that is asked and has not answered yet.
    pub(super) asked: Mutex<Option<Asking>>,
    pub(super) _in_air: OwnedRwLockReadGuard<()>,
}

impl Drop for Flight {
    /// After a panic nobody must wait for a result that never comes. After a landing only a closed entry has something
    /// left: the flight was the last that wrote it.
    fn drop(&mut self) {
        let mut state = self.entry.lock();
        state
            .machine
            .abandon(self.stamp, self.refresher.clock.now());
        if state.closed.is_some() {
            state.forget_sessions();
        }
    }
}

impl Flight {
    pub(super) async fn run(&self) -> Result<(), Error> {
        loop {
            if let Err(error) = self.ask() {
                self.land(Outcome::NotSent).await?;
                return Err(error);
            }
            let step = self.entry.lock().machine.step(self.stamp, self.now());
            let outcome = match step {
                None => Outcome::NotSent,
                Some(Step::Prove(session)) => {
                    if let Err(error) = self.refresher.catch_up(&self.entry).await {
                        self.land(Outcome::NotSent).await?;
                        return Err(error);
                    }
                    match self.prove(&session).await {
                        Some(outcome) => outcome,
                        None => continue,
                    }
                }
                Some(Step::ProveGrant { grant, generation }) => {
                    let outcome = self.prove_grant(grant, generation).await;
                    // It may have been got hours ago, by the daemon before this one.
                    if let Outcome::Unproven { failure, .. } = &outcome
                        && failure.class == Class::SessionDead
                    {
                        self.answered();
                        self.entry.lock().machine.session_died(self.stamp);
                        continue;
                    }
                    outcome
                }
                Some(Step::LogIn) => match self.log_in().await {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        self.land(Outcome::NotSent).await?;
                        return Err(error);
                    }
                },
            };
            return self.land(outcome).await;
        }
    }

    /// `None` if the session is dead and the flight goes on.
    async fn prove(&self, session: &Session) -> Option<Outcome> {
        match self
            .refresher
            .login
            .prove(&session.session_id, &session.instance)
            .await
        {
            Ok(proof) => Some(match self.led_elsewhere(&proof.org_id, &proof.user_id) {
                Some(failure) => Outcome::ProofFailed(failure),
                None => Outcome::Proven(proof),
            }),
            Err(failure) if failure.class == Class::SessionDead => {
                self.answered();
                self.entry.lock().machine.session_died(self.stamp);
                None
            }
            Err(failure) => Some(Outcome::ProofFailed(failure)),
        }
    }

    pub(super) async fn prove_grant(&self, grant: Box<Grant>, generation: u64) -> Outcome {
        match self
            .refresher
            .login
            .prove(&grant.session_id, &grant.instance)
            .await
        {
            Ok(proof) => match self
                .led_elsewhere(&proof.org_id, &proof.user_id)
                .or_else(|| disagree(&grant, &proof))
            {
                Some(failure) => Outcome::Unproven {
                    grant,
                    generation,
                    failure,
                },
                None => Outcome::LoggedIn {
                    grant,
                    proof,
                    generation,
                },
            },
            Err(failure) => Outcome::Unproven {
                grant,
                generation,
                failure,
            },
        }
    }

    pub(super) fn led_elsewhere(&self, org_id: &str, user_id: &str) -> Option<Failure> {
        leads_elsewhere(self.entry.lock().record.pin.as_ref(), org_id, user_id)
    }

    /// Whether a login may be sent: its result is still wanted, and nobody was told that the vault is locked.
    pub(super) fn may_send(&self) -> bool {
        let state = self.entry.lock();
        state.closed.is_none() && state.machine.is_current(self.stamp)
    }

    pub(super) fn name(&self) -> RecordName {
        self.entry.lock().record.name.clone()
    }

    pub(super) fn now(&self) -> SystemTime {
        self.refresher.clock.now()
    }
}
