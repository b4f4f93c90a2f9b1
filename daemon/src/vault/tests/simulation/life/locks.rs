//! Operators who lock the vault: nothing is handed out or sent meanwhile, and nothing is lost.

use std::{sync::Arc, time::Duration};

use super::{
    super::{super::passphrase::passphrase, book::Hang},
    Life,
};
use crate::{credential::FlowKind, error::Error, session::decision::Want, vault::SessionRequest};

impl Life {
    pub(super) async fn lock_for_a_while(&mut self, job: usize) {
        let (waits, job) = match self.dice.below(3) {
            // What a login brings during a lock matters most where it is the only valid token.
            0 => (true, self.one_by_token().unwrap_or(job)),
            1 => (true, job),
            _ => (false, job),
        };
        let before = self.ask(job, Want::default()).await.ok();
        let kept = !self.jobs[job].lost;
        let idle = self.is_idle(Duration::from_hours(1));
        let mut late = None;
        if waits {
            late = self.hang_in_login(job).await;
        }
        // What the disk would not take, the lock must not lose.
        let other = self.one_by_token().filter(|other| *other != job);
        if let Some(other) = other.filter(|_| !waits) {
            self.call_on_a_bad_disk(other).await;
        }
        self.vault.lock().await.unwrap();
        let sent = self.sent();
        self.time.settle().await;
        for other in 0..self.jobs.len() {
            let request = SessionRequest::default();
            let refused = self.vault.session(self.jobs[other].name, &request).await;
            assert!(matches!(refused, Err(Error::VaultLocked)), "{refused:?}");
            self.figures.did("calls with the vault locked");
        }
        self.check_streams_are_locked();
        let minutes = self.dice.pick(&[0, 1, 20]);
        self.time.pass(Duration::from_mins(minutes)).await;
        assert_eq!(self.sent(), sent, "a locked vault asked Salesforce");
        let hung = late.is_some();
        if let Some(call) = late {
            let full = self.dice.one_in(2);
            if full {
                self.break_disk();
            }
            self.salesforce.hang_up();
            let _ = call.await.unwrap();
            if full && self.heal_disk() {
                self.figures.did("locks on a bad disk");
            }
        }
        self.salesforce.book().begin_anew(self.time.truly());
        let sent = self.sent();
        self.unlock().await;
        (self.jobs[job].way, self.jobs[job].kept) = self.stored(job);
        let Some(before) = before.filter(|before| kept && !hung && self.is_provable(before)) else {
            return;
        };
        let after = self.ask(job, Want::default()).await.unwrap();
        assert_eq!(after.generation, before.generation, "{before:?} {after:?}");
        let (logins, _) = self.sent();
        // Who watches another record may cause one, and so may a token that is old.
        if idle {
            assert_eq!(logins, sent.0, "a lock cost a login");
        }
        self.figures.did("logins kept over a lock");
    }

    pub(super) async fn lock_and_unlock(&mut self) {
        self.vault.lock().await.unwrap();
        self.time.settle().await;
        self.check_streams_are_locked();
        self.salesforce.book().begin_anew(self.time.truly());
        self.unlock().await;
    }

    async fn unlock(&mut self) {
        // In step, whoever unlocks can't wait for what is in the air.
        assert!(self.vault.settle(Duration::from_mins(1)).await);
        self.vault.unlock(passphrase()).await.unwrap();
        for job in &mut self.jobs {
            job.begin_anew();
        }
    }

    fn one_by_token(&self) -> Option<usize> {
        let mut jobs = self.jobs.iter();
        jobs.position(|job| job.way.kind() == FlowKind::RefreshToken)
    }

    /// A login whose answer comes only when somebody hangs up.
    async fn hang_in_login(
        &mut self,
        job: usize,
    ) -> Option<tokio::task::JoinHandle<Result<(), Error>>> {
        self.salesforce.book().end_sessions(self.jobs[job].user);
        let (vault, name) = (Arc::clone(&self.vault), self.jobs[job].name);
        self.salesforce.book().hang = Hang::Late;
        let want = Want {
            fresh_login: true,
            ..Want::default()
        };
        let request = SessionRequest {
            want,
            ..SessionRequest::default()
        };
        let call = tokio::spawn(async move { vault.session(name, &request).await.map(drop) });
        self.time.settle().await;
        let hung = self.salesforce.book().hang == Hang::No;
        self.salesforce.book().hang = Hang::No;
        self.jobs[job].held = None;
        if hung {
            self.figures.did("locks during a login");
            return Some(call);
        }
        let _ = call.await.unwrap();
        None
    }
}
