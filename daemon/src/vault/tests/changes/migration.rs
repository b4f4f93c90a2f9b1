//! A record that comes to log in in another way.

use super::*;

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
    // The session is proved by the next caller whom the host's pause lets through, without another login.
    stage.clock.advance(std::time::Duration::from_secs(13));
    stage.session().await.unwrap();
    assert_eq!(stage.logins(), (2, 0));
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
async fn a_kept_token_that_the_way_back_spent_is_not_lost_with_an_answer_that_is_not_believed() {
    let stage = Stage::ready().await;
    stage.migrate_to_token().await;
    stage.vault.migrate_back(prod(), false).await.unwrap();
    stage.salesforce.state().is_unbelieved = true;
    let failed = stage.vault.migrate_back(prod(), true).await;
    assert!(
        matches!(failed, Err(Error::TrialFailed { .. })),
        "{failed:?}"
    );
    assert_eq!(stage.record().flow.kind(), FlowKind::SoapLogin);
    stage.vault.migrate_back(prod(), true).await.unwrap();
    assert_eq!(stage.logins(), (4, 0));
    assert!(stage.stored().1.refresh_token().unwrap().expose() == "refresh 4");
}

#[tokio::test]
async fn a_kept_token_that_the_way_back_spent_is_not_lost_with_the_disk() {
    for after in 1.. {
        let stage = Stage::ready().await;
        stage.migrate_to_token().await;
        stage.vault.migrate_back(prod(), false).await.unwrap();
        let vault = Arc::clone(&stage.vault);
        let under_way =
            stage.under_way(async move { vault.migrate_back(prod(), true).await.map(drop) });
        let struck = stage.fail_after(after, under_way).await;
        if stage.record().flow.kind() == FlowKind::SoapLogin {
            // Unless it turns out that the first attempt was made.
            let again = stage.vault.migrate_back(prod(), true).await;
            let told = matches!(again, Ok(_) | Err(Error::InvalidArgument { .. }));
            assert!(told, "step {after}: {again:?}");
        }
        assert_eq!(stage.record().flow.kind(), FlowKind::RefreshToken);
        let (accepted, rejected) = stage.logins();
        assert_eq!(rejected, 0, "step {after}");
        let (stored, credential) = stage.stored();
        assert!(credential.refresh_token().unwrap().expose() == format!("refresh {accepted}"));
        assert!(stored.record.aside.kept.is_some());
        if !struck {
            assert!(after > 8, "the fault never had a chance");
            return;
        }
    }
}

/// No version of a credential is ever used twice, so not that of a kept one either.
#[tokio::test]
async fn a_kept_login_whose_token_was_replaced_can_be_forgotten() {
    let stage = Stage::ready().await;
    stage.migrate_to_token().await;
    stage.vault.migrate_back(prod(), false).await.unwrap();
    stage.salesforce.state().is_unbelieved = true;
    stage.vault.migrate_back(prod(), true).await.unwrap_err();
    let version = stage.record().aside.kept.unwrap().credential_version;
    stage.vault.forget_old(prod()).await.unwrap();
    assert!(stage.record().next_version() > version);
    stage.session_anew().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_can_never_be_made_costs_nothing() {
    let stage = Stage::ready().await;
    stage.salesforce.end_sessions();
    let host = |name: &'static str| {
        stage.migrate(move |migration| migration.to.login_host = Host::parse(name).unwrap())
    };
    let told = host("login.salesforce.com").await;
    let Err(Error::InvalidArgument { field, .. }) = &told else {
        panic!("{told:?}")
    };
    assert_eq!(*field, "login_url");
    stage.salesforce.state().foreign = Some(Host::parse("acme.my.salesforce.com").unwrap());
    let told = host("acme.my.salesforce.com").await;
    assert!(matches!(told, Err(Error::HostNotAllowed(_))), "{told:?}");
    assert_eq!(stage.logins(), (1, 0));
    assert_eq!(stage.stored().0.ledger.logins, 1);
}

#[tokio::test]
async fn after_a_change_it_is_known_which_session_the_file_holds() {
    let stage = Stage::ready().await;
    stage.migrate(|_| {}).await.unwrap();
    let (_, entry) = stage.vault.find("prod").unwrap();
    let state = entry.lock();
    assert_eq!(stage.stored().0.ledger.kept, state.machine.ledger().kept);
    assert!(!state.is_store_behind());
}

#[tokio::test]
async fn a_way_forth_and_back_does_not_renew_the_budget_of_a_password() {
    let mut stage = Stage::ready().await;
    for wrong in ["one", "two"] {
        stage.vault.set(prod(), secrets(wrong)).await.unwrap();
        let latched = stage.session_anew().await;
        assert!(matches!(latched, Err(Error::Latched { .. })), "{latched:?}");
    }
    stage.migrate(|_| {}).await.unwrap();
    stage.restart().await;
    // The app logs in once more, of which Salesforce's count of wrong passwords knows nothing.
    stage.clock.advance(std::time::Duration::from_mins(14));
    stage.session().await.unwrap();
    stage.vault.migrate_back(prod(), false).await.unwrap();
    let refused = stage.session().await;
    assert!(
        matches!(refused, Err(Error::LoginBudgetSpent { .. })),
        "{refused:?}"
    );
    assert_eq!(stage.logins().1, 2);
}

#[tokio::test]
async fn a_login_without_password_does_not_renew_the_budget_of_one_that_is_kept() {
    let stage = Stage::ready().await;
    stage.vault.set(prod(), secrets("one")).await.unwrap();
    stage.session_anew().await.unwrap_err();
    stage.migrate(|_| {}).await.unwrap();
    stage.session_anew().await.unwrap();
    stage.vault.migrate_back(prod(), false).await.unwrap();
    for spent in [false, true] {
        let refused = stage.session().await;
        let budget = matches!(refused, Err(Error::LoginBudgetSpent { .. }));
        assert_eq!(budget, spent, "{refused:?}");
        stage.vault.set(prod(), secrets("two")).await.unwrap();
    }
    assert_eq!(stage.logins().1, 2);
}

/// The limit is the user's, not the credential's.
#[tokio::test]
async fn the_way_back_does_not_end_the_pause_after_a_refusal_for_the_rate() {
    let mut stage = Stage::ready().await;
    stage.migrate(|_| {}).await.unwrap();
    stage.salesforce.state().trouble = Some(Class::RateLimited);
    stage.session_anew().await.unwrap_err();
    stage.vault.migrate_back(prod(), false).await.unwrap();
    let logins = stage.logins();
    for _ in 0..2 {
        let refused = stage.session().await;
        assert!(
            matches!(&refused, Err(Error::LoginFailed { failure, .. }) if failure.class == Class::RateLimited),
            "{refused:?}"
        );
        stage.restart().await;
    }
    assert_eq!(stage.logins(), logins);
}
