//! Time in which nobody asks for anything: what is sent then somebody must have a use for.

use std::time::{Duration, SystemTime};

use super::{
    super::{super::answers::TIMEOUT, book::Leave, way::Way},
    HOLD, Life, UPKEEP,
    job::Job,
};
use crate::{clock::Clock as _, token_upkeep::IDLE_LIMIT};

impl Life {
    pub(super) async fn rest(&mut self, by: Duration) {
        self.time.settle().await;
        let leave = self.leave(by);
        self.salesforce.book().begin_leave(leave);
        self.time.pass(by).await;
        self.salesforce.book().end_leave();
    }

    /// What those who hold a session have a use for, and what keeps refresh tokens alive.
    fn leave(&self, by: Duration) -> Leave {
        let (now, truly) = (self.time.now(), self.time.truly());
        let mut leave = Leave::default();
        for (number, job) in self.jobs.iter().enumerate() {
            let watched = self.streams.iter().any(|stream| stream.who().0 == number);
            let upkeep = self.upkeep_is_due(job, by);
            let (_, entry) = self.vault.find(job.name).unwrap();
            let state = entry.lock();
            if watched || upkeep {
                leave.log_in(&Way {
                    host: state.record.login_host.clone(),
                    flow: state.record.flow.clone(),
                    secret: String::new(),
                });
            }
            let held = self
                .held_until(job)
                .and_then(|end| end.duration_since(now).ok());
            let calls = match (watched || upkeep, held) {
                (true, _) => by,
                (false, Some(held)) => by.min(held),
                (false, None) => continue,
            };
            // A call for each half of the timeout, and so much earlier as streams want it sure.
            let apart = match state.holds.min_ttl() {
                Duration::ZERO => TIMEOUT / 2,
                min_ttl => TIMEOUT / 2 - min_ttl - TIMEOUT / 60,
            };
            let most = 1 + calls.as_secs() / apart.as_secs();
            leave.call(job.user, truly + calls, most);
        }
        leave
    }

    /// Whether nothing falls due in this time: nobody holds a session, and no refresh token is old.
    pub(super) fn is_idle(&self, by: Duration) -> bool {
        let now = self.time.now();
        self.streams.is_empty()
            && self.jobs.iter().all(|job| {
                let taken = job.taken.is_some_and(|at| at < now + by);
                let held = taken && self.held_until(job).is_some_and(|end| now < end);
                let view = self.vault.record(job.name).unwrap();
                !held && !self.upkeep_is_due(job, by) && view.token_unsaved.is_none()
            })
    }

    /// Whoever took it once holds it so long.
    fn held_until(&self, job: &Job) -> Option<SystemTime> {
        job.taken.map(|at| at + HOLD)
    }

    fn upkeep_is_due(&self, job: &Job, by: Duration) -> bool {
        let view = self.vault.record(job.name).unwrap();
        let used = view.token_idle_until.map(|until| until - IDLE_LIMIT);
        used.is_some_and(|used| self.time.now() + by >= used + UPKEEP * 9 / 10)
    }
}
