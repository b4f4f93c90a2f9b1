//! Writes of a token that fail, and callers who wait for one.

use super::*;
use crate::session::entry::Rotation;

/// Every step of the write may fail, in a way that tells whether it was made or not.
#[tokio::test]
async fn a_failed_write_loses_no_token_and_sends_no_spent_one() {
    for after in 1.. {
        let rig = rig(true);
        let caller = rig.under_way().await;
        rig.no_disk_after(after, false);
        rig.org.may_answer.add_permits(100);
        let first = caller.await.unwrap();
        for _ in 0..3 {
            if let Err(error) = &first {
                let again = rig.session(Want::default()).await;
                assert!(
                    matches!(error, Error::TokenUnsaved { .. } | Error::Store(_)),
                    "{error:?}"
                );
                again.unwrap_err();
                let state = rig.entry.lock();
                assert!(state.machine.session().is_none());
            }
        }
        assert_eq!(rig.asked(), 1, "step {after}");
        let struck = rig.disk.heal();
        let session = rig.session(Want::default()).await.unwrap();
        assert_eq!((session.generation, rig.asked()), (1, 1), "step {after}");
        assert_eq!(rig.held(), token(1));
        assert!(rig.entry.lock().unsaved_token().is_none());
        rig.login().await.unwrap();
        assert_eq!(rig.held(), token(2));
        rig.assert_never_reused();
        if !struck {
            assert!(after > 5, "the fault never had a chance");
            return;
        }
    }
}

/// A write that seemed to fail was made: what it wrote is taken over, and latches are not lifted by it.
#[tokio::test]
async fn one_failed_step_is_made_good_by_the_next_call() {
    for after in 1..12 {
        let rig = rig(true);
        let caller = rig.under_way().await;
        rig.no_disk_after(after, true);
        rig.org.may_answer.add_permits(100);
        let _ = caller.await.unwrap();
        rig.disk.heal();
        rig.session(Want::default()).await.unwrap();
        rig.login().await.unwrap();
        assert_eq!((rig.asked(), rig.held()), (2, token(2)), "step {after}");
        rig.assert_never_reused();
    }
}

#[tokio::test]
async fn a_session_that_needs_no_login_is_served_while_a_token_waits() {
    let rig = rig(true);
    rig.login().await.unwrap();
    rig.no_disk_after(1, false);
    let rotation = Rotation::new(RefreshToken::new(token(1)), RefreshToken::new(token(2)));
    rig.entry.keep_rotation(rotation.unwrap());
    assert_eq!(rig.session(Want::default()).await.unwrap().generation, 1);
    assert!(rig.entry.lock().unsaved_token().is_some());
    assert!(matches!(rig.login().await, Err(Error::TokenUnsaved { .. })));
    rig.disk.heal();
    rig.session(Want::default()).await.unwrap();
    assert_eq!(rig.held(), token(2));
}

/// Callers who wait for the row leave the threads to whoever writes it.
#[test]
fn many_callers_and_one_save_get_through_a_pool_of_two_threads() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let rig = rig(true);
    let through = runtime.block_on(async {
        rig.login().await.unwrap();
        let rotation = Rotation::new(RefreshToken::new(token(1)), RefreshToken::new(token(2)));
        rig.entry.keep_rotation(rotation.unwrap());
        rig.no_disk_after(1, false);
        let caller = || {
            let (refresher, entry) = (Arc::clone(&rig.refresher), Arc::clone(&rig.entry));
            task::spawn(async move { refresher.session(&entry, Want::default()).await })
        };
        let writer = || {
            let (refresher, entry) = (Arc::clone(&rig.refresher), Arc::clone(&rig.entry));
            task::spawn(async move { entry.save(&refresher.store, &refresher.keys).await })
        };
        let mut callers: Vec<_> = (0..8).map(|_| caller()).collect();
        let first = writer();
        callers.extend((0..8).map(|_| caller()));
        let all = async {
            for caller in callers {
                assert_eq!(caller.await.unwrap().unwrap().generation, 1);
            }
            first.await.unwrap().unwrap_err();
        };
        // Long for what takes milliseconds; without it a failure would hang.
        let through = tokio::time::timeout(Duration::from_mins(1), all).await;
        if through.is_ok() {
            rig.disk.heal();
            rig.session(Want::default()).await.unwrap();
        }
        through
    });
    // Its end would wait for the threads.
    runtime.shutdown_background();
    through.expect("all wait for each other");
    assert_eq!(rig.held(), token(2));
}

#[tokio::test]
async fn callers_who_come_while_a_try_is_under_way_share_it() {
    let rig = rig(true);
    rig.login().await.unwrap();
    let rotation = Rotation::new(RefreshToken::new(token(1)), RefreshToken::new(token(2)));
    rig.entry.keep_rotation(rotation.unwrap());
    rig.no_disk_after(1, false);
    // Somebody has the row until all have come.
    let (has_it, had) = tokio::sync::oneshot::channel();
    let (let_go, may_go) = std::sync::mpsc::channel();
    let (refresher, entry) = (Arc::clone(&rig.refresher), Arc::clone(&rig.entry));
    let holder = task::spawn_blocking(move || {
        let amendment = Amendment::none(SystemClock.now());
        entry.amend(&refresher.store, &refresher.keys, amendment, |_, _| {
            has_it.send(()).unwrap();
            may_go.recv().unwrap();
            Err(Error::Denied)
        })
    });
    had.await.unwrap();
    let save = || {
        rig.entry
            .save_rotation(&rig.refresher.store, &rig.refresher.keys)
    };
    let (one, two, three, ()) = tokio::join!(biased; save(), save(), save(), async {
        let_go.send(()).unwrap();
    });
    for saved in [one, two, three] {
        saved.unwrap_err();
    }
    holder.await.unwrap().unwrap_err();
    assert_eq!(rig.entry.lock().tries_to_save(), Some(1));
}
