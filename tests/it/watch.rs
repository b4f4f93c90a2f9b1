//! Jobs that outlive a session: what they are told, what is kept alive for them, and what that costs.

mod follow;
mod keep_alive;
mod refresh_file;

use std::time::{Duration, SystemTime};

use sfvault::{
    News, Passphrase, Places, Reason, RecordName, SessionRequest, SessionsClient, Watch,
    WatchRequest, WatchState,
};
use sfvault_tests::{
    clock::ManualClock,
    simulator::{Options, Org, Simulator, USERNAME},
};

use crate::{
    inside::{Inside, way_to},
    scene::watching,
    start::soon,
};

fn prod() -> WatchRequest {
    watching("prod")
}

struct Night {
    clock: ManualClock,
    simulator: Simulator,
    inside: Inside,
    client: SessionsClient,
}

impl Night {
    async fn new() -> Self {
        Self::with(Org::default()).await
    }

    async fn with(org: Org) -> Self {
        let clock = ManualClock::new();
        let simulator = Simulator::start(Options {
            clock: clock.clone(),
            org,
            ..Options::default()
        })
        .await;
        let inside = Inside::start(way_to(&simulator), clock.clone()).await;
        inside.add("prod", &simulator.login_url()).await;
        let places = Places::at(&inside.installation.path("run"));
        let client = SessionsClient::connect(&places).await.unwrap();
        Self {
            clock,
            simulator,
            inside,
            client,
        }
    }

    async fn watch(&self) -> Watch {
        self.client.watch(&prod()).await.unwrap()
    }

    async fn finish(self) {
        drop(self.client);
        self.inside.finish().await;
        self.simulator.finish().unwrap();
    }
}

/// The next news in that state, whatever comes before it.
pub(crate) async fn until(watch: &mut Watch, state: WatchState) -> News {
    let news = async {
        loop {
            let news = watch.next().await.unwrap();
            if news.state == state {
                return news;
            }
        }
    };
    soon("in that state", news).await
}

#[tokio::test]
async fn who_watches_is_told_of_every_session_and_never_handed_a_dead_one() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    assert_eq!(until(&mut watch, WatchState::Ready).await.generation, 1);
    night.simulator.expire_sessions(USERNAME);
    let mut request = sfvault::SessionRequest::new(RecordName::parse("prod").unwrap());
    request.refused_generation = std::num::NonZeroU64::new(1);
    assert_eq!(night.client.session(&request).await.unwrap().generation, 2);
    let news = until(&mut watch, WatchState::Ready).await;
    assert_eq!((news.generation, news.session.unwrap().generation), (2, 2));
    assert_eq!(night.simulator.logins(USERNAME).total, 2);
    drop(watch);
    night.finish().await;
}

#[tokio::test]
async fn a_locked_vault_silences_the_stream_and_an_unlocked_one_goes_on() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    until(&mut watch, WatchState::Ready).await;
    night.inside.admin.lock().await.unwrap();
    let news = until(&mut watch, WatchState::Locked).await;
    assert!(news.session.is_none() && news.expires_at.is_none());
    assert_eq!(news.reason, Some(Reason::VaultLocked));
    let passphrase = Passphrase::new(b"correct horse".to_vec());
    night.inside.admin.unlock(passphrase).await.unwrap();
    // The vault had kept the session, sealed.
    let news = until(&mut watch, WatchState::Ready).await;
    assert_eq!(news.generation, 1);
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    let name = RecordName::parse("prod").unwrap();
    night.inside.admin.remove(&name).await.unwrap();
    let end = watch.next().await.map(drop).unwrap_err();
    assert_eq!(end.reason(), Reason::RecordNotFound);
    drop(watch);
    night.finish().await;
}

#[tokio::test]
async fn what_can_not_be_had_is_refused_before_it_costs_a_login() {
    let night = Night::new().await;
    let refused = async |request: WatchRequest| {
        let mut watch = night.client.watch(&request).await.unwrap();
        loop {
            if let Err(error) = watch.next().await {
                return error.reason();
            }
        }
    };
    let nobody = RecordName::parse("nobody").unwrap();
    let unknown = WatchRequest {
        record: nobody,
        ..prod()
    };
    assert_eq!(refused(unknown).await, Reason::RecordNotFound);
    assert_eq!(night.simulator.requests().len(), 0);
    night.inside.session("prod").await.unwrap();
    let sent = night.simulator.requests().len();
    let elsewhere = WatchRequest {
        expect_org: Some("00Dxx0000009999".to_owned()),
        ..prod()
    };
    assert_eq!(refused(elsewhere).await, Reason::UnexpectedOrg);
    let greedy = WatchRequest {
        min_ttl: Some(Duration::from_mins(59)),
        ..prod()
    };
    assert_eq!(refused(greedy).await, Reason::MinTtlTooLong);
    // Past the end of all clocks: no call breaks off.
    let forever = Some(Duration::from_secs(u64::try_from(i64::MAX).unwrap()));
    let endless = WatchRequest {
        min_ttl: forever,
        ..prod()
    };
    let error = night.client.watch(&endless).await.map(drop).unwrap_err();
    assert_eq!(error.reason(), Reason::InvalidArgument);
    let endless = SessionRequest {
        min_ttl: forever,
        ..SessionRequest::new(RecordName::parse("prod").unwrap())
    };
    let error = night.client.session(&endless).await.map(drop).unwrap_err();
    assert_eq!(error.reason(), Reason::InvalidArgument);
    assert_eq!(night.simulator.requests().len(), sent);
    night.finish().await;
}

