//! What a check says.

use super::*;

#[tokio::test]
async fn a_check_whose_call_failed_does_not_say_yes_and_jobs_keep_the_good_session() {
    let stage = Stage::ready().await;
    stage.salesforce.state().deaf_to_proofs = 1;
    for _ in 0..2 {
        let error = stage.vault.check(prod(), false).await.unwrap_err();
        let Error::LoginFailed { failure, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(failure.class, Class::Unavailable);
        assert!(error.may_pass_in().is_some());
        stage.session().await.unwrap();
    }
    stage.clock.advance(std::time::Duration::from_secs(13));
    let checked = stage.vault.check(prod(), false).await.unwrap();
    assert!(!checked.logged_in);
    assert_eq!(stage.logins(), (1, 0));
}

#[tokio::test]
async fn after_a_release_the_next_daemon_knows_of_the_same_hosts_that_are_down() {
    let mut stage = Stage::ready().await;
    // The host of the sessions, not that of the logins.
    stage.salesforce.state().deaf_to_proofs = 1;
    stage.vault.check(prod(), false).await.unwrap_err();
    stage.vault.check(prod(), true).await.unwrap_err();
    stage.restart().await;
    let checked = stage.vault.check(prod(), false).await;
    assert!(
        matches!(checked, Err(Error::LoginFailed { .. })),
        "{checked:?}"
    );
    stage.clock.advance(std::time::Duration::from_secs(13));
    stage.vault.check(prod(), false).await.unwrap();
}
