//! What would be a defect in the daemon: code of its own that panics, in the middle of a call.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use sfvault::{
    Credential, NewRecord, Password, Places, Reason, RecordName, SessionRequest, SessionsClient,
};
use sfvault_tests::{
    clock::ManualClock,
    simulator::{Options, PASSWORD, Simulator, USERNAME},
};
use sfvaultd::{
    host::Host,
    salesforce::{
        CodeRequest, Exchange, Grant, HostRefused, Login, LoginExchange, LoginRequest, Proof,
        SalesforceLogin, Survey,
    },
    secret::SessionId,
};
use tokio::task::JoinSet;

use crate::inside::{Inside, way_to};

/// The real way to Salesforce, with defects that strike so often.
#[derive(Debug)]
struct Defective {
    way: SalesforceLogin,
    defects: Defects,
}

#[derive(Debug, Clone, Default)]
struct Defects {
    permit: Arc<AtomicU32>,
    login: Arc<AtomicU32>,
    prove: Arc<AtomicU32>,
}

fn strike(times: &AtomicU32) {
    let left = times.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
    assert!(left.is_err(), "a defect");
}

impl Login for Defective {
    fn permit(&self, host: &Host) -> Result<(), HostRefused> {
        strike(&self.defects.permit);
        self.way.permit(host)
    }

    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a> {
        Box::pin(async move {
            // Others shall have joined it by then.
            tokio::task::yield_now().await;
            strike(&self.defects.login);
            self.way.login(request).await
        })
    }

    fn prove<'a>(&'a self, session_id: &'a SessionId, instance: &'a Host) -> Exchange<'a, Proof> {
        strike(&self.defects.prove);
        self.way.prove(session_id, instance)
    }

    fn survey<'a>(&'a self, host: &'a Host) -> Exchange<'a, Survey> {
        self.way.survey(host)
    }

    fn redeem<'a>(&'a self, _: &'a CodeRequest) -> Exchange<'a, Grant> {
        Box::pin(async { unreachable!("nobody has a code") })
    }

    fn end<'a>(&'a self, _: &'a SessionId, _: &'a Host) -> Exchange<'a, ()> {
        Box::pin(async { unreachable!("nobody logs out") })
    }
}

async fn start() -> (Simulator, Inside, Defects) {
    let clock = ManualClock::new();
    let simulator = Simulator::start(Options {
        clock: clock.clone(),
        ..Options::default()
    })
    .await;
    let defects = Defects::default();
    let login = Defective {
        way: way_to(&simulator),
        defects: defects.clone(),
    };
    let daemon = Inside::start(login, clock).await;
    for name in ["bad", "good"] {
        daemon.add(name, &simulator.login_url()).await;
    }
    (simulator, daemon, defects)
}

#[tokio::test]
async fn a_login_that_breaks_ends_its_callers_and_nothing_else() {
    let (simulator, daemon, defects) = start().await;
    let client = SessionsClient::connect(&Places::at(&daemon.installation.path("run")))
        .await
        .unwrap();
    defects.login.store(1, Relaxed);
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        callers.spawn(async move {
            let bad = SessionRequest::new(RecordName::parse("bad").unwrap());
            client.session(&bad).await.map(drop).map_err(|e| e.reason())
        });
    }
    let ended = callers.join_all().await;
    // All who came before it broke hear of it; who came later had the next login.
    assert!(ended.contains(&Err(Reason::Internal)), "{ended:?}");
    let others = ended.iter().filter(|end| **end != Err(Reason::Internal));
    assert!(others.copied().all(|end| end == Ok(())), "{ended:?}");
    // On the same connection.
    let good = SessionRequest::new(RecordName::parse("good").unwrap());
    client.session(&good).await.unwrap();
    daemon.session("bad").await.unwrap();
    daemon.finish().await;
    simulator.finish().unwrap();
}

#[tokio::test]
async fn a_command_names_the_defect_and_the_next_one_works() {
    let (simulator, daemon, defects) = start().await;
    for broken in [&defects.login, &defects.prove] {
        broken.store(1, Relaxed);
        let (ended, error) = daemon.sfvault(&["get", "bad"]).await;
        assert_ne!(ended.status, 0);
        assert_eq!(error["reason"], "INTERNAL");
        let told = error["message"].as_str().unwrap();
        assert!(told.starts_with("defect in sfvaultd: "), "{told}");
        let (ended, _) = daemon.sfvault(&["get", "good"]).await;
        assert_eq!(ended.status, 0);
    }
    let (ended, _) = daemon.sfvault(&["list"]).await;
    assert_eq!(ended.status, 0);
    assert!(ended.stdout.contains("bad"), "{}", ended.stdout);
    daemon.finish().await;
    simulator.finish().unwrap();
}

/// Nothing stands between this one and the connection but the handler itself.
#[tokio::test]
async fn a_handler_that_breaks_ends_its_call_and_the_connection_serves_on() {
    let (simulator, daemon, defects) = start().await;
    let third = || NewRecord {
        name: RecordName::parse("third").unwrap(),
        username: USERNAME.to_owned(),
        login_url: simulator.login_url(),
        consumer_key: String::new(),
        audience: String::new(),
        credential: Credential::SoapLogin {
            password: Password::new(PASSWORD.to_owned()),
            security_token: None,
        },
        environment: None,
        remind_after: None,
    };
    defects.permit.store(1, Relaxed);
    let error = daemon.admin.add(third()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Internal, "{error:?}");
    assert_eq!(error.message(), "defect in sfvaultd: a call broke off");
    daemon.admin.add(third()).await.unwrap();
    daemon.finish().await;
    simulator.finish().unwrap();
}
