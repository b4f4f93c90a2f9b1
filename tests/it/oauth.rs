//! The flows of OAuth, from the record to the session: a real daemon, a real client, and the simulator's apps.

mod introspection;
mod jwt;
mod secrecy;

use std::{num::NonZeroU64, time::Duration};

use sfvault::{
    ConsumerSecret, Credential, Error, NewRecord, Password, Places, PrivateKey, Reason, RecordName,
    RefreshToken, SecurityToken, Session, SessionRequest, SessionsClient,
};
use sfvault_tests::{
    clock::ManualClock,
    simulator::{
        App, CONSUMER_KEY, CONSUMER_SECRET, Options, Org, PASSWORD, PRIVATE_KEY, Retirement,
        SECURITY_TOKEN, Simulator, USERNAME,
    },
};
use sfvaultd::clock::Clock as _;

use crate::inside::{Inside, way_through_the_proxy, way_to, way_to_at};

pub(crate) const FLOWS: [&str; 4] = [
    "username-password",
    "client-credentials",
    "jwt-bearer",
    "refresh-token",
];

/// A record of the simulator's user or app.
pub(crate) fn new_record(
    name: &str,
    flow: &str,
    login_url: &str,
    refresh_token: &str,
) -> NewRecord {
    let secret = || ConsumerSecret::new(CONSUMER_SECRET.to_owned());
    let (username, credential) = match flow {
        "username-password" => (
            USERNAME,
            Credential::UsernamePassword {
                password: Password::new(PASSWORD.to_owned()),
                security_token: Some(SecurityToken::new(SECURITY_TOKEN.to_owned())),
                consumer_secret: Some(secret()),
            },
        ),
        "client-credentials" => (
            "",
            Credential::ClientCredentials {
                consumer_secret: secret(),
            },
        ),
        "jwt-bearer" => (
            USERNAME,
            Credential::JwtBearer {
                private_key: PrivateKey::new(PRIVATE_KEY.to_owned()),
                consumer_secret: None,
            },
        ),
        "refresh-token" => (
            "",
            Credential::RefreshToken {
                refresh_token: RefreshToken::new(refresh_token.to_owned()),
                consumer_secret: None,
            },
        ),
        other => panic!("no flow `{other}`"),
    };
    NewRecord {
        name: RecordName::parse(name).unwrap(),
        username: username.to_owned(),
        login_url: login_url.to_owned(),
        consumer_key: CONSUMER_KEY.to_owned(),
        environment: None,
        remind_after: None,
        audience: String::new(),
        credential,
    }
}

/// Options of a simulator on the machine's clock, in which nothing is ever retired.
fn options() -> Options {
    Options {
        clock: ManualClock::running(),
        org: Org {
            retirement: Retirement::never(),
            ..Org::default()
        },
        apps: vec![App {
            // The flows whose records have no secret could not log in otherwise.
            secret_required: false,
            ..App::new(CONSUMER_KEY, CONSUMER_SECRET, USERNAME)
        }],
        ..Options::default()
    }
}

/// A daemon with a record of each flow, named after it.
struct OAuth {
    simulator: Simulator,
    inside: Inside,
}

impl OAuth {
    async fn start() -> Self {
        let simulator = Simulator::start(options()).await;
        let inside = Inside::start(way_to(&simulator), simulator.clock()).await;
        let refresh_token = simulator.approve(USERNAME, CONSUMER_KEY);
        for flow in FLOWS {
            let new = new_record(flow, flow, &simulator.instance_url(), &refresh_token);
            inside.admin.add(new).await.unwrap();
        }
        Self { simulator, inside }
    }

    async fn session(&self, flow: &str) -> Session {
        let session = self.inside.session(flow).await;
        session.unwrap_or_else(|error| panic!("{flow}: {error}"))
    }

    async fn refused(&self, flow: &str, generation: u64) -> Result<Session, Error> {
        let request = SessionRequest {
            refused_generation: NonZeroU64::new(generation),
            ..SessionRequest::new(RecordName::parse(flow).unwrap())
        };
        self.client().await.session(&request).await
    }

    async fn client(&self) -> SessionsClient {
        let places = Places::at(&self.inside.installation.path("run"));
        SessionsClient::connect(&places).await.unwrap()
    }

    /// How long the session of a flow is guaranteed.
    async fn guaranteed(&self, flow: &str) -> Duration {
        let until = self.session(flow).await.guaranteed_until;
        until.duration_since(self.simulator.clock().now()).unwrap()
    }

    fn logins(&self) -> u64 {
        self.simulator.logins(USERNAME).total
    }

    async fn finish(self) {
        self.inside.finish().await;
        self.simulator.finish().unwrap();
    }
}

/// Within a few seconds, for these tests go by the machine's clock.
#[track_caller]
fn assert_about(found: Duration, expected: Duration, what: &str) {
    let off = expected.abs_diff(found);
    assert!(off < Duration::from_secs(20), "{what}: {found:?}");
}

