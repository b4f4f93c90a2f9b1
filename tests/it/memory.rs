//! What root finds in the memory of the real daemon: sessions in use, and nothing else that is secret.

mod flows;

use std::time::Duration;

use sfvault::{
    AdminClient, Passphrase, Places, RecordName, SessionRequest, SessionsClient, WatchState,
};
use sfvault_tests::{
    installation::Installation,
    memory::Memory,
    simulator::{
        Answer, Options, PASSWORD as USERS_PASSWORD, Place, SECURITY_TOKEN as USERS_TOKEN,
        Simulator, USERNAME, User,
    },
};
use tokio::time::{Instant, sleep};

use crate::{scene::Scene, skipped::only_root_can};

const PASSWORD: &str = "CANARY<pass&word>-first-4711";
const TOKEN: &str = "CANARYtokenOfTheFirst4711";
const OTHER_USER: &str = "other@example.com";
const OTHER_PASSWORD: &str = "CANARY'pass\"word'-other-4711";
const OTHER_TOKEN: &str = "CANARYtokenOfTheOther4711";
const WRONG_PASSWORD: &str = "CANARYwrongpassword4711";
const PASSPHRASE: &str = "CANARY passphrase of the vault 4711";
const WRONG_PASSPHRASE: &str = "CANARY wrong passphrase 4711";

/// Looks at the daemon for so long at most: a connection whose client has gone is dropped when its turn comes, and one
/// whose client stays ends a second after its last call. A busy machine gives turns late.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks, each of which reads the whole memory, it is the daemon's turn, and the simulator's.
const PAUSE: Duration = Duration::from_millis(50);

/// T24
#[tokio::test]
async fn memory_holds_only_sessions_in_use_and_nothing_once_locked() {
    if !is_root() {
        return;
    }
    let scene = scene().await;
    scene
        .ok(&["init", "--passphrase-file", "@passphrase"])
        .await;
    let passphrases = [
        Canary::new("passphrase", PASSPHRASE),
        Canary::new("wrong passphrase", WRONG_PASSPHRASE),
    ];
    gone(&scene, "init", &passphrases).await;
    scene.ok(&["lock"]).await;
    scene
        .fails(&["unlock", "--passphrase-file", "@wrong-passphrase"])
        .await;
    gone(&scene, "a wrong passphrase", &passphrases).await;
    scene.unlock().await;
    gone(&scene, "unlock", &passphrases).await;
    let vault_key = vault_key(&scene);

    add(&scene, "first", USERNAME, "@password", "@token").await;
    add(
        &scene,
        "other",
        OTHER_USER,
        "@wrong-password",
        "@other-token",
    )
    .await;
    let credentials = [
        Canary::new("password", PASSWORD),
        Canary::new("token", TOKEN),
        Canary::new("other password", OTHER_PASSWORD),
        Canary::new("other token", OTHER_TOKEN),
        Canary::new("wrong password", WRONG_PASSWORD),
        Canary::new("joined", &format!("{PASSWORD}{TOKEN}")),
    ];
    gone(&scene, "add", &credentials).await;
    scene.fails(&["get", "other"]).await;
    gone(&scene, "a rejected login", &credentials).await;
    scene
        .ok(&["set", "other", "--password-file", "@other-password"])
        .await;
    gone(&scene, "set", &credentials).await;
    for answer in [
        Answer::EchoedPassword,
        Answer::Truncated,
        Answer::TwoSessionIds,
        Answer::CloseRead,
    ] {
        scene.simulator.script(Place::Login, [answer]);
        scene.fails(&["check", "first", "--release"]).await;
    }
    scene.ok(&["check", "first", "--release"]).await;
    gone(&scene, "failed logins", &credentials).await;

    let first = session(&scene, "first").await;
    let other = session(&scene, "other").await;
    gone(&scene, "get", &credentials).await;
    gone(&scene, "get", &passphrases).await;
    assert!(memory(&scene).find(first.raw.as_bytes()).is_some());
    assert!(memory(&scene).find(other.raw.as_bytes()).is_some());

    scene.ok(&["remove", "first", "--yes"]).await;
    gone(&scene, "remove", std::slice::from_ref(&first)).await;
    assert!(memory(&scene).find(other.raw.as_bytes()).is_some());

    scene.ok(&["lock"]).await;
    let all: Vec<Canary> = credentials.into_iter().chain(passphrases).collect();
    gone(&scene, "lock", &all).await;
    gone(&scene, "lock", &[first, other, vault_key]).await;
    scene.finish().await;
}

