//! `sfvault login`: a real client that listens, a real daemon, and a browser of a few lines.

mod listener;

use std::process::Stdio;

use serde_json::Value;
use sfvault_tests::simulator::{
    App, CONSUMER_KEY, CONSUMER_SECRET, PermittedUsers, StateSent, USERNAME, User,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, ChildStdout},
};

use crate::{
    browser,
    scene::{Ended, Scene, ended},
};

const TWIN: &str = "twin@acme.example";

async fn scene() -> Scene {
    let scene = Scene::empty().await;
    scene.simulator.app(CONSUMER_KEY, |app| {
        *app = App {
            rotates: true,
            pkce_required: true,
            callbacks: Vec::new(),
            permitted_users: PermittedUsers::SelfAuthorized,
            ..App::new(CONSUMER_KEY, CONSUMER_SECRET, USERNAME)
        };
    });
    scene
        .sfvault
        .secret_file("consumer-secret", CONSUMER_SECRET)
        .unwrap();
    scene
}

/// A running `sfvault login`, which waits for its browser.
struct Login {
    child: Child,
    stdout: BufReader<ChildStdout>,
    authorize_url: String,
    callback_url: String,
}

impl Login {
    async fn begin(scene: &Scene, more: &[&str]) -> Self {
        let base = ["login", "me", "--no-browser", "--json", "--port", "0"];
        let mut command = scene.command(&[&base, more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).await.unwrap();
        if line.is_empty() {
            panic!("{:?}", ended(child.wait_with_output().await.unwrap()));
        }
        let said: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        let callback = text("callback_url");
        let listed = callback.clone();
        scene
            .simulator
            .app(CONSUMER_KEY, |app| app.callbacks.push(listed));
        Self {
            child,
            stdout,
            authorize_url: text("authorize_url"),
            callback_url: callback,
        }
    }

    async fn begin_new(scene: &Scene) -> Self {
        let url = scene.simulator.login_url();
        let settings = [
            "--login-url",
            &url,
            "--consumer-key",
            CONSUMER_KEY,
            "--consumer-secret-file",
            "@consumer-secret",
        ];
        Self::begin(scene, &settings).await
    }

    /// Where Salesforce sends the browser of a person who logs in.
    async fn sent_to(&self, scene: &Scene) -> String {
        browser::sent_to(&scene.simulator, &self.authorize_url).await
    }

    fn address(&self) -> &str {
        let rest = self.callback_url.strip_prefix("http://").unwrap();
        rest.strip_suffix("/callback").unwrap()
    }

    /// Asks the listener, and returns what it answers: nothing where it is gone or hung up.
    async fn ask(&self, target: &str, host: &str) -> String {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.say(head.as_bytes()).await
    }

    /// The same with these octets, after which nothing comes.
    async fn say(&self, octets: &[u8]) -> String {
        let mut answer = String::new();
        // It closes at what is too long, and for good once it heard the browser: every step can fail from there on.
        let _ = async {
            let mut stream = TcpStream::connect(self.address()).await?;
            stream.write_all(octets).await?;
            stream.shutdown().await?;
            stream.read_to_string(&mut answer).await
        }
        .await;
        answer
    }

    /// The browser comes back.
    async fn bring(&self, location: &str) -> String {
        let target = location
            .strip_prefix("http://")
            .and_then(|rest| rest.strip_prefix(self.address()))
            .unwrap();
        self.ask(target, self.address()).await
    }

    async fn end(mut self) -> (Ended, Value) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).await.unwrap();
        let mut ended = ended(self.child.wait_with_output().await.unwrap());
        let said = if rest.is_empty() {
            let mut error: Value =
                serde_json::from_str(&ended.stderr).unwrap_or_else(|_| panic!("{}", ended.stderr));
            error["error"].take()
        } else {
            serde_json::from_str(&rest).unwrap()
        };
        ended.stdout = rest;
        (ended, said)
    }

    /// It failed for a reason that the browser has to do with.
    async fn fails(self, part: &str) {
        let (ended, error) = self.end().await;
        assert_eq!(
            (ended.status, &error["reason"]),
            (6, &"BROWSER_LOGIN".into()),
            "{error}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
    }
}

async fn is_there(scene: &Scene) -> bool {
    scene.run(&["show", "me"]).await.status == 0
}

#[tokio::test]
async fn a_person_logs_in_once_and_the_record_gives_sessions_from_then_on() {
    let mut scene = scene().await;
    let login = Login::begin_new(&scene).await;
    assert!(!is_there(&scene).await, "nothing is stored before");
    let location = login.sent_to(&scene).await;
    let page = login.bring(&location).await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let code = location.split_once("code=").unwrap().1;
    assert!(!page.contains(&code[..20]), "the page repeats nothing");
    let (ended, said) = login.end().await;
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(said["added"], true);
    assert_eq!(
        (&said["record"]["state"], &said["record"]["username"]),
        (&"ready".into(), &USERNAME.into())
    );
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    scene.ok(&["get", "me"]).await;

    // Once more, when the token is dead: all settings are the record's.
    scene.simulator.revoke_approvals(USERNAME, CONSUMER_KEY);
    scene.simulator.expire_sessions(USERNAME);
    let failed = scene
        .fails(&["get", "me", "--refused-generation", "1"])
        .await;
    assert_eq!(failed.1["reason"], "REFRESH_TOKEN_DEAD");
    let login = Login::begin(&scene, &[]).await;
    login.bring(&login.sent_to(&scene).await).await;
    let (ended, said) = login.end().await;
    assert_eq!(
        (ended.status, &said["added"]),
        (0, &false.into()),
        "{}",
        ended.stderr
    );
    scene.ok(&["get", "me"]).await;
    let log = scene.sfvault.daemon_log();
    assert!(
        !log.contains(&code[..20]) && !log.contains("state="),
        "{log}"
    );
    scene.finish().await;
}

