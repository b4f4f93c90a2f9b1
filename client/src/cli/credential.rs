//! Where a record's secrets come from: files, stdin, or whoever sits at the terminal.

use std::path::{Path, PathBuf};

use clap::Args;
use sfvault::{Credential, CredentialChange, RecordName};

use super::{
    failure::Failure,
    flow::FlowName,
    input,
    output::Output,
    prompt,
    secret_kind::{SecretKind, holds, put},
};

/// For every command that takes secrets. Which of the options fit depends on the flow.
#[derive(Debug, Args)]
pub(crate) struct SecretSource {
    /// Read the password from this file or pipe; one line end is taken off
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    password_file: Option<PathBuf>,

    /// Read the security token from this file or pipe; one line end is taken off
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "no_token"])]
    token_file: Option<PathBuf>,

    /// The user needs no security token here: the org trusts this host's IP address
    #[arg(long, conflicts_with = "stdin")]
    no_token: bool,

    /// Read the app's consumer secret from this file or pipe; one line end is taken off
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "no_consumer_secret"])]
    consumer_secret_file: Option<PathBuf>,

    /// The app needs no consumer secret for this flow
    #[arg(long, conflicts_with = "stdin")]
    no_consumer_secret: bool,

    /// Read the private key from this file or pipe: PEM (PKCS#8 or PKCS#1), RSA, not encrypted
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    private_key_file: Option<PathBuf>,

    /// Read the refresh token from this file or pipe; one line end is taken off
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    refresh_token_file: Option<PathBuf>,

    /// Read one JSON object from stdin, whose keys are the flow's secrets, such as `password`
    #[arg(long)]
    stdin: bool,
}

impl SecretSource {
    /// Whether secrets are given, or said to be absent, so that nobody needs to be asked.
    pub(crate) fn is_given(&self) -> bool {
        self.stdin || self.no_token || self.no_consumer_secret || self.is_any_file()
    }

    /// Whether the options belong to the flow. To be asked before anything is read.
    ///
    /// # Errors
    /// Names the option that does not.
    pub(crate) fn check(&self, flow: FlowName) -> Result<(), Failure> {
        for kind in SecretKind::ALL {
            let declined = self.declines(kind);
            let option = match kind.none_option() {
                Some(option) if declined => option,
                _ if self.path(kind).is_some() => kind.option(),
                _ => continue,
            };
            if !flow.secrets().contains(&kind) {
                return Err(Failure::usage(
                    format!("`{option}` does not belong to the flow `{}`", flow.name()),
                    format!("its secrets are given with {}", ways(flow)),
                ));
            }
            if declined && need(flow, kind) == Need::Always {
                return Err(Failure::usage(
                    format!("the flow `{}` needs the {}", flow.name(), kind.noun()),
                    format!("give it with {}", ways(flow)),
                ));
            }
        }
        Ok(())
    }

    /// All secrets of a record that gets this flow.
    ///
    /// # Errors
    /// If a secret is missing and there is nobody to ask, or one does not belong to the flow.
    pub(crate) async fn all(
        &self,
        flow: FlowName,
        name: &RecordName,
        output: Output,
    ) -> Result<Credential, Failure> {
        self.check(flow)?;
        let mut given = self.given(flow, output).await?;
        for &kind in flow.secrets() {
            let ask = match need(flow, kind) {
                Need::Always | Need::Usually => true,
                Need::Sometimes => !self.is_any_file(),
            };
            if self.stdin || !ask || holds(&given, kind) {
                continue;
            }
            if !kind.can_be_typed() {
                return Err(untypable(kind));
            }
            let or_none = match need(flow, kind) {
                Need::Always => "",
                Need::Usually | Need::Sometimes => " (empty if none is needed)",
            };
            let question = format!("{} for `{name}`{or_none}", called(kind));
            let typed = prompt::secret(&question, &instead(flow)).await?;
            if !(typed.is_empty() && or_none.is_empty()) {
                put(&mut given, kind, input::text(typed, kind.noun())?);
                continue;
            }
            return Err(empty(kind, "the login needs it"));
        }
        credential(flow, given)
    }

