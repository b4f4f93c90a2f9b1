//! Secrets that an operator sets while a new token is under way or waits for the disk.

use super::*;

#[tokio::test]
async fn another_consumer_secret_under_way_does_not_lose_the_new_token() {
    let rig = rig(true);
    let caller = rig.under_way().await;
    rig.set(None, "s3cret").await;
    rig.org.may_answer.add_permits(2);
    caller.await.unwrap().unwrap();
    rig.assert_never_reused();
    let stored = rig
        .refresher
        .store
        .load(&rig.refresher.keys)
        .unwrap()
        .remove(0);
    let credential = rig
        .refresher
        .store
        .credential(&rig.refresher.keys, &stored.record)
        .unwrap();
    assert_eq!(credential.refresh_token().unwrap().expose(), token(2));
    assert_eq!(credential.consumer_secret().unwrap().expose(), "s3cret");
}

#[tokio::test]
async fn another_refresh_token_under_way_is_not_overwritten() {
    let rig = rig(true);
    let caller = rig.under_way().await;
    rig.set(Some("5AepMine"), "s3cret").await;
    rig.org.may_answer.add_permits(1);
    while rig.asked() == 1 {
        task::yield_now().await;
    }
    assert_eq!(rig.held(), "5AepMine");
    rig.org.may_answer.add_permits(1);
    // The org knows nothing of it; what counts is what was sent.
    caller.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn what_is_set_while_a_token_waits_is_set_beside_it() {
    let rig = rig(true);
    let caller = rig.under_way().await;
    rig.no_disk_after(1, false);
    rig.org.may_answer.add_permits(1);
    caller.await.unwrap().unwrap_err();
    rig.disk.heal();
    rig.set(None, "s3cret").await;
    assert_eq!(rig.held(), token(1));
    assert!(!rig.entry.lock().has_rotation());
    rig.login().await.unwrap();
    rig.assert_never_reused();
}
