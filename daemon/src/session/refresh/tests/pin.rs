//! The org and user to which a record's first login led.

use super::*;
use crate::record::Pin;

#[tokio::test]
async fn the_first_login_pins_the_record() {
    let bench = bench(Script::Succeed);
    bench.answer();
    bench.session(Want::default()).await.unwrap();
    let stored = bench
        .refresher
        .store
        .load(&bench.refresher.keys)
        .unwrap()
        .remove(0);
    assert_eq!(
        stored.record.pin.map(|pin| pin.org_id),
        Some("00Dxx0000001gPLEAY".to_owned())
    );
}

#[tokio::test]
async fn a_login_that_leads_to_another_org_is_an_error_and_gives_no_session() {
    let bench = bench(Script::Succeed);
    {
        let mut state = bench.entry.lock();
        let pin = Pin {
            org_id: "00Dxx0000009999EAY".to_owned(),
            user_id: "005xx000001Sv6AAAS".to_owned(),
            username: None,
        };
        state.record = Arc::new(Record {
            pin: Some(pin),
            ..Record::clone(&state.record)
        });
    }
    assert_eq!(
        bench.crowd(10, Want::default()).await,
        vec![Err(Class::PinnedElsewhere); 10]
    );
    assert_eq!(bench.logins(), 1);
}
