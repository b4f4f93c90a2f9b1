//! A password that is drawn here and set at Salesforce.

use std::time::SystemTime;

use super::*;
use crate::{
    aside::DrawnPassword,
    failure::Failure,
    session::{decision::Effect, entry::Rearranged},
};

#[tokio::test]
async fn a_generated_password_awaits_its_token_and_survives_a_restart() {
    let mut stage = Stage::ready().await;
    let old = stage.stored().1;
    assert_eq!(
        stage.rotate(Rotation::Generate).await.unwrap(),
        Rotated::TokenAwaited
    );
    // The session goes on; no login is made.
    assert_eq!(stage.session().await.unwrap().generation, 1);
    assert!(stage.stored().1.matches(&old), "the old one is kept");
    assert!(stage.knows_the_password().await);
    for (what, refused) in [
        ("generate", stage.rotate(Rotation::Generate).await.map(drop)),
        ("set", stage.vault.set(prod(), secrets("x")).await.map(drop)),
        ("release", stage.vault.check(prod(), true).await.map(drop)),
        ("migrate", stage.migrate(|_| {}).await.map(drop)),
    ] {
        assert!(
            matches!(refused, Err(Error::TokenAwaited(_))),
            "{what}: {refused:?}"
        );
    }
    let kept = stage.rotate(Rotation::KeepOld).await.map(drop);
    assert!(
        matches!(kept, Err(Error::InvalidArgument { .. })),
        "{kept:?}"
    );
    stage.restart().await;
    let Err(Error::Latched { failure, .. }) = stage.session_anew().await else {
        panic!("a login without the token");
    };
    assert_eq!(failure.class, Class::TokenAwaited);
    let state = stage.record().aside.drawn.unwrap().state;
    assert_eq!(state, DrawnState::InForce);
    assert_eq!(stage.logins(), (1, 0));
    // A slip of the pen costs one login and loses nothing.
    assert!(stage.rotate(token("wrong")).await.is_err());
    assert!(stage.knows_the_password().await);
    assert_eq!(
        stage.rotate(token(NEW_TOKEN)).await.unwrap(),
        Rotated::Replaced
    );
    stage.session().await.unwrap();
    assert_eq!(stage.logins(), (2, 1));
    assert_eq!(stage.record().aside.drawn, None);
    assert!(stage.knows_the_password().await);
    assert!(stage.vault.reveal_drawn(prod()).await.is_err());
}

#[tokio::test]
async fn where_no_token_is_needed_a_generated_password_is_proved_at_once() {
    let stage = Stage::new().await;
    stage.salesforce.state().token = None;
    stage.vault.remove(prod()).await.unwrap();
    let flow = Flow::SoapLogin {
        username: "etl@acme.example".to_owned(),
    };
    let new = new_record("login.salesforce.com", flow, soap("old password", None));
    stage.vault.add(new).await.unwrap();
    assert_eq!(
        stage.rotate(Rotation::Generate).await.unwrap(),
        Rotated::Replaced
    );
    assert!(stage.knows_the_password().await);
    assert_eq!(stage.logins(), (2, 0));
}

#[tokio::test]
async fn a_password_that_salesforce_does_not_take_changes_nothing() {
    let stage = Stage::ready().await;
    stage.salesforce.state().setting = Setting::Refused;
    let (record, credential) = (stage.record(), stage.stored().1);
    let failed = stage.rotate(Rotation::Generate).await.unwrap_err();
    assert!(
        failed.to_string().contains("INVALID_NEW_PASSWORD"),
        "{failed}"
    );
    let now = stage.record();
    assert_eq!((now.aside.drawn, &now.flow), (None, &record.flow));
    assert!(stage.stored().1.matches(&credential));
    // No version is ever used twice.
    assert!(now.next_version() > record.next_version());
    stage.salesforce.end_sessions();
    stage.refused(1).await.unwrap();
}

