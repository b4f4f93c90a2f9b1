//! Migration and rotation: what changes, what does not, and what is left when the daemon dies at any write.

use std::{io, path::Path, sync::Arc};

use super::{
    org::Hand,
    user::{
        APP_SECRET, NEW_TOKEN, ORG, OTHER_USER, OTHER_USER_15, Salesforce, Setting, USER, app, soap,
    },
};
use crate::{
    aside::DrawnState,
    credential::{Credential, Flow, FlowKind},
    error::Error,
    failure::Class,
    host::Host,
    ledger::Ledger,
    record::{Record, RecordName},
    secret::{Passphrase, Password, RefreshToken, SecurityToken},
    session::{Session, decision::Want},
    store::{
        KdfCost, Store, StoredRecord,
        tests::disk::{Disk, Fault},
    },
    vault::{
        Migrated, Migration, NewRecord, NewSecrets, Parts, Rotated, Rotation, SessionRequest, Vault,
    },
};

struct Stage {
    disk: Disk,
    salesforce: Arc<Salesforce>,
    clock: Arc<Hand>,
    vault: Arc<Vault>,
}

impl Stage {
    /// With the record `prod`, which logs in by password and has not yet.
    async fn new() -> Self {
        let disk = Disk::default();
        drop(Store::create_backend(disk.clone(), &passphrase(), CHEAP).unwrap());
        let (salesforce, clock) = (Arc::new(Salesforce::new()), Arc::new(Hand::new()));
        let vault = open(&disk, &salesforce, &clock).await;
        let (password, token) = {
            let state = salesforce.state();
            (state.password.clone(), state.token.clone())
        };
        let flow = Flow::SoapLogin {
            username: "etl@acme.example".to_owned(),
        };
        let new = new_record(
            "login.salesforce.com",
            flow,
            soap(&password, token.as_deref()),
        );
        vault.add(new).await.unwrap();
        Self {
            disk,
            salesforce,
            clock,
            vault,
        }
    }

    /// The same with a session.
    async fn ready() -> Self {
        let stage = Self::new().await;
        stage.session().await.unwrap();
        stage
    }

    async fn session(&self) -> Result<Arc<Session>, Error> {
        self.vault.session("prod", &SessionRequest::default()).await
    }

    /// What a caller gets when the session that there may be is dead.
    async fn session_anew(&self) -> Result<Arc<Session>, Error> {
        self.salesforce.end_sessions();
        match self.vault.record("prod")?.session {
            Some(session) => self.refused(session.generation).await,
            None => self.session().await,
        }
    }

    async fn refused(&self, generation: u64) -> Result<Arc<Session>, Error> {
        let want = Want {
            refused: Some(generation),
            ..Want::default()
        };
        let request = SessionRequest {
            want,
            ..SessionRequest::default()
        };
        self.vault.session("prod", &request).await
    }

