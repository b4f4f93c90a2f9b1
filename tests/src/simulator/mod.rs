//! A Salesforce for tests: TLS, SOAP `login()`, sessions, some REST, and all the noise of the real one.
//!
//! Two HTTPS listeners, the login host and the instance, stand for `login.salesforce.com` and for the My
//! Domain of one org; a CONNECT proxy leads there those clients that know no other host than Salesforce's.
//!
//! **Simulated.** `login()` at both SOAP APIs with its version rules, org switches, permissions, login
//! hours, address rules, lockout, login rate and address block; sessions that idle out, are shared by all
//! who log in, logged out for all, or barred; `getUserInfo`, `getServerTimestamp`, `logout`,
//! `setPassword` and the mail that follows it; REST version list, queries and limits; OAuth by client
//! credentials, JWT bearer, password, refresh token and browser, with introspection, revocation, `userinfo`
//! and identity, for [`App`]s and approvals of all kinds; every API's way to refuse a session; the days on
//! which the old logins end ([`Retirement`]); and [`Answer`], the noise on demand.
//!
//! **Not simulated.** The device, hybrid and token exchange flows; the person at the authorize page, whose
//! [`Browser`] answers at once; keys to verify access tokens in JWT format; a My Domain that moves; Bulk
//! beyond its refusals; more SOQL than a list of fields; login hours by weekday and time zone; MFA codes in
//! the password; sessions that live on although their user is frozen; success in XML from REST.
//!
//! **Uncertain**, because nobody outside has settled it. Each is a field to turn: where permission and
//! address checks stand ([`Org::policy_checks`]), the detail element and prefix of faults
//! ([`Org::fault_style`]), the fault above the login rate ([`Org::rate_fault`]) and under the My Domain
//! policy ([`Org::my_domain_fault`]), whether a missing token counts towards the lockout
//! ([`Org::missing_token_counts`]), whether a token from a trusted address is ignored
//! ([`Org::token_from_trusted_ok`]), whether a login that returns a living session is activity
//! ([`Org::login_restamps`]) and always returns it ([`Org::distinct_sessions`]), whether a new password
//! ends sessions ([`Org::password_change_ends_sessions`]), and REST's status for an expired password
//! ([`Org::expired_password_status`]); and for OAuth whatever [`OAuthPolicy`] marks so.
//!
//! **Unexpected requests** are those that no good client makes: an unknown path, malformed SOAP, another
//! call than `login()` at the login host, an `Authorization` header on `login()`, a redirect followed, a
//! secret in a query, a refresh token or an authorization code used again, an assertion kept for later.
//! They are answered as Salesforce would, and [`Simulator::finish`] or the drop of the simulator fails.

mod answer;
mod body;
pub mod control;
mod credentials;
mod flow;
mod form;
mod gate;
mod gzip;
pub mod id;
mod identity;
mod journal;
mod mail;
mod noise;
mod oauth;
mod options;
mod org;
mod proxy;
mod query;
mod reply;
mod rest;
mod retirement;
mod router;
mod script;
mod server;
mod session;
mod soap;
mod state;
mod time;
mod tls;
mod user;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;

pub use answer::{Answer, ContentType};
pub use flow::Flow;
pub use gate::Gate;
pub use journal::{LoginCount, Request, Unexpected};
pub use mail::Mail;
pub use oauth::{
    App, Browser, OAUTH_ERRORS, OAuthError, OAuthPolicy, PRIVATE_KEY, PermittedUsers, StateSent,
    certificate,
};
pub use options::{CONSUMER_KEY, CONSUMER_SECRET, Options, PASSWORD, SECURITY_TOKEN, USERNAME};
pub use org::{FaultStyle, IpRange, Org, PolicyChecks};
pub use reply::Outcome;
pub use retirement::Retirement;
pub use script::Place;
pub use server::Listener;
pub use soap::fault::{Detail, Fault};
pub use tls::Certificate;
pub use user::{Lock, User};

use crate::clock::ManualClock;
use proxy::Proxy;
use server::Server;
use state::{State, World};