#[tokio::test]
async fn without_an_answer_both_passwords_are_kept_until_one_is_proved() {
    for setting in [Setting::DoneUnanswered, Setting::Lost] {
        let mut stage = Stage::ready().await;
        stage.salesforce.state().setting = setting;
        let failed = stage.rotate(Rotation::Generate).await.unwrap_err();
        assert!(failed.to_string().contains("--keep-old"), "{failed}");
        stage.restart().await;
        assert!(stage.knows_the_password().await);
        assert_eq!(
            stage.record().aside.drawn.unwrap().state,
            DrawnState::Unknown
        );
        let latched = stage.session_anew().await;
        assert!(matches!(latched, Err(Error::Latched { .. })));
        match setting {
            Setting::Lost => {
                assert_eq!(
                    stage.rotate(Rotation::KeepOld).await.unwrap(),
                    Rotated::KeptOld
                );
            }
            Setting::Done | Setting::Refused | Setting::DoneUnanswered => {
                assert!(stage.rotate(Rotation::KeepOld).await.is_err());
                assert_eq!(
                    stage.rotate(token(NEW_TOKEN)).await.unwrap(),
                    Rotated::Replaced
                );
            }
        }
        stage.session().await.unwrap();
        assert_eq!(stage.record().aside.drawn, None);
        assert!(stage.knows_the_password().await);
    }
}

/// Its end would lift the latch.
#[tokio::test]
async fn no_password_is_generated_for_a_record_that_is_latched() {
    let stage = Stage::ready().await;
    let (_, entry) = stage.vault.find("prod").unwrap();
    let rejected = Failure {
        class: Class::BadCredentials,
        code: None,
        message: "no".to_owned(),
        pause: None,
    };
    let hold = Effect::Hold(rejected);
    let now = stage.vault.now();
    entry.lock().machine.take_effect(&hold, 1, now);
    stage.salesforce.state().setting = Setting::Refused;
    let told = stage.rotate(Rotation::Generate).await;
    assert!(matches!(told, Err(Error::Latched { .. })), "{told:?}");
    assert_eq!(stage.salesforce.state().changes, 0);
    assert!(entry.lock().machine.ledger().latch.is_some());
    // Nor is it lifted by the end of another bar.
    entry.lock().machine.take_effect(&Effect::Unhold, 1, now);
    assert!(entry.lock().machine.ledger().latch.is_some());
}

/// What the disk holds and memory does not know of is dropped, and its version is not used again.
#[tokio::test]
async fn a_drawn_password_whose_write_seemed_to_fail_uses_up_its_version() {
    let mut found = false;
    for after in 1..20 {
        let stage = Stage::ready().await;
        stage.vault.check(prod(), true).await.unwrap();
        stage.disk.arm(Fault::once(after));
        let first = stage.rotate(Rotation::Generate).await;
        stage.disk.heal();
        let written = stage.stored().0.record.aside.drawn;
        if first.is_ok() || stage.record().aside.drawn.is_some() {
            continue;
        }
        if let Some(drawn) = written {
            found = true;
            stage.vault.check(prod(), true).await.unwrap();
            let next = stage.record().next_version();
            assert!(next > drawn.credential_version, "step {after}");
        }
        let again = stage.rotate(Rotation::Generate).await.unwrap();
        assert_eq!(again, Rotated::TokenAwaited);
    }
    assert!(found, "no write was made and reported as failed");
}

/// The record once a password was drawn for it, as `rotate --generate` leaves it.
fn with_drawn(record: &Record, now: SystemTime) -> Rearranged {
    let mut next = record.clone();
    next.aside.drawn = Some(DrawnPassword {
        credential_version: record.next_version(),
        since: now,
        state: DrawnState::Unknown,
    });
    let failure = Failure {
        class: Class::TokenAwaited,
        code: None,
        message: "a token is awaited".to_owned(),
        pause: None,
    };
    Rearranged {
        drawn: Some(soap("drawn", None)),
        ..Rearranged::of(next, Effect::Hold(failure))
    }
}