    /// Those secrets of a record of this flow that are to change.
    ///
    /// # Errors
    /// If nothing is to change, or a secret does not belong to the flow.
    pub(crate) async fn changed(
        &self,
        flow: FlowName,
        name: &RecordName,
        output: Output,
    ) -> Result<CredentialChange, Failure> {
        self.check(flow)?;
        let mut change = self.given(flow, output).await?;
        if !self.is_given() {
            if let Some(kind) = flow.secrets().iter().find(|kind| !kind.can_be_typed()) {
                return Err(untypable(*kind));
            }
            for &kind in flow.secrets() {
                let question = format!(
                    "new {} for `{name}` (empty to keep the old one)",
                    called(kind)
                );
                let typed = prompt::secret(&question, &instead(flow)).await?;
                if !typed.is_empty() {
                    put(&mut change, kind, input::text(typed, kind.noun())?);
                }
            }
        }
        if flow.secrets().iter().any(|kind| holds(&change, *kind)) {
            Ok(change)
        } else {
            Err(Failure::usage(
                "nothing is to change",
                format!("give a new secret, with {}", ways(flow)),
            ))
        }
    }

    fn path(&self, kind: SecretKind) -> Option<&Path> {
        match kind {
            SecretKind::Password => self.password_file.as_deref(),
            SecretKind::SecurityToken => self.token_file.as_deref(),
            SecretKind::ConsumerSecret => self.consumer_secret_file.as_deref(),
            SecretKind::PrivateKey => self.private_key_file.as_deref(),
            SecretKind::RefreshToken => self.refresh_token_file.as_deref(),
        }
    }

    fn declines(&self, kind: SecretKind) -> bool {
        match kind {
            SecretKind::SecurityToken => self.no_token,
            SecretKind::ConsumerSecret => self.no_consumer_secret,
            SecretKind::Password | SecretKind::PrivateKey | SecretKind::RefreshToken => false,
        }
    }

    fn is_any_file(&self) -> bool {
        SecretKind::ALL
            .iter()
            .any(|kind| self.path(*kind).is_some())
    }

    /// What needs no person.
    async fn given(&self, flow: FlowName, output: Output) -> Result<CredentialChange, Failure> {
        if self.stdin {
            return from_stdin(flow).await;
        }
        let mut given = CredentialChange::default();
        for &kind in flow.secrets() {
            if let Some(path) = self.path(kind) {
                let text = input::text(input::file(path, output).await?, kind.noun())?;
                if text.is_empty() {
                    return Err(match kind.none_option() {
                        Some(none) => empty(kind, &format!("if none is needed, say `{none}`")),
                        None => empty(kind, "is it the right file"),
                    });
                }
                put(&mut given, kind, text);
            } else if self.declines(kind) {
                put(&mut given, kind, String::new());
            }
        }
        Ok(given)
    }
}

/// How much a flow needs a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Always,
    /// Unless the app was set up to do without.
    Usually,
    /// Only where something special holds: a login from outside the trusted IP ranges, introspection.
    Sometimes,
}

fn need(flow: FlowName, kind: SecretKind) -> Need {
    match (kind, flow) {
        (SecretKind::Password | SecretKind::PrivateKey | SecretKind::RefreshToken, _)
        | (SecretKind::ConsumerSecret, FlowName::ClientCredentials) => Need::Always,
        (SecretKind::ConsumerSecret, FlowName::UsernamePassword | FlowName::RefreshToken) => {
            Need::Usually
        }
        (SecretKind::ConsumerSecret, FlowName::JwtBearer | FlowName::SoapLogin)
        | (SecretKind::SecurityToken, _) => Need::Sometimes,
    }
}

