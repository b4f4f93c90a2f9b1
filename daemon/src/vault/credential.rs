//! What an operator enters: whether it can be a credential, and what looks odd about it.

use std::time::Duration;

use crate::{
    credential::{Credential, Flow, FlowKind},
    error::Error,
    host::Host,
    record::check_username,
    salesforce::{hosts::HostKind, private_key},
    secret::{ConsumerSecret, Password, PrivateKey, RefreshToken, SecurityToken},
};

/// Secrets to set; what is `None` stays.
#[derive(Debug, Default)]
pub struct NewSecrets {
    pub password: Option<Password>,
    /// `Some(None)`: from now on there is no token.
    pub security_token: Option<Option<SecurityToken>>,
    /// `Some(None)`: from now on there is no secret.
    pub consumer_secret: Option<Option<ConsumerSecret>>,
    pub private_key: Option<PrivateKey>,
    pub refresh_token: Option<RefreshToken>,
    /// `Some(None)`: from now on there is no reminder. No secret, but set along with them.
    pub remind_after: Option<Option<Duration>>,
}

impl NewSecrets {
    /// Whether there is any to set.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        self.password.is_some()
            || self.security_token.is_some()
            || self.consumer_secret.is_some()
            || self.private_key.is_some()
            || self.refresh_token.is_some()
    }
}

/// Salesforce passwords have at most 16,000 characters; nobody has more than this. XML 1.0, which carries them, has no
/// control characters.
const LONGEST_SECRET: usize = 1024;
/// A key of 8,192 bits, the most that ring signs with is half of that, has less than 7,000 characters as PEM.
const LONGEST_KEY: usize = 8 * 1024;

pub(super) fn check_flow(flow: &Flow) -> Result<(), Error> {
    if let Some(username) = flow.username() {
        check_username(username).map_err(|problem| Error::invalid("username", problem))?;
    }
    if let Some(key) = flow.consumer_key() {
        check_consumer_key(key)?;
    }
    if let Flow::JwtBearer { audience, .. } = flow {
        check_audience(audience)?;
    }
    Ok(())
}

/// Whether the flow is served at this host. Client credentials are only at the org's own ("OAuth 2.0 Client Credentials
/// Flow for Server-to-Server Integration", Salesforce Help).
pub(super) fn check_login_host(flow: &Flow, host: &Host) -> Result<(), Error> {
    match (flow.kind(), HostKind::of(host)) {
        (FlowKind::ClientCredentials, HostKind::Production | HostKind::Sandbox) => {
            Err(Error::invalid(
                "login_url",
                "must be the org's My Domain host, as `https://NAME.my.salesforce.com` \
             (Setup > Company Settings > My Domain), for the flow `client-credentials`",
            ))
        }
        (
            FlowKind::SoapLogin
            | FlowKind::UsernamePassword
            | FlowKind::ClientCredentials
            | FlowKind::JwtBearer
            | FlowKind::RefreshToken,
            HostKind::MyDomain { .. } | HostKind::Other | HostKind::Production | HostKind::Sandbox,
        ) => Ok(()),
    }
}

pub(super) fn check(credential: &Credential) -> Result<(), Error> {
    // EXPOSE: to these checks, which quote nothing.
    let text = |field, text: Option<&str>| text.map_or(Ok(()), |text| check_text(field, text));
    text("password", credential.password().map(Password::expose))?;
    text(
        "consumer_secret",
        credential.consumer_secret().map(ConsumerSecret::expose),
    )?;
    text(
        "refresh_token",
        credential.refresh_token().map(RefreshToken::expose),
    )?;
    if let Some(token) = credential.security_token() {
        check_characters("security_token", token.expose())?;
    }
    if let Some(key) = credential.private_key() {
        check_key(key.expose())?;
    }
    Ok(())
}

/// What looks odd about a credential. Published tokens have 24 letters and digits, but Salesforce promises no length.
pub(super) fn doubts(credential: &Credential) -> Vec<String> {
    match credential.flow() {
        FlowKind::SoapLogin | FlowKind::UsernamePassword => {}
        FlowKind::ClientCredentials | FlowKind::JwtBearer | FlowKind::RefreshToken => {
            return Vec::new();
        }
    }
    let Some(token) = credential.security_token() else {
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

/// The old credential with what is new.
///
/// # Errors
/// If a new secret is none of this flow's.
pub(super) fn merge(old: &Credential, new: NewSecrets) -> Result<Credential, Error> {
    let flow = old.flow();
    let foreign =
        |field| Error::invalid(field, format!("is no secret of the flow `{}`", flow.name()));
    let given = [
        ("password", new.password.is_some()),
        ("security_token", new.security_token.is_some()),
        ("consumer_secret", new.consumer_secret.is_some()),
        ("private_key", new.private_key.is_some()),
        ("refresh_token", new.refresh_token.is_some()),
    ];
    let own: &[&str] = match flow {
        FlowKind::SoapLogin => &["password", "security_token"],
        FlowKind::UsernamePassword => &["password", "security_token", "consumer_secret"],
        FlowKind::ClientCredentials => &["consumer_secret"],
        FlowKind::JwtBearer => &["private_key", "consumer_secret"],
        FlowKind::RefreshToken => &["refresh_token", "consumer_secret"],
    };
    for (field, _) in given.into_iter().filter(|(_, given)| *given) {
        if !own.contains(&field) {
            return Err(foreign(field));
        }
    }
    Ok(match old.clone() {
        Credential::SoapLogin {
            password,
            security_token,
        } => Credential::SoapLogin {
            password: new.password.unwrap_or(password),
            security_token: new.security_token.unwrap_or(security_token),
        },
        Credential::UsernamePassword {
            password,
            security_token,
            consumer_secret,
        } => Credential::UsernamePassword {
            password: new.password.unwrap_or(password),
            security_token: new.security_token.unwrap_or(security_token),
            consumer_secret: new.consumer_secret.unwrap_or(consumer_secret),
        },
        Credential::ClientCredentials { consumer_secret } => Credential::ClientCredentials {
            consumer_secret: match new.consumer_secret {
                Some(Some(secret)) => secret,
                Some(None) => return Err(Error::invalid("consumer_secret", "is empty")),
                None => consumer_secret,
            },
        },
        Credential::JwtBearer {
            private_key,
            consumer_secret,
        } => Credential::JwtBearer {
            private_key: new.private_key.unwrap_or(private_key),
            consumer_secret: new.consumer_secret.unwrap_or(consumer_secret),
        },
        Credential::RefreshToken {
            refresh_token,
            consumer_secret,
        } => Credential::RefreshToken {
            refresh_token: new.refresh_token.unwrap_or(refresh_token),
            consumer_secret: new.consumer_secret.unwrap_or(consumer_secret),
        },
    })
}

fn check_text(field: &'static str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::invalid(field, "is empty"));
    }
    check_characters(field, text)
}

fn check_characters(field: &'static str, text: &str) -> Result<(), Error> {
    if text.len() > LONGEST_SECRET {
        Err(Error::invalid(field, "is longer than 1,024 bytes"))
    } else if text.chars().any(char::is_control) {
        let problem = "has a control character; was it read from the wrong file?";
        Err(Error::invalid(field, problem))
    } else {
        Ok(())
    }
}

/// Salesforce makes keys of 85 letters, digits, `.` and `_`; packages may bring ones of their own.
fn check_consumer_key(key: &str) -> Result<(), Error> {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=256).contains(&key.len()) && key.bytes().all(known) {
        return Ok(());
    }
    let problem = "must have 1 to 256 of `A-Z a-z 0-9 . _ -`, as the app's settings show it";
    Err(Error::invalid("consumer_key", problem))
}

