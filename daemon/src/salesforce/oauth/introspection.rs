//! What introspection tells about a session ("OAuth 2.0 Token Introspection", Salesforce Help): its lifetime.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{fields, lifetime::plausible};

#[derive(Deserialize)]
struct Wire {
    active: Option<bool>,
    exp: Option<Value>,
    iat: Option<Value>,
}

/// The session's timeout. `None` if the answer does not tell; then it does not tell that the session is dead either:
/// sessions of other apps and of the username-password flow are called inactive while they live.
pub(in super::super) fn timeout(body: &[u8]) -> Option<Duration> {
    let wire: Wire = fields::parse(body)?;
    let seconds = |date: Option<Value>| date?.as_u64();
    let (expires, issued) = (seconds(wire.exp)?, seconds(wire.iat)?);
    let whole = expires.checked_sub(issued).map(Duration::from_secs)?;
    plausible(whole).filter(|_| wire.active == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_is_the_time_between_two_dates() {
        let body =
            br#"{"active":true,"scope":"api","exp":1764007200,"iat":1764000000,"nbf":1764000000}"#;
        assert_eq!(timeout(body), Some(Duration::from_hours(2)));
    }

    #[test]
    fn what_tells_nothing_is_nothing() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"active":false}"#,
            r#"{"active":false,"exp":1764007200,"iat":1764000000}"#,
            r#"{"active":"true","exp":1764007200,"iat":1764000000}"#,
            r#"{"active":true,"exp":1764007200}"#,
            r#"{"active":true,"exp":"1764007200","iat":1764000000}"#,
            r#"{"active":true,"exp":1764000000,"iat":1764007200}"#,
            r#"{"active":true,"exp":1764000000,"iat":1764000000}"#,
            r#"{"active":true,"exp":1864000000,"iat":1764000000}"#,
            r#"{"active":true,"active":true,"exp":1764007200,"iat":1764000000}"#,
            "<html>",
        ] {
            assert_eq!(timeout(body.as_bytes()), None, "{body}");
        }
    }
}
