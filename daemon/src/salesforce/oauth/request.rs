//! What is sent: the forms of the token endpoint, one for each flow, and of introspection.
//!
//! The parameters are those of "OAuth Authorization Flows" in Salesforce Help. The consumer secret goes into the body,
//! where all of Salesforce's endpoints take it.

use std::{fmt, time::SystemTime};

use zeroize::Zeroizing;

use super::super::{
    CodeRequest,
    assertion::{self, Subject},
    buffer::WipedBuffer,
    form::Form,
    hosts::HostKind,
    private_key::{self, NotAKey},
};
use crate::{
    credential::{Credential, Flow},
    host::Host,
    secret::{ConsumerSecret, Password, SecurityToken, SessionId},
};

/// A request to the token endpoint.
pub(in super::super) struct Asked {
    pub(in super::super) body: WipedBuffer,
    /// What of it no failure may quote.
    pub(in super::super) secrets: Vec<Zeroizing<String>>,
}

/// Why nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Unsendable {
    /// The credential is not of the flow, or the flow is none of OAuth's.
    Confused,
    Key(NotAKey),
    /// Client credentials at a login host, which serves no org of its own.
    NotMyDomain(Host),
    Unsigned,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confused => f.write_str("the stored credential is not one of this flow"),
            Self::Key(problem) => write!(f, "the private key {problem}"),
            Self::NotMyDomain(host) => write!(
                f,
                "`{host}` serves no client credentials; the login URL must be the org's My Domain host, \
                 `NAME.my.salesforce.com`"
            ),
            Self::Unsigned => f.write_str("the private key could not sign the assertion"),
        }
    }
}

/// The form that asks for a session. `now` dates the assertion of a JWT.
///
/// # Errors
/// If it can't be made, or must not go to this host.
pub(in super::super) fn token(
    flow: &Flow,
    credential: &Credential,
    host: &Host,
    now: SystemTime,
) -> Result<Asked, Unsendable> {
    match (flow, credential) {
        (
            Flow::UsernamePassword {
                username,
                consumer_key,
            },
            Credential::UsernamePassword {
                password,
                security_token,
                consumer_secret,
            },
        ) => Ok(username_password(
            username,
            consumer_key,
            password,
            security_token.as_ref(),
            consumer_secret.as_ref(),
        )),
        (
            Flow::ClientCredentials { consumer_key },
            Credential::ClientCredentials { consumer_secret },
        ) => match HostKind::of(host) {
            HostKind::Production | HostKind::Sandbox => Err(Unsendable::NotMyDomain(host.clone())),
            HostKind::MyDomain { .. } | HostKind::Other => Ok(Draft::new("client_credentials")
                .app(consumer_key, Some(consumer_secret))
                .asked()),
        },
        (
            Flow::JwtBearer {
                username,
                consumer_key,
                audience,
            },
            Credential::JwtBearer { private_key, .. },
        ) => {
            // EXPOSE: the signer, in this function.
            let key = private_key::parse(private_key.expose()).map_err(Unsendable::Key)?;
            let subject = Subject {
                consumer_key,
                username,
                audience,
            };
            let assertion = assertion::sign(&subject, &key, now).ok_or(Unsendable::Unsigned)?;
            Ok(Draft::new("urn:ietf:params:oauth:grant-type:jwt-bearer")
                .secret("assertion", &assertion)
                .asked())
        }
        (
            Flow::RefreshToken { consumer_key },
            Credential::RefreshToken {
                refresh_token,
                consumer_secret,
            },
        ) => Ok(Draft::new("refresh_token")
            // EXPOSE: the request body, which goes to the record's login host only.
            .secret("refresh_token", refresh_token.expose())
            .app(consumer_key, consumer_secret.as_ref())
            .asked()),
        (
            Flow::SoapLogin { .. }
            | Flow::UsernamePassword { .. }
            | Flow::ClientCredentials { .. }
            | Flow::JwtBearer { .. }
            | Flow::RefreshToken { .. },
            _,
        ) => Err(Unsendable::Confused),
    }
}

/// The form that redeems the code of a login in a browser.
pub(in super::super) fn code(request: &CodeRequest) -> Asked {
    let mut draft = Draft::new("authorization_code")
        // EXPOSE: the request body, which goes to the host that the login began at.
        .secret("code", request.code.expose())
        // EXPOSE: as the code, which is worth nothing without it.
        .secret("code_verifier", request.verifier.expose());
    draft.form = draft.form.with("redirect_uri", &request.redirect_uri);
    draft
        .app(&request.consumer_key, request.consumer_secret.as_ref())
        .asked()
}

/// The form that asks how long a session lives.
pub(in super::super) fn introspect(
    session_id: &SessionId,
    consumer_key: &str,
    consumer_secret: &ConsumerSecret,
) -> WipedBuffer {
    Form::new()
        // EXPOSE: the request body, which goes to the session's own instance only.
        .with("token", session_id.expose())
        .with("token_type_hint", "access_token")
        .with("client_id", consumer_key)
        // EXPOSE: as the session, for which it was given.
        .with("client_secret", consumer_secret.expose())
        .into_body()
}

/// The form that ends a session.
pub(in super::super) fn revoke(session_id: &SessionId) -> WipedBuffer {
    Form::new()
        // EXPOSE: the request body, which goes to the session's own instance only.
        .with("token", session_id.expose())
        .into_body()
}

fn username_password(
    username: &str,
    consumer_key: &str,
    password: &Password,
    token: Option<&SecurityToken>,
    secret: Option<&ConsumerSecret>,
) -> Asked {
    // EXPOSE: the request body, which goes to the record's login host only. The token follows the password without a
    // separator ("OAuth 2.0 Username-Password Flow for Special Scenarios", Salesforce Help).
    let (password, token) = (password.expose(), token.map_or("", SecurityToken::expose));
    let mut draft = Draft::new("password").app(consumer_key, secret);
    draft.form = draft
        .form
        .with("username", username)
        .with_joined("password", [password, token]);
    // Joined as well, as they are sent: a piece quoted from the seam is a piece of neither.
    draft.secrets.extend([
        Zeroizing::new([password, token].concat()),
        Zeroizing::new(password.to_owned()),
        Zeroizing::new(token.to_owned()),
    ]);
    draft.asked()
}

/// A form being filled.
struct Draft {
    form: Form,
    secrets: Vec<Zeroizing<String>>,
}

impl Draft {
    fn new(grant_type: &str) -> Self {
        Self {
            form: Form::new().with("grant_type", grant_type),
            secrets: Vec::new(),
        }
    }

    fn app(mut self, key: &str, secret: Option<&ConsumerSecret>) -> Self {
        self.form = self.form.with("client_id", key);
        match secret {
            // EXPOSE: the request body, which goes to the record's login host only.
            Some(secret) => self.secret("client_secret", secret.expose()),
            None => self,
        }
    }

    fn secret(mut self, name: &'static str, value: &str) -> Self {
        self.form = self.form.with(name, value);
        self.secrets.push(Zeroizing::new(value.to_owned()));
        self
    }

    fn asked(self) -> Asked {
        Asked {
            body: self.form.into_body(),
            secrets: self.secrets,
        }
    }
}

#[cfg(test)]
mod tests;
