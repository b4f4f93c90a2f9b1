//! What operators decide to do.

use std::time::Duration;

use super::{
    Life,
    changes::{Change, is_same},
};
use crate::{
    credential::FlowKind,
    error::Error,
    session::decision::Want,
    vault::{Migration, NewSecrets, Rotation},
};

impl Life {
    /// The operator gives the vault what lets in now, or releases what is latched.
    pub(super) async fn mend(&mut self, job: usize) {
        // A check proves the session, and may find it dead.
        self.jobs[job].held = None;
        if self.dice.one_in(3) {
            self.release(job).await;
        } else {
            self.give_the_right_secret(job).await;
        }
    }

    pub(super) async fn release(&mut self, job: usize) {
        let way = self.jobs[job].way.clone();
        self.salesforce.book().release(&way);
        for kind in super::FLOWS {
            let other = self.way_by(job, kind, "");
            self.salesforce.book().forgive(&other);
        }
        let checked = self.vault.check(self.name(job), true).await;
        if let Err(Error::Latched { failure, .. }) = checked {
            self.told_of_latch(job, failure.class);
        }
    }

    /// Also where a password was drawn and never came into force, or its token was never given.
    pub(super) async fn give_the_right_secret(&mut self, job: usize) {
        self.figures.did("credentials set");
        let mut way = self.jobs[job].way.clone();
        let user = self.jobs[job].user;
        if way.kind() == FlowKind::RefreshToken {
            self.approve_if_dead(job);
        }
        {
            let mut book = self.salesforce.book();
            let door = book.door(&way);
            door.user = user.to_owned();
            way.secret = door.secret.clone();
        }
        if self.has_drawn(job) {
            self.finish_drawn(job).await;
        } else if way != self.jobs[job].way {
            self.change(job, Change::Set(way)).await;
        }
    }

    /// An operator who tries wrong secrets again and again, and restarts the daemon in between.
    pub(super) async fn insist(&mut self, job: usize) {
        if self.has_drawn(job) {
            return;
        }
        let ways = [self.jobs[job].way.clone(), self.another_way(job)];
        let mut wrong = ways.map(|way| way.with(&self.fresh("wrong")));
        for _ in 0..8 {
            for way in &mut wrong {
                if self.dice.one_in(3) {
                    *way = way.with(&self.fresh("wrong"));
                }
            }
            let change = match self.dice.below(3) {
                0 => Change::Migrate(wrong[1].clone()),
                _ => Change::Rotate(wrong[0].clone()),
            };
            assert!(!self.change(job, change).await, "a wrong secret");
            if self.dice.one_in(4) {
                self.be_killed().await;
            }
            self.rest(Duration::from_secs(20)).await;
        }
        self.figures.did("wrong secrets insisted on");
    }

    /// New secrets, tried before they replace the old.
    pub(super) async fn rotate(&mut self, job: usize) {
        if self.has_drawn(job) {
            return self.finish_drawn(job).await;
        }
        let way = self.jobs[job].way.clone();
        if self.dice.one_in(4) {
            let wrong = self.fresh("wrong");
            let made = self.change(job, Change::Rotate(way.with(&wrong))).await;
            assert!(!made, "a wrong secret was adopted");
            self.figures.did("rotations that failed");
            return;
        }
        self.change_elsewhere(job);
        let secret = self.salesforce.book().door(&way).secret.clone();
        if self.change(job, Change::Rotate(way.with(&secret))).await {
            self.figures.did("rotations");
        }
    }

    /// The record is to log in in another way: with the right secret, a wrong one, or one of another user's.
    pub(super) async fn migrate(&mut self, job: usize) {
        if self.dice.one_in(6) && self.jobs[job].kept.is_some() {
            self.change(job, Change::Forget).await;
            self.figures.did("kept logins forgotten");
            return;
        }
        let to = self.another_way(job);
        let fate = self.dice.below(8);
        if fate == 0 {
            let wrong = to.with(&self.fresh("wrong"));
            let made = self.change(job, Change::Migrate(wrong)).await;
            assert!(!made, "a migration to a wrong secret");
            self.figures.did("migrations that failed");
        } else if fate == 1 && !to.sends_password() {
            self.salesforce.book().door(&to).user = "other".to_owned();
            let made = self.change(job, Change::Migrate(to.clone())).await;
            assert!(
                !made || self.jobs[job].newest == 0,
                "a migration to another's login"
            );
            self.salesforce.book().door(&to).user = self.jobs[job].user.to_owned();
            self.figures.did("migrations that failed");
        } else if fate == 2 && to.kind() != FlowKind::RefreshToken {
            self.rehearse(job, to).await;
        } else if self.change(job, Change::Migrate(to)).await {
            self.figures.did("migrations");
        }
    }