/// A running simulator; it stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    state: Arc<State>,
    login: SocketAddr,
    proxy: SocketAddr,
    directory: TempDir,
    _tasks: JoinSet<()>,
}

impl Simulator {
    /// Starts a simulator in tasks of this runtime.
    ///
    /// # Panics
    /// If it can't listen on loopback or write its files.
    pub async fn start(options: Options) -> Self {
        match Self::try_start(options).await {
            Ok(simulator) => simulator,
            Err(error) => panic!("the simulator does not start: {error}"),
        }
    }

    /// Starts a simulator in tasks of this runtime.
    ///
    /// # Errors
    /// If it can't listen on loopback or write its files.
    pub async fn try_start(options: Options) -> io::Result<Self> {
        let (pem, config) = tls::issue(options.certificate)?;
        let directory = TempDir::with_prefix("sfvault-simulator-")?;
        tokio::fs::write(directory.path().join(CA_FILE), pem).await?;
        tokio::fs::write(directory.path().join(KEY_FILE), PRIVATE_KEY).await?;
        let (login, instance) = (listen().await?, listen().await?);
        let (elsewhere, proxy) = (listen().await?, listen().await?);
        let login_address = login.local_addr()?;
        let instance_address = instance.local_addr()?;
        let proxy_address = proxy.local_addr()?;
        let elsewhere_url = local_url(elsewhere.local_addr()?);
        let mut org = options.org;
        if org.instance_url.is_empty() {
            org.instance_url = local_url(instance_address);
        }
        let state = Arc::new(State::new(options.clock, org, options.users, options.apps));
        let mut tasks = JoinSet::new();
        for (socket, listener) in [
            (login, Listener::Login),
            (instance, Listener::Instance),
            (elsewhere, Listener::Elsewhere),
        ] {
            let server = Server {
                state: state.clone(),
                listener,
                tls: TlsAcceptor::from(config.clone()),
                elsewhere: elsewhere_url.clone(),
            };
            tasks.spawn(server.run(socket));
        }
        let server = Proxy {
            state: state.clone(),
            login: login_address,
            instance: instance_address,
        };
        tasks.spawn(server.run(proxy));
        Ok(Self {
            state,
            login: login_address,
            proxy: proxy_address,
            directory,
            _tasks: tasks,
        })
    }

    /// `https://localhost:PORT` of the login host.
    #[must_use]
    pub fn login_url(&self) -> String {
        local_url(self.login)
    }

    /// What a login's `serverUrl` starts with.
    #[must_use]
    pub fn instance_url(&self) -> String {
        self.org(|org| org.instance_url.clone())
    }

