//! The flows of OAuth, from the record to the session: a real daemon, a real client, and the simulator's apps.

use std::{num::NonZeroU64, time::Duration};

use sfvault::{
    AdminClient, ConsumerSecret, Credential, Error, NewRecord, Password, Places, PrivateKey,
    Reason, RecordName, RefreshToken, SecurityToken, Session, SessionRequest, SessionsClient,
};
use sfvault_tests::{
    clock::ManualClock,
    simulator::{
        Answer, App, CONSUMER_KEY, CONSUMER_SECRET, OAuthError, Options, Org, PASSWORD,
        PRIVATE_KEY, Place, Retirement, SECURITY_TOKEN, Simulator, USERNAME,
    },
};
use sfvaultd::clock::Clock as _;

use crate::{
    inside::{Inside, way_through_the_proxy, way_to, way_to_at},
    leaks,
    scene::Scene,
};

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

#[tokio::test]
async fn a_token_in_jwt_format_is_proved_by_userinfo_and_ends_when_it_says() {
    let oauth = OAuth::start().await;
    oauth.simulator.app(CONSUMER_KEY, |app| {
        app.jwt_tokens = true;
        app.session_timeout = Some(Duration::from_mins(40));
    });
    for flow in ["client-credentials", "jwt-bearer", "refresh-token"] {
        let first = oauth.session(flow).await;
        assert!(first.session_id.expose().starts_with("eyJ"), "{flow}");
        assert_eq!(first.username, USERNAME, "{flow}");
    }
    let requests = oauth.simulator.requests();
    let paths: Vec<&str> = requests
        .iter()
        .map(|request| request.path.as_str())
        .collect();
    assert!(paths.contains(&"/services/oauth2/userinfo"), "{paths:?}");
    assert!(
        !paths.iter().any(|path| path.contains("/Soap/")),
        "{paths:?}"
    );

    let flow = "jwt-bearer";
    assert_about(oauth.guaranteed(flow).await, Duration::from_mins(20), flow);
    let logins = oauth.logins();
    // Proved after half an hour, it lives on, but not beyond its end.
    oauth.simulator.clock().advance(Duration::from_mins(30));
    assert_about(oauth.guaranteed(flow).await, Duration::from_mins(10), flow);
    assert_eq!(oauth.logins(), logins);
    // Who needs it for longer than that gets another.
    let longer = SessionRequest {
        min_ttl: Some(Duration::from_mins(15)),
        ..SessionRequest::new(RecordName::parse(flow).unwrap())
    };
    oauth.client().await.session(&longer).await.unwrap();
    assert_eq!(oauth.logins(), logins + 1);
    oauth.simulator.clock().advance(Duration::from_mins(41));
    oauth.session(flow).await;
    assert_eq!(oauth.logins(), logins + 2);
    // Nothing that this app gives lasts so long: no login is wasted on it.
    let too_long = SessionRequest {
        min_ttl: Some(Duration::from_mins(20)),
        ..SessionRequest::new(RecordName::parse(flow).unwrap())
    };
    let error = oauth.client().await.session(&too_long).await;
    assert_eq!(error.map(drop).unwrap_err().reason(), Reason::MinTtlTooLong);
    assert_eq!(oauth.logins(), logins + 2);
    oauth.finish().await;
}

