//! Disks that fail.

use std::{io, time::Duration};

use super::{
    super::book::Setting,
    Life,
    changes::{Change, is_same},
};
use crate::{
    credential::FlowKind, error::Error, session::decision::Want, store::tests::disk::Fault,
};

impl Life {
    pub(super) async fn call_on_a_bad_disk(&mut self, job: usize) {
        let report = self.dice.one_in(2);
        let held = match report {
            true => self.ask(job, Want::default()).await.ok(),
            false => None,
        };
        let want = Want {
            fresh_login: self.dice.one_in(3),
            ..Want::default()
        };
        self.break_disk();
        // What comes of it stands in the ledger before anybody hears of it.
        if let Some(held) = held {
            self.report(job, &held).await;
        }
        let result = self.ask(job, want).await;
        if self.heal_disk() {
            // A session that could not be saved is served all the same; the next daemon does not know it.
            self.jobs[job].lost = true;
        } else {
            assert!(!matches!(result, Err(Error::Store(_))), "{result:?}");
        }
    }

    /// A change on a disk that fails, and then the daemon dies: what was said to be done is done, what was said to have
    /// failed may be, and nothing in between.
    pub(super) async fn change_on_a_bad_disk(&mut self, job: usize) {
        if self.has_drawn(job) {
            return;
        }
        let before = (self.jobs[job].way.clone(), self.jobs[job].kept.clone());
        if self.dice.one_in(4) && before.0.kind() == FlowKind::SoapLogin {
            return self.draw_on_a_bad_disk(job).await;
        }
        let kept = self.jobs[job].kept.is_some();
        let change = match self.dice.below(5) {
            0 | 1 => Change::Migrate(self.another_way(job)),
            2 if kept => Change::Back {
                check: self.dice.one_in(2),
            },
            3 if kept => Change::Forget,
            kind => {
                self.change_elsewhere(job);
                let secret = self.salesforce.book().door(&before.0).secret.clone();
                let to = before.0.with(&secret);
                match kind {
                    4 => Change::Set(to),
                    _ => Change::Rotate(to),
                }
            }
        };
        let after = change.after(&self.jobs[job]);
        self.break_disk();
        let made = self.make(job, &change).await;
        let struck = self.heal_disk();
        let in_memory = matches!(made, Err(Error::Store(_) | Error::TokenUnsaved { .. })) || struck;
        self.die_on_it(job, in_memory).await;
        let found = self.stored(job);
        let (undone, done) = (is_same(&found, &before), is_same(&found, &after));
        assert!(undone || done, "{change:?}: {found:?} after {before:?}");
        assert!(done || made.is_err(), "{change:?} was acknowledged");
        assert!(struck || undone || made.is_ok(), "{change:?}: {made:?}");
        (self.jobs[job].way, self.jobs[job].kept) = found;
        if done {
            self.made(job, &change);
        }
    }

    async fn draw_on_a_bad_disk(&mut self, job: usize) {
        let setting = self.dice.pick(&[Setting::Done, Setting::DoneUnanswered]);
        let was_known = self.knows_the_password(job);
        self.break_disk();
        let drawn = self.draw(job, setting).await;
        self.heal_disk();
        self.die_on_it(job, false).await;
        (self.jobs[job].way, self.jobs[job].kept) = self.stored(job);
        let known = self.knows_the_password(job);
        assert!(known || !was_known, "nobody knows the password: {drawn:?}");
        self.adopted(job);
    }

    async fn die_on_it(&mut self, job: usize, in_memory: bool) {
        self.time.pass(Duration::from_secs(1)).await;
        self.figures.fault("kills");
        let bytes = self.disk.bytes();
        let lost = if in_memory { vec![job] } else { Vec::new() };
        self.restart(bytes, &lost).await;
    }

    pub(super) fn break_disk(&mut self) {
        let fault = Fault {
            after: 1 + self.dice.below(12),
            kind: self
                .dice
                .pick(&[io::ErrorKind::StorageFull, io::ErrorKind::Other]),
            once: self.dice.one_in(2),
            short: self.dice.one_in(2),
            reads_too: false,
        };
        self.disk.arm(fault);
    }

    /// Returns whether it failed anybody.
    pub(super) fn heal_disk(&mut self) -> bool {
        let struck = self.disk.heal();
        if struck {
            self.figures.fault("disk faults");
            self.salesforce.excuse();
        }
        struck
    }
}
