//! The protocol as another client than ours sees it.

use std::time::Duration;

use sfvault_proto::v1::{
    ERROR_DOMAIN, GetSessionRequest, GetStatusRequest, ListRecordsRequest,
    control_client::ControlClient, sessions_client::SessionsClient,
};
use sfvault_tests::simulator::{Answer, Place, USERNAME};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt as _;

use crate::scene::Scene;

async fn channel(scene: &Scene, socket: &str) -> Channel {
    let path = scene.sfvault.path("run").join(socket);
    Endpoint::try_from(format!("unix:{}", path.display()))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

fn request(record: &str) -> GetSessionRequest {
    GetSessionRequest {
        record: record.to_owned(),
        ..GetSessionRequest::default()
    }
}

#[tokio::test]
async fn a_stock_client_gets_a_session_with_times_in_order() {
    let scene = Scene::with_record().await;
    let mut client = SessionsClient::new(channel(&scene, "sfvault.sock").await);
    let session = client
        .get_session(request("prod"))
        .await
        .unwrap()
        .into_inner();
    assert!(session.session_id.starts_with(&session.org_id[..15]));
    let seconds = |time: &Option<_>| {
        time.as_ref()
            .map(|time: &prost_types::Timestamp| time.seconds)
            .unwrap()
    };
    let (issued, guaranteed, expires) = (
        seconds(&session.issued_at),
        seconds(&session.guaranteed_until),
        seconds(&session.expires_at),
    );
    assert_eq!((guaranteed - issued, expires - issued), (3600, 7200));
    assert_eq!(format!("{session:?}"), "GetSessionResponse { .. }");
    scene.finish().await;
}

#[tokio::test]
async fn every_failure_has_a_reason_and_those_that_pass_a_time() {
    let scene = Scene::with_record().await;
    let mut client = SessionsClient::new(channel(&scene, "sfvault.sock").await);

    let status = client.get_session(request("nope")).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (status.code(), info.domain.as_str(), info.reason.as_str()),
        (Code::NotFound, ERROR_DOMAIN, "RECORD_NOT_FOUND")
    );
    assert!(status.get_details_retry_info().is_none());

    for name in ["", "a b", "\u{1b}[2J", "a\nb", &"x".repeat(65)] {
        let status = client.get_session(request(name)).await.unwrap_err();
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "INVALID_ARGUMENT",
            "{name:?}"
        );
        assert!(
            !status.message().chars().any(char::is_control),
            "{:?}",
            status.message()
        );
    }

    scene.simulator.script(Place::Login, [Answer::Unavailable]);
    let status = client.get_session(request("prod")).await.unwrap_err();
    assert_eq!(
        status.get_details_error_info().unwrap().reason,
        "SALESFORCE_UNAVAILABLE"
    );
    assert_eq!(status.code(), Code::Unavailable);
    let wait = status
        .get_details_retry_info()
        .unwrap()
        .retry_delay
        .unwrap();
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_secs(13),
        "{wait:?}"
    );
    scene.finish().await;
}

#[tokio::test]
async fn each_socket_serves_its_own_services_only() {
    let scene = Scene::with_record().await;
    let mut wrong = ControlClient::new(channel(&scene, "sfvault.sock").await);
    assert_eq!(
        wrong
            .get_status(GetStatusRequest {})
            .await
            .unwrap_err()
            .code(),
        Code::Unimplemented
    );
    let mut wrong = SessionsClient::new(channel(&scene, "admin.sock").await);
    assert_eq!(
        wrong
            .list_records(ListRecordsRequest {})
            .await
            .unwrap_err()
            .code(),
        Code::Unimplemented
    );
    scene.finish().await;
}

#[tokio::test]
async fn health_follows_the_vault() {
    let scene = Scene::with_record().await;
    let mut health = HealthClient::new(channel(&scene, "sfvault.sock").await);
    let mut watch = health
        .watch(HealthCheckRequest {
            service: "sfvault.v1.Sessions".to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    let mut next = async || watch.message().await.unwrap().unwrap().status();
    assert_eq!(next().await, ServingStatus::Serving);
    scene.ok(&["lock"]).await;
    assert_eq!(next().await, ServingStatus::NotServing);
    scene.unlock().await;
    assert_eq!(next().await, ServingStatus::Serving);
    let whole = health
        .check(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(whole.status(), ServingStatus::Serving);
    scene.finish().await;
}

#[tokio::test]
async fn reflection_tells_what_the_socket_serves() {
    let scene = Scene::with_record().await;
    let mut reflection = ServerReflectionClient::new(channel(&scene, "sfvault.sock").await);
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(
            "sfvault.v1.Sessions".to_owned(),
        )),
    };
    let mut answers = reflection
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap()
        .into_inner();
    let answer = answers
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap();
    assert!(
        matches!(answer, MessageResponse::FileDescriptorResponse(files) if !files.file_descriptor_proto.is_empty())
    );
    scene.finish().await;
}

#[tokio::test]
async fn a_request_larger_than_any_real_one_is_refused_and_harms_nobody() {
    let scene = Scene::with_record().await;
    let mut client = SessionsClient::new(channel(&scene, "sfvault.sock").await);
    let status = client
        .get_session(request(&"x".repeat(1 << 20)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    client.get_session(request("prod")).await.unwrap();
    assert_eq!(scene.simulator.logins(USERNAME).accepted, 1);
    scene.finish().await;
}
