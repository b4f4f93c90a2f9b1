//! What an operator enters: whether it can be a credential, and what looks odd about it.

use crate::{
    error::Error,
    record::Credential,
    secret::{Password, SecurityToken},
};

/// Secrets to set; what is `None` stays.
#[derive(Debug)]
pub struct NewSecrets {
    pub password: Option<Password>,
    /// `Some(None)`: from now on there is no token.
    pub security_token: Option<Option<SecurityToken>>,
}

/// Salesforce passwords have at most 16,000 characters; nobody has more than this. XML 1.0, which carries them, has no
/// control characters.
const LONGEST_SECRET: usize = 1024;

pub(super) fn check(credential: &Credential) -> Result<(), Error> {
    let Credential::SoapLogin {
        password,
        security_token,
    } = credential;
    let check = |field, text: &str| {
        let problem = if text.len() > LONGEST_SECRET {
            "is longer than 1,024 bytes"
        } else if text.chars().any(char::is_control) {
            "has a control character; was it read from the wrong file?"
        } else {
            return Ok(());
        };
        Err(Error::InvalidArgument {
            field,
            problem: problem.to_owned(),
        })
    };
    // EXPOSE: to the checks above, which quote nothing.
    if password.expose().is_empty() {
        return Err(Error::InvalidArgument {
            field: "password",
            problem: "is empty".to_owned(),
        });
    }
    check("password", password.expose())?;
    // EXPOSE: as above.
    security_token
        .as_ref()
        .map_or(Ok(()), |token| check("security_token", token.expose()))
}

/// What looks odd about a credential. Published tokens have 24 letters and digits, but Salesforce promises no length.
pub(super) fn doubts(credential: &Credential) -> Vec<String> {
    let Credential::SoapLogin { security_token, .. } = credential;
    let Some(token) = security_token else {
        return vec![
            "without a security token the login works only from the org's trusted IP ranges"
                .to_owned(),
        ];
    };
    // EXPOSE: its length and kind of characters, to this check.
    let text = token.expose();
    let usual = (20..=30).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if usual {
        Vec::new()
    } else {
        vec!["security tokens usually have 24 letters and digits; this one does not".to_owned()]
    }
}

pub(super) fn merge(old: &Credential, new: NewSecrets) -> Credential {
    let Credential::SoapLogin {
        password,
        security_token,
    } = old;
    Credential::SoapLogin {
        password: new.password.unwrap_or_else(|| password.clone()),
        security_token: new.security_token.unwrap_or_else(|| security_token.clone()),
    }
}