#[tokio::test]
async fn what_comes_back_changed_stores_nothing() {
    let scene = scene().await;
    for (change, part) in [
        ("state", "its `state` is not the one that was sent"),
        ("denied", "access_denied: end-user denied authorization"),
        ("iss", "its `iss` is no host of Salesforce's"),
        ("http", "its `iss` is no host of Salesforce's"),
        ("other", "its issuer is another org"),
    ] {
        // It may be sent to, but is not the one that answers.
        let other = "https://other.my.salesforce.com";
        scene.simulator.org(|org| {
            let browser = &mut org.oauth.browser;
            browser.state = match change {
                "state" => StateSent::Another,
                _ => StateSent::Kept,
            };
            browser.denies = change == "denied";
            browser.issuer = match change {
                "iss" => Some("https://evil.example".to_owned()),
                "http" => Some("http://login.salesforce.com".to_owned()),
                "other" => Some(other.to_owned()),
                _ => None,
            };
        });
        let login = Login::begin_new(&scene).await;
        login.bring(&login.sent_to(&scene).await).await;
        login.fails(part).await;
        assert!(!is_there(&scene).await, "{change}");
    }
    scene.finish().await;
}

#[tokio::test]
async fn the_right_issuer_is_the_login_host_or_the_org_itself() {
    let scene = scene().await;
    for issuer in [scene.simulator.login_url(), scene.simulator.instance_url()] {
        scene
            .simulator
            .org(|org| org.oauth.browser.issuer = Some(issuer));
        let login = Login::begin_new(&scene).await;
        login.bring(&login.sent_to(&scene).await).await;
        let (ended, _) = login.end().await;
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        scene.ok(&["remove", "me", "--yes"]).await;
    }
    scene.finish().await;
}

#[tokio::test]
async fn another_user_of_the_org_does_not_take_a_record_over() {
    let scene = scene().await;
    let login = Login::begin_new(&scene).await;
    login.bring(&login.sent_to(&scene).await).await;
    assert_eq!(login.end().await.0.status, 0);
    let before = scene.ok(&["show", "me", "--json"]).await;
    scene.simulator.add_user(User::new(TWIN, "pw", "token"));
    scene
        .simulator
        .org(|org| org.oauth.browser.username = Some(TWIN.to_owned()));
    let login = Login::begin(&scene, &[]).await;
    login.bring(&login.sent_to(&scene).await).await;
    let (ended, error) = login.end().await;
    assert_eq!(
        (ended.status, &error["reason"]),
        (6, &"PINNED_ELSEWHERE".into()),
        "{error}"
    );
    assert_eq!(scene.ok(&["show", "me", "--json"]).await, before);
    scene.finish().await;
}

#[tokio::test]
async fn a_login_is_over_when_the_vault_is_locked_or_nobody_comes() {
    let scene = scene().await;
    let login = Login::begin_new(&scene).await;
    let location = login.sent_to(&scene).await;
    scene.ok(&["lock"]).await;
    scene.unlock().await;
    login.bring(&location).await;
    login.fails("it is unknown here").await;

    let login = Login::begin(
        &scene,
        &[
            "--timeout",
            "1s",
            "--login-url",
            &scene.simulator.login_url(),
            "--consumer-key",
            CONSUMER_KEY,
        ],
    )
    .await;
    let (ended, error) = login.end().await;
    assert_ne!(ended.status, 0);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("nobody came back"), "{message}");
    scene.finish().await;
}

#[tokio::test]
async fn what_can_t_be_a_login_is_not_begun() {
    let scene = scene().await;
    scene.add("prod").await;
    let url = scene.simulator.login_url();
    let evil = [
        "login",
        "me",
        "--login-url",
        "https://evil.example",
        "--consumer-key",
        "k",
        "--port",
        "0",
    ];
    for (arguments, reason, part) in [
        (
            &["login", "prod", "--port", "0"][..],
            "INVALID_ARGUMENT",
            "`soap-login`",
        ),
        (
            &["login", "me", "--port", "0"],
            "INVALID_ARGUMENT",
            "no such record",
        ),
        (
            &["login", "me", "--login-url", &url, "--port", "0"],
            "INVALID_ARGUMENT",
            "`consumer_key`",
        ),
        (&evil, "HOST_NOT_ALLOWED", "evil.example"),
    ] {
        let (_, error) = scene.fails(arguments).await;
        assert_eq!(error["reason"], reason, "{error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    scene.finish().await;
}
