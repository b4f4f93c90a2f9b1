//! What is received: the SOAP answers to `login()` and `getUserInfo()`.
//!
//! An answer is believed only as a whole: its ids, its session and its host must agree with each other
//! and with the host rules. Problems are told in fixed words, for an answer may quote what was sent.

use std::time::Duration;

use super::{
    Grant, HostRefused, Proof,
    envelope::API_VERSION,
    hosts::HostRules,
    id::{ORG, SalesforceId, USER},
    session_format::SessionFormat,
    xml::{Element, Malformed},
};
use crate::{host::Host, secret::SessionId};

/// The body of a SOAP message.
pub(super) enum Body {
    /// The element in it.
    Content(Element),
    Fault(Fault),
}

/// A SOAP fault, as sent. Its text may quote a secret: it is shown through `redact` only.
pub(super) struct Fault {
    /// Salesforce's code, such as `INVALID_LOGIN`; the SOAP layer's `Client` and `Server` are none.
    pub(super) code: Option<String>,
    /// In words, without the code.
    pub(super) text: zeroize::Zeroizing<String>,
}

/// Why a well-formed answer to `login()` is no grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoGrant {
    /// The session leads to a host that may not see one.
    HostRefused(HostRefused),
    /// Salesforce took the call for another version's.
    OtherVersion,
    PasswordExpired,
    Unreadable(&'static str),
}

impl From<Malformed> for NoGrant {
    fn from(problem: Malformed) -> Self {
        Self::Unreadable(problem.0)
    }
}

impl Body {
    /// Reads a SOAP message.
    pub(super) fn parse(message: &[u8]) -> Result<Self, Malformed> {
        let root = Element::parse(message)?;
        if root.name != "Envelope" {
            return Err(Malformed("it is not a SOAP envelope"));
        }
        let content = root.into_child("Body")?.into_only_child()?;
        if content.name == "Fault" {
            Fault::read(&content).map(Self::Fault)
        } else {
            Ok(Self::Content(content))
        }
    }
}

impl Fault {
    /// Salesforce's own code, if any, stands in `detail`; `faultcode` repeats it with or without a
    /// prefix; the text repeats it before a colon.
    fn read(fault: &Element) -> Result<Self, Malformed> {
        let detail = match fault.child("detail")? {
            Some(detail) => detail.first_child(),
            None => None,
        };
        let in_detail = |name| detail.map_or(Ok(None), |detail| detail.text_of(name));
        let string = fault.text_of("faultstring")?.unwrap_or_default();
        let (head, rest) = match string.split_once(':') {
            Some((head, rest)) if as_code(head).is_some() => (as_code(head), rest.trim_start()),
            Some(_) | None => (None, string),
        };
        let code = match in_detail("exceptionCode")?.and_then(as_code) {
            Some(code) => Some(code),
            None => fault.text_of("faultcode")?.and_then(as_code).or(head),
        };
        let text = in_detail("exceptionMessage")?.unwrap_or(rest);
        Ok(Self {
            code: code.map(str::to_owned),
            text: zeroize::Zeroizing::new(text.to_owned()),
        })
    }
}

/// Reads a `loginResponse`. `username` is the one that was sent: the answer need not repeat it.
pub(super) fn grant(
    content: &Element,
    username: &str,
    rules: &HostRules,
) -> Result<Grant, NoGrant> {
    let result = result_of(content, "loginResponse")?;
    // First, because such a session is good for `setPassword` only and may even be absent.
    if flag(result, "passwordExpired")?.ok_or(missing("passwordExpired"))? {
        return Err(NoGrant::PasswordExpired);
    }
    let session = result.text_of("sessionId")?.ok_or(missing("sessionId"))?;
    let session_org = org_of_session(session)?;
    let info = result.child("userInfo")?;
    let of_info = |name| info.map_or(Ok(None), |info| info.text_of(name));
    let org = match of_info("organizationId")? {
        Some(text) => id(text, ORG)?,
        None => session_org.clone().ok_or(missing("organizationId"))?,
    };
    if session_org.is_some_and(|of_session| of_session != org) {
        return Err(NoGrant::Unreadable(
            "its session belongs to another org than it says",
        ));
    }
    let user = result.text_of("userId")?;
    let user_again = of_info("userId")?;
    let user_id = id(user.or(user_again).ok_or(missing("userId"))?, USER)?;
    if user_again.is_some_and(|text| id(text, USER) != Ok(user_id.clone())) {
        return Err(NoGrant::Unreadable("it names two users"));
    }
    let server_url = result.text_of("serverUrl")?.ok_or(missing("serverUrl"))?;
    let instance = instance(server_url, &org)?;
    rules.permit(&instance).map_err(NoGrant::HostRefused)?;
    Ok(Grant {
        session_id: SessionId::new(session.to_owned()),
        instance,
        org_id: org.into_string(),
        user_id: user_id.into_string(),
        username: Some(of_info("userName")?.unwrap_or(username).to_owned()),
        sandbox: flag(result, "sandbox")?.unwrap_or_default(),
        timeout: info.map_or(Ok(None), timeout)?,
        hard_expiry: None,
        rotated: None,
    })
}