/// Whoever asked before the password was drawn writes after it.
#[tokio::test]
async fn what_was_asked_before_a_password_was_drawn_does_not_lift_its_bar() {
    for release in [false, true] {
        let stage = Stage::ready().await;
        let (refresher, entry) = stage.vault.find("prod").unwrap();
        let (has_row, had) = tokio::sync::oneshot::channel();
        let (may_go, gate) = std::sync::mpsc::channel();
        let (now, held) = (stage.vault.now(), Arc::clone(&entry));
        let drawing = tokio::task::spawn_blocking(move || {
            held.rearrange(&refresher.store, &refresher.keys, now, |record| {
                has_row.send(()).unwrap();
                gate.recv().unwrap();
                Ok(with_drawn(record, now))
            })
        });
        had.await.unwrap();
        let vault = Arc::clone(&stage.vault);
        let asking = tokio::spawn(async move {
            match release {
                true => vault.check(prod(), true).await.map(drop),
                false => vault.set(prod(), secrets("x")).await.map(drop),
            }
        });
        while stage.vault.administration.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        may_go.send(()).unwrap();
        drawing.await.unwrap().unwrap();
        let told = asking.await.unwrap();
        assert!(matches!(told, Err(Error::TokenAwaited(_))), "{told:?}");
        assert!(entry.lock().machine.latch().is_some(), "release: {release}");
    }
}

/// The other login would be kept with a password that nobody could tell to be out of date.
#[tokio::test]
async fn a_password_drawn_while_the_present_login_was_looked_at_bars_the_migration() {
    let stage = Stage::ready().await;
    let ((refresher, entry), old) = (stage.vault.find("prod").unwrap(), stage.stored().1);
    stage.salesforce.end_sessions();
    stage.salesforce.may_answer.forget_permits(usize::MAX);
    let vault = Arc::clone(&stage.vault);
    let migrating = tokio::spawn(async move { vault.migrate(to_app(APP_SECRET)).await });
    while stage.salesforce.state().under_way == 0 {
        tokio::task::yield_now().await;
    }
    let now = stage.vault.now();
    tokio::task::spawn_blocking(move || {
        entry.rearrange(&refresher.store, &refresher.keys, now, |record| {
            Ok(with_drawn(record, now))
        })
    })
    .await
    .unwrap()
    .unwrap();
    stage.salesforce.may_answer.add_permits(100);
    let told = migrating.await.unwrap();
    assert!(matches!(told, Err(Error::TokenAwaited(_))), "{told:?}");
    let record = stage.record();
    assert!(record.aside.drawn.is_some() && record.aside.kept.is_none());
    assert!(stage.stored().1.matches(&old));
}

/// The session may be of another user then.
#[tokio::test]
async fn no_password_is_set_with_a_session_of_a_login_that_was_left_meanwhile() {
    // Which of the two that wait for one login goes on first is up to chance.
    for _ in 0..16 {
        let stage = Stage::new().await;
        stage.salesforce.may_answer.forget_permits(usize::MAX);
        let vault = Arc::clone(&stage.vault);
        let mut migration = to_app(APP_SECRET);
        let flow = Flow::SoapLogin {
            username: "other@acme.example".to_owned(),
        };
        migration.to = new_record("acme.my.salesforce.com", flow, stage.stored().1);
        let migrating = tokio::spawn(async move { vault.migrate(migration).await });
        let vault = Arc::clone(&stage.vault);
        let generating =
            tokio::spawn(async move { vault.rotate(prod(), Rotation::Generate).await });
        while stage.salesforce.state().under_way == 0 {
            tokio::task::yield_now().await;
        }
        stage.salesforce.may_answer.add_permits(100);
        let migrated = migrating.await.unwrap();
        let generated = generating.await.unwrap();
        assert_ne!(
            migrated.is_ok(),
            generated.is_ok(),
            "{migrated:?}, {generated:?}"
        );
        assert_eq!(
            stage.salesforce.state().changes,
            u64::from(generated.is_ok())
        );
    }
}

#[tokio::test]
async fn a_record_is_not_removed_with_the_only_copy_of_a_password_unless_that_is_said() {
    for setting in [Setting::Done, Setting::DoneUnanswered] {
        let stage = Stage::ready().await;
        stage.salesforce.state().setting = setting;
        let _ = stage.rotate(Rotation::Generate).await;
        let told = stage.vault.remove(prod()).await.unwrap_err();
        let Error::InvalidArgument { problem, .. } = &told else {
            panic!("{told:?}")
        };
        for way_on in [
            "`sfvault rotate prod`",
            "--reveal-pending",
            "--with-generated-password",
        ] {
            assert!(problem.contains(way_on), "{problem}");
        }
        assert!(stage.knows_the_password().await);
        stage.vault.remove_with_drawn(prod()).await.unwrap();
        assert!(stage.vault.record("prod").is_err());
    }
}
