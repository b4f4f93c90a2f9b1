//! Records and secrets that arrive. Secrets are moved out of a request, not copied.

use sfvault_proto::v1;

use super::fields::{environment, login_host, record_name, reminder};
use crate::{
    credential::{Credential, Flow},
    error::Error,
    host::Host,
    salesforce::hosts::default_audience,
    secret::{ConsumerSecret, Password, PrivateKey, RefreshToken, SecurityToken},
    vault::{NewRecord, NewSecrets},
};

pub(in crate::api) fn new_record(request: v1::AddRecordRequest) -> Result<NewRecord, Error> {
    let name = record_name(&request.name)?;
    let login_host = login_host(&request.login_url)?;
    let sent = request
        .credential
        .ok_or_else(|| Error::invalid("credential", "is missing"))?;
    let said = environment("environment", request.environment)?;
    let remind_after = reminder(request.remind_after)?.flatten();
    let (flow, credential) = login_of(
        sent,
        &login_host,
        Settings {
            username: request.username,
            consumer_key: request.consumer_key,
            audience: request.audience,
        },
    )?;
    Ok(NewRecord {
        name,
        login_host,
        flow,
        credential,
        environment: said,
        remind_after,
    })
}

/// What a request says about a flow beside its secrets.
struct Settings {
    username: String,
    consumer_key: String,
    audience: String,
}

/// The flow and the credential that a request means. What the flow does not use must not be there.
fn login_of(
    sent: v1::add_record_request::Credential,
    login_host: &Host,
    settings: Settings,
) -> Result<(Flow, Credential), Error> {
    use v1::add_record_request::Credential as Sent;
    let Settings {
        username,
        consumer_key,
        audience,
    } = settings;
    let none = |field, text: &str| match text {
        "" => Ok(()),
        _ => Err(Error::invalid(
            field,
            "is not used by this flow: leave it out",
        )),
    };
    if !matches!(sent, Sent::JwtBearer(_)) {
        none("audience", &audience)?;
    }
    Ok(match sent {
        Sent::SoapLogin(sent) => {
            none("consumer_key", &consumer_key)?;
            let credential = Credential::SoapLogin {
                password: Password::new(sent.password),
                security_token: token(sent.security_token),
            };
            (Flow::SoapLogin { username }, credential)
        }
        Sent::UsernamePassword(sent) => {
            let credential = Credential::UsernamePassword {
                password: Password::new(sent.password),
                security_token: token(sent.security_token),
                consumer_secret: consumer_secret(sent.consumer_secret),
            };
            let flow = Flow::UsernamePassword {
                username,
                consumer_key,
            };
            (flow, credential)
        }
        Sent::ClientCredentials(sent) => {
            none("username", &username)?;
            let credential = Credential::ClientCredentials {
                consumer_secret: ConsumerSecret::new(sent.consumer_secret),
            };
            (Flow::ClientCredentials { consumer_key }, credential)
        }
        Sent::JwtBearer(sent) => {
            let credential = Credential::JwtBearer {
                private_key: PrivateKey::new(sent.private_key),
                consumer_secret: consumer_secret(sent.consumer_secret),
            };
            let audience = match audience.as_str() {
                "" => default_audience(login_host).to_owned(),
                _ => audience,
            };
            let flow = Flow::JwtBearer {
                username,
                consumer_key,
                audience,
            };
            (flow, credential)
        }
        Sent::RefreshToken(sent) => {
            none("username", &username)?;
            let credential = Credential::RefreshToken {
                refresh_token: RefreshToken::new(sent.refresh_token),
                consumer_secret: consumer_secret(sent.consumer_secret),
            };
            (Flow::RefreshToken { consumer_key }, credential)
        }
    })
}

pub(in crate::api) fn new_secrets(request: v1::SetCredentialRequest) -> Result<NewSecrets, Error> {
    Ok(NewSecrets {
        remind_after: reminder(request.remind_after)?,
        password: request.password.map(Password::new),
        security_token: request.security_token.map(token),
        consumer_secret: request.consumer_secret.map(consumer_secret),
        private_key: request.private_key.map(PrivateKey::new),
        refresh_token: request.refresh_token.map(RefreshToken::new),
    })
}

fn token(text: String) -> Option<SecurityToken> {
    (!text.is_empty()).then(|| SecurityToken::new(text))
}

fn consumer_secret(text: String) -> Option<ConsumerSecret> {
    (!text.is_empty()).then(|| ConsumerSecret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_needs_a_credential_and_a_host() {
        let request = |login_url: &str| v1::AddRecordRequest {
            name: "prod".to_owned(),
            username: "u@example.com".to_owned(),
            login_url: login_url.to_owned(),
            ..Default::default()
        };
        let error = new_record(request("https://login.salesforce.com")).unwrap_err();
        assert!(matches!(
            error,
            Error::InvalidArgument {
                field: "credential",
                ..
            }
        ));
        let error = new_record(request("http://login.salesforce.com")).unwrap_err();
        assert!(matches!(
            error,
            Error::InvalidArgument {
                field: "login_url",
                ..
            }
        ));
    }
}
