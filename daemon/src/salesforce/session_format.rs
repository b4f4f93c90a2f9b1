//! The two formats of a session id: Salesforce's own, and the JWT that some apps get.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::id::{ORG, SalesforceId};

/// What a session id looks like.
pub(super) enum SessionFormat {
    /// `ORG!…`: 15 characters that name the org, and more that mean nothing to anyone else.
    Own { org: SalesforceId },
    /// Three parts in base64url. SOAP does not take it.
    Jwt,
}

/// What a JWT says about its own time. Nobody vouches for it but the server that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claims {
    /// Since 1970.
    pub(super) expires: Duration,
    /// Since 1970.
    pub(super) issued: Option<Duration>,
}

impl SessionFormat {
    /// `None` if it looks like neither.
    pub(super) fn of(session: &str) -> Option<Self> {
        if let Some((org, rest)) = session.split_once('!') {
            let opaque = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_');
            let well_formed = org.len() == 15 && !rest.is_empty() && rest.bytes().all(opaque);
            let org = SalesforceId::parse(org, ORG).filter(|_| well_formed)?;
            return Some(Self::Own { org });
        }
        let base64url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let parts: Vec<&str> = session.split('.').collect();
        let jwt = session.starts_with("eyJ")
            && parts.len() == 3
            && parts
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(base64url));
        jwt.then_some(Self::Jwt)
    }
}

impl Claims {
    /// Reads `exp` and `iat` of a JWT (RFC 7519, 4.1), whose signature only Salesforce's own servers need to check.
    pub(super) fn of(jwt: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire {
            exp: Value,
            iat: Option<Value>,
        }
        let claims = jwt.split('.').nth(1)?;
        let claims = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?);
        let wire: Wire = serde_json::from_slice(&claims).ok()?;
        Some(Self {
            expires: since_1970(&wire.exp)?,
            issued: wire.iat.as_ref().and_then(since_1970),
        })
    }
}

/// A `NumericDate`, whose fraction does not matter.
fn since_1970(date: &Value) -> Option<Duration> {
    /// The year 9999.
    const LATEST: f64 = 253_402_300_799.0;
    let seconds = date
        .as_f64()
        .filter(|seconds| (0.0..=LATEST).contains(seconds))?;
    Duration::try_from_secs_f64(seconds.trunc()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("eyJhIjoxfQ.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_formats_are_told_apart() {
        let own = "00Dxx0000001gPL!AR8AQ.x_y";
        assert!(matches!(
            SessionFormat::of(own),
            Some(SessionFormat::Own { .. })
        ));
        assert!(matches!(
            SessionFormat::of(&jwt("{}")),
            Some(SessionFormat::Jwt)
        ));
        for neither in [
            "",
            "!",
            "00Dxx0000001gPL!",
            "00Dxx0000001gPLEAY!AR8AQ",
            "005xx000001Sv6A!AR8AQ",
            "00Dxx0000001gPL!AR8 AQ",
            "00Dxx0000001gPL!AR8\r\nX: y",
            "eyJhIjoxfQ.e30",
            "eyJhIjoxfQ.e30.",
            "eyJhIjoxfQ.e30.c2ln.x",
            "eyJhIjoxfQ.e3=.c2ln",
            "opaque",
        ] {
            assert!(SessionFormat::of(neither).is_none(), "{neither}");
        }
    }

    #[test]
    fn the_claims_of_a_jwt_tell_its_time() {
        let seconds = Duration::from_secs;
        for (claims, expected) in [
            (r#"{"exp":200,"iat":80}"#, Some((200, Some(80)))),
            (r#"{"exp":200.9}"#, Some((200, None))),
            (r#"{"exp":200,"iat":"80"}"#, Some((200, None))),
            (r#"{"exp":"200","iat":80}"#, None),
            (r#"{"exp":-1}"#, None),
            (r#"{"exp":1e300}"#, None),
            (r#"{"exp":1,"exp":2}"#, None),
            (r#"{"iat":80}"#, None),
            ("[]", None),
            ("", None),
        ] {
            let expected = expected.map(|(expires, issued)| Claims {
                expires: seconds(expires),
                issued: issued.map(seconds),
            });
            assert_eq!(Claims::of(&jwt(claims)), expected, "{claims}");
        }
        assert_eq!(Claims::of("eyJ"), None);
    }
}
