//! The JWT that an app shows instead of a password ("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration",
//! Salesforce Help). Whoever holds one can log in with it until it expires.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde::Serialize;
use zeroize::Zeroizing;

/// How far ahead it may expire: Salesforce refuses those that live longer than 3 to 5 minutes.
const LIFETIME: Duration = Duration::from_mins(3);

/// Who logs in, as whom, and where.
pub(super) struct Subject<'a> {
    pub(super) consumer_key: &'a str,
    pub(super) username: &'a str,
    pub(super) audience: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    /// Seconds since 1970.
    exp: u64,
}

/// A fresh assertion. `None` if the key can't sign.
pub(super) fn sign(
    subject: &Subject<'_>,
    key: &RsaKeyPair,
    now: SystemTime,
) -> Option<Zeroizing<String>> {
    let expires = now + LIFETIME;
    let claims = Claims {
        iss: subject.consumer_key,
        sub: subject.username,
        aud: subject.audience,
        exp: expires
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()?
            .as_secs(),
    };
    let claims = serde_json::to_vec(&claims).ok()?;
    let mut signature = Zeroizing::new(vec![0; key.public().modulus_len()]);
    // Room for all of it: growing would leave a copy behind.
    let room = (HEADER.len() + claims.len() + signature.len()) * 2;
    let mut jwt = Zeroizing::new(String::with_capacity(room));
    BASE64_URL_SAFE_NO_PAD.encode_string(HEADER, &mut jwt);
    jwt.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(&claims, &mut jwt);
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        jwt.as_bytes(),
        &mut signature,
    )
    .ok()?;
    jwt.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature.as_slice(), &mut jwt);
    Some(jwt)
}

const HEADER: &[u8] = br#"{"alg":"RS256"}"#;

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::{super::private_key, *};

    fn decoded(part: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()
    }

    #[test]
    fn it_is_signed_and_claims_what_it_should_for_three_minutes() {
        let key = private_key::parse(include_str!("private_key/rsa-2048.pem")).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_000_000_999);
        let subject = Subject {
            consumer_key: "3MVG9\"key",
            username: "etl@acme.com",
            audience: "https://login.salesforce.com",
        };
        let jwt = sign(&subject, &key, now).unwrap();
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(decoded(header), HEADER);
        assert_eq!(
            serde_json::from_slice::<Value>(&decoded(claims)).unwrap(),
            json!({
                "iss": "3MVG9\"key",
                "sub": "etl@acme.com",
                "aud": "https://login.salesforce.com",
                "exp": 1_764_000_180_u64,
            })
        );
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref())
            .verify(signed.as_bytes(), &decoded(signature))
            .unwrap();
    }
}