#[tokio::test]
async fn every_flow_logs_in_once_and_its_session_serves_until_it_dies() {
    let oauth = OAuth::start().await;
    oauth.simulator.org(|org| org.distinct_sessions = true);
    for flow in FLOWS {
        let before = oauth.logins();
        let first = oauth.session(flow).await;
        let second = oauth.session(flow).await;
        assert_eq!(oauth.logins(), before + 1, "{flow}");
        assert_eq!(first.session_id.expose(), second.session_id.expose());
        let living = oauth.simulator.sessions(USERNAME);
        assert!(
            living.iter().any(|id| id == first.session_id.expose()),
            "{flow}"
        );
        assert_eq!(first.username, USERNAME, "{flow}");
        assert_eq!(first.instance_url, oauth.simulator.instance_url(), "{flow}");

        oauth.simulator.expire_sessions(USERNAME);
        let next = oauth.refused(flow, first.generation).await.unwrap();
        assert_eq!(oauth.logins(), before + 2, "{flow}");
        assert_ne!(
            next.session_id.expose(),
            first.session_id.expose(),
            "{flow}"
        );
    }
    oauth.finish().await;
}

#[tokio::test]
async fn a_record_without_user_name_shows_the_one_that_its_login_led_to() {
    let oauth = OAuth::start().await;
    for flow in ["client-credentials", "refresh-token"] {
        oauth.session(flow).await;
        let (ended, _) = oauth.inside.sfvault(&["show", flow]).await;
        assert!(ended.stdout.contains(USERNAME), "{}", ended.stdout);
    }
    oauth.finish().await;
}

#[tokio::test]
async fn a_wrong_secret_is_sent_once() {
    let oauth = OAuth::start().await;
    let sim = &oauth.simulator;
    sim.app(CONSUMER_KEY, |app| {
        app.consumer_secret = "another".to_owned();
        app.certificate = None;
    });
    sim.revoke_approvals(USERNAME, CONSUMER_KEY);
    for (flow, reason) in [
        ("username-password", Reason::AppConfig),
        ("client-credentials", Reason::AppConfig),
        ("jwt-bearer", Reason::AppConfig),
        ("refresh-token", Reason::RefreshTokenDead),
    ] {
        let asked = token_requests(sim);
        for _ in 0..3 {
            let error = oauth.inside.session(flow).await.map(drop).unwrap_err();
            assert_eq!(error.reason(), reason, "{flow}: {error}");
        }
        assert_eq!(token_requests(sim), asked + 1, "{flow}");
    }
    oauth.finish().await;
}

fn token_requests(simulator: &Simulator) -> usize {
    let requests = simulator.requests();
    requests
        .iter()
        .filter(|request| request.path == "/services/oauth2/token")
        .count()
}

#[tokio::test]
async fn an_org_without_soap_login_lets_every_flow_in() {
    let oauth = OAuth::start().await;
    oauth.simulator.org(|org| org.soap_login_enabled = false);
    for flow in FLOWS {
        oauth.session(flow).await;
    }
    oauth.finish().await;
}

/// T42. The daemon's clock stands an hour behind Salesforce's: every assertion has expired when it comes.
#[tokio::test]
async fn a_clock_that_is_wrong_costs_two_logins_and_is_named() {
    let simulator = Simulator::start(options()).await;
    let clock = ManualClock::running();
    clock.set(clock.now() - Duration::from_hours(1));
    let way = way_to_at(&simulator, clock.clone());
    let inside = Inside::start(way, clock.clone()).await;
    let new = new_record("jwt", "jwt-bearer", &simulator.login_url(), "");
    inside.admin.add(new).await.unwrap();
    for (reason, exit) in [("CLOCK_SKEW", 75), ("APP_CONFIG", 6), ("APP_CONFIG", 6)] {
        let (ended, error) = inside.sfvault(&["get", "jwt"]).await;
        assert_eq!(
            (ended.status, error["reason"].as_str()),
            (exit, Some(reason))
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("s behind Salesforce's"), "{message}");
        clock.advance(Duration::from_secs(60));
    }
    assert_eq!(simulator.logins(USERNAME).total, 2);
    inside.finish().await;
    simulator.finish().unwrap();
}

#[tokio::test]
async fn what_could_never_work_is_refused_at_entry() {
    let simulator = Simulator::start(options()).await;
    let inside = Inside::start(way_through_the_proxy(&simulator), simulator.clock()).await;
    let login = "https://login.salesforce.com";
    let key = |text: &str| Credential::JwtBearer {
        private_key: PrivateKey::new(text.to_owned()),
        consumer_secret: None,
    };
    let certificate = sfvault_tests::simulator::certificate(PRIVATE_KEY);
    for (new, words) in [
        (
            new_record("a", "client-credentials", login, ""),
            "My Domain",
        ),
        (
            NewRecord {
                credential: key(&certificate),
                ..new_record("a", "jwt-bearer", login, "")
            },
            "certificate",
        ),
        (
            NewRecord {
                audience: "https://login.salesforce.com/services/oauth2/token".to_owned(),
                ..new_record("a", "jwt-bearer", login, "")
            },
            "audience",
        ),
        (
            NewRecord {
                consumer_key: "3MVG9 key".to_owned(),
                ..new_record("a", "jwt-bearer", login, "")
            },
            "consumer_key",
        ),
    ] {
        let error = inside.admin.add(new).await.map(drop).unwrap_err();
        assert_eq!(error.reason(), Reason::InvalidArgument);
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(simulator.requests().is_empty());
    inside.finish().await;
    simulator.finish().unwrap();
}
