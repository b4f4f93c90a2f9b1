//! A login in a browser, and what else is done to its record meanwhile.

use super::*;
use crate::{
    secret::{AuthorizationCode, LoginState},
    session::{decision::Effect, entry::Rearranged},
    vault::{BegunLogin, Callback, NewLogin},
};

/// A login for `prod` as it is.
fn begin(stage: &Stage) -> BegunLogin {
    let login = NewLogin {
        name: prod(),
        login_host: None,
        consumer_key: None,
        consumer_secret: Some(None),
        redirect_uri: "http://localhost:1717/callback".to_owned(),
        time: std::time::Duration::ZERO,
    };
    stage.vault.begin_login(login).unwrap()
}

/// What the browser brings back when the person has logged in.
fn callback(begun: BegunLogin) -> Callback {
    let mut parameters = begun.authorize_url.split(['?', '&']);
    let state = parameters.find_map(|parameter| parameter.strip_prefix("state="));
    Callback {
        id: begun.id,
        code: Some(AuthorizationCode::new("code".to_owned())),
        state: LoginState::new(state.unwrap().to_owned()),
        issuer: None,
        refusal: None,
    }
}

#[tokio::test]
async fn a_login_in_a_browser_replaces_the_token_of_its_record() {
    let stage = Stage::ready().await;
    stage.migrate_to_token().await;
    let callback = callback(begin(&stage));
    let (_, new) = stage.vault.finish_login(callback).await.unwrap();
    assert!(!new);
    let held = stage.stored().1;
    assert_eq!(held.refresh_token().unwrap().expose(), "refresh 3");
}

/// Else the token of one app would be sent in the name of another, or to another host.
#[tokio::test]
async fn a_token_is_not_stored_with_a_record_that_moves_while_it_comes() {
    let moves: [fn(&mut Record); 3] = [
        |record| {
            let consumer_key = "another".to_owned();
            record.flow = Flow::RefreshToken { consumer_key };
        },
        |record| record.login_host = Host::parse("login.salesforce.com").unwrap(),
        |record| record.pin.as_mut().unwrap().user_id = OTHER_USER.to_owned(),
    ];
    for change in moves {
        let stage = Stage::ready().await;
        stage.migrate_to_token().await;
        let callback = callback(begin(&stage));
        let (refresher, entry) = stage.vault.find("prod").unwrap();
        let (has_row, had) = tokio::sync::oneshot::channel();
        let (may_go, gate) = std::sync::mpsc::channel();
        let (now, held) = (stage.vault.now(), Arc::clone(&entry));
        let moving = tokio::task::spawn_blocking(move || {
            held.rearrange(&refresher.store, &refresher.keys, now, |record| {
                has_row.send(()).unwrap();
                gate.recv().unwrap();
                let mut next = record.clone();
                change(&mut next);
                Ok(Rearranged::of(next, Effect::Nothing))
            })
        });
        had.await.unwrap();
        let before = Arc::strong_count(&entry);
        let vault = Arc::clone(&stage.vault);
        let finishing = tokio::spawn(async move { vault.finish_login(callback).await.map(drop) });
        // It has found the record, and waits for the row.
        while Arc::strong_count(&entry) == before {
            tokio::task::yield_now().await;
        }
        may_go.send(()).unwrap();
        moving.await.unwrap().unwrap();
        let told = finishing.await.unwrap();
        assert!(
            matches!(
                told,
                Err(Error::BrowserLogin { .. } | Error::CodeRefused { .. })
            ),
            "{told:?}"
        );
        let held = stage.stored().1;
        assert_eq!(held.refresh_token().unwrap().expose(), "refresh 2");
    }
}
