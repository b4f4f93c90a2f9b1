//! Time that passes and jumps, and what goes wrong at Salesforce.

use std::time::Duration;

use super::{Life, hosts};
use crate::session::decision::Want;

impl Life {
    pub(super) async fn let_time_pass(&mut self) {
        let seconds = self
            .dice
            .pick(&[1, 20, 60, 60, 300, 300, 900, 1800, 3600, 10_800]);
        // Longer than a session lives that nobody keeps.
        let long = !self.streams.is_empty() && self.dice.one_in(2);
        let seconds = if long { 10_800 } else { seconds };
        if self.dice.one_in(40) {
            self.figures.fault("suspends");
            self.time.suspend(Duration::from_hours(8));
        }
        let by = Duration::from_secs(seconds + self.dice.below(seconds));
        self.time.settle().await;
        let (kept, idle, before) = (self.well_kept(), self.is_idle(by), self.sent());
        self.rest(by).await;
        let after = self.sent();
        if idle {
            assert_eq!(
                after, before,
                "nobody holds anything, and yet it was asked for"
            );
            self.figures
                .add_to("idle hours without a call", by.as_secs().div_ceil(3600));
        }
        for (job, session) in &kept {
            let name = self.jobs[*job].name;
            let now = self.time.truly();
            let ends = self.salesforce.idles_out_at(&session.session_id);
            assert!(now < ends, "{name}: held, and it idled out");
            self.figures.did("held sessions kept alive");
        }
    }

    pub(super) fn end_sessions(&mut self, job: usize) {
        self.figures.fault("sessions ended");
        self.salesforce.book().end_sessions(self.jobs[job].user);
    }

    /// Somebody gives the user another password, the app another secret, or approves it once more: what the vault has is
    /// wrong now. Or the app's sessions become those of another user.
    pub(super) fn change_elsewhere(&mut self, job: usize) {
        self.figures.fault("secrets changed elsewhere");
        let way = self.jobs[job].way.clone();
        let known = self.vault.record(self.jobs[job].name).unwrap().record;
        if !way.sends_password() && known.pin.is_some() && self.dice.one_in(4) {
            self.salesforce.book().door(&way).user = "other".to_owned();
            return;
        }
        let mut secret = self.fresh("right");
        if way.secret.contains(' ') {
            secret = secret + " " + &self.fresh("Mailed");
        }
        self.salesforce.book().door(&way).change(&secret);
    }

    pub(super) fn limit(&mut self, job: usize) {
        self.figures.fault("rate limits");
        let user = self.jobs[job].user.to_owned();
        self.salesforce.book().limited.insert(user);
    }

    pub(super) fn stop_limiting(&mut self, job: usize) {
        self.salesforce.book().limited.remove(self.jobs[job].user);
    }

    pub(super) fn toggle_host(&mut self) {
        let hosts = hosts();
        let host = &hosts[usize::try_from(self.dice.below(hosts.len() as u64)).unwrap()];
        let down = self.dice.one_in(4);
        if down {
            self.figures.fault("outages");
        }
        self.salesforce.book().take_down(host, down);
    }

    pub(super) fn jump(&mut self) {
        let by = self.dice.pick(&[90, 3600, 24 * 3600]);
        let ahead = self.dice.one_in(2);
        self.time.jump(ahead, Duration::from_secs(by));
        self.jump_is_over();
    }

    /// The clock goes back by a day, and the day passes in silence: by the daemon's clock nothing has happened, and yet
    /// its sessions are dead. Who is given one calls it refused, and gets no other dead one.
    pub(super) async fn live_a_day_twice(&mut self, job: usize) {
        let day = Duration::from_hours(24);
        let _ = self.ask(job, Want::default()).await;
        self.time.jump(false, day);
        self.jump_is_over();
        self.time.suspend(day + Duration::from_mins(10));
        self.call(job, false).await;
    }

    fn jump_is_over(&mut self) {
        self.salesforce.jumped();
        self.figures.fault("clock jumps");
    }
}
