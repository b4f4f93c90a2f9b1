//! A daemon in this process, on a clock that tests turn and with the way to Salesforce that they choose. The programs
//! of an installation find it as they find a daemon of its own.

use std::sync::Arc;

use serde_json::Value;
use sfvault::{
    AdminClient, Credential, Error, NewRecord, Passphrase, Password, Places, RecordName,
    SecurityToken, Session, SessionRequest, SessionsClient,
};
use sfvault_tests::{
    clock::ManualClock,
    installation::Installation,
    simulator::{PASSWORD, SECURITY_TOKEN, Simulator, USERNAME},
};
use sfvaultd::{
    accept::Activated,
    audit::settings::Settings as AuditSettings,
    daemon::{Daemon, Setup},
    host::Host,
    mode::Mode,
    paths::Paths,
    salesforce::{
        Login, SalesforceLogin,
        environment::Environment,
        hosts::HostRules,
        proxy::{Proxy, ProxyUrl},
        settings::Settings,
    },
    store::KdfCost,
};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::scene::{Ended, ended};

pub(crate) struct Inside {
    pub(crate) installation: Installation,
    pub(crate) admin: AdminClient,
    stop: oneshot::Sender<()>,
    served: JoinHandle<bool>,
}

impl Inside {
    /// A daemon with an unlocked, empty vault.
    pub(crate) async fn start(login: impl Login, clock: ManualClock) -> Self {
        let installation = Installation::without_config().unwrap();
        let daemon = Daemon::start(Setup {
            paths: Paths {
                config: installation.path("config"),
                data: installation.path("data"),
                runtime: installation.path("run"),
            },
            mode: Mode::User,
            admin_group: None,
            clock: Arc::new(clock),
            login: Arc::new(login),
            kdf: KdfCost {
                memory_kib: 8 * 1024,
                iterations: 1,
                lanes: 1,
            },
            token_upkeep: Default::default(),
            retirements: Default::default(),
            login_share_percent: 50,
            hold_after_get: sfvaultd::config::Config::default().hold_after_get,
            api_version: "64.0".to_owned(),
            warnings: Vec::new(),
            audit: AuditSettings::default(),
            protections: Vec::new(),
            sight: Default::default(),
            activated: Activated {
                sessions: None,
                admin: None,
            },
        })
        .unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(daemon.serve(async move { drop(stopped.await) }));
        let admin = AdminClient::connect(&Places::at(&installation.path("run")))
            .await
            .unwrap();
        let passphrase = Passphrase::new(b"correct horse".to_vec());
        admin.initialize(passphrase).await.unwrap();
        Self {
            installation,
            admin,
            stop,
            served,
        }
    }

    /// Adds a record of the simulator's user.
    pub(crate) async fn add(&self, name: &str, login_url: &str) {
        let new = NewRecord {
            name: RecordName::parse(name).unwrap(),
            username: USERNAME.to_owned(),
            login_url: login_url.to_owned(),
            consumer_key: String::new(),
            audience: String::new(),
            credential: Credential::SoapLogin {
                password: Password::new(PASSWORD.to_owned()),
                security_token: Some(SecurityToken::new(SECURITY_TOKEN.to_owned())),
            },
            environment: None,
            remind_after: None,
        };
        self.admin.add(new).await.unwrap();
    }

    pub(crate) async fn session(&self, name: &str) -> Result<Session, Error> {
        let client = SessionsClient::connect(&Places::at(&self.installation.path("run")))
            .await
            .unwrap();
        client
            .session(&SessionRequest::new(RecordName::parse(name).unwrap()))
            .await
    }

    /// Runs the real `sfvault` with `--json`: how it ended, and its error object, which is null if it succeeded.
    pub(crate) async fn sfvault(&self, arguments: &[&str]) -> (Ended, Value) {
        let command = self.installation.sfvault([arguments, &["--json"]].concat());
        let output = tokio::process::Command::from(command).output().await;
        let ended = ended(output.unwrap());
        let error = match serde_json::from_str::<Value>(ended.stderr.trim()) {
            Ok(mut said) => said["error"].take(),
            Err(_) if ended.stderr.is_empty() => Value::Null,
            Err(_) => panic!("{}", ended.stderr),
        };
        (ended, error)
    }

    pub(crate) async fn finish(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

/// The real way to Salesforce, with the simulator's two addresses among the permitted hosts.
pub(crate) fn way_to(simulator: &Simulator) -> SalesforceLogin {
    way_to_at(simulator, simulator.clock())
}

/// The same for a daemon whose clock is another than Salesforce's.
pub(crate) fn way_to_at(simulator: &Simulator, clock: ManualClock) -> SalesforceLogin {
    let allowed = [simulator.login_url(), simulator.instance_url()];
    let settings = Settings {
        host_rules: HostRules {
            allowed: allowed.map(|url| Host::parse(&url).unwrap()).to_vec(),
            instanced: false,
        },
        ca_file: Some(simulator.ca_file()),
        proxy: Proxy::None,
        ..Settings::default()
    };
    SalesforceLogin::new(settings, Environment::default(), Arc::new(clock))
}

/// The real way to Salesforce, with Salesforce's own host names, which the simulator's proxy leads to it.
pub(crate) fn way_through_the_proxy(simulator: &Simulator) -> SalesforceLogin {
    let settings = Settings {
        ca_file: Some(simulator.ca_file()),
        proxy: Proxy::Url(ProxyUrl::parse(&simulator.proxy_url()).unwrap()),
        ..Settings::default()
    };
    SalesforceLogin::new(
        settings,
        Environment::default(),
        Arc::new(simulator.clock()),
    )
}
