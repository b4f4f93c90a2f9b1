//! The real daemon, killed while it writes (T31).
//!
//! `SFVAULT_CRASH_ROUNDS` says how many kills, `SFVAULT_CRASH_SEED` where the dice begin. The seed fixes what is
//! done and how long the daemon may live on; what it is doing at that moment is up to the machine.

use std::{env, time::Duration};

use sfvault::{AdminClient, Places};
use sfvault_tests::simulator::{CONSUMER_KEY, PASSWORD, PermittedUsers, USERNAME};
use sfvaultd::{
    secret::{Passphrase, Password, RefreshToken},
    store::{Store, StoredRecord},
};
use tokio::time::sleep;

use crate::{
    browser,
    dice::Dice,
    scene::{Ended, Scene, ended},
};

const ROUNDS: u64 = 20;
/// What `--remind 90d` means.
const REMINDER: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The longest that a daemon lives on after a command began: a command of a debug build takes some 50 ms on an idle
/// machine, one with a login 100.
const LONGEST_LIFE_US: usize = 250_000;
/// The same after a call of this process began, which needs no command to start.
const LONGEST_CALL_US: usize = 60_000;

/// What the vault may hold for one name, as far as the answers tell.
#[derive(Debug)]
struct Model {
    /// What the record may be; `None` for no record.
    possible: Vec<Option<Held>>,
    generation: u64,
    /// The file says that Salesforce rejected the password.
    latched: bool,
}

/// What operators said of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    password: String,
    /// [`GUEST`] may use it.
    guest: bool,
    remind_after: Option<Duration>,
}

/// A user whom rules name.
const GUEST: &str = "4711";

