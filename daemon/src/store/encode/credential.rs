//! A credential as the fields that are sealed one by one, and back.

use zeroize::{Zeroize as _, Zeroizing};

use super::Malformed;
use crate::{
    credential::{Credential, FlowKind},
    secret::{ConsumerSecret, Password, PrivateKey, RefreshToken, SecurityToken},
    store::seal::Field,
};

/// The secrets of a credential, each with its field. An optional one that is absent is a field of its own.
pub(in crate::store) fn credential_fields(credential: &Credential) -> Vec<(Field, &[u8])> {
    let security_token = |token: &'_ Option<SecurityToken>| match token {
        Some(_) => Field::SecurityToken,
        None => Field::NoSecurityToken,
    };
    let consumer_secret = |secret: &'_ Option<ConsumerSecret>| match secret {
        Some(_) => Field::ConsumerSecret,
        None => Field::NoConsumerSecret,
    };
    let fields = match credential {
        Credential::SoapLogin {
            security_token: token,
            ..
        } => vec![Field::Password, security_token(token)],
        Credential::UsernamePassword {
            security_token: token,
            consumer_secret: secret,
            ..
        } => vec![
            Field::Password,
            security_token(token),
            consumer_secret(secret),
        ],
        Credential::ClientCredentials { .. } => vec![Field::ConsumerSecret],
        Credential::JwtBearer {
            consumer_secret: secret,
            ..
        } => vec![Field::PrivateKey, consumer_secret(secret)],
        Credential::RefreshToken {
            consumer_secret: secret,
            ..
        } => vec![Field::RefreshToken, consumer_secret(secret)],
    };
    fields
        .into_iter()
        .map(|field| (field, secret_of(credential, field).unwrap_or_default()))
        .collect()
}

/// A credential from its opened fields, which must be just those of its flow; their memory moves into it.
pub(in crate::store) fn credential_from_fields(
    flow: FlowKind,
    fields: Vec<(Field, Zeroizing<Vec<u8>>)>,
) -> Result<Credential, Malformed> {
    let mut fields = OpenedFields(fields);
    let credential = match flow {
        FlowKind::SoapLogin => Credential::SoapLogin {
            password: Password::new(fields.take(Field::Password)?),
            security_token: fields.security_token()?,
        },
        FlowKind::UsernamePassword => Credential::UsernamePassword {
            password: Password::new(fields.take(Field::Password)?),
            security_token: fields.security_token()?,
            consumer_secret: fields.consumer_secret()?,
        },
        FlowKind::ClientCredentials => Credential::ClientCredentials {
            consumer_secret: ConsumerSecret::new(fields.take(Field::ConsumerSecret)?),
        },
        FlowKind::JwtBearer => Credential::JwtBearer {
            private_key: PrivateKey::new(fields.take(Field::PrivateKey)?),
            consumer_secret: fields.consumer_secret()?,
        },
        FlowKind::RefreshToken => Credential::RefreshToken {
            refresh_token: RefreshToken::new(fields.take(Field::RefreshToken)?),
            consumer_secret: fields.consumer_secret()?,
        },
    };
    if fields.0.is_empty() {
        Ok(credential)
    } else {
        Err("it has a part that its flow does not have")
    }
}

/// What of a credential is still to be put together.
struct OpenedFields(Vec<(Field, Zeroizing<Vec<u8>>)>);

impl OpenedFields {
    fn take(&mut self, field: Field) -> Result<String, Malformed> {
        let at = self.0.iter().position(|(found, _)| *found == field);
        let at = at.ok_or("a part is missing")?;
        into_text(self.0.swap_remove(at).1)
    }

    /// The secret, or its absence, which must be stated: a row that was only dropped is not absent.
    fn take_or(&mut self, field: Field, absent: Field) -> Result<Option<String>, Malformed> {
        if self.0.iter().any(|(found, _)| *found == field) {
            return self.take(field).map(Some);
        }
        self.take(absent).map(|_| None)
    }

    fn security_token(&mut self) -> Result<Option<SecurityToken>, Malformed> {
        let token = self.take_or(Field::SecurityToken, Field::NoSecurityToken)?;
        Ok(token.map(SecurityToken::new))
    }

    fn consumer_secret(&mut self) -> Result<Option<ConsumerSecret>, Malformed> {
        let secret = self.take_or(Field::ConsumerSecret, Field::NoConsumerSecret)?;
        Ok(secret.map(ConsumerSecret::new))
    }
}

