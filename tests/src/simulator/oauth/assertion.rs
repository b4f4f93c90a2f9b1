//! The assertion of the JWT bearer flow, read as laxly as Salesforce reads it.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use super::key;
use crate::simulator::{org::Org, server::Listener};

/// A JWT, taken apart and not yet verified.
pub(super) struct Assertion<'a> {
    /// The app's consumer key.
    pub(super) issuer: String,
    /// The username.
    pub(super) subject: String,
    audience: String,
    expires: Option<SystemTime>,
    algorithm: String,
    signed: &'a str,
    signature: Vec<u8>,
}

/// What is wrong with an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Signature,
    Audience,
    Expired,
    /// `exp` is missing, or lies too far ahead.
    NoEnd,
}

impl<'a> Assertion<'a> {
    /// Reads a compact JWS of three parts.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let (header, claims) = (object(header)?, object(claims)?);
        Some(Self {
            issuer: text_of(&claims["iss"]),
            subject: text_of(&claims["sub"]),
            audience: text_of(&claims["aud"]),
            expires: time_of(&claims["exp"]),
            algorithm: text_of(&header["alg"]),
            signed,
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Checks everything but who it is.
    pub(super) fn check(
        &self,
        certificate: Option<&str>,
        org: &Org,
        now: SystemTime,
    ) -> Result<(), Flaw> {
        // Whatever the header says, only RS256 is verified: `none` and HS256 get nowhere.
        let genuine = certificate.is_some_and(|certificate| {
            self.algorithm == "RS256"
                && key::verifies(certificate, self.signed.as_bytes(), &self.signature)
        });
        if !genuine {
            return Err(Flaw::Signature);
        }
        if !is_audience(&self.audience, org) {
            return Err(Flaw::Audience);
        }
        let expires = self.expires.ok_or(Flaw::NoEnd)?;
        let left = expires.duration_since(now).map_err(|_| Flaw::Expired)?;
        if left.is_zero() {
            return Err(Flaw::Expired);
        }
        match org.oauth.longest_assertion {
            Some(longest) if left > longest => Err(Flaw::NoEnd),
            Some(_) | None => Ok(()),
        }
    }
}

/// Seen to work: the login URL, the token URL below it, and the bare name of the host.
fn is_audience(audience: &str, org: &Org) -> bool {
    let host = audience.strip_prefix("https://").unwrap_or(audience);
    let host = host.strip_suffix("/services/oauth2/token").unwrap_or(host);
    let host = host.strip_suffix('/').unwrap_or(host);
    let name = host.split(':').next().unwrap_or_default();
    match name {
        "login.salesforce.com" | "test.salesforce.com" => {
            host == name && !org.is_elsewhere(Listener::Login, name)
        }
        "localhost" | "127.0.0.1" => true,
        _ => host == name && org.oauth.my_domain_audience && org.is_at(name),
    }
}

fn object(part: &str) -> Option<Value> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    let value: Value = serde_json::from_slice(&json).ok()?;
    value.is_object().then_some(value)
}

fn text_of(value: &Value) -> String {
    let value = value
        .as_array()
        .and_then(|all| all.first())
        .unwrap_or(value);
    value.as_str().unwrap_or_default().to_owned()
}

/// Seconds or milliseconds, as a number or as a string: all four are in use and accepted.
fn time_of(value: &Value) -> Option<SystemTime> {
    /// In seconds it is the year 5138, in milliseconds 1973.
    const MILLISECONDS_FROM: f64 = 1e11;
    let number = match value {
        Value::String(text) => text.parse().ok()?,
        _ => value.as_f64()?,
    };
    let seconds = match number >= MILLISECONDS_FROM {
        true => number / 1000.0,
        false => number,
    };
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_exp_that_clients_send_is_read() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200);
        for value in [
            json!(1_795_219_200),
            json!("1795219200"),
            json!(1_795_219_200_000_u64),
            json!(1_795_219_200.0),
        ] {
            assert_eq!(time_of(&value), Some(time), "{value}");
        }
        for value in [
            json!(null),
            json!("soon"),
            json!(-1),
            json!([1]),
            json!("NaN"),
        ] {
            assert_eq!(time_of(&value), None, "{value}");
        }
    }

    #[test]
    fn what_is_no_jwt_is_none() {
        for text in [
            "",
            "a",
            "a.b",
            "a.b.c",
            "e30.e30",
            "e30.W10.AA",
            "e30.e30.!",
            "bnVsbA.e30.AA",
        ] {
            assert!(Assertion::parse(text).is_none(), "{text}");
        }
        assert!(Assertion::parse("e30.e30.AA").is_some());
    }

    #[test]
    fn an_audience_is_of_the_orgs_own_kind_of_host() {
        let mut org = Org {
            instance_url: "https://acme.my.salesforce.com".to_owned(),
            ..Org::default()
        };
        for (audience, production, sandbox) in [
            ("https://login.salesforce.com", true, false),
            ("login.salesforce.com", true, false),
            (
                "https://login.salesforce.com/services/oauth2/token",
                true,
                false,
            ),
            ("https://test.salesforce.com", false, true),
            ("https://acme.my.salesforce.com", true, true),
            ("https://other.my.salesforce.com", false, false),
            ("https://login.salesforce.com.evil.example", false, false),
            ("https://login.salesforce.com:8443", false, false),
            ("http://login.salesforce.com", false, false),
            ("", false, false),
        ] {
            org.sandbox = false;
            assert_eq!(is_audience(audience, &org), production, "{audience}");
            org.sandbox = true;
            assert_eq!(is_audience(audience, &org), sandbox, "{audience}");
        }
        org.oauth.my_domain_audience = false;
        assert!(!is_audience("https://acme.my.salesforce.com", &org));
    }
}