fn check_audience(audience: &str) -> Result<(), Error> {
    let host = audience
        .strip_prefix("https://")
        .filter(|host| !host.ends_with('/') && !host.contains("://"))
        .ok_or_else(|| Error::invalid("audience", "must be `https://` and a host, and no more"))?;
    Host::parse(host).map(drop).map_err(|problem| {
        Error::invalid(
            "audience",
            format!("is not `https://` and a host: {problem}"),
        )
    })
}

fn check_key(pem: &str) -> Result<(), Error> {
    if pem.len() > LONGEST_KEY {
        return Err(Error::invalid("private_key", "is longer than 8 KiB"));
    }
    private_key::parse(pem)
        .map(drop)
        .map_err(|problem| Error::invalid("private_key", problem.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(result: Result<(), Error>) -> Option<&'static str> {
        match result {
            Ok(()) => None,
            Err(Error::InvalidArgument { field, .. }) => Some(field),
            Err(error) => panic!("{error}"),
        }
    }

    fn jwt(key: &str, audience: &str) -> Flow {
        Flow::JwtBearer {
            username: "etl@acme.com".to_owned(),
            consumer_key: key.to_owned(),
            audience: audience.to_owned(),
        }
    }

    #[test]
    fn a_consumer_key_has_the_letters_that_salesforce_uses() {
        let good = "https://login.salesforce.com";
        for (key, wrong) in [
            ("3MVG9.Key_01-x", false),
            ("", true),
            ("3MVG9 key", true),
            ("3MVG9&client_secret=x", true),
            ("3MVG9\u{e9}", true),
            (&"k".repeat(257), true),
        ] {
            let found = problem(check_flow(&jwt(key, good)));
            assert_eq!(found, wrong.then_some("consumer_key"), "{key}");
        }
    }

    #[test]
    fn an_audience_is_a_host_and_no_more() {
        for (audience, wrong) in [
            ("https://login.salesforce.com", false),
            ("https://acme.my.site.com", false),
            ("https://localhost:8443", false),
            ("", true),
            ("login.salesforce.com", true),
            ("http://login.salesforce.com", true),
            ("https://", true),
            ("https://login.salesforce.com/", true),
            ("https://login.salesforce.com/services/oauth2/token", true),
            ("https://https://login.salesforce.com", true),
            ("https://user@login.salesforce.com", true),
            ("https://login salesforce.com", true),
        ] {
            let found = problem(check_flow(&jwt("key", audience)));
            assert_eq!(found, wrong.then_some("audience"), "{audience}");
        }
    }

    #[test]
    fn client_credentials_are_for_the_orgs_own_host_only() {
        let client = Flow::ClientCredentials {
            consumer_key: "key".to_owned(),
        };
        for (host, wrong) in [
            ("login.salesforce.com", true),
            ("test.salesforce.com", true),
            ("login.sfcrmproducts.cn", true),
            ("acme.my.salesforce.com", false),
            ("localhost:8443", false),
        ] {
            let host = Host::parse(host).unwrap();
            let found = problem(check_login_host(&client, &host));
            assert_eq!(found, wrong.then_some("login_url"), "{host}");
            let other = jwt("key", "https://login.salesforce.com");
            assert_eq!(problem(check_login_host(&other, &host)), None, "{host}");
        }
    }

    #[test]
    fn a_private_key_must_be_one() {
        let good = include_str!("../salesforce/private_key/rsa-2048.pem");
        let long = format!("{good}{}", "x".repeat(LONGEST_KEY));
        for (pem, wrong) in [(good, false), ("hunter2", true), (&long, true)] {
            let credential = Credential::JwtBearer {
                private_key: PrivateKey::new(pem.to_owned()),
                consumer_secret: None,
            };
            assert_eq!(problem(check(&credential)), wrong.then_some("private_key"));
        }
    }
}
