//! Daemons that die, and machines that lose power.

use std::{sync::Arc, time::Duration};

use super::{
    super::{book::Hang, salesforce::INSTANCE},
    Life,
    changes::{Change, is_same},
    keep_tokens, over,
};
use crate::{
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
        let (logins, proofs) = self.sent();
        let bytes = if self.dice.one_in(2) {
            self.figures.fault("kills");
            self.disk.bytes()
        } else {
            self.figures.fault("power cuts");
            let mut dice = self.dice.clone();
            self.disk.after_losing(|| dice.one_in(2))
        };
        self.restart(bytes, &[]).await;
        let Some(before) = before.filter(|before| kept && self.is_provable(before)) else {
            return;
        };
        let after = self.ask(job, Want::default()).await.unwrap();
        assert_eq!(after.generation, before.generation, "{before:?} {after:?}");
        // A proof that is not news is not written; then the one before must still hold, or one call is made.
        let (logins_after, proofs_after) = self.sent();
        assert_eq!(logins_after, logins, "a restart cost a login");
        assert!(proofs_after <= proofs + 1);
        self.figures.did("logins kept over a restart");
    }

    pub(super) fn is_provable(&self, session: &Arc<Session>) -> bool {
        let instance = Host::parse(INSTANCE).unwrap();
        let down = self.salesforce.book().is_down(&instance);
        self.salesforce.look_at(&session.session_id).0 && !down
    }

    pub(super) async fn be_killed(&mut self) {
        self.figures.fault("kills");
        let bytes = self.disk.bytes();
        self.restart(bytes, &[]).await;
    }

    pub(super) async fn die_in_login(&mut self, job: usize) {
        self.rest(Duration::from_hours(3)).await;
        let late = self.dice.one_in(2);
        // Each counts, for Salesforce may have judged it.
        for _ in 0..self.dice.pick(&[1, 1, 4]) {
            self.die_in_one_login(job, late).await;
            self.rest(Duration::from_mins(1)).await;
        }
    }

    async fn die_in_one_login(&mut self, job: usize, late: bool) {
        self.salesforce.book().end_sessions(self.jobs[job].user);
        self.salesforce.book().hang = if late { Hang::Late } else { Hang::Lost };
        let request = SessionRequest::default();
        let hung = tokio::select! {
            biased;
            _ = self.vault.session(self.jobs[job].name, &request) => false,
            () = self.salesforce.hangs.notified() => true,
        };
        self.end_of(job, hung && late, "deaths in a login").await;
    }

    /// What was rehearsed is neither adopted nor has it harmed what there is.
    pub(super) async fn die_in_migration(&mut self, job: usize) {
        let undo = self.dice.one_in(3) && self.jobs[job].kept.is_some();
        let change = match undo {
            true => Change::Back { check: true },
            false => Change::Migrate(self.another_way(job)),
        };
        if self.ask(job, Want::default()).await.is_err() {
            return;
        }
        let before = (self.jobs[job].way.clone(), self.jobs[job].kept.clone());
        self.salesforce.book().hang = Hang::Late;
        let salesforce = Arc::clone(&self.salesforce);
        let hung = tokio::select! {
            biased;
            _ = self.make(job, &change) => false,
            () = salesforce.hangs.notified() => true,
        };
        self.end_of(job, hung, "deaths in a migration").await;
        let found = self.stored(job);
        if hung {
            assert!(is_same(&found, &before), "{found:?} {before:?}");
        } else if found.0.flow != before.0.flow {
            self.adopted(job);
        }
        (self.jobs[job].way, self.jobs[job].kept) = found;
    }

    async fn end_of(&mut self, job: usize, judged: bool, what: &'static str) {
        self.salesforce.book().hang = Hang::No;
        self.jobs[job].held = None;
        if judged || what == "deaths in a login" {
            self.figures.fault(what);
        }
        let bytes = self.disk.bytes();
        // A token that came in place of the one that was sent dies with the daemon.
        let lost = if judged { vec![job] } else { Vec::new() };
        let died = self.time.truly();
        self.restart(bytes, &lost).await;
        self.salesforce.book().forget_answers_of(died);
    }

    /// Another daemon comes, over what the disk holds. `lost`: whose token the dead one had not even been told.
    pub(super) async fn restart(&mut self, bytes: Vec<u8>, lost: &[usize]) {
        let mut in_memory = self.with_tokens_in_memory();
        in_memory.extend(lost);
        self.leave_all_streams();
        self.token_keeper.abort();
        // The dead daemon's tasks end on a disk that is gone for them.
        self.disk.arm(Fault {
            after: 1,
            kind: std::io::ErrorKind::Other,
            once: false,
            short: false,
            reads_too: true,
        });
        self.salesforce.book().silent = true;
        self.salesforce.hang_up();
        assert!(self.vault.settle(Duration::from_mins(1)).await);
        self.vault.lock().await.unwrap();
        self.time.settle().await;
        self.salesforce.book().silent = false;
        self.disk = Disk::holding(bytes);
        let store = Store::open_backend(self.disk.clone()).unwrap();
        self.salesforce.book().begin_anew(self.time.truly());
        self.vault = over(store, &self.keys, &self.salesforce, &self.time);
        self.token_keeper = keep_tokens(&self.vault);
        for job in &mut self.jobs {
            // What the file promises is a little behind; the rest is to be proven.
            job.begin_anew();
        }
        self.find_orphans(&in_memory);
    }
}
