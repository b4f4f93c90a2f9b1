//! What is sent: the SOAP envelopes of `login()`, and of `getUserInfo()`, `logout()` and `setPassword()` with a session.
//!
//! They hold a password or a session id, or both, so they are built and kept in memory that is wiped.

use std::fmt;

use super::{buffer::WipedBuffer, xml};
use crate::secret::{Password, SecurityToken, SessionId};

/// The version of the SOAP API that is asked: the newest that has `login()`, which exists in 31.0 to 64.0
/// (SOAP API Developer Guide, `login()`).
pub const API_VERSION: &str = "64.0";

/// Where all of these calls are posted.
pub(super) const PATH: &str = "/services/Soap/u/64.0";

/// A part of a call has a character that XML 1.0 can't carry. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsendable {
    Password,
    SecurityToken,
    SessionId,
    UserId,
    Username,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self {
            Self::Password => "the password",
            Self::SecurityToken => "the security token",
            Self::SessionId => "the session id",
            Self::UserId => "the user id",
            Self::Username => "the user name",
        };
        write!(
            f,
            "{part} has a control character, which cannot be sent to Salesforce; enter it again"
        )
    }
}

/// `login(username, password + security token)`.
pub(super) fn login(
    username: &str,
    password: &Password,
    security_token: Option<&SecurityToken>,
) -> Result<WipedBuffer, Unsendable> {
    let mut out = WipedBuffer::with_capacity(2048);
    out.push(
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/""#,
            r#" xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Header>"#,
            // The name under which the login stands in Salesforce's API usage.
            "<urn:CallOptions><urn:client>sfvault/",
            env!("CARGO_PKG_VERSION"),
            "</urn:client></urn:CallOptions>",
            "</soapenv:Header><soapenv:Body><urn:login><urn:username>",
        )
        .as_bytes(),
    );
    xml::push_escaped(username, &mut out).map_err(|_| Unsendable::Username)?;
    out.push(b"</urn:username><urn:password>");
    // EXPOSE: the request body, which goes to the record's login host only.
    xml::push_escaped(password.expose(), &mut out).map_err(|_| Unsendable::Password)?;
    if let Some(token) = security_token {
        // EXPOSE: as the password, which it follows without a separator (SOAP API Developer Guide, login()).
        xml::push_escaped(token.expose(), &mut out).map_err(|_| Unsendable::SecurityToken)?;
    }
    out.push(b"</urn:password></urn:login></soapenv:Body></soapenv:Envelope>");
    Ok(out)
}

/// `getUserInfo()` with a session.
pub(super) fn get_user_info(session_id: &SessionId) -> Result<WipedBuffer, Unsendable> {
    with_session(session_id, b"<urn:getUserInfo/>")
}

/// `logout()`, which ends the session that it is sent with (SOAP API Developer Guide, logout()).
pub(super) fn logout(session_id: &SessionId) -> Result<WipedBuffer, Unsendable> {
    with_session(session_id, b"<urn:logout/>")
}

/// `setPassword(userId, password)` with a session (SOAP API Developer Guide, setPassword()).
pub(super) fn set_password(
    session_id: &SessionId,
    user_id: &str,
    password: &Password,
) -> Result<WipedBuffer, Unsendable> {
    let mut out = begun_with(session_id)?;
    out.push(b"<urn:setPassword><urn:userId>");
    xml::push_escaped(user_id, &mut out).map_err(|_| Unsendable::UserId)?;
    out.push(b"</urn:userId><urn:password>");
    // EXPOSE: as the session id.
    xml::push_escaped(password.expose(), &mut out).map_err(|_| Unsendable::Password)?;
    out.push(b"</urn:password></urn:setPassword></soapenv:Body></soapenv:Envelope>");
    Ok(out)
}

fn with_session(session_id: &SessionId, call: &[u8]) -> Result<WipedBuffer, Unsendable> {
    let mut out = begun_with(session_id)?;
    out.push(call);
    out.push(b"</soapenv:Body></soapenv:Envelope>");
    Ok(out)
}