async fn from_stdin(flow: FlowName) -> Result<CredentialChange, Failure> {
    let secrets = input::stdin().await?;
    for kind in SecretKind::ALL {
        if holds(&secrets, kind) && !flow.secrets().contains(&kind) {
            return Err(Failure::usage(
                format!(
                    "stdin tells `{}`, which does not belong to the flow `{}`",
                    kind.key(),
                    flow.name()
                ),
                format!("its keys are {}", listed(flow, |kind| kind.key())),
            ));
        }
        if need(flow, kind) == Need::Always && is_empty(&secrets, kind) {
            return Err(empty(kind, "leave the key out to keep the old one"));
        }
    }
    Ok(secrets)
}

fn credential(flow: FlowName, given: CredentialChange) -> Result<Credential, Failure> {
    fn needed<T>(secret: Option<T>, kind: SecretKind) -> Result<T, Failure> {
        secret.ok_or_else(|| {
            Failure::usage(
                format!("stdin tells no `{}`", kind.key()),
                "the flow needs it",
            )
        })
    }
    Ok(match flow {
        FlowName::SoapLogin => Credential::SoapLogin {
            password: needed(given.password, SecretKind::Password)?,
            security_token: given.security_token,
        },
        FlowName::UsernamePassword => Credential::UsernamePassword {
            password: needed(given.password, SecretKind::Password)?,
            security_token: given.security_token,
            consumer_secret: given.consumer_secret,
        },
        FlowName::ClientCredentials => Credential::ClientCredentials {
            consumer_secret: needed(given.consumer_secret, SecretKind::ConsumerSecret)?,
        },
        FlowName::JwtBearer => Credential::JwtBearer {
            private_key: needed(given.private_key, SecretKind::PrivateKey)?,
            consumer_secret: given.consumer_secret,
        },
        FlowName::RefreshToken => Credential::RefreshToken {
            refresh_token: needed(given.refresh_token, SecretKind::RefreshToken)?,
            consumer_secret: given.consumer_secret,
        },
    })
}

fn is_empty(given: &CredentialChange, kind: SecretKind) -> bool {
    // EXPOSE: whether it is empty, to this check.
    match kind {
        SecretKind::Password => given.password.as_ref().map(|s| s.expose().is_empty()),
        SecretKind::SecurityToken => given.security_token.as_ref().map(|s| s.expose().is_empty()),
        SecretKind::ConsumerSecret => given
            .consumer_secret
            .as_ref()
            .map(|s| s.expose().is_empty()),
        SecretKind::PrivateKey => given.private_key.as_ref().map(|s| s.expose().is_empty()),
        SecretKind::RefreshToken => given.refresh_token.as_ref().map(|s| s.expose().is_empty()),
    }
    .unwrap_or(false)
}

/// What a person is asked for: of passwords there are many.
fn called(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::Password => "Salesforce password",
        SecretKind::SecurityToken
        | SecretKind::ConsumerSecret
        | SecretKind::PrivateKey
        | SecretKind::RefreshToken => kind.noun(),
    }
}

fn untypable(kind: SecretKind) -> Failure {
    Failure::usage(
        format!("a {} can't be typed", kind.noun()),
        format!("give it with `{} FILE` or `--stdin`", kind.option()),
    )
}

fn instead(flow: FlowName) -> String {
    format!("use {}", ways(flow))
}

/// How the secrets of a flow are given.
fn ways(flow: FlowName) -> String {
    format!("{} or `--stdin`", listed(flow, |kind| kind.option()))
}

fn listed(flow: FlowName, name: impl Fn(&SecretKind) -> &'static str) -> String {
    let names: Vec<String> = flow
        .secrets()
        .iter()
        .map(|kind| format!("`{}`", name(kind)))
        .collect();
    names.join(", ")
}

fn empty(kind: SecretKind, hint: &str) -> Failure {
    Failure::usage(format!("the {} is empty", kind.noun()), hint)
}