/// Reads a `getUserInfoResponse`.
pub(super) fn proof(content: &Element) -> Result<Proof, NoGrant> {
    let result = result_of(content, "getUserInfoResponse")?;
    let text = |name| result.text_of(name)?.ok_or(missing(name));
    Ok(Proof {
        org_id: id(text("organizationId")?, ORG)?.into_string(),
        user_id: id(text("userId")?, USER)?.into_string(),
        username: result.text_of("userName")?.map(str::to_owned),
        timeout: timeout(result)?,
    })
}

/// A whole day: the longest session timeout on offer ("Modify Session Security Settings", Salesforce Help).
pub(super) const LONGEST_TIMEOUT: u64 = 24 * 60 * 60;

fn result_of<'a>(content: &'a Element, name: &str) -> Result<&'a Element, NoGrant> {
    if content.name != name {
        return Err(NoGrant::Unreadable("it answers another call"));
    }
    content.child("result")?.ok_or(missing("result"))
}

fn missing(name: &str) -> NoGrant {
    NoGrant::Unreadable(match name {
        "organizationId" => "it has no `organizationId`",
        "passwordExpired" => "it has no `passwordExpired`",
        "result" => "it has no `result`",
        "serverUrl" => "it has no `serverUrl`",
        "sessionId" => "it has no `sessionId`",
        "userId" => "it has no `userId`",
        _ => "it lacks an element",
    })
}

fn id(text: &str, prefix: &str) -> Result<SalesforceId, NoGrant> {
    SalesforceId::parse(text, prefix).ok_or(NoGrant::Unreadable(
        "its `organizationId` or `userId` is not an id",
    ))
}

fn flag(result: &Element, name: &str) -> Result<Option<bool>, NoGrant> {
    match result.text_of(name)?.map(str::trim) {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(NoGrant::Unreadable(
            "it has a flag that is neither true nor false",
        )),
    }
}

/// `sessionSecondsValid`, unless it is absurd: then the session counts as short-lived.
fn timeout(info: &Element) -> Result<Option<Duration>, NoGrant> {
    let seconds = info
        .text_of("sessionSecondsValid")?
        .and_then(|text| text.trim().parse().ok());
    Ok(seconds
        .filter(|seconds| (1..=LONGEST_TIMEOUT).contains(seconds))
        .map(Duration::from_secs))
}

/// The org that a session id names in its first 15 characters; `None` for a JWT, which names none so.
fn org_of_session(session: &str) -> Result<Option<SalesforceId>, NoGrant> {
    match SessionFormat::of(session) {
        Some(SessionFormat::Own { org }) => Ok(Some(org)),
        Some(SessionFormat::Jwt) => Ok(None),
        None => Err(NoGrant::Unreadable(
            "its `sessionId` does not look like one",
        )),
    }
}

/// The host of `https://HOST/services/Soap/u/64.0/ORG[/..]`.
///
/// The version is compared because Salesforce does not reject one that it can't parse: it quietly serves
/// another, and shows that only here.
fn instance(server_url: &str, org: &SalesforceId) -> Result<Host, NoGrant> {
    let bad = || NoGrant::Unreadable("its `serverUrl` is not a SOAP endpoint");
    let rest = server_url.strip_prefix("https://").ok_or_else(bad)?;
    let (host, path) = rest.split_once('/').ok_or_else(bad)?;
    let host = Host::parse(host).map_err(|_| bad())?;
    let mut segments = path.split('/');
    let mut next = || segments.next();
    if (next(), next(), next()) != (Some("services"), Some("Soap"), Some("u")) {
        return Err(bad());
    }
    if next() != Some(API_VERSION) {
        return Err(NoGrant::OtherVersion);
    }
    match next() {
        Some(text) if SalesforceId::parse(text, ORG).is_some_and(|of_url| of_url != *org) => Err(
            NoGrant::Unreadable("its `serverUrl` belongs to another org than it says"),
        ),
        Some(_) | None => Ok(host),
    }
}

/// A code without its namespace prefix: capitals, digits and underscores.
pub(super) fn as_code(text: &str) -> Option<&str> {
    let code = text.rsplit(':').next().unwrap_or(text).trim();
    let plausible = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    ((3..=80).contains(&code.len()) && code.bytes().all(plausible)).then_some(code)
}

#[cfg(test)]
mod tests;