fn secret_of(credential: &Credential, field: Field) -> Option<&[u8]> {
    // EXPOSE: the cipher, through `Keys::seal`
    let text = match field {
        Field::Password => credential.password()?.expose(),
        Field::SecurityToken => credential.security_token()?.expose(),
        Field::ConsumerSecret => credential.consumer_secret()?.expose(),
        Field::PrivateKey => credential.private_key()?.expose(),
        Field::RefreshToken => credential.refresh_token()?.expose(),
        Field::Audit
        | Field::Record
        | Field::NoSecurityToken
        | Field::NoConsumerSecret
        | Field::Session => {
            return None;
        }
    };
    Some(text.as_bytes())
}

fn into_text(mut bytes: Zeroizing<Vec<u8>>) -> Result<String, Malformed> {
    String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
        error.into_bytes().zeroize();
        "a secret is not UTF-8"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_token_is_a_field_of_its_own() {
        let credential = |token: Option<&str>| Credential::SoapLogin {
            password: Password::new("p".to_owned()),
            security_token: token.map(|token| SecurityToken::new(token.to_owned())),
        };
        assert_eq!(
            credential_fields(&credential(Some("t"))),
            [(Field::Password, &b"p"[..]), (Field::SecurityToken, b"t")]
        );
        assert_eq!(
            credential_fields(&credential(None)),
            [(Field::Password, &b"p"[..]), (Field::NoSecurityToken, b"")]
        );
        // An empty token is not a missing one.
        assert_eq!(
            credential_fields(&credential(Some("")))[1],
            (Field::SecurityToken, &b""[..])
        );
    }

    fn opened(fields: &[(Field, &[u8])]) -> Vec<(Field, Zeroizing<Vec<u8>>)> {
        let own = |(field, secret): &(Field, &[u8])| (*field, Zeroizing::new(secret.to_vec()));
        fields.iter().map(own).collect()
    }

    #[test]
    fn a_secret_that_is_no_text_is_refused() {
        for (password, token) in [(&b"\xff"[..], &b"t"[..]), (b"p", b"\xff")] {
            let fields = opened(&[(Field::Password, password), (Field::SecurityToken, token)]);
            assert!(credential_from_fields(FlowKind::SoapLogin, fields).is_err());
        }
    }

    /// One credential of each flow, with its optional secrets and without.
    fn credentials() -> Vec<Credential> {
        let mut credentials = Vec::new();
        for optional in [true, false] {
            let password = Password::new("p".to_owned());
            let security_token = optional.then(|| SecurityToken::new("t".to_owned()));
            let consumer_secret = optional.then(|| ConsumerSecret::new("c".to_owned()));
            credentials.extend([
                Credential::SoapLogin {
                    password: password.clone(),
                    security_token: security_token.clone(),
                },
                Credential::UsernamePassword {
                    password,
                    security_token,
                    consumer_secret: consumer_secret.clone(),
                },
                Credential::ClientCredentials {
                    consumer_secret: ConsumerSecret::new("c".to_owned()),
                },
                Credential::JwtBearer {
                    private_key: PrivateKey::new("k".to_owned()),
                    consumer_secret: consumer_secret.clone(),
                },
                Credential::RefreshToken {
                    refresh_token: RefreshToken::new("r".to_owned()),
                    consumer_secret,
                },
            ]);
        }
        credentials
    }

    #[test]
    fn every_credential_comes_back_from_its_own_fields_only() {
        for credential in credentials() {
            let fields = opened(&credential_fields(&credential));
            let back = credential_from_fields(credential.flow(), fields.clone()).unwrap();
            assert!(back.matches(&credential), "{credential:?}");
            for missing in 0..fields.len() {
                let mut fields = fields.clone();
                fields.remove(missing);
                assert!(credential_from_fields(credential.flow(), fields).is_err());
            }
            let mut more = fields;
            let foreign = match credential.flow() {
                FlowKind::RefreshToken => Field::Password,
                FlowKind::SoapLogin
                | FlowKind::UsernamePassword
                | FlowKind::ClientCredentials
                | FlowKind::JwtBearer => Field::RefreshToken,
            };
            more.push((foreign, Zeroizing::new(b"x".to_vec())));
            assert!(credential_from_fields(credential.flow(), more).is_err());
        }
    }
}