#[tokio::test]
async fn a_rejected_credential_is_told_once_and_watching_it_costs_nothing() {
    let night = Night::new().await;
    night.simulator.reset_security_token(USERNAME);
    let mut watch = night.watch().await;
    let news = until(&mut watch, WatchState::Latched).await;
    assert_eq!(news.reason, Some(Reason::CredentialRejected));
    let mut others = Vec::new();
    for _ in 0..50 {
        let mut other = night.watch().await;
        until(&mut other, WatchState::Latched).await;
        others.push(other);
    }
    night.clock.advance(Duration::from_hours(10));
    until(&mut night.watch().await, WatchState::Latched).await;
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    drop((watch, others));
    night.finish().await;
}

#[tokio::test]
async fn a_connection_has_room_for_so_many_streams_and_others_are_served_meanwhile() {
    let night = Night::new().await;
    night.inside.session("prod").await.unwrap();
    let mut watches = Vec::new();
    let full = loop {
        match night.client.watch(&prod()).await {
            Ok(watch) => watches.push(watch),
            Err(error) => break error,
        }
    };
    assert_eq!(full.reason(), Reason::TooManyStreams);
    assert_eq!(watches.len(), sfvaultd::seats::WAITING_PER_CONNECTION);
    night.inside.session("prod").await.unwrap();
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    drop(watches);
    night.finish().await;
}

/// T52
#[tokio::test]
async fn a_daemon_that_goes_down_says_so_to_those_who_watch() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    until(&mut watch, WatchState::Ready).await;
    let Night {
        inside,
        simulator,
        client,
        ..
    } = night;
    let ending = tokio::spawn(inside.finish());
    let end = watch.next().await.map(drop).unwrap_err();
    assert_eq!(end.reason(), Reason::ShuttingDown);
    drop((watch, client));
    ending.await.unwrap();
    simulator.finish().unwrap();
}

/// Who asks for no session gets none, and what holds one shows nothing of it.
#[tokio::test]
async fn a_session_is_told_only_to_those_who_ask_for_it_and_shown_to_nobody() {
    let night = Night::new().await;
    let silent = WatchRequest {
        include_session: false,
        ..prod()
    };
    let mut watch = night.client.watch(&silent).await.unwrap();
    let news = until(&mut watch, WatchState::Ready).await;
    assert!(news.session.is_none() && news.generation == 1);
    assert!(news.guaranteed_until > Some(SystemTime::UNIX_EPOCH));
    let message = sfvault_proto::v1::WatchSessionResponse {
        session: Some(sfvault_proto::v1::GetSessionResponse {
            session_id: "00Dxx!secret".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert!(!format!("{message:?}").contains("secret"));
    drop(watch);
    night.finish().await;
}

/// T15: a rule that is taken back ends the streams that lived by it, and who has no rule opens none.
#[tokio::test]
async fn a_stream_ends_when_its_peer_may_no_longer_use_the_record() {
    let night = Night::new().await;
    let mut watch = night.watch().await;
    until(&mut watch, WatchState::Ready).await;
    let name = RecordName::parse("prod").unwrap();
    assert!(night.inside.admin.deny(&name, None).await.unwrap().changed);
    let error = loop {
        match watch.next().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), Reason::RecordNotFound);
    let refused = match night.client.watch(&prod()).await {
        Ok(mut watch) => watch.next().await.err(),
        Err(error) => Some(error),
    };
    let reason = refused.map(|error| error.reason());
    // With no rule for anybody left, the door itself may say no.
    assert!(
        matches!(reason, Some(Reason::RecordNotFound | Reason::Denied)),
        "{reason:?}"
    );
    assert_eq!(night.simulator.logins(USERNAME).total, 1);
    night.finish().await;
}
