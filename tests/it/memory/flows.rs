//! The secrets of every way to log in.

use std::sync::Mutex;

use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use sfvault::{AdminClient, Passphrase, Places, RecordName, SessionRequest, SessionsClient};
use sfvault_tests::{
    clock::ManualClock,
    simulator::{
        App, CONSUMER_KEY, CONSUMER_SECRET, Options, Org, PASSWORD, PRIVATE_KEY, PermittedUsers,
        Retirement, SECURITY_TOKEN, USERNAME,
    },
};

use super::{Canary, PASSPHRASE, gone, is_root, memory, scene_of, vault_key};
use crate::{
    browser,
    oauth::{FLOWS, new_record},
    scene::Scene,
};

/// Who logged in by a browser.
const PERSON: &str = "person";

/// T24
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_any_flow_stays_when_clients_leave() {
    every_flow(false).await;
}

/// T24. On two threads, for clients that are told to leave have to hear it while this one looks.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_any_flow_stays_when_clients_stay() {
    every_flow(true).await;
}

/// Uses each secret of each flow, and looks for it as soon as it is not needed any more.
async fn every_flow(clients_stay: bool) {
    if !is_root() {
        return;
    }
    let scene = scene_of(options()).await;
    let clients = Clients::of(&scene, clients_stay).await;
    let passphrase = Passphrase::new(PASSPHRASE.as_bytes().to_vec());
    clients.admin().await.initialize(passphrase).await.unwrap();
    let mut secrets = vec![Canary::new("passphrase", PASSPHRASE)];
    gone(&scene, "init", &secrets).await;
    let vault_key = vault_key(&scene);

    let refresh_token = scene.simulator.approve(USERNAME, CONSUMER_KEY);
    for flow in FLOWS {
        let url = scene.simulator.instance_url();
        let new = new_record(flow, flow, &url, &refresh_token);
        clients.admin().await.add(new).await.unwrap();
    }
    super::add(
        &scene,
        "soap-login",
        USERNAME,
        "@users-password",
        "@users-token",
    )
    .await;
    secrets.extend([
        Canary::new("password", PASSWORD),
        Canary::new("token", SECURITY_TOKEN),
        Canary::new("consumer secret", CONSUMER_SECRET),
        Canary::new("refresh token", &refresh_token),
    ]);
    secrets.extend(private_key());
    gone(&scene, "add", &secrets).await;
    secrets.extend(log_in(&scene, &clients).await);
    gone(&scene, "a login in a browser", &secrets).await;

    let mut sessions = Vec::new();
    for name in FLOWS.into_iter().chain(["soap-login", PERSON]) {
        let session = clients.session(name).await;
        assert!(
            memory(&scene).find(session.raw.as_bytes()).is_some(),
            "{name}"
        );
        sessions.push((name, session));
        for token in scene.simulator.refresh_tokens(USERNAME, CONSUMER_KEY) {
            if secrets.iter().all(|known| known.raw != token) {
                secrets.push(Canary::new("new token", &token));
            }
        }
        gone(&scene, &format!("a login by {name}"), &secrets).await;
    }
    let jwts = sessions.iter().filter(|(_, session)| session.name == "JWT");
    assert!(jwts.count() >= 3, "the app gives none");
    secrets.push(rotate(&scene, &clients).await);
    gone(&scene, "a new password", &secrets).await;

    for removed in ["jwt-bearer", PERSON] {
        let at = sessions.iter().position(|(name, _)| *name == removed);
        let (_, session) = sessions.swap_remove(at.unwrap());
        let name = RecordName::parse(removed).unwrap();
        clients.admin().await.remove(&name).await.unwrap();
        gone(&scene, &format!("the end of {removed}"), &[session]).await;
    }
    for (name, _) in &sessions {
        // So that a connection that stays has it in its buffers again.
        clients.session(name).await;
    }
    let rest = memory(&scene);
    assert!(
        sessions
            .iter()
            .all(|(_, session)| rest.find(session.raw.as_bytes()).is_some())
    );
    clients.admin().await.lock().await.unwrap();
    secrets.extend(sessions.into_iter().map(|(_, session)| session));
    secrets.push(vault_key);
    gone(&scene, "lock", &secrets).await;
    scene.finish().await;
}

