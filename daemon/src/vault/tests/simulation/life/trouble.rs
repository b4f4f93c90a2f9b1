//! Time that passes and jumps, and hosts that are down.

use std::time::Duration;

use super::{Life, hosts};
use crate::session::decision::Want;

impl Life {
    pub(super) fn let_time_pass(&mut self) {
        let seconds = self
            .dice
            .pick(&[1, 20, 60, 60, 300, 300, 900, 1800, 3600, 10_800]);
        if self.dice.one_in(40) {
            self.figures.suspends += 1;
            self.time.pass(Duration::from_hours(8));
        }
        self.time
            .pass(Duration::from_secs(seconds + self.dice.below(seconds)));
    }

    pub(super) fn toggle_host(&mut self) {
        let hosts = hosts();
        let host = &hosts[usize::try_from(self.dice.below(hosts.len() as u64)).unwrap()];
        let down = self.dice.one_in(3);
        self.figures.outages += u64::from(down);
        self.salesforce.take_down(host, down);
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
        self.time.pass(day + Duration::from_mins(10));
        self.call(job, false).await;
    }

    fn jump_is_over(&mut self) {
        self.salesforce.excuse();
        self.figures.clock_jumps += 1;
    }
}
