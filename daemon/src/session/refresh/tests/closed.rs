//! Entries that are closed, and logins that may not begin.

use super::*;

#[tokio::test]
async fn a_closed_entry_answers_no_and_keeps_no_session() {
    let bench = bench(Script::Succeed);
    let caller = bench.caller().await;
    bench.entry.close(Error::VaultLocked);
    bench.answer();
    assert!(matches!(caller.await.unwrap(), Err(Error::VaultLocked)));
    assert!(bench.entry.lock().machine.session().is_none());
}

#[tokio::test]
async fn closing_an_entry_drops_its_session_at_once() {
    let bench = bench(Script::Succeed);
    bench.answer();
    bench.session(Want::default()).await.unwrap();
    assert!(bench.entry.close(Error::VaultLocked), "there was a session");
    assert!(bench.entry.lock().machine.session().is_none());
    assert!(!bench.entry.close(Error::VaultLocked));
}

/// A full disk: nothing may be sent that could not be counted first.
#[tokio::test]
async fn a_login_that_cannot_be_entered_is_not_sent() {
    let bench = bench(Script::Succeed);
    // Another writer took the row: the compare-and-swap of ours must fail.
    let stored = bench
        .refresher
        .store
        .load(&bench.refresher.keys)
        .unwrap()
        .remove(0);
    let put = |revision| {
        bench.refresher.store.put(
            &bench.refresher.keys,
            Some(revision),
            &stored.record,
            &stored.ledger,
            None,
        )
    };
    put(stored.revision).unwrap();
    bench.answer();
    assert!(matches!(
        bench.session(Want::default()).await,
        Err(Error::Store(_))
    ));
    assert_eq!(bench.logins(), 0);
    assert!(bench.path.exists());
}

/// While somebody waits for the air to clear nothing takes off, and nothing is stuck afterwards.
#[tokio::test]
async fn a_flight_that_may_not_take_off_leaves_the_record_free() {
    let bench = bench(Script::Succeed);
    let clear = Arc::clone(&bench.refresher.in_air).write_owned().await;
    assert!(matches!(
        bench.session(Want::default()).await,
        Err(Error::ShuttingDown)
    ));
    drop(clear);
    bench.answer();
    bench.session(Want::default()).await.unwrap();
}