    /// `http://127.0.0.1:PORT` of a proxy that leads `*.salesforce.com:443` here.
    #[must_use]
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// The CA certificate, in PEM.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join(CA_FILE)
    }

    /// [`PRIVATE_KEY`], in PEM.
    #[must_use]
    pub fn private_key_file(&self) -> PathBuf {
        self.directory.path().join(KEY_FILE)
    }

    /// A directory that lives as long as the simulator.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The clock that sessions, lockouts and rates go by.
    #[must_use]
    pub fn clock(&self) -> ManualClock {
        self.state.clock.clone()
    }

    /// Looks at the org or changes it.
    pub fn org<T>(&self, change: impl FnOnce(&mut Org) -> T) -> T {
        self.state.with(|world| change(&mut world.org))
    }

    /// Looks at a user or changes it.
    ///
    /// # Panics
    /// If there is no such user.
    pub fn user<T>(&self, username: &str, change: impl FnOnce(&mut User) -> T) -> T {
        self.at(username, |world, place| change(&mut world.users[place]))
    }

    /// Whether there is such a user.
    #[must_use]
    pub fn has_user(&self, username: &str) -> bool {
        self.state.with(|world| world.place_of(username).is_some())
    }

    /// The names of all users.
    #[must_use]
    pub fn usernames(&self) -> Vec<String> {
        self.state
            .with(|world| world.users.iter().map(|u| u.username.clone()).collect())
    }

    /// Adds a user; its id becomes its own if another user has it.
    pub fn add_user(&self, mut user: User) {
        self.state.with(|world| {
            if world.users.iter().any(|other| other.id == user.id) {
                user.id = format!("005xx{:010}", world.users.len());
            }
            world.users.push(user);
        });
    }

    /// Gives a user a new security token, which ends the old one at once and no session.
    ///
    /// # Panics
    /// If there is no such user.
    pub fn reset_security_token(&self, username: &str) -> String {
        self.at(username, |world, place| {
            let user = &mut world.users[place];
            user.reset_security_token(world.now);
            user.security_token.clone()
        })
    }

    /// Gives a user a new password, and returns the security token that comes with it.
    ///
    /// # Panics
    /// If there is no such user.
    #[must_use]
    pub fn change_password(&self, username: &str, password: &str) -> String {
        self.at(username, |world, place| {
            world.set_password(place, password);
            world.users[place].security_token.clone()
        })
    }

    /// What Salesforce has written to a user.
    ///
    /// # Panics
    /// If there is no such user.
    #[must_use]
    pub fn mail(&self, username: &str) -> Vec<Mail> {
        self.user(username, |user| user.mails.clone())
    }

    /// Ends a user's sessions.
    pub fn expire_sessions(&self, username: &str) {
        self.state
            .with(|world| world.sessions.close_all_of(username));
    }

    /// The ids of a user's living sessions.
    #[must_use]
    pub fn sessions(&self, username: &str) -> Vec<String> {
        self.state
            .with(|world| world.sessions.of(username, world.now))
    }

    /// Answers the next requests so, one each.
    pub fn script(&self, place: Place, answers: impl IntoIterator<Item = Answer>) {
        self.state.with(|world| world.scripts.add(place, answers));
    }

    /// Answers all requests so that find nothing else scripted, until `None` is set.
    pub fn script_ever(&self, place: Place, answer: Option<Answer>) {
        self.state
            .with(|world| world.scripts.set_ever(place, answer));
    }

    /// Holds the answer to the next request back until the gate is opened.
    #[must_use]
    pub fn hold_next(&self, place: Place) -> Gate {
        let gate = Gate::new();
        self.script(place, [Answer::Hold(gate.clone())]);
        gate
    }

    /// How often a user logged in.
    #[must_use]
    pub fn logins(&self, username: &str) -> LoginCount {
        self.state.with(|world| world.journal.logins(username))
    }

    /// How often each user logged in, by name in lower case.
    #[must_use]
    pub fn all_logins(&self) -> BTreeMap<String, LoginCount> {
        self.state.with(|world| world.journal.all_logins())
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.with(|world| world.journal.requests())
    }

    /// Waits until the requests so far are as wanted.
    pub async fn until(&self, mut wanted: impl FnMut(&[Request]) -> bool) {
        let mut changes = self.state.changes();
        while !wanted(&self.requests()) {
            // It fails only without a sender, and `self` has one.
            let _: Result<(), _> = changes.changed().await;
        }
    }

    /// The requests that nobody should have made; they are not held against the client any more.
    #[must_use]
    pub fn take_unexpected(&self) -> Vec<String> {
        self.state.with(|world| world.journal.take_unexpected())
    }

    /// Ends the simulator. Every test calls it last.
    ///
    /// # Errors
    /// Lists the requests that nobody should have made.
    pub fn finish(self) -> Result<(), Unexpected> {
        let unexpected = self.take_unexpected();
        if unexpected.is_empty() {
            return Ok(());
        }
        Err(Unexpected(unexpected))
    }

    fn at<T>(&self, username: &str, look: impl FnOnce(&mut World, usize) -> T) -> T {
        let found = self.state.with(|world| {
            let place = world.place_of(username)?;
            Some(look(world, place))
        });
        match found {
            Some(value) => value,
            None => panic!("the simulator has no user `{username}`"),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let unexpected = self.take_unexpected();
        if !unexpected.is_empty() && !std::thread::panicking() {
            panic!("{}", Unexpected(unexpected));
        }
    }
}

async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

fn local_url(address: SocketAddr) -> String {
    format!("https://localhost:{}", address.port())
}

const CA_FILE: &str = "ca.pem";
const KEY_FILE: &str = "app.key.pem";
