//! A grant of the token endpoint.
//!
//! It is believed only as a whole: its session, its ids and its host must agree with each other and with the host
//! rules. Problems are told in fixed words, for an answer may quote what was sent.

use std::time::SystemTime;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::hmac;
use serde::Deserialize;

use super::{
    super::{
        Grant,
        hosts::{HostKind, HostRules},
        id::{ORG, SalesforceId, USER},
        session_format::{Claims, SessionFormat},
        soap::NoGrant,
    },
    fields::{self, Text},
    lifetime::Lifetime,
};
use crate::{
    host::Host,
    secret::{ConsumerSecret, RefreshToken, SessionId},
};

/// What the answer is held against.
pub(in super::super) struct Expected<'a> {
    pub(in super::super) rules: &'a HostRules,
    /// As it was sent: no answer repeats it.
    pub(in super::super) username: Option<&'a str>,
    /// Verifies the signature, if there is one.
    pub(in super::super) consumer_secret: Option<&'a ConsumerSecret>,
    /// The one that was sent. Without it, one that comes is not wanted.
    pub(in super::super) refresh_token: Option<&'a RefreshToken>,
    /// When the request was made.
    pub(in super::super) sent_at: SystemTime,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    access_token: Text,
    instance_url: Text,
    id: Text,
    token_type: Text,
    issued_at: Text,
    signature: Text,
    refresh_token: Text,
    expires_in: Text,
}

/// Reads an answer with status 200.
pub(in super::super) fn grant(body: &[u8], expected: &Expected<'_>) -> Result<Grant, NoGrant> {
    let wire: Wire = fields::parse(body).ok_or(NoGrant::Unreadable(
        "it is not a JSON object of a grant's fields",
    ))?;
    let session = wire
        .access_token
        .get()
        .filter(|token| token.len() <= LONGEST_TOKEN)
        .ok_or(NoGrant::Unreadable("it has no `access_token`"))?;
    let bearer = wire
        .token_type
        .get()
        .is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    if !bearer {
        return Err(NoGrant::Unreadable("its `token_type` is not `Bearer`"));
    }
    let identity = Identity::read(wire.id.get(), expected.rules)?;
    let format = SessionFormat::of(session).ok_or(NoGrant::Unreadable(
        "its `access_token` does not look like one",
    ))?;
    let claims = match format {
        SessionFormat::Own { org } if org != identity.org => {
            return Err(NoGrant::Unreadable(
                "its session belongs to another org than it says",
            ));
        }
        SessionFormat::Own { .. } => None,
        SessionFormat::Jwt => Claims::of(session),
    };
    if let Some(secret) = expected.consumer_secret {
        check_signature(&wire, secret)?;
    }
    let instance = wire.instance_url.get();
    let instance = instance
        .filter(|url| url.starts_with("https://"))
        .and_then(|url| Host::parse(url).ok())
        .ok_or(NoGrant::Unreadable("it has no `instance_url` of a host"))?;
    expected
        .rules
        .permit(&instance)
        .map_err(NoGrant::HostRefused)?;
    let told = wire
        .expires_in
        .get()
        .and_then(|seconds| Lifetime::of_seconds(seconds, expected.sent_at));
    let claimed = claims.and_then(|claims| Lifetime::of_claims(claims, expected.sent_at));
    let lifetime = [told, claimed]
        .into_iter()
        .flatten()
        .min_by_key(|lifetime| lifetime.ends);
    Ok(Grant {
        session_id: SessionId::new(session.to_owned()),
        sandbox: is_sandbox(&identity.host, &instance),
        instance,
        org_id: identity.org.into_string(),
        user_id: identity.user.into_string(),
        username: expected.username.map(str::to_owned),
        timeout: lifetime.map(|lifetime| lifetime.whole),
        hard_expiry: lifetime.map(|lifetime| lifetime.ends),
        rotated: rotated(&wire, expected)?,
    })
}

/// The refresh token of an answer that is no grant for another reason.
pub(super) fn rotated_all_the_same(body: &[u8], expected: &Expected<'_>) -> Option<RefreshToken> {
    let wire: Wire = fields::parse(body)?;
    rotated(&wire, expected).ok().flatten()
}

/// Tokens of Salesforce's own format have some 100 characters, JWTs 1,000 to 2,000.
const LONGEST_TOKEN: usize = 16 * 1024;

/// The URL in `id`: `https://HOST/id/ORG/USER`.
struct Identity {
    host: Host,
    org: SalesforceId,
    user: SalesforceId,
}

impl Identity {
    /// Nothing is ever sent there; but what names itself after a foreign host is no grant of Salesforce's.
    fn read(url: Option<&str>, rules: &HostRules) -> Result<Self, NoGrant> {
        let bad =
            NoGrant::Unreadable("it has no `id` of an org and a user at one of Salesforce's hosts");
        let read = || {
            let (host, path) = url?.strip_prefix("https://")?.split_once("/id/")?;
            let host = Host::parse(host).ok()?;
            let (org, user) = path.split_once('/')?;
            rules.permit(&host).ok()?;
            Some(Self {
                host,
                org: SalesforceId::parse(org, ORG)?,
                user: SalesforceId::parse(user, USER)?,
            })
        };
        read().ok_or(bad)
    }
}

/// `signature` is the HMAC-SHA256 of `id` and `issued_at` under the consumer secret ("OAuth 2.0 Web Server Flow for Web
/// App Integration", Salesforce Help). Answers to JWTs often have none.
fn check_signature(wire: &Wire, secret: &ConsumerSecret) -> Result<(), NoGrant> {
    let (Some(signature), Some(id), Some(issued_at)) =
        (wire.signature.get(), wire.id.get(), wire.issued_at.get())
    else {
        return Ok(());
    };
    // EXPOSE: the verifier, in this function.
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let signed = [id, issued_at].concat();
    let genuine = BASE64_STANDARD
        .decode(signature)
        .is_ok_and(|signature| hmac::verify(&key, signed.as_bytes(), &signature).is_ok());
    genuine.then_some(()).ok_or(NoGrant::Unreadable(
        "its `signature` was not made with the app's consumer secret",
    ))
}

/// No answer says so outright. The login host that stands in `id` is the one of the org's kind; where that is none of
/// them, the org's own host tells.
fn is_sandbox(identity: &Host, instance: &Host) -> bool {
    match HostKind::of(identity) {
        HostKind::Production => false,
        HostKind::Sandbox => true,
        HostKind::MyDomain { .. } | HostKind::Other => {
            HostKind::of(instance) == HostKind::MyDomain { sandbox: true }
        }
    }
}

fn rotated(wire: &Wire, expected: &Expected<'_>) -> Result<Option<RefreshToken>, NoGrant> {
    let (Some(sent), Some(token)) = (expected.refresh_token, wire.refresh_token.get()) else {
        return Ok(None);
    };
    if token.len() > LONGEST_TOKEN || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(NoGrant::Unreadable(
            "its `refresh_token` does not look like one",
        ));
    }
    let token = RefreshToken::new(token.to_owned());
    Ok((!token.matches(sent)).then_some(token))
}

#[cfg(test)]
mod tests;
