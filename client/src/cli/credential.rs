//! Where `add` and `set` take a record's secrets from.

use std::path::PathBuf;

use clap::Args;
use sfvault::{Credential, CredentialChange, Password, RecordName, SecurityToken};

use super::{failure::Failure, input, output::Output, prompt};

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

    /// Read one JSON object from stdin, with the keys `password` and `security_token` only
    #[arg(long)]
    stdin: bool,
}

impl SecretSource {
    /// All secrets of a new record.
    pub(crate) async fn all(
        &self,
        name: &RecordName,
        output: Output,
    ) -> Result<Credential, Failure> {
        let given = self.given(output)?;
        let from_person = !self.stdin && !self.is_any_file();
        let password = match given.password {
            Some(password) => password,
            None if self.stdin => {
                return Err(Failure::usage(
                    "stdin tells no `password`",
                    "a new record needs one",
                ));
            }
            None => {
                let typed =
                    prompt::secret(&format!("Salesforce password for `{name}`"), INSTEAD).await?;
                password(input::text(typed, PASSWORD)?)?
            }
        };
        let security_token = match given.security_token {
            None if from_person && !self.no_token => {
                let question = format!("security token for `{name}` (empty if none is needed)");
                let typed = prompt::secret(&question, INSTEAD).await?;
                Some(SecurityToken::new(input::text(typed, TOKEN)?))
            }
            given => given,
        };
        Ok(Credential::SoapLogin {
            password,
            security_token,
        })
    }

    /// Those secrets of a record that are to change.
    pub(crate) async fn changed(
        &self,
        name: &RecordName,
        output: Output,
    ) -> Result<CredentialChange, Failure> {
        let mut change = self.given(output)?;
        if !self.stdin && !self.is_any_file() {
            let question =
                format!("new Salesforce password for `{name}` (empty to keep the old one)");
            let typed = prompt::secret(&question, INSTEAD).await?;
            if !typed.is_empty() {
                change.password = Some(password(input::text(typed, PASSWORD)?)?);
            }
            if !self.no_token {
                let question =
                    format!("new security token for `{name}` (empty to keep the old one)");
                let typed = prompt::secret(&question, INSTEAD).await?;
                if !typed.is_empty() {
                    change.security_token = Some(SecurityToken::new(input::text(typed, TOKEN)?));
                }
            }
        }
        if change.password.is_none() && change.security_token.is_none() {
            return Err(Failure::usage(
                "nothing is to change",
                "give a new password, a new security token or both",
            ));
        }
        Ok(change)
    }

    fn is_any_file(&self) -> bool {
        self.password_file.is_some() || self.token_file.is_some()
    }

    /// What needs no person.
    fn given(&self, output: Output) -> Result<CredentialChange, Failure> {
        if self.stdin {
            let secrets = input::stdin()?;
            // EXPOSE: looked at here only.
            if secrets
                .password
                .as_ref()
                .is_some_and(|password| password.expose().is_empty())
            {
                return Err(empty(PASSWORD, "leave the key out to keep the old one"));
            }
            return Ok(CredentialChange {
                password: secrets.password,
                security_token: secrets.security_token,
                ..CredentialChange::default()
            });
        }
        let mut given = CredentialChange::default();
        if let Some(path) = &self.password_file {
            given.password = Some(password(input::text(
                input::file(path, output)?,
                PASSWORD,
            )?)?);
        }
        if let Some(path) = &self.token_file {
            let token = input::text(input::file(path, output)?, TOKEN)?;
            if token.is_empty() {
                return Err(empty(TOKEN, "if none is needed, say `--no-token`"));
            }
            given.security_token = Some(SecurityToken::new(token));
        }
        if self.no_token {
            given.security_token = Some(SecurityToken::new(String::new()));
        }
        Ok(given)
    }
}

const PASSWORD: &str = "password";
const TOKEN: &str = "security token";
const INSTEAD: &str = "use `--password-file` and `--token-file`, or `--stdin`";

fn password(text: String) -> Result<Password, Failure> {
    if text.is_empty() {
        return Err(empty(PASSWORD, "Salesforce has no empty passwords"));
    }
    Ok(Password::new(text))
}

fn empty(what: &str, hint: &str) -> Failure {
    Failure::usage(format!("the {what} is empty"), hint)
}