/// The envelope of a call with a session, as far as the call itself.
fn begun_with(session_id: &SessionId) -> Result<WipedBuffer, Unsendable> {
    let mut out = WipedBuffer::with_capacity(2048);
    out.push(
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/""#,
            r#" xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Header>"#,
            "<urn:SessionHeader><urn:sessionId>",
        )
        .as_bytes(),
    );
    // EXPOSE: the request body, which goes to the session's instance only.
    xml::push_escaped(session_id.expose(), &mut out).map_err(|_| Unsendable::SessionId)?;
    out.push(b"</urn:sessionId></urn:SessionHeader></soapenv:Header><soapenv:Body>");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::xml::Element, *};

    fn envelope(
        username: &str,
        password: &str,
        token: Option<&str>,
    ) -> Result<WipedBuffer, Unsendable> {
        login(
            username,
            &Password::new(password.to_owned()),
            token.map(|t| SecurityToken::new(t.to_owned())).as_ref(),
        )
    }

    /// What Salesforce will read: user name and password.
    fn read_back(envelope: &WipedBuffer) -> (String, String) {
        let root = Element::parse(envelope.as_ref()).unwrap();
        assert_eq!(root.name, "Envelope");
        let call = root
            .into_child("Body")
            .and_then(Element::into_only_child)
            .unwrap();
        assert_eq!(call.name, "login");
        let text = |name| call.text_of(name).unwrap().unwrap_or_default().to_owned();
        (text("username"), text("password"))
    }

    #[test]
    fn the_token_follows_the_password_at_once() {
        let body = envelope("u@acme.com", "pass", Some("TOKEN")).unwrap();
        assert_eq!(
            read_back(&body),
            ("u@acme.com".to_owned(), "passTOKEN".to_owned())
        );
        let body = envelope("u@acme.com", "pass", None).unwrap();
        assert_eq!(
            read_back(&body),
            ("u@acme.com".to_owned(), "pass".to_owned())
        );
    }

    #[test]
    fn the_path_names_the_pinned_version() {
        assert_eq!(PATH.rsplit('/').next(), Some(API_VERSION));
    }

    #[test]
    fn markup_in_a_secret_stays_text() {
        let nasty = "a</urn:password><urn:username>admin&\"'\r\n\t]]><!--";
        let body = envelope(nasty, nasty, Some(nasty)).unwrap();
        assert_eq!(
            read_back(&body),
            (nasty.to_owned(), format!("{nasty}{nasty}"))
        );
    }

    #[test]
    fn a_control_character_is_refused_before_anything_is_sent() {
        let problem = |u, p, t| envelope(u, p, t).map(|_| ()).unwrap_err();
        assert_eq!(problem("u\0", "p", None), Unsendable::Username);
        assert_eq!(problem("u", "p\u{1b}", None), Unsendable::Password);
        assert_eq!(
            problem("u", "p", Some("\u{ffff}")),
            Unsendable::SecurityToken
        );
    }

    #[test]
    fn a_call_with_a_session_names_what_it_could_not_carry() {
        let problem = |session: &str, user: &str, password: &str| {
            let session = SessionId::new(session.to_owned());
            let password = Password::new(password.to_owned());
            let envelope = set_password(&session, user, &password);
            envelope.map(|_| ()).unwrap_err()
        };
        assert_eq!(problem("s\0", "u", "p"), Unsendable::SessionId);
        assert_eq!(problem("s", "u\0", "p"), Unsendable::UserId);
        assert_eq!(problem("s", "u", "p\0"), Unsendable::Password);
    }

    proptest! {
        #[test]
        fn any_credential_arrives_as_it_is_or_is_not_sent(
            username in any::<String>(), password in any::<String>(), token in any::<String>(),
        ) {
            if let Ok(body) = envelope(&username, &password, Some(&token)) {
                prop_assert_eq!(read_back(&body), (username, format!("{password}{token}")));
            }
        }
    }
}
