//! Many callers at once, over the real socket.

use sfvault::{Places, Reason, RecordName, SessionRequest, SessionsClient};
use sfvault_tests::simulator::{Place, USERNAME};
use tokio::task::JoinSet;

use crate::scene::Scene;

/// Clients with a connection each, all asking at once; what each got.
async fn crowd(scene: &Scene, size: usize, refused: u64) -> Vec<Result<u64, Reason>> {
    let places = Places::at(&scene.sfvault.path("run"));
    let mut clients = JoinSet::new();
    for _ in 0..size {
        let places = places.clone();
        clients.spawn(async move {
            let mut request = SessionRequest::new(RecordName::parse("prod").unwrap());
            request.refused_generation = refused.try_into().ok();
            let client = SessionsClient::connect(&places).await.unwrap();
            client
                .session(&request)
                .await
                .map(|session| session.generation)
                .map_err(|error| error.reason())
        });
    }
    clients.join_all().await
}

/// T40
#[tokio::test]
async fn five_hundred_clients_on_a_cold_record_cause_one_login() {
    let scene = Scene::with_record().await;
    assert_eq!(crowd(&scene, 500, 0).await, vec![Ok(1); 500]);
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// T40
#[tokio::test]
async fn five_hundred_reports_of_one_dead_session_cause_one_login() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.simulator.expire_sessions(USERNAME);
    let got = crowd(&scene, 500, 1).await;
    assert!(got.iter().all(|result| *result == Ok(2)), "{got:?}");
    scene.assert_logins(2, 0);
    scene.finish().await;
}

/// T40
#[tokio::test]
async fn five_hundred_clients_with_a_dead_token_cause_one_rejection_also_across_a_crash() {
    let mut scene = Scene::with_record().await;
    scene.simulator.reset_security_token(USERNAME);
    assert_eq!(
        crowd(&scene, 500, 0).await,
        vec![Err(Reason::CredentialRejected); 500]
    );
    scene.assert_logins(0, 1);
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    assert_eq!(
        crowd(&scene, 500, 0).await,
        vec![Err(Reason::CredentialRejected); 500]
    );
    scene.assert_logins(0, 1);
    scene.finish().await;
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_take_the_login_with_it() {
    let scene = Scene::with_record().await;
    let gate = scene.simulator.hold_next(Place::Login);
    let mut first = scene.command(&["get", "prod"]).spawn().unwrap();
    gate.reached().await;
    first.kill().await.unwrap();
    gate.open();
    scene.session(&[]).await;
    scene.assert_logins(1, 0);
    scene.finish().await;
}