/// T24
#[tokio::test]
async fn connections_and_streams_of_before_the_lock_leave_nothing_when_they_close() {
    if !is_root() {
        return;
    }
    let scene = scene().await;
    scene
        .ok(&["init", "--passphrase-file", "@passphrase"])
        .await;
    scene.ok(&["lock"]).await;
    let places = Places::at(&scene.sfvault.path("run"));
    let admin = AdminClient::connect(&places).await.unwrap();
    let passphrase = Passphrase::new(PASSPHRASE.as_bytes().to_vec());
    admin.unlock(passphrase).await.unwrap();
    add(&scene, "prod", USERNAME, "@password", "@token").await;
    let jobs = SessionsClient::connect(&places).await.unwrap();
    let request = SessionRequest::new(RecordName::parse("prod").unwrap());
    let session = jobs.session(&request).await.unwrap();
    // EXPOSE: to this test.
    let secret = session.session_id.expose().split_once('!').unwrap().1;
    let canaries = [
        Canary::new("session", secret),
        Canary::new("passphrase", PASSPHRASE),
    ];
    assert!(memory(&scene).find(secret.as_bytes()).is_some());
    let mut stream = scene.watch().await;
    while stream.next().await.unwrap().session.is_none() {}
    scene.ok(&["lock"]).await;
    while stream.next().await.unwrap().state != WatchState::Locked {}
    drop((admin, jobs, stream));
    // The connections' tasks are on this thread: they close while it waits.
    scene.ok(&["status"]).await;
    gone(&scene, "the connections closed", &canaries).await;
    scene.finish().await;
}

/// T24. On two threads, for a client that is told to leave has to hear it while this one looks.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_stay_open_hold_nothing_after_lock_and_remove() {
    if !is_root() {
        return;
    }
    let scene = scene().await;
    let places = Places::at(&scene.sfvault.path("run"));
    // Each stays on the connection of its last call.
    let (first_admin, admin) = (
        AdminClient::connect(&places).await.unwrap(),
        AdminClient::connect(&places).await.unwrap(),
    );
    let jobs = SessionsClient::connect(&places).await.unwrap();
    let passphrase = || Passphrase::new(PASSPHRASE.as_bytes().to_vec());
    first_admin.initialize(passphrase()).await.unwrap();
    add(&scene, "first", USERNAME, "@password", "@token").await;
    add(
        &scene,
        "other",
        OTHER_USER,
        "@other-password",
        "@other-token",
    )
    .await;
    let first = held_session(&jobs, "first").await;
    admin
        .remove(&RecordName::parse("first").unwrap())
        .await
        .unwrap();
    gone(&scene, "remove", &[first]).await;

    let other = held_session(&jobs, "other").await;
    assert!(memory(&scene).find(other.raw.as_bytes()).is_some());
    admin.lock().await.unwrap();
    let passphrases = [Canary::new("passphrase", PASSPHRASE)];
    gone(&scene, "lock", &[other]).await;
    gone(&scene, "lock", &passphrases).await;

    // Nobody who was connected notices.
    first_admin.unlock(passphrase()).await.unwrap();
    held_session(&jobs, "other").await;
    scene.finish().await;
}

async fn held_session(jobs: &SessionsClient, name: &str) -> Canary {
    let request = SessionRequest::new(RecordName::parse(name).unwrap());
    let session = jobs.session(&request).await.unwrap();
    // EXPOSE: to this test.
    let (_, secret) = session.session_id.expose().split_once('!').unwrap();
    Canary::new("session", secret)
}