/// T31
#[tokio::test]
async fn what_was_acknowledged_survives_kills_at_any_moment() {
    let rounds = variable("SFVAULT_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed = variable("SFVAULT_CRASH_SEED").unwrap_or(1);
    println!("SFVAULT_CRASH_ROUNDS={rounds} SFVAULT_CRASH_SEED={seed}");
    let mut dice = Dice(seed);
    let mut scene = Scene::empty().await;
    scene
        .sfvault
        .secret_file("wrong", "not the password")
        .unwrap();
    let mut model = Model {
        possible: vec![None],
        generation: 0,
        latched: false,
    };
    let (mut acknowledged, mut logins_before) = (0, 0);
    for round in 0..rounds {
        let what = dice.below(12);
        let life = Duration::from_micros(dice.below(LONGEST_LIFE_US) as u64);
        let command = command(&scene, &model, what);
        let ended = killed_after(&mut scene, &command, life).await;
        let place =
            format!("seed {seed}, round {round}: {command:?} killed after {life:?}: {ended:?}");
        acknowledged += u64::from(ended.status == 0);
        model.hear(&command, &ended);
        let stored = stored(&scene);
        model.check(stored.as_ref(), &place);
        if command[0] == "logout" && ended.status == 0 {
            let kept = stored
                .as_ref()
                .and_then(|(stored, _)| stored.ledger.kept.as_ref());
            assert!(kept.is_none(), "{place}: a session that was ended is kept");
        }
        let logins = scene.logins().total;
        let released = command.contains(&"--release".to_owned());
        assert!(logins - logins_before <= 1, "{place}: more than one login");
        if model.latched && !released {
            assert_eq!(
                logins, logins_before,
                "{place}: a login in spite of the latch"
            );
        }
        logins_before = logins;
        model.latched = is_latched(stored.as_ref());
        assert!(
            ended.status != 6 || model.latched,
            "{place}: a rejection was told and lost"
        );
        scene.sfvault.start().unwrap();
        scene.unlock().await;
    }
    println!("{rounds} kills, {acknowledged} commands acknowledged, {logins_before} logins");
    // The last daemon works.
    let _ = scene.run(&["remove", "prod", "--yes"]).await;
    scene.add("prod").await;
    scene.finish().await;
}

/// T31. A vault that is made while the daemon dies is there as a whole or not at all.
#[tokio::test]
async fn a_vault_is_made_whole_or_not_at_all() {
    let rounds = variable("SFVAULT_CRASH_ROUNDS").unwrap_or(ROUNDS) / 2;
    let mut dice = Dice(variable("SFVAULT_CRASH_SEED").unwrap_or(1));
    let mut scene = Scene::empty().await;
    let path = scene.sfvault.path("data/vault.redb");
    let init: Vec<_> = ["init", "--no-autostart", "--passphrase-file", "@passphrase"]
        .map(str::to_owned)
        .into();
    for round in 0..rounds {
        scene.sfvault.kill().unwrap();
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        scene.sfvault.start().unwrap();
        let life = Duration::from_micros(dice.below(LONGEST_LIFE_US) as u64);
        let ended = killed_after(&mut scene, &init, life).await;
        match Store::open(&path).unwrap() {
            Some(store) => drop(store.unlock(&passphrase()).unwrap()),
            None => assert_ne!(ended.status, 0, "round {round}: acknowledged and lost"),
        }
        scene.sfvault.start().unwrap();
    }
    scene.finish().await;
}

/// T31. The refresh token of a login in a browser is stored as a whole or not at all, and no older one comes back.
#[tokio::test]
async fn a_login_in_a_browser_is_finished_whole_or_not_at_all() {
    let rounds = variable("SFVAULT_CRASH_ROUNDS").unwrap_or(ROUNDS) / 2;
    let seed = variable("SFVAULT_CRASH_SEED").unwrap_or(1);
    let mut dice = Dice(seed);
    let mut scene = Scene::empty().await;
    scene.simulator.app(CONSUMER_KEY, |app| {
        app.callbacks = vec![browser::REDIRECT_URI.to_owned()];
        app.permitted_users = PermittedUsers::SelfAuthorized;
    });
    let (mut held, mut finished) = (None, 0);
    for round in 0..rounds {
        if dice.below(4) == 0 && held.take().is_some() {
            scene.ok(&["remove", "me", "--yes"]).await;
        }
        let places = Places::at(&scene.sfvault.path("run"));
        let admin = AdminClient::connect(&places).await.unwrap();
        let login = browser::login("me", &scene.simulator);
        let begun = admin.begin_login(login).await.unwrap();
        let location = browser::sent_to(&scene.simulator, &begun.authorize_url).await;
        let callback = browser::brought(begun.login_id, &location);
        let known = scene.simulator.refresh_tokens(USERNAME, CONSUMER_KEY);
        let finishing = tokio::spawn(async move { admin.finish_login(callback).await });
        let life = Duration::from_micros(dice.below(LONGEST_CALL_US) as u64);
        sleep(life).await;
        scene.sfvault.kill().unwrap();
        let told = finishing.await.unwrap().is_ok();

        let mut given = scene.simulator.refresh_tokens(USERNAME, CONSUMER_KEY);
        given.retain(|token| !known.contains(token));
        assert!(given.len() <= 1, "one code, one token");
        let new = given.pop();
        let found = stored(&scene).map(|(_, token)| token);
        let is_new = found.is_some() && found == new;
        assert!(
            is_new || found == held && !told,
            "seed {seed}, round {round}: killed after {life:?}, told of success: {told}"
        );
        held = found;
        finished += u64::from(told);
        scene.sfvault.start().unwrap();
        scene.unlock().await;
        if is_new {
            scene.ok(&["check", "me"]).await;
        }
    }
    println!("{rounds} kills, {finished} logins finished");
    scene.finish().await;
}

impl Model {
    /// What the command's end tells about the record.
    fn hear(&mut self, command: &[String], ended: &Ended) {
        let before = self.possible[0].clone();
        let to = match (command[0].as_str(), before) {
            ("add", _) => Some(Held {
                password: password_of(command),
                guest: false,
                remind_after: None,
            }),
            ("remove", _) => None,
            ("set", Some(held)) if command.iter().any(|word| word == "--remind") => Some(Held {
                remind_after: Some(REMINDER),
                ..held
            }),
            ("set", Some(held)) => Some(Held {
                password: password_of(command),
                ..held
            }),
            (verb @ ("allow" | "deny"), Some(held)) => Some(Held {
                guest: verb == "allow",
                ..held
            }),
            _ => return,
        };
        if ended.status == 0 {
            self.possible = vec![to];
        } else if !self.possible.contains(&to) {
            self.possible.push(to);
        }
    }

    /// The file is whole and holds what it may; from here on it is certain what that is.
    fn check(&mut self, stored: Option<&(StoredRecord, String)>, place: &str) {
        let found = stored.map(|(stored, password)| {
            let rules = stored.record.rules.iter().flat_map(|rules| rules.iter());
            let mut rules = rules.map(ToString::to_string);
            Held {
                password: password.clone(),
                guest: rules.any(|rule| rule.contains(GUEST)),
                remind_after: stored.record.remind_after,
            }
        });
        assert!(
            self.possible.contains(&found),
            "{place}\n{self:?}, found {found:?}"
        );
        let generation = stored.map_or(0, |(stored, _)| stored.ledger.generation);
        let is_new = stored.is_none_or(|(stored, _)| stored.ledger.logins == 0);
        assert!(
            is_new || generation >= self.generation,
            "{place}\n{self:?}: {generation}"
        );
        self.generation = generation;
        self.possible = vec![found];
    }
}

/// The next command: one that can succeed, mostly.
fn command(scene: &Scene, model: &Model, what: usize) -> Vec<String> {
    let url = scene.simulator.login_url();
    let there = model.possible[0].is_some();
    let words: &[&str] = match what {
        _ if !there => &[
            "add",
            "prod",
            "--username",
            USERNAME,
            "--login-url",
            &url,
            "--token-file",
            "@token",
            "--password-file",
            if what < 9 { "@password" } else { "@wrong" },
        ],
        0 => &["set", "prod", "--password-file", "@wrong"],
        1 => &["set", "prod", "--password-file", "@password"],
        2 => &["remove", "prod", "--yes"],
        3 => &["check", "prod", "--release"],
        4 => &["allow", "prod", "--uid", GUEST],
        5 => &["deny", "prod", "--uid", GUEST],
        6 => &["set", "prod", "--remind", "90d"],
        7 => &["logout", "prod", "--yes"],
        _ => &["get", "prod"],
    };
    let words = words.iter().chain(&["--no-autostart"]);
    words.map(|word| (*word).to_owned()).collect()
}

fn password_of(command: &[String]) -> String {
    match command.iter().any(|word| word == "@wrong") {
        true => "not the password",
        false => PASSWORD,
    }
    .to_owned()
}

/// Runs a command and kills the daemon some time after its start.
async fn killed_after(scene: &mut Scene, command: &[String], life: Duration) -> Ended {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut client = scene.command(&words);
    client
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let client = client.spawn().unwrap();
    // The one sleep that is not for waiting: it is the point of the test.
    sleep(life).await;
    scene.sfvault.kill().unwrap();
    ended(client.wait_with_output().await.unwrap())
}

/// The record in the file of a dead daemon, with its password or refresh token. Panics if anything in the file is not whole.
fn stored(scene: &Scene) -> Option<(StoredRecord, String)> {
    let path = scene.sfvault.path("data/vault.redb");
    let store = Store::open(&path).unwrap().unwrap();
    let keys = store.unlock(&passphrase()).unwrap();
    let mut found = store.load(&keys).unwrap();
    assert!(found.len() <= 1, "{found:?}");
    let stored = found.pop()?;
    let credential = store.credential(&keys, &stored.record).unwrap();
    let password = credential.password().map(Password::expose);
    let token = credential.refresh_token().map(RefreshToken::expose);
    let secret = password.or(token).unwrap().to_owned();
    Some((stored, secret))
}

fn is_latched(stored: Option<&(StoredRecord, String)>) -> bool {
    stored.is_some_and(|(stored, _)| stored.ledger.latch.is_some())
}

fn passphrase() -> Passphrase {
    Passphrase::new(b"correct horse".to_vec())
}

fn variable(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().unwrap())
}
