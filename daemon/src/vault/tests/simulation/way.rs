//! Ways to log in, as an operator gives them to the vault and as Salesforce is asked by them.

use crate::{
    credential::{Credential, Flow, FlowKind},
    host::Host,
    secret::{ConsumerSecret, Password, PrivateKey, RefreshToken, SecurityToken},
    vault::NewSecrets,
};

/// A login host, a flow, and its one secret: a password and the token behind it are told apart by a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) host: Host,
    pub(super) flow: Flow,
    pub(super) secret: String,
}

impl Way {
    /// The way of a job, which logs in as a user by an app of its own if by one.
    pub(super) fn new(kind: FlowKind, job: &str, user: &str, host: &str, secret: &str) -> Self {
        let username = username(user);
        let flow = match kind {
            FlowKind::SoapLogin => Flow::SoapLogin { username },
            FlowKind::ClientCredentials => Flow::ClientCredentials {
                consumer_key: format!("client-{job}"),
            },
            FlowKind::JwtBearer => Flow::JwtBearer {
                username,
                consumer_key: format!("jwt-{job}"),
                audience: "https://login.salesforce.com".to_owned(),
            },
            FlowKind::RefreshToken => Flow::RefreshToken {
                consumer_key: format!("refresh-{job}"),
            },
            FlowKind::UsernamePassword => unreachable!("nobody logs in so"),
        };
        Self {
            host: Host::parse(host).unwrap(),
            flow,
            secret: secret.to_owned(),
        }
    }

    pub(super) fn of(host: &Host, flow: &Flow, credential: &Credential) -> Self {
        let secret = match credential {
            Credential::SoapLogin {
                password,
                security_token: Some(token),
            } => format!("{} {}", password.expose(), token.expose()),
            Credential::SoapLogin { password, .. } => password.expose().to_owned(),
            Credential::ClientCredentials { consumer_secret } => {
                consumer_secret.expose().to_owned()
            }
            Credential::JwtBearer { private_key, .. } => {
                private_key.expose().lines().next().unwrap().to_owned()
            }
            Credential::RefreshToken { refresh_token, .. } => refresh_token.expose().to_owned(),
            Credential::UsernamePassword { .. } => unreachable!("nobody logs in so"),
        };
        Self {
            host: host.clone(),
            flow: flow.clone(),
            secret,
        }
    }

    pub(super) fn with(&self, secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            ..self.clone()
        }
    }

    pub(super) fn kind(&self) -> FlowKind {
        self.flow.kind()
    }

    /// What Salesforce knows it by.
    pub(super) fn door(&self) -> &str {
        let key = self.flow.consumer_key();
        key.unwrap_or_else(|| self.flow.username().unwrap())
    }

    /// Whose it is, where it was rejected, and with what.
    pub(super) fn attempt(&self) -> (String, String, String) {
        let host = self.host.to_string();
        (self.door().to_owned(), host, self.secret.clone())
    }

    pub(super) fn sends_password(&self) -> bool {
        self.kind() == FlowKind::SoapLogin
    }

    pub(super) fn credential(&self) -> Credential {
        let text = self.secret.clone();
        match self.kind() {
            FlowKind::SoapLogin => {
                let (password, token) = self.password();
                Credential::SoapLogin {
                    password,
                    security_token: token,
                }
            }
            FlowKind::ClientCredentials => Credential::ClientCredentials {
                consumer_secret: ConsumerSecret::new(text),
            },
            FlowKind::JwtBearer => Credential::JwtBearer {
                private_key: pem(&text),
                consumer_secret: None,
            },
            FlowKind::RefreshToken => Credential::RefreshToken {
                refresh_token: RefreshToken::new(text),
                consumer_secret: None,
            },
            FlowKind::UsernamePassword => unreachable!("nobody logs in so"),
        }
    }

    /// What an operator enters to change to this secret.
    pub(super) fn secrets(&self) -> NewSecrets {
        let text = self.secret.clone();
        let mut new = NewSecrets::default();
        match self.kind() {
            FlowKind::SoapLogin => {
                let (password, token) = self.password();
                new.password = Some(password);
                new.security_token = Some(token);
            }
            FlowKind::ClientCredentials => {
                new.consumer_secret = Some(Some(ConsumerSecret::new(text)));
            }
            FlowKind::JwtBearer => new.private_key = Some(pem(&text)),
            FlowKind::RefreshToken => new.refresh_token = Some(RefreshToken::new(text)),
            FlowKind::UsernamePassword => unreachable!("nobody logs in so"),
        }
        new
    }

    fn password(&self) -> (Password, Option<SecurityToken>) {
        let (password, token) = match self.secret.split_once(' ') {
            Some((password, token)) => (password, Some(token)),
            None => (self.secret.as_str(), None),
        };
        let token = token.map(|token| SecurityToken::new(token.to_owned()));
        (Password::new(password.to_owned()), token)
    }
}

pub(super) fn username(user: &str) -> String {
    format!("{user}@acme.example")
}

/// 18 characters.
pub(super) fn user_id(user: &str) -> String {
    format!("005xx00000{user:0>5}AAA")
}

/// A key whose file begins with a line that tells it from others.
fn pem(line: &str) -> PrivateKey {
    let key = include_str!("../../../salesforce/private_key/rsa-2048.pem");
    PrivateKey::new(format!("{line}\n{key}"))
}
