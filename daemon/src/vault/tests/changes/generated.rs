//! A password that is drawn here and set at Salesforce.

use super::*;

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