    async fn migrate(&self, change: impl FnOnce(&mut Migration)) -> Result<Migrated, Error> {
        let mut migration = to_app(APP_SECRET);
        change(&mut migration);
        self.vault.migrate(migration).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Error> {
        let rotated = self.vault.rotate(prod(), rotation).await?;
        Ok(rotated.1)
    }

    fn record(&self) -> Record {
        Record::clone(&self.vault.record("prod").unwrap().record)
    }

    fn logins(&self) -> (u64, u64) {
        let state = self.salesforce.state();
        (state.accepted, state.rejected)
    }

    /// What the file of a daemon that died now holds, and its credential.
    fn stored(&self) -> (StoredRecord, Credential) {
        let store = Store::open_backend(Disk::holding(self.disk.bytes())).unwrap();
        let keys = store.unlock(&passphrase()).unwrap();
        let stored = store.load(&keys).unwrap().remove(0);
        let credential = store.credential(&keys, &stored.record).unwrap();
        // Whatever the record names can be opened.
        store.kept(&keys, &stored.record).unwrap();
        store.drawn(&keys, &stored.record).unwrap();
        (stored, credential)
    }

    /// The daemon dies and another one comes.
    async fn restart(&mut self) {
        self.restart_with(self.disk.bytes()).await;
    }

    async fn restart_with(&mut self, bytes: Vec<u8>) {
        self.disk = Disk::holding(bytes);
        self.vault = open(&self.disk, &self.salesforce, &self.clock).await;
    }

    /// Whether the vault holds what the user logs in with now, but perhaps for the token.
    async fn knows_the_password(&self) -> bool {
        let (_, stored) = self.stored();
        let drawn = self.vault.reveal_drawn(prod()).await.ok();
        let actual = Password::new(self.salesforce.state().password.clone());
        stored.password().unwrap().matches(&actual)
            || drawn.is_some_and(|(drawn, _)| drawn.matches(&actual))
    }
}

#[tokio::test]
async fn a_migration_changes_over_to_the_session_that_was_rehearsed() {
    let stage = Stage::ready().await;
    let before = stage.session().await.unwrap();
    let migrated = stage.migrate(|_| {}).await.unwrap();
    assert_eq!(migrated.before.flow, FlowKind::SoapLogin);
    assert_eq!(migrated.after.flow, FlowKind::ClientCredentials);
    assert!(migrated.before.proven && migrated.after.proven);
    let after = stage.session().await.unwrap();
    assert!(after.generation > before.generation);
    assert!(!after.session_id.matches(&before.session_id));
    // Who reports the old one gets the new one, and nothing else happens.
    let reported = stage.refused(before.generation).await.unwrap();
    assert_eq!(reported.generation, after.generation);
    assert_eq!(stage.logins(), (2, 0));
    let record = stage.record();
    assert_eq!(record.flow.kind(), FlowKind::ClientCredentials);
    assert_eq!(record.aside.kept.unwrap().flow.kind(), FlowKind::SoapLogin);
    assert!(stage.stored().1.matches(&app(APP_SECRET)));
}

#[tokio::test]
async fn a_rehearsal_changes_nothing() {
    let stage = Stage::ready().await;
    let (record, before) = (stage.record(), stage.session().await.unwrap());
    let migrated = stage.migrate(|m| m.dry_run = true).await.unwrap();
    assert_eq!(migrated.after.user_id.as_deref(), Some(USER));
    assert_eq!(stage.record(), record);
    let after = stage.session().await.unwrap();
    assert_eq!(after.generation, before.generation);
    assert_eq!(stage.logins(), (2, 0));
    let stored = stage.stored().0;
    assert_eq!((stored.record, stored.ledger.pending), (record, None));
}

#[tokio::test]
async fn a_login_that_leads_to_another_user_is_adopted_only_if_that_is_expected() {
    let stage = Stage::ready().await;
    stage.salesforce.state().app_user = OTHER_USER;
    let record = stage.record();
    let elsewhere = |error| match error {
        Err(Error::TrialFailed { failure, .. }) => {
            assert_eq!(failure.class, Class::PinnedElsewhere)
        }
        other => panic!("{other:?}"),
    };
    elsewhere(stage.migrate(|_| {}).await);
    elsewhere(
        stage
            .migrate(|m| m.expect_user = Some(USER.to_owned()))
            .await,
    );
    let other_org = |m: &mut Migration| {
        m.expect_user = Some(OTHER_USER.to_owned());
        m.expect_org = Some("00Dxx0000009999EAY".to_owned());
    };
    elsewhere(stage.migrate(other_org).await);
    assert_eq!(stage.record(), record);
    // 15 characters name the same user.
    let expected = |m: &mut Migration| m.expect_user = Some(OTHER_USER_15.to_owned());
    stage.migrate(expected).await.unwrap();
    assert_eq!(stage.record().pin.unwrap().user_id, OTHER_USER);
    assert_eq!(stage.session().await.unwrap().user_id, OTHER_USER);
    // The way back leads to the user that the old login had.
    stage.vault.migrate_back(prod(), true).await.unwrap();
    assert_eq!(stage.record().pin.unwrap().user_id, USER);
    assert_eq!(stage.session().await.unwrap().user_id, USER);
}

#[tokio::test]
async fn a_latched_record_is_compared_with_where_it_led_before() {
    let stage = Stage::ready().await;
    stage.salesforce.state().token = Some("another".to_owned());
    stage.salesforce.end_sessions();
    let generation = stage.record_generation();
    assert!(matches!(
        stage.refused(generation).await,
        Err(Error::Latched { .. })
    ));
    let migrated = stage.migrate(|_| {}).await.unwrap();
    assert!(!migrated.before.proven && migrated.after.proven);
    assert_eq!(migrated.before.user_id.as_deref(), Some(USER));
    // The old credential was tried once, before anybody migrated.
    assert_eq!(stage.logins(), (2, 1));
    stage.session().await.unwrap();
}

#[tokio::test]
async fn a_record_that_never_worked_needs_the_expected_user_and_org() {
    let stage = Stage::new().await;
    stage.salesforce.state().token = Some("another".to_owned());
    assert!(matches!(stage.session().await, Err(Error::Latched { .. })));
    let expect = |user: Option<&str>, org: Option<&str>| {
        let (user, org) = (user.map(str::to_owned), org.map(str::to_owned));
        stage.migrate(|m| {
            m.expect_user = user;
            m.expect_org = org;
        })
    };
    for refused in [
        expect(None, None),
        expect(Some(USER), None),
        expect(None, Some(ORG)),
    ] {
        let refused = refused.await;
        assert!(
            matches!(
                &refused,
                Err(Error::InvalidArgument {
                    field: "expect_user",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    assert_eq!(stage.logins(), (0, 1), "nothing was tried");
    expect(Some(USER), Some(ORG)).await.unwrap();
}

#[tokio::test]
async fn the_way_back_is_open_until_it_is_forgotten() {
    let mut stage = Stage::ready().await;
    let old = stage.stored().1;
    stage.migrate(|_| {}).await.unwrap();
    stage.restart().await;
    let back = stage.vault.migrate_back(prod(), true).await.unwrap();
    assert_eq!(back.record.flow.kind(), FlowKind::SoapLogin);
    assert!(stage.stored().1.matches(&old));
    assert_eq!(stage.logins(), (3, 0));
    // Forth again, without a login.
    stage.vault.migrate_back(prod(), false).await.unwrap();
    assert_eq!(stage.record().flow.kind(), FlowKind::ClientCredentials);
    assert_eq!(stage.logins(), (3, 0));
    let before = stage.record_generation();
    assert!(stage.session().await.unwrap().generation > before);

    assert!(stage.vault.forget_old(prod()).await.unwrap().1);
    assert!(!stage.vault.forget_old(prod()).await.unwrap().1);
    let refused = stage.vault.migrate_back(prod(), false).await;
    assert!(matches!(refused, Err(Error::InvalidArgument { .. })));
    assert_eq!(stage.stored().0.record.aside.kept, None);
}

#[tokio::test]
async fn a_kept_login_that_no_longer_works_is_not_returned_to() {
    let stage = Stage::ready().await;
    stage.migrate(|_| {}).await.unwrap();
    stage.salesforce.state().token = Some("another".to_owned());
    let record = stage.record();
    let failed = stage.vault.migrate_back(prod(), true).await;
    assert!(
        matches!(failed, Err(Error::TrialFailed { .. })),
        "{failed:?}"
    );
    assert_eq!(stage.record(), record);
    stage.session().await.unwrap();
}

/// The token that Salesforce gave in exchange is the only valid one: it is kept though the session is not proved yet.
#[tokio::test]
async fn a_refresh_token_that_was_spent_on_a_trial_is_not_lost_with_the_network() {
    let stage = Stage::ready().await;
    let flow = Flow::RefreshToken {
        consumer_key: "3MVG9".to_owned(),
    };
    let credential = |text: &str| Credential::RefreshToken {
        refresh_token: RefreshToken::new(text.to_owned()),
        consumer_secret: None,
    };
    let to = new_record("acme.my.salesforce.com", flow, credential("refresh 1"));
    let migration = Migration {
        to,
        ..to_app(APP_SECRET)
    };
    let vault = Arc::clone(&stage.vault);
    let salesforce = Arc::clone(&stage.salesforce);
    let held = salesforce.may_answer.forget_permits(usize::MAX);
    let migrating = tokio::spawn(async move { vault.migrate(migration).await });
    while stage.stored().0.ledger.pending.is_none() {
        tokio::task::yield_now().await;
    }
    salesforce.state().deaf_to_proofs = 1;
    salesforce.may_answer.add_permits(held.min(100));
    let migrated = migrating.await.unwrap().unwrap();
    assert!(!migrated.after.proven);
    assert!(stage.stored().1.matches(&credential("refresh 2")));
    // The session is proved by the next caller, without another login.
    stage.session().await.unwrap();
    assert_eq!(stage.logins(), (2, 0));
}

#[tokio::test]
async fn a_rotation_tries_one_combination_once_and_says_which() {
    let stage = Stage::ready().await;
    let (record, credential) = (stage.record(), stage.stored().1);
    let failed = stage.rotate(password("new password")).await.unwrap_err();
    let text = failed.to_string();
    assert!(
        text.contains("the new password and the stored security token"),
        "{text}"
    );
    assert_eq!(stage.record(), record);
    assert!(stage.stored().1.matches(&credential));
    assert_eq!(stage.logins(), (1, 1));
    // The session of the old secrets goes on, and they are not latched.
    stage.session().await.unwrap();
    // What was rejected is not sent again, though a restart lies between.
    let mut stage = stage;
    stage.restart().await;
    let again = stage.rotate(password("new password")).await;
    assert!(
        matches!(again, Err(Error::InvalidArgument { .. })),
        "{again:?}"
    );
    assert_eq!(stage.logins(), (1, 1));
    // Another combination is; then the budget is spent, for the jobs too.
    assert!(stage.rotate(token("wrong")).await.is_err());
    assert_eq!(stage.logins(), (1, 2));
    let spent = stage.rotate(token("wrong again")).await;
    assert!(
        matches!(spent, Err(Error::LoginBudgetSpent { .. })),
        "{spent:?}"
    );
    assert!(matches!(
        stage.session_anew().await,
        Err(Error::LoginBudgetSpent { .. })
    ));
    stage.clock.advance(Ledger::WINDOW);
    stage.session().await.unwrap();
    assert_eq!(stage.logins(), (2, 2));
    // A good one clears all that.
    stage.salesforce.state().password = "new password".to_owned();
    stage.vault.check(prod(), true).await.unwrap();
    assert_eq!(
        stage.rotate(password("new password")).await.unwrap(),
        Rotated::Replaced
    );
    assert_eq!(stage.stored().0.ledger.rejected_trials, []);
}

#[tokio::test]
async fn secrets_that_a_record_has_already_are_not_sent() {
    let stage = Stage::ready().await;
    assert_eq!(
        stage.rotate(password("old password")).await.unwrap(),
        Rotated::Same
    );
    assert_eq!(stage.logins(), (1, 0));
    stage.salesforce.state().password = "another".to_owned();
    stage.salesforce.end_sessions();
    assert!(stage.refused(stage.record_generation()).await.is_err());
    let latched = stage.rotate(password("old password")).await;
    assert!(matches!(latched, Err(Error::Latched { .. })), "{latched:?}");
    assert_eq!(stage.logins(), (1, 1));
    // But new ones may be tried although the old are latched.
    assert_eq!(
        stage.rotate(password("another")).await.unwrap(),
        Rotated::Replaced
    );
    stage.session().await.unwrap();
    assert_eq!(stage.logins(), (2, 1));
}

#[tokio::test]
async fn an_app_that_is_not_set_up_yet_costs_the_jobs_nothing() {
    let stage = Stage::ready().await;
    for _ in 0..4 {
        stage.salesforce.state().trouble = Some(Class::AppConfig);
        let failed = stage.migrate(|_| {}).await;
        assert!(
            matches!(failed, Err(Error::TrialFailed { .. })),
            "{failed:?}"
        );
    }
    stage.salesforce.end_sessions();
    stage.refused(1).await.unwrap();
    // Nor does a spent budget keep a login without password from being tried.
    for secret in ["a", "b"] {
        assert!(stage.rotate(token(secret)).await.is_err());
    }
    stage.migrate(|_| {}).await.unwrap();
}

#[tokio::test]
async fn callers_without_a_session_wait_for_the_turn_and_get_what_it_brought() {
    let stage = Stage::new().await;
    stage.session().await.unwrap();
    // The password was changed elsewhere, and the session is gone.
    stage.salesforce.state().password = "new password".to_owned();
    stage.salesforce.end_sessions();
    let held = stage.salesforce.may_answer.forget_permits(usize::MAX);
    assert!(held > 0);
    let vault = Arc::clone(&stage.vault);
    let rotation =
        tokio::spawn(async move { vault.rotate(prod(), password("new password")).await });
    while stage.stored().0.ledger.pending.is_none() {
        tokio::task::yield_now().await;
    }
    // Whoever asked for it goes away; the jobs come.
    rotation.abort();
    let mut jobs = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let vault = Arc::clone(&stage.vault);
        jobs.spawn(async move {
            let want = Want {
                refused: Some(1),
                ..Want::default()
            };
            let request = SessionRequest {
                want,
                ..SessionRequest::default()
            };
            vault.session("prod", &request).await
        });
    }
    tokio::task::yield_now().await;
    stage.salesforce.may_answer.add_permits(100);
    while let Some(job) = jobs.join_next().await {
        assert!(job.unwrap().unwrap().generation > 1);
    }
    assert_eq!(stage.logins(), (2, 0));
    assert!(!stage.salesforce.state().crowded);
}

#[tokio::test]
async fn a_generated_password_awaits_its_token_and_survives_a_restart() {
    let mut stage = Stage::ready().await;
    let old = stage.stored().1;
    assert_eq!(
        stage.rotate(Rotation::Generate).await.unwrap(),
        Rotated::TokenAwaited
    );
    // The session goes on; no login is made.
    assert_eq!(stage.session().await.unwrap().generation, 1);
    assert!(stage.stored().1.matches(&old), "the old one is kept");
    assert!(stage.knows_the_password().await);
    for (what, refused) in [
        ("generate", stage.rotate(Rotation::Generate).await.map(drop)),
        ("keep", stage.rotate(Rotation::KeepOld).await.map(drop)),
        ("set", stage.vault.set(prod(), secrets("x")).await.map(drop)),
        ("release", stage.vault.check(prod(), true).await.map(drop)),
        ("migrate", stage.migrate(|_| {}).await.map(drop)),
    ] {
        assert!(
            matches!(refused, Err(Error::InvalidArgument { .. })),
            "{what}: {refused:?}"
        );
    }
    stage.restart().await;
    let Err(Error::Latched { failure, .. }) = stage.session_anew().await else {
        panic!("a login without the token");
    };
    assert_eq!(failure.class, Class::TokenAwaited);
    let state = stage.record().aside.drawn.unwrap().state;
    assert_eq!(state, DrawnState::InForce);
    assert_eq!(stage.logins(), (1, 0));
    // A slip of the pen costs one login and loses nothing.
    assert!(stage.rotate(token("wrong")).await.is_err());
    assert!(stage.knows_the_password().await);
    assert_eq!(
        stage.rotate(token(NEW_TOKEN)).await.unwrap(),
        Rotated::Replaced
    );
    stage.session().await.unwrap();
    assert_eq!(stage.logins(), (2, 1));
    assert_eq!(stage.record().aside.drawn, None);
    assert!(stage.knows_the_password().await);
    assert!(stage.vault.reveal_drawn(prod()).await.is_err());
}

#[tokio::test]
async fn where_no_token_is_needed_a_generated_password_is_proved_at_once() {
    let stage = Stage::new().await;
    stage.salesforce.state().token = None;
    stage.vault.remove(prod()).await.unwrap();
    let flow = Flow::SoapLogin {
        username: "etl@acme.example".to_owned(),
    };
    let new = new_record("login.salesforce.com", flow, soap("old password", None));
    stage.vault.add(new).await.unwrap();
    assert_eq!(
        stage.rotate(Rotation::Generate).await.unwrap(),
        Rotated::Replaced
    );
    assert!(stage.knows_the_password().await);
    assert_eq!(stage.logins(), (2, 0));
}

#[tokio::test]
async fn a_password_that_salesforce_does_not_take_changes_nothing() {
    let stage = Stage::ready().await;
    stage.salesforce.state().setting = Setting::Refused;
    let (record, credential) = (stage.record(), stage.stored().1);
    let failed = stage.rotate(Rotation::Generate).await.unwrap_err();
    assert!(
        failed.to_string().contains("INVALID_NEW_PASSWORD"),
        "{failed}"
    );
    let now = stage.record();
    assert_eq!((now.aside.drawn, &now.flow), (None, &record.flow));
    assert!(stage.stored().1.matches(&credential));
    // No version is ever used twice.
    assert!(now.next_version() > record.next_version());
    stage.salesforce.end_sessions();
    stage.refused(1).await.unwrap();
}

#[tokio::test]
async fn without_an_answer_both_passwords_are_kept_until_one_is_proved() {
    for setting in [Setting::DoneUnanswered, Setting::Lost] {
        let mut stage = Stage::ready().await;
        stage.salesforce.state().setting = setting;
        let failed = stage.rotate(Rotation::Generate).await.unwrap_err();
        assert!(failed.to_string().contains("--keep-old"), "{failed}");
        stage.restart().await;
        assert!(stage.knows_the_password().await);
        assert_eq!(
            stage.record().aside.drawn.unwrap().state,
            DrawnState::Unknown
        );
        let latched = stage.session_anew().await;
        assert!(matches!(latched, Err(Error::Latched { .. })));
        match setting {
            Setting::Lost => {
                assert_eq!(
                    stage.rotate(Rotation::KeepOld).await.unwrap(),
                    Rotated::KeptOld
                );
            }
            Setting::Done | Setting::Refused | Setting::DoneUnanswered => {
                assert!(stage.rotate(Rotation::KeepOld).await.is_err());
                assert_eq!(
                    stage.rotate(token(NEW_TOKEN)).await.unwrap(),
                    Rotated::Replaced
                );
            }
        }
        stage.session().await.unwrap();
        assert_eq!(stage.record().aside.drawn, None);
        assert!(stage.knows_the_password().await);
    }
}

/// Fails the disk for good at its n-th operation, lets the daemon die then, and hands on what came of it; for every
/// n until the work gets through. What the cache held is lost or kept, in turn.
async fn at_every_write<F>(
    before: impl Fn(&Stage),
    work: impl Fn(Arc<Vault>) -> F,
    check: impl AsyncFn(&mut Stage, bool),
) where
    F: Future<Output = bool>,
{
    let mut died = 0;
    for after in 1_u64.. {
        let mut struck = false;
        for lose in [true, false] {
            let mut stage = Stage::ready().await;
            prepare(&stage).await;
            before(&stage);
            stage.disk.arm(Fault {
                after,
                kind: io::ErrorKind::Other,
                once: false,
                short: after.is_multiple_of(2),
                reads_too: false,
            });
            let acknowledged = work(Arc::clone(&stage.vault)).await;
            let bytes = match lose {
                true => stage.disk.after_losing(|| true),
                false => stage.disk.bytes(),
            };
            struck = stage.disk.heal();
            stage.restart_with(bytes).await;
            check(&mut stage, acknowledged).await;
        }
        if !struck {
            break;
        }
        died += 1;
    }
    assert!(died >= 3, "only {died} places to die at");
}

/// The first write after opening readies the file; it is not the one to be tested.
async fn prepare(stage: &Stage) {
    stage.vault.check(prod(), true).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_dies_at_any_write_leaves_one_login_or_the_other() {
    let work = |vault: Arc<Vault>| async move { vault.migrate(to_app(APP_SECRET)).await.is_ok() };
    at_every_write(
        |_| (),
        work,
        async |stage: &mut Stage, acknowledged| {
            let (stored, credential) = stage.stored();
            let flow = stored.record.flow.kind();
            assert_eq!(credential.flow(), flow);
            assert_eq!(
                stored.record.aside.kept.is_some(),
                flow == FlowKind::ClientCredentials
            );
            assert!(!acknowledged || flow == FlowKind::ClientCredentials);
            // Either way the jobs go on, and the operator can go either way.
            stage.session().await.unwrap();
            if flow == FlowKind::ClientCredentials {
                stage.vault.migrate_back(prod(), true).await.unwrap();
            } else {
                stage.migrate(|_| {}).await.unwrap();
            }
            stage.session().await.unwrap();
            assert_eq!(stage.logins().1, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn a_rotation_that_dies_at_any_write_leaves_the_old_secrets_or_the_new() {
    let work =
        |vault: Arc<Vault>| async move { vault.rotate(prod(), token(NEW_TOKEN)).await.is_ok() };
    let reset = |stage: &Stage| stage.salesforce.state().token = Some(NEW_TOKEN.to_owned());
    at_every_write(reset, work, async |stage: &mut Stage, acknowledged| {
        let token = stage
            .stored()
            .1
            .security_token()
            .unwrap()
            .expose()
            .to_owned();
        let is_new = token == NEW_TOKEN;
        assert!(is_new || token == "OldTokenOldTokenOldToken");
        assert!(is_new || !acknowledged);
        // The old one is dead: a login with it would be rejected, so it is the new one or an operator again.
        if !is_new {
            stage.clock.advance(Ledger::WINDOW);
            stage
                .rotate(super::changes::token(NEW_TOKEN))
                .await
                .unwrap();
        }
        stage.session().await.unwrap();
        assert_eq!(stage.logins().1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_known_whenever_the_daemon_dies_while_it_is_generated() {
    let work =
        |vault: Arc<Vault>| async move { vault.rotate(prod(), Rotation::Generate).await.is_ok() };
    at_every_write(
        |_| (),
        work,
        async |stage: &mut Stage, acknowledged| {
            assert!(stage.knows_the_password().await);
            let changed = stage.salesforce.state().changes > 0;
            let drawn = stage.record().aside.drawn.map(|drawn| drawn.state);
            assert!(!acknowledged || drawn == Some(DrawnState::InForce));
            match drawn {
                None => assert!(!changed, "sent, and not kept"),
                Some(_) => {
                    // No login that could be rejected is made by itself.
                    let latched = stage.session_anew().await;
                    assert!(matches!(latched, Err(Error::Latched { .. })));
                    assert_eq!(stage.logins().1, 0);
                    let rotation = if changed {
                        token(NEW_TOKEN)
                    } else {
                        Rotation::KeepOld
                    };
                    stage.rotate(rotation).await.unwrap();
                }
            }
            assert!(stage.knows_the_password().await);
            stage.session().await.unwrap();
            assert_eq!(stage.logins().1, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn the_way_back_dies_as_well_as_the_way_there() {
    let work = |vault: Arc<Vault>| async move {
        vault.migrate(to_app(APP_SECRET)).await.is_ok()
            && vault.migrate_back(prod(), false).await.is_ok()
            && vault.forget_old(prod()).await.is_ok()
    };
    at_every_write(
        |_| (),
        work,
        async |stage: &mut Stage, acknowledged| {
            let (stored, _) = stage.stored();
            assert!(!acknowledged || stored.record.aside.kept.is_none());
            stage.session().await.unwrap();
            assert_eq!(stage.logins().1, 0);
        },
    )
    .await;
}

impl Stage {
    fn record_generation(&self) -> u64 {
        self.vault.record("prod").unwrap().generation
    }
}

fn to_app(secret: &str) -> Migration {
    let flow = Flow::ClientCredentials {
        consumer_key: "3MVG9".to_owned(),
    };
    Migration {
        to: new_record("acme.my.salesforce.com", flow, app(secret)),
        dry_run: false,
        expect_user: None,
        expect_org: None,
    }
}

fn new_record(host: &str, flow: Flow, credential: Credential) -> NewRecord {
    NewRecord {
        name: prod(),
        login_host: Host::parse(host).unwrap(),
        flow,
        credential,
        environment: None,
        remind_after: None,
    }
}

fn prod() -> RecordName {
    RecordName::parse("prod").unwrap()
}

fn secrets(password: &str) -> NewSecrets {
    NewSecrets {
        password: Some(Password::new(password.to_owned())),
        ..NewSecrets::default()
    }
}

fn password(text: &str) -> Rotation {
    Rotation::To(secrets(text))
}

fn token(text: &str) -> Rotation {
    Rotation::To(NewSecrets {
        security_token: Some(Some(SecurityToken::new(text.to_owned()))),
        ..NewSecrets::default()
    })
}

async fn open(disk: &Disk, salesforce: &Arc<Salesforce>, clock: &Arc<Hand>) -> Arc<Vault> {
    let parts = Parts {
        login_share_percent: 50,
        hold_after_get: std::time::Duration::ZERO,
        clock: Arc::clone(clock) as _,
        login: Arc::clone(salesforce) as _,
        kdf: CHEAP,
        retirements: Arc::default(),
        keep_alive: Default::default(),
        audit: crate::audit::Audit::nowhere(),
    };
    let store = Store::open_backend(disk.clone()).unwrap();
    let vault = Vault::over(Path::new("(disk)"), Some(store), parts);
    vault.unlock(passphrase()).await.unwrap();
    vault
}

const CHEAP: KdfCost = KdfCost {
    memory_kib: 8 * 1024,
    iterations: 1,
    lanes: 1,
};

fn passphrase() -> Passphrase {
    Passphrase::new(b"correct horse".to_vec())
}
