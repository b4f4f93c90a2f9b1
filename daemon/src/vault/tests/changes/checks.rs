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

/// Also that of the instance, which the proof asks.
#[tokio::test]
async fn a_release_lifts_the_pause_of_every_host_that_the_record_needs() {
    let stage = Stage::ready().await;
    stage.salesforce.state().deaf_to_proofs = 1;
    stage.vault.check(prod(), false).await.unwrap_err();
    stage.vault.check(prod(), true).await.unwrap();
    assert_eq!(stage.logins(), (1, 0));
}