/// A secret in all the forms in which it may lie about.
struct Canary {
    name: &'static str,
    raw: String,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    fn new(name: &'static str, text: &str) -> Self {
        let escaped = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;");
        let mut forms = Self::of_bytes(name, text.as_bytes()).forms;
        if escaped != text {
            forms.extend(pieces(escaped.as_bytes()));
        }
        Self {
            name,
            raw: text.to_owned(),
            forms,
        }
    }

    fn of_bytes(name: &'static str, bytes: &[u8]) -> Self {
        Self {
            name,
            raw: String::new(),
            forms: [pieces(bytes), pieces(&base64(bytes))].concat(),
        }
    }
}

/// The two halves: an allocator that writes its own notes over the start of freed memory must not hide the rest.
fn pieces(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    vec![head.to_owned(), tail.to_owned()]
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = three
                .iter()
                .fold(0_usize, |bits, b| bits << 8 | usize::from(*b));
            [18, 12, 6, 0].map(|shift| DIGITS[bits >> shift & 63])
        })
        .collect()
}

async fn gone(scene: &Scene, after: &str, canaries: &[Canary]) {
    let began = Instant::now();
    loop {
        let memory = memory(scene);
        let found: Vec<String> = canaries
            .iter()
            .filter_map(|canary| {
                let place = canary.forms.iter().find_map(|form| memory.find(form))?;
                Some(format!("{}: {place}", canary.name))
            })
            .collect();
        if found.is_empty() {
            return;
        }
        let places = found.join("\n");
        assert!(began.elapsed() < PATIENCE, "after {after}:\n{places}");
        sleep(PAUSE).await;
    }
}

fn memory(scene: &Scene) -> Memory {
    Memory::of(scene.sfvault.pid().unwrap()).unwrap()
}

/// In a vault that was just unlocked, the vault key is all that is kept out of swap.
fn vault_key(scene: &Scene) -> Canary {
    let memory = memory(scene);
    let locked: Vec<&[u8]> = memory
        .locked()
        .map(|mapping| mapping.bytes.trim_ascii_end())
        .collect();
    let [page] = locked.as_slice() else {
        panic!("{} mappings are locked", locked.len());
    };
    let key = page.get(..32).unwrap();
    assert!(page[32..].iter().all(|b| *b == 0), "more than a key");
    assert!(key.iter().filter(|b| **b != 0).count() > 16);
    Canary::of_bytes("vault key", key)
}

async fn session(scene: &Scene, name: &str) -> Canary {
    let id = scene.ok(&["get", name]).await;
    // What comes before `!` is the org's id, which is no secret.
    let secret = id.trim().split_once('!').unwrap().1;
    Canary::new("session", secret)
}

async fn scene() -> Scene {
    scene_of(Options {
        users: vec![
            User::new(USERNAME, PASSWORD, TOKEN),
            User::new(OTHER_USER, OTHER_PASSWORD, OTHER_TOKEN),
        ],
        ..Options::default()
    })
    .await
}

async fn scene_of(options: Options) -> Scene {
    let simulator = Simulator::start(options).await;
    let mut sfvault = Installation::new(&simulator).unwrap();
    for (name, text) in [
        ("passphrase", PASSPHRASE),
        ("wrong-passphrase", WRONG_PASSPHRASE),
        ("password", PASSWORD),
        ("token", TOKEN),
        ("other-password", OTHER_PASSWORD),
        ("other-token", OTHER_TOKEN),
        ("wrong-password", WRONG_PASSWORD),
        ("users-password", USERS_PASSWORD),
        ("users-token", USERS_TOKEN),
    ] {
        sfvault.secret_file(name, text).unwrap();
    }
    sfvault.start_in(&[("RUST_LOG", "trace")]).unwrap();
    Scene { simulator, sfvault }
}

async fn add(scene: &Scene, name: &str, username: &str, password: &str, token: &str) {
    let url = scene.simulator.login_url();
    let record = ["add", name, "--username", username, "--login-url", &url];
    let secrets = ["--password-file", password, "--token-file", token];
    scene.ok(&[&record[..], &secrets].concat()).await;
}

fn is_root() -> bool {
    only_root_can("read the memory of the daemon")
}