#[tokio::test]
async fn a_jwt_that_died_early_costs_one_login() {
    let oauth = OAuth::start().await;
    oauth
        .simulator
        .app(CONSUMER_KEY, |app| app.jwt_tokens = true);
    let first = oauth.session("jwt-bearer").await;
    oauth.simulator.expire_sessions(USERNAME);
    let next = oauth.refused("jwt-bearer", first.generation).await.unwrap();
    assert_ne!(first.session_id.expose(), next.session_id.expose());
    assert_eq!(oauth.logins(), 2);
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

/// T43. Every flow, the failing ones included, with the daemon as talkative as it can be.
#[tokio::test]
async fn no_secret_of_oauth_is_in_logs_messages_or_files() {
    let simulator = Simulator::start(options()).await;
    let hosts = [simulator.login_url(), simulator.instance_url()];
    let salesforce = format!(
        "allowed_hosts = {hosts:?}\nca_file = {:?}\nproxy = \"none\"\n",
        simulator.ca_file()
    );
    let scene = Scene::configured(simulator, &salesforce, &[("RUST_LOG", "trace")]).await;
    let admin = AdminClient::connect(&Places::at(&scene.sfvault.path("run")))
        .await
        .unwrap();
    let sim = &scene.simulator;
    let refresh_token = sim.approve(USERNAME, CONSUMER_KEY);
    let (mut said, mut secrets) = (String::new(), vec![refresh_token.clone()]);
    for jwt_tokens in [false, true] {
        sim.app(CONSUMER_KEY, |app| app.jwt_tokens = jwt_tokens);
        for flow in FLOWS {
            let name = format!("{flow}-{jwt_tokens}");
            let new = new_record(&name, flow, &sim.instance_url(), &refresh_token);
            admin.add(new).await.unwrap();
            // What was sent; what the daemon does not have it can't know.
            let echo = match flow {
                "refresh-token" => refresh_token.as_str(),
                "jwt-bearer" => "nothing that could be known here",
                _ => CONSUMER_SECRET,
            };
            for answer in [
                Answer::EchoedPassword,
                Answer::OAuth(OAuthError::new(echo, echo)),
                Answer::LoginPage,
            ] {
                sim.script(Place::Instance, [answer]);
                for command in [&["check", &name, "--release"][..], &["show", &name]] {
                    let ended = scene.run(command).await;
                    said.push_str(&ended.stdout);
                    said.push_str(&ended.stderr);
                }
            }
            let ended = scene.run(&["check", &name, "--release"]).await;
            assert_eq!(ended.status, 0, "{name}: {}", ended.stderr);
            secrets.extend(sim.sessions(USERNAME));
        }
    }
    secrets.extend([
        CONSUMER_SECRET.to_owned(),
        format!("{PASSWORD}{SECURITY_TOKEN}"),
    ]);
    let key_lines = PRIVATE_KEY.lines().filter(|line| !line.starts_with('-'));
    secrets.extend(key_lines.skip(1).take(3).map(str::to_owned));
    // A JWT's header and claims are no secret: its signature is. The ids of other sessions may have dots, too.
    let secrets: Vec<&str> = secrets
        .iter()
        .map(|secret| match secret.starts_with("eyJ") {
            true => secret.rsplit('.').next().unwrap(),
            false => secret,
        })
        .collect();
    leaks::assert_none("what sfvault printed", &said, &secrets);
    let log = scene.sfvault.daemon_log();
    assert!(log.contains("TRACE"), "the log is not at its loudest");
    leaks::assert_none("the daemon's log", &log, &secrets);
    let vault = std::fs::read(scene.sfvault.path("data/vault.redb")).unwrap();
    leaks::assert_none("the vault", &String::from_utf8_lossy(&vault), &secrets);
    scene.finish().await;
}

/// SOAP knows no such session, so it is not SOAP that ends it.
#[tokio::test]
async fn a_jwt_is_ended_by_revocation_and_a_dead_one_counts_as_ended() {
    let oauth = OAuth::start().await;
    oauth
        .simulator
        .app(CONSUMER_KEY, |app| app.jwt_tokens = true);
    let name = RecordName::parse("jwt-bearer").unwrap();
    oauth.session("jwt-bearer").await;
    assert!(oauth.inside.admin.end_session(&name).await.unwrap());
    assert!(oauth.simulator.sessions(USERNAME).is_empty());
    oauth.session("jwt-bearer").await;
    oauth.simulator.expire_sessions(USERNAME);
    assert!(oauth.inside.admin.end_session(&name).await.unwrap());
    let revocations = oauth.simulator.requests().into_iter();
    let revocations = revocations.filter(|r| r.path == "/services/oauth2/revoke");
    assert_eq!(revocations.count(), 2);
    assert_eq!(oauth.logins(), 2);
    oauth.finish().await;
}

#[tokio::test]
async fn who_holds_a_jwt_is_given_its_successor_before_it_ends() {
    let oauth = OAuth::start().await;
    oauth
        .simulator
        .app(CONSUMER_KEY, |app| app.jwt_tokens = true);
    let request = sfvault::WatchRequest {
        record: RecordName::parse("jwt-bearer").unwrap(),
        include_session: true,
        min_ttl: None,
        expect_org: None,
        expect_environment: None,
    };
    let mut watch = oauth.client().await.watch(&request).await.unwrap();
    let first = loop {
        let news = watch.next().await.unwrap();
        if let Some(session) = news.session {
            break session;
        }
    };
    let begun = oauth.simulator.clock().now();
    let left = first.expires_at.duration_since(begun).unwrap();
    let sent = oauth.simulator.requests().len();
    // Five minutes before the end, and some chance.
    oauth
        .simulator
        .clock()
        .advance(left - Duration::from_secs(299));
    let second = loop {
        let news = watch.next().await.unwrap();
        let session = news
            .session
            .expect("the first lasts until the second is there");
        if session.generation > first.generation {
            break session;
        }
    };
    assert!(second.expires_at > first.expires_at);
    assert_eq!(oauth.logins(), 2);
    // The login and its proof; no call kept the first alive, for none could.
    assert_eq!(oauth.simulator.requests().len(), sent + 2);
    drop(watch);
    oauth.finish().await;
}
