//! Tokens that come with an answer that is not taken: it leads elsewhere, or is not believed.

use super::*;
use crate::session::decision::Refusal;

#[tokio::test]
async fn a_token_that_leads_elsewhere_is_saved_and_latched() {
    let rig = rig(true);
    rig.login().await.unwrap();
    *rig.org.leads_to.lock().unwrap() = "00Dxx0000009999EAY".to_owned();
    let told = rig.login().await.unwrap_err();
    assert!(matches!(told, Error::Latched { .. }), "{told:?}");
    let served = rig.session(Want::default()).await.unwrap();
    assert_eq!(served.generation, 1, "the session that there was");
    assert_eq!(rig.held(), token(2));
    let stored = rig
        .refresher
        .store
        .load(&rig.refresher.keys)
        .unwrap()
        .remove(0);
    let again = Entry::new(stored);
    let refused = again.lock().machine.may_log_in(SystemClock.now());
    assert!(
        matches!(refused, Err(Refusal::Latched { .. })),
        "{refused:?}"
    );
}

/// What is wrong with the answer is for an operator to mend; the token must be there when he has.
#[tokio::test]
async fn a_token_that_comes_with_an_answer_that_is_not_believed_is_kept() {
    let rig = rig(true);
    *rig.org.is_unbelieved.lock().unwrap() = true;
    let error = rig.login().await.unwrap_err();
    assert!(
        matches!(&error, Error::Latched { failure, .. } if failure.class == Class::WrongHost),
        "{error:?}"
    );
    assert_eq!(rig.held(), token(1));
    // It is latched all the same.
    rig.login().await.unwrap_err();
    assert_eq!(rig.asked(), 1);
    *rig.org.is_unbelieved.lock().unwrap() = false;
    rig.entry.lock().machine.release();
    rig.login().await.unwrap();
    assert_eq!(rig.held(), token(2));
    rig.assert_never_reused();
}

#[tokio::test]
async fn a_token_of_an_answer_that_is_not_believed_waits_for_the_disk_like_any_other() {
    let rig = rig(true);
    *rig.org.is_unbelieved.lock().unwrap() = true;
    let caller = rig.under_way().await;
    rig.no_disk_after(1, false);
    rig.org.may_answer.add_permits(1);
    caller.await.unwrap().unwrap_err();
    rig.entry.lock().machine.release();
    rig.login().await.unwrap_err();
    assert_eq!(rig.asked(), 1);
    assert!(rig.disk.heal());
    *rig.org.is_unbelieved.lock().unwrap() = false;
    rig.login().await.unwrap();
    assert_eq!((rig.asked(), rig.held()), (2, token(2)));
    rig.assert_never_reused();
}

/// Before there is a pin, they have only each other.
#[tokio::test]
async fn a_first_session_that_belongs_elsewhere_than_its_login_said_pins_nothing() {
    let rig = rig(false);
    *rig.org.leads_to.lock().unwrap() = "00Dxx0000009999EAY".to_owned();
    let told = rig.login().await.unwrap_err();
    let Error::Latched { failure, .. } = &told else {
        panic!("{told:?}")
    };
    assert_eq!(failure.class, Class::PinnedElsewhere);
    assert_eq!(rig.entry.lock().record.pin, None);
}
