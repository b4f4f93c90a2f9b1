//! The jobs that call, and what they may expect.

use std::{sync::Arc, time::Duration};

use super::{
    super::{salesforce::INSTANCE, way::user_id},
    Life, UID, policy,
};
use crate::{
    clock::Clock as _,
    error::Error,
    failure::Class,
    host::Host,
    policy::{Asker, Peer},
    session::{Session, decision::Want, hold::Holder},
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
        let good = self.held(job, want.min_ttl);
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
        if self.dice.one_in(3) {
            let holder = Holder {
                uid: 1,
                pid: Some(1),
            };
            self.vault.got(self.jobs[job].name, holder);
            self.jobs[job].taken = Some(self.time.now());
        }
        let (alive, _) = self.salesforce.look_at(&session.session_id);
        if !alive {
            self.report(job, &session).await;
        }
    }

    /// What the job was last given, if it must be given again to whoever wants it for so long.
    pub(super) fn held(&self, job: usize, min_ttl: Duration) -> Option<Arc<Session>> {
        let now = self.time.now();
        let held = self.jobs[job].held.clone();
        held.filter(|held| held.is_guaranteed(min_ttl, now))
    }

    /// Reports a session as refused. Nobody gets the same again.
    pub(super) async fn report(&mut self, job: usize, session: &Arc<Session>) {
        self.figures.did("reports");
        let want = Want {
            refused: Some(session.generation),
            ..Want::default()
        };
        self.jobs[job].held = None;
        let (_, proofs) = self.sent();
        let result = self.ask(job, want).await;
        // What has just proved to be alive is not doubted again at once, and says so.
        let heard = !matches!(
            result,
            Err(Error::Store(_) | Error::SessionRefusedAgain { .. } | Error::Throttled { .. })
        );
        if heard {
            let mut facts = self.jobs[job].facts();
            facts.refused = session.generation.max(facts.refused);
        }
        if let Ok(next) = result {
            assert!(
                next.generation > session.generation,
                "the refused one again"
            );
            let (alive, _) = self.salesforce.look_at(&next.session_id);
            assert!(alive, "a dead session for a dead one");
            let same = next.session_id.matches(&session.session_id);
            let proven = self.sent().1 > proofs;
            assert!(!same || proven, "the refused id, and nobody asked");
        }
    }

    /// A confused job that calls whatever it gets refused.
    pub(super) async fn be_reported_in_a_loop(&mut self, job: usize) {
        let (before, _) = self.sent();
        let dies_after = self.dice.below(8);
        let many = self.dice.one_in(3);
        for turn in 0..20 {
            // Where each has a share, there is a limit for all together.
            self.caller = UID + if many { turn } else { 0 };
            if u64::from(turn) == dies_after {
                // What spaces the logins out must not be forgotten with the daemon.
                self.be_killed().await;
            }
            self.salesforce.book().end_sessions(self.jobs[job].user);
            let Ok(session) = self.ask(job, Want::default()).await else {
                break;
            };
            self.report(job, &session).await;
        }
        let (after, _) = self.sent();
        self.caller = UID;
        let most = if many { 13 } else { 5 };
        let made = after - before;
        assert!(made <= most, "{made} logins in a moment");
    }

    /// A session is called refused while nobody can find out whether it is. Whatever happens then, nobody gets it before
    /// a call has proved that it lives.
    pub(super) async fn be_reported_in_an_outage(&mut self, job: usize) {
        let Ok(session) = self.ask(job, Want::default()).await else {
            return;
        };
        let instance = Host::parse(INSTANCE).unwrap();
        let down = self.salesforce.book().is_down(&instance);
        self.salesforce.book().take_down(&instance, true);
        self.report(job, &session).await;
        self.time.settle().await;
        self.check_streams().await;
        if self.dice.one_in(2) {
            self.be_killed().await;
        }
        self.call(job, false).await;
        self.rest(Duration::from_mins(6)).await;
        self.salesforce.book().take_down(&instance, down);
        self.call(job, false).await;
        self.figures.did("reports in an outage");
    }

    /// A job reports a session whose id the last login gave again: it is that of the newer generation too.
    pub(super) async fn report_an_old_one(&mut self, job: usize) {
        let fresh = Want {
            fresh_login: true,
            ..Want::default()
        };
        let (first, second) = (
            self.ask(job, Want::default()).await,
            self.ask(job, fresh).await,
        );
        let (Ok(first), Ok(second)) = (first, second) else {
            return;
        };
        if !second.session_id.matches(&first.session_id) {
            return;
        }
        self.figures.did("ids given again");
        let at_once = self.dice.one_in(2);
        if !at_once {
            self.rest(Duration::from_mins(1)).await;
        }
        let sent = self.sent();
        self.report(job, &first).await;
        if at_once {
            assert_eq!(self.sent(), sent, "a call for what was just proved");
        }
    }

    /// The same on both records of one user, for longer than anybody's patience.
    pub(super) async fn be_reported_for_an_hour(&mut self) {
        for _ in 0..40 {
            self.be_reported_in_a_loop(0).await;
            self.be_reported_in_a_loop(1).await;
            self.rest(Duration::from_secs(100)).await;
        }
    }

    /// Every answer of the vault comes through here.
    pub(super) async fn ask(&mut self, job: usize, want: Want) -> Result<Arc<Session>, Error> {
        let request = SessionRequest {
            want,
            cause: Some(Account::of_unit(self.caller, "etl.service")),
            ..SessionRequest::default()
        };
        let name = self.jobs[job].name;
        let uid = self.jobs[job].facts().rules.first().copied();
        let result = match uid {
            Some(uid) => {
                let (policy, peer) = (policy(), Peer::of_ids(uid, uid));
                let mut asker = Asker::new(&policy, &peer);
                self.vault.session_for(&mut asker, name, &request).await
            }
            // Nobody may: then the operator asks.
            None => self.vault.session(name, &request).await,
        };
        match &result {
            Ok(session) => self.check_session(job, session, want),
            Err(Error::Latched { failure, .. }) => {
                self.figures.did("calls refused");
                self.told_of_latch(job, failure.class);
            }
            Err(Error::LoginShareSpent { .. } | Error::Throttled { .. }) => {
                self.figures.did("calls throttled");
            }
            Err(
                Error::LoginBudgetSpent { .. }
                | Error::LoginFailed { .. }
                | Error::SessionRefusedAgain { .. }
                | Error::Store(_)
                | Error::TokenUnsaved { .. },
            ) => self.figures.did("calls refused"),
            Err(error) => panic!("{name}: {error:?}"),
        }
        result
    }

    fn check_session(&mut self, job: usize, session: &Arc<Session>, want: Want) {
        self.figures.did("sessions");
        let known = &self.jobs[job];
        let name = known.name;
        assert!(session.generation >= known.newest, "{name}: an old one");
        let refused = known.facts().refused;
        assert!(session.generation > refused, "{name}: a refused one");
        assert_eq!(session.user_id, user_id(known.user), "{name}: another's");
        let now = self.time.now();
        assert!(session.is_guaranteed(want.min_ttl, now), "{name}");
        let (alive, ended) = self.salesforce.look_at(&session.session_id);
        if !alive && !ended {
            let jumped = self.salesforce.jumped_since_proof(&session.session_id);
            assert!(jumped, "{name}: served past its guarantee");
            self.figures.did("graces after a clock jump");
        }
        let job = &mut self.jobs[job];
        job.lost &= job.issued == Some(session.issued_at);
        job.issued = Some(session.issued_at);
        job.newest = session.generation;
        job.held = Some(Arc::clone(session));
    }

    /// What a caller heard about a rejection is final.
    pub(super) fn told_of_latch(&mut self, job: usize, class: Class) {
        if matches!(
            class,
            Class::BadCredentials
                | Class::LockedOut
                | Class::PinnedElsewhere
                | Class::RefreshDead
                | Class::TokenAwaited
        ) {
            let (way, _) = self.stored(job);
            self.salesforce.book().told_rejected(&way);
            self.figures.did("rejections told");
        }
    }
}