    async fn rehearse(&mut self, job: usize, to: super::Way) {
        let before = self.stored(job);
        let migration = Migration {
            to: super::new_record(self.jobs[job].name, &to),
            dry_run: true,
            expect_user: None,
            expect_org: None,
        };
        let _ = self.vault.migrate(migration).await;
        self.jobs[job].held = None;
        let after = self.stored(job);
        assert!(is_same(&after, &before), "a rehearsal: {after:?}");
        (self.jobs[job].way, self.jobs[job].kept) = after;
        self.figures.did("migrations rehearsed");
    }

    pub(super) async fn undo_migration(&mut self, job: usize) {
        let check = self.dice.one_in(2);
        if self.jobs[job].kept.is_none() {
            let undone = self.vault.migrate_back(self.name(job), check).await;
            let refused = matches!(
                undone,
                Err(Error::InvalidArgument { .. } | Error::TokenAwaited(_))
            );
            assert!(refused, "{undone:?}");
        } else if self.change(job, Change::Back { check }).await {
            self.figures.did("migrations undone");
        }
    }

    /// An operator in a hurry: wrong secrets, forth and back, and the daemon started anew, all within minutes.
    pub(super) async fn fiddle(&mut self, job: usize) {
        for _ in 0..12 {
            let _ = self.ask(job, Want::default()).await;
            match self.dice.below(6) {
                0 | 1 if !self.has_drawn(job) => {
                    let wrong = self.fresh("wrong");
                    let wrong = self.jobs[job].way.with(&wrong);
                    self.change(job, Change::Set(wrong)).await;
                    self.salesforce.book().end_sessions(self.jobs[job].user);
                }
                0 | 1 => {}
                2 => self.migrate(job).await,
                3 | 4 => self.undo_migration(job).await,
                _ => self.be_killed().await,
            }
            self.rest(Duration::from_secs(20)).await;
        }
    }

    /// A way that is not the record's, with what lets in.
    pub(super) fn another_way(&mut self, job: usize) -> super::Way {
        let present = self.jobs[job].way.kind();
        let kind = loop {
            let kind = self.dice.pick(&super::FLOWS);
            if kind != present {
                break kind;
            }
        };
        let way = self.way_by(job, kind, "");
        if kind == FlowKind::RefreshToken {
            // Whoever migrates to it has just approved it.
            let token = self.fresh("approved");
            self.salesforce.book().door(&way).change(&token);
        }
        let mut book = self.salesforce.book();
        if way.sends_password() {
            // An operator enters it anew, and nothing is known of it.
            book.begin_count(&way);
        }
        let secret = book.door(&way).secret.clone();
        way.with(&secret)
    }

    /// Tries a drawn password with the token that Salesforce mailed, else the old one.
    pub(super) async fn finish_drawn(&mut self, job: usize) {
        let way = self.jobs[job].way.clone();
        let door = self.salesforce.book().door(&way).secret.clone();
        let drawn = self.drawn(job).unwrap();
        let rotation = if door == way.secret {
            self.salesforce.book().forgive(&way);
            Rotation::KeepOld
        } else {
            let right = way.with(&door).secrets();
            let in_force = door.split(' ').next() == Some(drawn.as_str());
            Rotation::To(NewSecrets {
                // What is known need not be entered again.
                password: right.password.filter(|_| !in_force),
                ..right
            })
        };
        let ended = self.vault.rotate(self.name(job), rotation).await;
        self.jobs[job].held = None;
        (self.jobs[job].way, self.jobs[job].kept) = self.stored(job);
        match ended {
            Ok(_) => {
                assert_eq!(self.jobs[job].way.secret, door);
                assert!(!self.has_drawn(job));
                self.adopted(job);
                self.figures.did("drawn passwords finished");
            }
            Err(error) => {
                assert_eq!(self.jobs[job].way, way, "{error:?}");
                assert!(self.has_drawn(job), "{error:?}");
            }
        }
    }
}
