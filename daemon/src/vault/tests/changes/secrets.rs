//! New secrets for a record.

use super::*;

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
async fn a_token_that_a_trial_spent_is_not_lost_with_an_answer_that_is_not_believed() {
    let mut stage = Stage::ready().await;
    let credential = |text: &str| Credential::RefreshToken {
        refresh_token: RefreshToken::new(text.to_owned()),
        consumer_secret: None,
    };
    let flow = Flow::RefreshToken {
        consumer_key: "3MVG9".to_owned(),
    };
    let to = new_record("acme.my.salesforce.com", flow, credential("refresh 1"));
    stage.migrate(|migration| migration.to = to).await.unwrap();
    assert!(stage.stored().1.matches(&credential("refresh 2")));
    // A new secret of the app is tried with the record's own token, which that spends.
    stage.salesforce.state().is_unbelieved = true;
    let new = NewSecrets {
        consumer_secret: Some(Some(ConsumerSecret::new("new secret".to_owned()))),
        ..NewSecrets::default()
    };
    let failed = stage.rotate(Rotation::To(new)).await;
    assert!(
        matches!(failed, Err(Error::TrialFailed { .. })),
        "{failed:?}"
    );
    assert!(stage.stored().1.matches(&credential("refresh 3")));
    stage.restart().await;
    stage.session_anew().await.unwrap();
    assert!(stage.stored().1.matches(&credential("refresh 4")));
}

/// A record with a refresh token whose app's secret is changed while the disk fails at every step there is.
#[tokio::test]
async fn a_token_that_a_trial_spent_is_not_lost_with_the_disk() {
    for after in 1.. {
        let stage = Stage::ready().await;
        stage.migrate_to_token().await;
        let vault = Arc::clone(&stage.vault);
        let under_way = stage.under_way(async move {
            let new = NewSecrets {
                consumer_secret: Some(Some(ConsumerSecret::new("new secret".to_owned()))),
                ..NewSecrets::default()
            };
            vault.rotate(prod(), Rotation::To(new)).await.map(drop)
        });
        let struck = stage.fail_after(after, under_way).await;
        stage.session_anew().await.unwrap();
        assert_eq!(stage.logins(), (4, 0), "step {after}");
        assert!(stage.stored().1.refresh_token().unwrap().expose() == "refresh 4");
        if !struck {
            assert!(after > 8, "the fault never had a chance");
            return;
        }
    }
}

#[tokio::test]
async fn a_token_that_a_trial_spent_is_on_disk_before_the_session_is_proved() {
    let mut stage = Stage::ready().await;
    stage.migrate_to_token().await;
    let vault = Arc::clone(&stage.vault);
    stage.salesforce.state().is_slow_to_prove = true;
    let under_way = tokio::spawn(async move {
        let new = NewSecrets {
            consumer_secret: Some(Some(ConsumerSecret::new("new secret".to_owned()))),
            ..NewSecrets::default()
        };
        vault.rotate(prod(), Rotation::To(new)).await.map(drop)
    });
    while stage.salesforce.state().is_slow_to_prove {
        tokio::task::yield_now().await;
    }
    assert!(!under_way.is_finished());
    stage.restart().await;
    stage.session_anew().await.unwrap();
    assert_eq!(stage.logins(), (4, 0));
}

#[tokio::test]
async fn a_rotation_pins_nothing_if_the_session_is_another_users_than_the_login_said() {
    let stage = Stage::new().await;
    stage.salesforce.state().proves_as = Some(OTHER_USER);
    stage.salesforce.state().token = Some(NEW_TOKEN.to_owned());
    let told = stage.rotate(token(NEW_TOKEN)).await;
    let Err(Error::TrialFailed { failure, .. }) = &told else {
        panic!("{told:?}")
    };
    assert_eq!(failure.class, Class::PinnedElsewhere);
    assert_eq!(stage.record().pin, None);
}
