//! Salesforce as the vault sees it: a [`Login`] turns a credential into a grant and proves a session.
//!
//! [`SalesforceLogin`] is the real one: `hosts` says where anything may be sent, `envelope` what is sent,
//! `http` sends it over `connector`'s stream, `soap` reads what comes back, `classify` and `fault` say what
//! it means, and `redact` what of it may be shown. `oauth` does all that for the flows of OAuth, with `form`,
//! `assertion` and `private_key`. Nothing here retries.

mod assertion;
pub mod authorize;
mod buffer;
mod classify;
mod client;
mod connector;
mod envelope;
pub mod environment;
mod fault;
mod form;
pub(crate) mod fuzz;
pub mod hosts;
mod http;
mod id;
mod lookups;
#[cfg(test)]
mod loopback;
mod oauth;
pub(crate) mod private_key;
pub mod proxy;
mod redact;
mod session_format;
pub mod settings;
mod soap;
mod survey;
mod trust;
mod tunnel;
mod watched;
mod xml;

pub use client::SalesforceLogin;
pub use envelope::API_VERSION;

use std::{
    fmt,
    future::Future,
    pin::Pin as Boxed,
    time::{Duration, SystemTime},
};

use crate::{
    credential::{Credential, Flow},
    failure::Failure,
    host::Host,
    secret::{AuthorizationCode, CodeVerifier, ConsumerSecret, Password, RefreshToken, SessionId},
};

/// One exchange with Salesforce, running.
pub type Exchange<'a, T> = Boxed<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// A login, running.
pub type LoginExchange<'a> =
    Boxed<Box<dyn Future<Output = Result<Grant, LoginRefused>> + Send + 'a>>;

/// A change of a password, running.
pub type PasswordExchange<'a> =
    Boxed<Box<dyn Future<Output = Result<(), PasswordNotSet>> + Send + 'a>>;

/// The way to Salesforce.
pub trait Login: fmt::Debug + Send + Sync + 'static {
    /// Whether a record may log in at this host.
    ///
    /// # Errors
    /// Says why not.
    fn permit(&self, host: &Host) -> Result<(), HostRefused>;

    /// Sends the credential to the login host, once.
    fn login<'a>(&'a self, request: &'a LoginRequest) -> LoginExchange<'a>;

    /// Exchanges the code that a browser brought, once. The refresh token comes as the one that replaces none.
    fn redeem<'a>(&'a self, request: &'a CodeRequest) -> Exchange<'a, Grant>;

    /// Gives the session's user another password. Salesforce resets the security token with it and mails the new one.
    /// A way that can't says so, and has changed nothing.
    fn set_password<'a>(&'a self, change: &'a PasswordChange) -> PasswordExchange<'a> {
        let host = &change.instance;
        let failure = classify::failure(
            crate::failure::Class::Protocol,
            &format!("there is no way to change a password at `{host}`"),
        );
        Box::pin(async {
            Err(PasswordNotSet {
                failure,
                unchanged: true,
            })
        })
    }

    /// Makes one cheap call with a session: is it alive, and whose is it?
    fn prove<'a>(&'a self, session_id: &'a SessionId, instance: &'a Host) -> Exchange<'a, Proof>;

    /// Ends a session at Salesforce, for all who share it. One that was dead already counts as ended.
    fn end<'a>(&'a self, session_id: &'a SessionId, instance: &'a Host) -> Exchange<'a, ()>;

    /// Asks a host for its list of API versions, which needs no credential and counts as nothing.
    fn survey<'a>(&'a self, host: &'a Host) -> Exchange<'a, Survey>;

    /// The proxy on the way to a host, as `HOST:PORT` and without its login; `None` where there is none, or none that
    /// can be used, which every request says.
    fn proxy(&self, _host: &Host) -> Option<String> {
        None
    }
}

/// Why no credential goes to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRefused {
    pub host: Host,
    /// What to use instead, if that can be told.
    pub hint: Option<String>,
}

/// What a login needs.
#[derive(Debug, Clone)]
pub struct LoginRequest {
    pub login_host: Host,
    pub flow: Flow,
    /// Of that flow.
    pub credential: Credential,
}

/// Why a login gave no grant.
#[derive(Debug)]
pub struct LoginRefused {
    pub failure: Failure,
    /// As [`Grant::rotated`], of an answer that is not believed in other points: the token that was sent is spent all
    /// the same.
    pub rotated: Option<RefreshToken>,
}

impl From<Failure> for LoginRefused {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            rotated: None,
        }
    }
}

/// What it takes to redeem the code of a login in a browser.
#[derive(Debug, Clone)]
pub struct CodeRequest {
    pub login_host: Host,
    pub consumer_key: String,
    pub consumer_secret: Option<ConsumerSecret>,
    /// Where the browser brought the code.
    pub redirect_uri: String,
    pub code: AuthorizationCode,
    /// Of the challenge that the login began with.
    pub verifier: CodeVerifier,
}

/// A user's new password.
#[derive(Debug, Clone)]
pub struct PasswordChange {
    /// Of the user.
    pub session_id: SessionId,
    pub instance: Host,
    /// 18 characters.
    pub user_id: String,
    pub password: Password,
}

/// Why no change of a password is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordNotSet {
    pub failure: Failure,
    /// Whether the old password is in force for certain; if not, it may be either.
    pub unchanged: bool,
}

/// What a login returned.
#[derive(Debug, Clone)]
pub struct Grant {
    pub session_id: SessionId,
    /// Where API calls go.
    pub instance: Host,
    /// 18 characters.
    pub org_id: String,
    /// 18 characters.
    pub user_id: String,
    /// If the login told it; else the proof does.
    pub username: Option<String>,
    pub sandbox: bool,
    /// The session's idle timeout, if Salesforce told it.
    pub timeout: Option<Duration>,
    /// When the session ends whatever is done with it, if Salesforce told that.
    pub hard_expiry: Option<SystemTime>,
    /// The refresh token that replaces the one that was sent. It is the only valid one from now on: it must be
    /// durable before the session is used.
    pub rotated: Option<RefreshToken>,
}

/// What a host tells to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The server's clock, if it told it.
    pub server_time: Option<SystemTime>,
    /// The API versions that it offers, such as `64.0`, oldest first.
    pub versions: Vec<String>,
}

/// What a session that was just used told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// 18 characters.
    pub org_id: String,
    /// 18 characters.
    pub user_id: String,
    /// If Salesforce told it.
    pub username: Option<String>,
    /// The session's idle timeout, if Salesforce told it.
    pub timeout: Option<Duration>,
}
