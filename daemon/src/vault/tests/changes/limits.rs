//! What Salesforce takes of logins, those that are tried included.

use std::time::Duration;

use super::*;

#[track_caller]
fn assert_unreachable<T: std::fmt::Debug>(result: Result<T, Error>) {
    match result {
        Err(Error::LoginFailed {
            failure,
            retry_after,
            ..
        }) => {
            assert_eq!(failure.class, Class::Unavailable);
            assert!(!retry_after.is_zero());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_login_that_is_tried_counts_for_its_user() {
    let stage = Stage::ready().await;
    let used = || stage.vault.record("prod").unwrap().usage.unwrap().used;
    assert_eq!(used(), 1);
    stage.rotate(password("wrong")).await.unwrap_err();
    assert_eq!(used(), 2);
    stage.migrate(|_| ()).await.unwrap();
    assert_eq!(used(), 3);
}

#[tokio::test]
async fn a_share_that_is_used_up_leaves_no_login_to_try() {
    let mut stage = Stage::ready().await;
    stage.restart_with_share(0).await;
    for result in [
        stage.rotate(password("new")).await.map(drop),
        stage.migrate(|_| ()).await.map(drop),
    ] {
        assert!(
            matches!(result, Err(Error::LoginShareSpent { limit: 1, .. })),
            "{result:?}"
        );
    }
    assert_eq!(stage.logins(), (1, 0));
    stage.clock.advance(Duration::from_mins(66));
    stage.migrate(|_| ()).await.unwrap();
}

#[tokio::test]
async fn a_host_that_is_down_is_not_tried_and_a_restart_knows_it() {
    let mut stage = Stage::ready().await;
    stage.salesforce.state().trouble = Some(Class::Unavailable);
    let failed = stage.rotate(password("new")).await.unwrap_err();
    assert!(failed.may_pass_in().is_some(), "{failed:?}");
    assert!(matches!(failed, Error::TrialFailed { .. }), "{failed:?}");
    for _ in 0..2 {
        assert_unreachable(stage.rotate(password("new")).await);
        assert_unreachable(stage.session_anew().await);
        stage.restart().await;
    }
    assert_eq!(stage.logins(), (1, 0));
    stage.clock.advance(Duration::from_secs(13));
    stage.session().await.unwrap();
}

#[tokio::test]
async fn a_refusal_for_the_rate_pauses_the_user_over_a_restart() {
    let mut stage = Stage::ready().await;
    stage.salesforce.state().trouble = Some(Class::RateLimited);
    let failed = stage.rotate(password("new")).await.unwrap_err();
    assert!(failed.may_pass_in().is_some(), "{failed:?}");
    for _ in 0..2 {
        stage.salesforce.end_sessions();
        for error in [
            stage.rotate(password("new")).await.unwrap_err(),
            stage.session_anew().await.unwrap_err(),
        ] {
            let Error::LoginFailed { failure, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!(failure.class, Class::RateLimited);
        }
        stage.restart().await;
    }
    assert_eq!(stage.logins(), (1, 0));
}

/// The rejection lands on a broken disk, before the lock or after it: either way it is known after the next unlocking.
#[tokio::test]
async fn a_rejection_that_could_not_be_saved_outlasts_a_lock() {
    for locked_first in [false, true] {
        for heals_before_lock in [false, true] {
            let stage = Stage::new().await;
            stage.salesforce.state().token = Some("another".to_owned());
            let vault = Arc::clone(&stage.vault);
            let caller = stage.under_way(async move {
                let request = SessionRequest::default();
                vault.session("prod", &request).await.map(drop)
            });
            while stage.stored().0.ledger.pending.is_none() {
                tokio::task::yield_now().await;
            }
            if locked_first {
                stage.vault.lock().await.unwrap();
            }
            stage
                .disk
                .arm(Fault::lasting(1, io::ErrorKind::StorageFull));
            stage.salesforce.may_answer.add_permits(100);
            caller.await.unwrap().unwrap_err();
            if heals_before_lock {
                stage.disk.heal();
            }
            stage.vault.lock().await.unwrap();
            stage.disk.heal();
            stage.vault.unlock(passphrase()).await.unwrap();
            let told = stage.session().await;
            assert!(matches!(told, Err(Error::Latched { .. })), "{told:?}");
            assert_eq!(stage.logins(), (0, 1));
            assert!(stage.stored().0.ledger.latch.is_some());
        }
    }
}
