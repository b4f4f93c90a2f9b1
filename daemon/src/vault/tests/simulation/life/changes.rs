//! What operators change about how a record logs in: it is done or not, and nothing in between.

use super::{super::way::Way, FLOWS, Life, MY_DOMAIN, job::Job, new_record};
use crate::{
    credential::FlowKind,
    error::Error,
    failure::Class,
    session::decision::Want,
    vault::{Migration, Rotation},
};

#[derive(Debug, Clone)]
pub(super) enum Change {
    Set(Way),
    Rotate(Way),
    Migrate(Way),
    Back { check: bool },
    Forget,
}

impl Change {
    /// What the record has when it is done: its login, and the one that it keeps.
    pub(super) fn after(&self, job: &Job) -> (Way, Option<Way>) {
        let (way, kept) = (job.way.clone(), job.kept.clone());
        match self {
            Self::Set(to) | Self::Rotate(to) => (to.clone(), kept),
            Self::Migrate(to) => (to.clone(), Some(way)),
            Self::Back { .. } => (kept.unwrap(), Some(way)),
            Self::Forget => (way, None),
        }
    }

    /// What is tried before it is done.
    fn tried(&self, job: &Job) -> Option<Way> {
        match self {
            Self::Rotate(to) | Self::Migrate(to) => Some(to.clone()),
            Self::Back { check: true } => job.kept.clone(),
            Self::Back { check: false } | Self::Set(_) | Self::Forget => None,
        }
    }
}

impl Life {
    /// Makes a change on a good disk. Returns whether it was made.
    pub(super) async fn change(&mut self, job: usize, change: Change) -> bool {
        let before = (self.jobs[job].way.clone(), self.jobs[job].kept.clone());
        let after = change.after(&self.jobs[job]);
        let held = self.held(job, Default::default());
        let good = held.is_some_and(|held| self.salesforce.look_at(&held.session_id).0);
        let newest = self.jobs[job].newest;
        let made = self.make(job, &change).await;
        let found = self.stored(job);
        match &made {
            Ok(()) => {
                assert!(is_same(&found, &after), "{change:?}: {found:?}");
                self.made(job, &change);
            }
            Err(error) => {
                assert!(is_same(&found, &before), "{change:?}: {found:?} {error:?}");
                assert!(may_fail(error), "{change:?}: {error:?}");
            }
        }
        (self.jobs[job].way, self.jobs[job].kept) = found;
        let failed = made.is_err();
        let session = self.ask(job, Want::default()).await;
        assert!(
            session.is_ok() || !(failed && good),
            "{change:?} took a good session away: {made:?} {session:?}"
        );
        if let (Ok(session), Change::Migrate(_) | Change::Back { .. }, Ok(())) =
            (session, &change, &made)
        {
            assert!(session.generation > newest, "{change:?}");
        }
        made.is_ok()
    }

    /// The same whatever the disk does; what it did is for the caller to find out.
    pub(super) async fn make(&mut self, job: usize, change: &Change) -> Result<(), Error> {
        let name = self.name(job);
        let tried = change.tried(&self.jobs[job]);
        let made = match change {
            Change::Set(to) => self.vault.set(name, to.secrets()).await.map(drop),
            Change::Rotate(to) => {
                let rotation = Rotation::To(to.secrets());
                self.vault.rotate(name, rotation).await.map(drop)
            }
            Change::Migrate(to) => {
                let migration = Migration {
                    to: new_record(self.jobs[job].name, to),
                    dry_run: false,
                    expect_user: None,
                    expect_org: None,
                };
                self.vault.migrate(migration).await.map(drop)
            }
            Change::Back { check } => {
                if let Some(kept) = &self.jobs[job].kept {
                    // An operator says so.
                    self.salesforce.book().forgive(kept);
                }
                self.vault.migrate_back(name, *check).await.map(drop)
            }
            Change::Forget => self.vault.forget_old(name).await.map(drop),
        };
        self.jobs[job].held = None;
        if let (Err(Error::TrialFailed { failure, .. }), Some(tried)) = (&made, tried)
            && matches!(
                failure.class,
                Class::BadCredentials | Class::LockedOut | Class::RefreshDead
            )
        {
            self.salesforce.book().told_rejected(&tried);
        }
        made
    }

    /// The record logs in in another way now.
    pub(super) fn made(&mut self, job: usize, change: &Change) {
        match change {
            Change::Set(to) => {
                self.jobs[job].lost = true;
                let mut book = self.salesforce.book();
                let door = book.door(to);
                // An operator gave up the present token.
                door.vaulted.take_if(|_| door.secret != to.secret);
            }
            Change::Rotate(_) | Change::Migrate(_) => {}
            Change::Back { check } => self.jobs[job].lost |= !check,
            Change::Forget => return,
        }
        self.adopted(job);
    }

    /// What was rejected for this record before is another matter.
    pub(super) fn adopted(&mut self, job: usize) {
        for kind in FLOWS {
            let way = self.way_by(job, kind, "");
            self.salesforce.book().forgive(&way);
        }
    }

    /// A way of a kind that the job has or could have.
    pub(super) fn way_by(&self, job: usize, kind: FlowKind, secret: &str) -> Way {
        let Job {
            name, user, home, ..
        } = self.jobs[job];
        let host = match kind {
            FlowKind::SoapLogin => home,
            FlowKind::ClientCredentials
            | FlowKind::JwtBearer
            | FlowKind::RefreshToken
            | FlowKind::UsernamePassword => MY_DOMAIN,
        };
        Way::new(kind, name, user, host, secret)
    }

    /// The login that the vault's file holds for a record, and the one that it keeps.
    pub(super) fn stored(&self, job: usize) -> (Way, Option<Way>) {
        let (refresher, entry) = self.vault.find(self.jobs[job].name).unwrap();
        super::tokens::ways(&refresher.store, &refresher.keys, entry.id())
    }
}

/// Whether they are the same but for refresh tokens, which change with every login.
pub(super) fn is_same(one: &(Way, Option<Way>), other: &(Way, Option<Way>)) -> bool {
    let same = |one: &Way, other: &Way| {
        let token = one.kind() == FlowKind::RefreshToken;
        one == other || token && *one == other.with(&one.secret)
    };
    let kept = match (&one.1, &other.1) {
        (None, None) => true,
        (Some(one), Some(other)) => same(one, other),
        (Some(_), None) | (None, Some(_)) => false,
    };
    kept && same(&one.0, &other.0)
}

/// Whether a change may fail so on a good disk.
fn may_fail(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidArgument { .. }
            | Error::Latched { .. }
            | Error::LoginBudgetSpent { .. }
            | Error::LoginFailed { .. }
            | Error::LoginShareSpent { .. }
            | Error::SessionRefusedAgain { .. }
            | Error::TokenAwaited(_)
            | Error::TrialFailed { .. }
    )
}
