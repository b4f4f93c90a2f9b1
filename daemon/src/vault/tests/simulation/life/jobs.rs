//! The jobs that call, and what they may expect.

use std::{sync::Arc, time::Duration};

use super::{Job, Life};
use crate::{
    clock::Clock as _,
    error::Error,
    failure::Class,
    session::{Session, decision::Want},
    share::Account,
    vault::SessionRequest,
};

impl Life {
    /// A job that uses what it gets, and reports it if that is dead.
    pub(super) async fn call(&mut self, job: usize, demanding: bool) {
        let want = Want {
            min_ttl: Duration::from_mins(if demanding { 40 } else { 0 }),
            fresh_proof: demanding && self.dice.one_in(4),
            ..Want::default()
        };
        let now = self.time.now();
        let good = self.jobs[job]
            .held
            .clone()
            .filter(|held| held.is_guaranteed(want.min_ttl, now));
        let result = self.ask(job, want).await;
        let session = match result {
            Ok(session) => session,
            Err(error) => {
                self.jobs[job].held = None;
                let kept = good.is_some() && !want.fresh_proof;
                assert!(
                    !kept,
                    "{}: a good session was taken away: {error:?}",
                    self.jobs[job].name
                );
                return;
            }
        };
        let (alive, _) = self.salesforce.look_at(&session.session_id);
        if !alive {
            self.report(job, &session).await;
        }
    }

    /// Reports a session as refused. Nobody gets the same again.
    async fn report(&mut self, job: usize, session: &Arc<Session>) {
        self.figures.reports += 1;
        let want = Want {
            refused: Some(session.generation),
            ..Want::default()
        };
        self.jobs[job].held = None;
        let result = self.ask(job, want).await;
        // What has just proved to be alive is not doubted again at once, and says so.
        let heard = !matches!(
            result,
            Err(Error::Store(_) | Error::SessionRefusedAgain { .. } | Error::Throttled { .. })
        );
        if heard {
            let refused = &mut self.jobs[job].refused;
            *refused = session.generation.max(*refused);
        }
        if let Ok(next) = result {
            assert!(
                next.generation > session.generation,
                "the refused one again"
            );
            let (alive, _) = self.salesforce.look_at(&next.session_id);
            assert!(alive, "a dead session for a dead one");
        }
    }

    /// A confused job that calls whatever it gets refused.
    pub(super) async fn be_reported_in_a_loop(&mut self, job: usize) {
        let (before, _) = self.salesforce.sent();
        let dies_after = self.dice.below(8);
        for turn in 0..20 {
            if turn == dies_after {
                // What spaces the logins out must not be forgotten with the daemon.
                self.be_killed().await;
            }
            self.salesforce.end_sessions(self.jobs[job].username);
            let Ok(session) = self.ask(job, Want::default()).await else {
                break;
            };
            self.report(job, &session).await;
        }
        let (after, _) = self.salesforce.sent();
        assert!(after - before <= 5, "{} logins in a moment", after - before);
    }

    /// The same on both records of one user, for longer than anybody's patience.
    pub(super) async fn be_reported_for_an_hour(&mut self) {
        for _ in 0..40 {
            self.be_reported_in_a_loop(0).await;
            self.be_reported_in_a_loop(1).await;
            self.time.pass(Duration::from_secs(100));
        }
    }

    /// Every answer of the vault comes through here.
    pub(super) async fn ask(&mut self, job: usize, want: Want) -> Result<Arc<Session>, Error> {
        let request = SessionRequest {
            want,
            cause: Some(Account::of_unit(1000, "etl.service")),
            ..SessionRequest::default()
        };
        let result = self.vault.session(self.jobs[job].name, &request).await;
        let Job {
            name,
            username,
            host,
            password,
            ..
        } = &self.jobs[job];
        match &result {
            Ok(session) => {
                self.figures.sessions += 1;
                let known = &self.jobs[job];
                assert!(session.generation >= known.newest, "{name}: an old one");
                assert!(session.generation > known.refused, "{name}: a refused one");
                assert!(
                    session.is_guaranteed(want.min_ttl, self.time.now()),
                    "{name}"
                );
                let (alive, ended) = self.salesforce.look_at(&session.session_id);
                if !alive && !ended {
                    let jumped = self.salesforce.jumped_since_proof(&session.session_id);
                    assert!(jumped, "{name}: served past its guarantee");
                    self.figures.served_late += 1;
                }
                let job = &mut self.jobs[job];
                job.lost &= job.issued == Some(session.issued_at);
                job.issued = Some(session.issued_at);
                job.newest = session.generation;
                job.held = Some(Arc::clone(session));
            }
            Err(Error::Latched { failure, .. }) => {
                self.figures.refused_to_callers += 1;
                if matches!(failure.class, Class::BadCredentials | Class::LockedOut) {
                    self.salesforce.told_rejected(username, host, password);
                    self.figures.rejections_told += 1;
                }
            }
            Err(Error::LoginShareSpent { .. } | Error::Throttled { .. }) => {
                self.figures.throttled += 1
            }
            Err(
                Error::LoginBudgetSpent { .. }
                | Error::LoginFailed { .. }
                | Error::SessionRefusedAgain { .. }
                | Error::Store(_),
            ) => self.figures.refused_to_callers += 1,
            Err(error) => panic!("{name}: {error:?}"),
        }
        result
    }
}
