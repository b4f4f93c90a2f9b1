//! What an app says of its own sessions, where it is asked.

use std::time::Duration;

use sfvault_tests::simulator::{Answer, CONSUMER_KEY, Place};

use super::{OAuth, assert_about};

#[tokio::test]
async fn an_app_tells_the_timeout_of_its_own_sessions() {
    let oauth = OAuth::start().await;
    oauth.simulator.app(CONSUMER_KEY, |app| {
        app.session_timeout = Some(Duration::from_mins(30));
    });
    // The org's timeout is two hours; of either, half is guaranteed. A password's session can't be introspected.
    for (flow, minutes) in [("client-credentials", 15), ("username-password", 60)] {
        let found = oauth.guaranteed(flow).await;
        assert_about(found, Duration::from_mins(minutes), flow);
    }
    oauth.finish().await;
}

#[tokio::test]
async fn a_login_survives_an_introspection_that_fails() {
    let oauth = OAuth::start().await;
    let token_endpoint = Answer::Usual;
    oauth
        .simulator
        .script(Place::Instance, [token_endpoint, Answer::Unavailable]);
    let found = oauth.guaranteed("client-credentials").await;
    assert_about(found, Duration::from_hours(1), "the org's timeout");
    assert_eq!(oauth.logins(), 1);
    oauth.finish().await;
}
