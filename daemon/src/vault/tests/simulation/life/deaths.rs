//! Daemons that die, machines that lose power, and disks that fail.

use std::{io, sync::Arc, time::Duration};

use super::{super::salesforce::INSTANCE, Life, over};
use crate::{
    error::Error,
    host::Host,
    session::{Session, decision::Want},
    store::{
        Store,
        tests::disk::{Disk, Fault},
    },
    vault::SessionRequest,
};

impl Life {
    /// The daemon or the machine dies. What was good before is good after, and needs no login and no call.
    pub(super) async fn die(&mut self, job: usize) {
        let before = self.ask(job, Want::default()).await.ok();
        let kept = !self.jobs[job].lost;
        let (logins, proofs) = self.salesforce.sent();
        let bytes = if self.dice.one_in(2) {
            self.figures.kills += 1;
            self.disk.bytes()
        } else {
            self.figures.power_cuts += 1;
            let mut dice = self.dice.clone();
            self.disk.after_losing(|| dice.one_in(2))
        };
        self.restart(bytes).await;
        let provable = |session: &Arc<Session>| {
            let instance = Host::parse(INSTANCE).unwrap();
            self.salesforce.look_at(&session.session_id).0 && !self.salesforce.is_down(&instance)
        };
        let Some(before) = before.filter(|before| kept && provable(before)) else {
            return;
        };
        let after = self.ask(job, Want::default()).await.unwrap();
        assert_eq!(after.generation, before.generation, "{before:?} {after:?}");
        // A proof that is not news is not written; then the one before must still hold, or one call is made.
        let (logins_after, proofs_after) = self.salesforce.sent();
        assert_eq!(logins_after, logins, "a restart cost a login");
        assert!(proofs_after <= proofs + 1);
        self.figures.restarts_without_a_login += 1;
    }

    pub(super) async fn be_killed(&mut self) {
        self.figures.kills += 1;
        let bytes = self.disk.bytes();
        self.restart(bytes).await;
    }

    pub(super) async fn die_in_login(&mut self, job: usize) {
        self.salesforce.end_sessions(self.jobs[job].username);
        self.time.pass(Duration::from_hours(3));
        self.salesforce.hang(true);
        let salesforce = Arc::clone(&self.salesforce);
        let request = SessionRequest::default();
        let hung = tokio::select! {
            _ = self.vault.session(self.jobs[job].name, &request) => false,
            () = salesforce.hangs.notified() => true,
        };
        self.salesforce.hang(false);
        self.jobs[job].held = None;
        self.figures.cut_mid_login += u64::from(hung);
        let bytes = self.disk.bytes();
        self.restart(bytes).await;
    }

    pub(super) async fn call_on_a_bad_disk(&mut self, job: usize) {
        self.disk.arm(Fault {
            after: 1 + self.dice.below(12),
            kind: self
                .dice
                .pick(&[io::ErrorKind::StorageFull, io::ErrorKind::Other]),
            once: self.dice.one_in(2),
            short: self.dice.one_in(2),
            reads_too: false,
        });
        let result = self.ask(job, Want::default()).await;
        if self.disk.heal() {
            self.figures.disk_faults += 1;
            self.salesforce.excuse();
            // A session that could not be saved is served all the same; the next daemon does not know it.
            self.jobs[job].lost = true;
        } else {
            assert!(!matches!(result, Err(Error::Store(_))), "{result:?}");
        }
    }

    async fn restart(&mut self, bytes: Vec<u8>) {
        // The dead daemon's tasks end on a disk that is gone for them.
        self.disk.arm(Fault {
            after: 1,
            kind: io::ErrorKind::Other,
            once: false,
            short: false,
            reads_too: true,
        });
        self.salesforce.hang_up();
        assert!(self.vault.settle(Duration::from_mins(1)).await);
        self.disk = Disk::holding(bytes);
        let store = Store::open_backend(self.disk.clone()).unwrap();
        self.vault = over(store, &self.keys, &self.salesforce, &self.time);
        for job in &mut self.jobs {
            // What the file promises is a little behind; the rest is to be proven.
            job.held = None;
            job.lost = false;
        }
    }
}