/// Programs that use the daemon.
struct Clients {
    places: Places,
    /// They leave no connection before they are told to.
    staying: Option<Staying>,
}

struct Staying {
    admins: Mutex<Vec<AdminClient>>,
    jobs: SessionsClient,
}

impl Clients {
    async fn of(scene: &Scene, stay: bool) -> Self {
        let mut clients = Self {
            places: Places::at(&scene.sfvault.path("run")),
            staying: None,
        };
        if stay {
            clients.staying = Some(Staying {
                admins: Mutex::default(),
                jobs: clients.jobs().await,
            });
        }
        clients
    }

    /// One that makes one call.
    async fn admin(&self) -> AdminClient {
        let admin = AdminClient::connect(&self.places).await.unwrap();
        if let Some(staying) = &self.staying {
            staying.admins.lock().unwrap().push(admin.clone());
        }
        admin
    }

    async fn jobs(&self) -> SessionsClient {
        match &self.staying {
            Some(staying) => staying.jobs.clone(),
            None => SessionsClient::connect(&self.places).await.unwrap(),
        }
    }

    async fn session(&self, name: &str) -> Canary {
        let request = SessionRequest::new(RecordName::parse(name).unwrap());
        let session = self.jobs().await.session(&request).await.unwrap();
        // EXPOSE: to this test. The claims of a JWT are no secret, and the org's id before the `!` of other ids is none.
        let id = session.session_id.expose();
        match id.split_once('!') {
            Some((_, secret)) => Canary::new("session", secret),
            None => Canary::new("JWT", id.rsplit('.').next().unwrap()),
        }
    }
}

/// Logs a person in by a browser; what may not stay of that.
async fn log_in(scene: &Scene, clients: &Clients) -> Vec<Canary> {
    scene.simulator.app(CONSUMER_KEY, |app| {
        app.callbacks = vec![browser::REDIRECT_URI.to_owned()];
        app.permitted_users = PermittedUsers::SelfAuthorized;
    });
    let login = browser::login(PERSON, &scene.simulator);
    let begun = clients.admin().await.begin_login(login).await.unwrap();
    let location = browser::sent_to(&scene.simulator, &begun.authorize_url).await;
    let callback = browser::brought(begun.login_id, &location);
    let mut secrets = vec![
        Canary::new("code", &callback.code),
        Canary::new("state", &callback.state),
    ];
    clients.admin().await.finish_login(callback).await.unwrap();
    let tokens = scene.simulator.refresh_tokens(USERNAME, CONSUMER_KEY);
    secrets.push(Canary::new("person's token", tokens.last().unwrap()));
    secrets
}

/// Lets Salesforce generate a password, and has it shown.
async fn rotate(scene: &Scene, clients: &Clients) -> Canary {
    let name = RecordName::parse("soap-login").unwrap();
    scene.ok(&["rotate", "soap-login", "--generate"]).await;
    let admin = clients.admin().await;
    let (password, _) = admin.reveal_generated_password(&name).await.unwrap();
    // EXPOSE: to this test.
    Canary::new("generated password", password.expose())
}

/// Lines of the PEM and pieces of what they decode to, also in the order in which numbers are held for computing.
fn private_key() -> Vec<Canary> {
    let key = |bytes: &[u8]| Canary::of_bytes("private key", bytes);
    let lines: Vec<&str> = PRIVATE_KEY.lines().collect();
    let der = PrivateKeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).unwrap();
    let mut canaries = Vec::new();
    // The exponent is in the second quarter, the primes are in the third, what is made of them in the last.
    for part in [3, 5, 7] {
        canaries.push(key(lines[lines.len() * part / 8].as_bytes()));
        let der = der.secret_der();
        let mut piece = der[der.len() * part / 8..][..32].to_vec();
        canaries.push(key(&piece));
        piece.reverse();
        canaries.push(key(&piece));
    }
    canaries
}

fn options() -> Options {
    Options {
        clock: ManualClock::running(),
        org: Org {
            retirement: Retirement::never(),
            distinct_sessions: true,
            ..Org::default()
        },
        apps: vec![App {
            // The flows whose records have no secret could not log in otherwise.
            secret_required: false,
            jwt_tokens: true,
            rotates: true,
            ..App::new(CONSUMER_KEY, CONSUMER_SECRET, USERNAME)
        }],
        ..Options::default()
    }
}
