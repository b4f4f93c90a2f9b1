//! A session as the daemon sends it.

use std::mem;

use sfvault_proto::v1;

use super::instant;
use crate::{Error, Session, SessionId};

/// A session, checked: what it holds goes into headers and environments unchanged.
pub(crate) fn session(mut wire: v1::GetSessionResponse) -> Result<Session, Error> {
    // The allocation moves before anything can fail, so that it is wiped in any case.
    let session_id = SessionId::new(mem::take(&mut wire.session_id));
    // EXPOSE: looked at here only, to refuse what could split a header.
    let id = session_id.expose();
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::malformed("`session_id` is not a session id"));
    }
    if !wire.instance_url.starts_with("https://") {
        return Err(Error::malformed("`instance_url` is not an `https` URL"));
    }
    for (field, text) in [
        ("instance_url", &wire.instance_url),
        ("api_version", &wire.api_version),
        ("org_id", &wire.org_id),
        ("user_id", &wire.user_id),
        ("username", &wire.username),
    ] {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Error::malformed(&format!(
                "`{field}` is empty or has control characters"
            )));
        }
    }
    let at = |time, field: &str| {
        instant(time).ok_or_else(|| Error::malformed(&format!("`{field}` is missing")))
    };
    Ok(Session {
        session_id,
        instance_url: wire.instance_url,
        api_version: wire.api_version,
        org_id: wire.org_id,
        user_id: wire.user_id,
        username: wire.username,
        sandbox: wire.sandbox,
        generation: wire.generation,
        issued_at: at(wire.issued_at, "issued_at")?,
        guaranteed_until: at(wire.guaranteed_until, "guaranteed_until")?,
        expires_at: at(wire.expires_at, "expires_at")?,
        warnings: wire.warnings,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use prost_types::Timestamp;

    use super::*;
    use crate::Reason;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    fn good() -> v1::GetSessionResponse {
        v1::GetSessionResponse {
            session_id: "00Dxx0000000001!AQ.abc_".to_owned(),
            instance_url: "https://acme.my.salesforce.com".to_owned(),
            api_version: "64.0".to_owned(),
            org_id: "00Dxx0000000001EAA".to_owned(),
            user_id: "005xx0000000001AAA".to_owned(),
            username: "etl@acme.example".to_owned(),
            sandbox: false,
            generation: 7,
            issued_at: at(1_000),
            guaranteed_until: at(2_000),
            warnings: Vec::new(),
            expires_at: at(3_000),
        }
    }

    fn refused(spoil: impl FnOnce(&mut v1::GetSessionResponse)) -> String {
        let mut wire = good();
        spoil(&mut wire);
        match session(wire) {
            Ok(_) => panic!("accepted"),
            Err(error) => {
                assert_eq!(error.reason(), Reason::MalformedAnswer);
                error.message().to_owned()
            }
        }
    }

    #[test]
    fn a_session_keeps_what_the_daemon_said() {
        let session = session(good()).ok().unwrap();
        assert_eq!(session.session_id.expose(), "00Dxx0000000001!AQ.abc_");
        assert_eq!(session.generation, 7);
        assert_eq!(
            session.expires_at,
            SystemTime::UNIX_EPOCH + Duration::from_secs(3_000)
        );
    }

    #[test]
    fn a_session_that_could_split_a_header_or_a_line_is_refused_unnamed() {
        for id in ["", "a b", "a\r\nX: y", "a\n", "a\0", "\u{1b}[31m", "é"] {
            let message = refused(|wire| wire.session_id = id.to_owned());
            assert!(message.contains("session_id"), "{message}");
            assert!(id.is_empty() || !message.contains(id), "{message}");
        }
        assert!(refused(|w| w.instance_url = "http://x".into()).contains("instance_url"));
        assert!(refused(|w| w.instance_url = "https://x\nY=1".into()).contains("instance_url"));
        assert!(refused(|w| w.org_id = String::new()).contains("org_id"));
        assert!(refused(|w| w.username = "a\u{9b}b".into()).contains("username"));
    }

    #[test]
    fn a_session_without_its_deadlines_is_refused() {
        assert!(refused(|wire| wire.issued_at = None).contains("issued_at"));
        assert!(refused(|wire| wire.guaranteed_until = None).contains("guaranteed_until"));
        assert!(refused(|wire| wire.expires_at = at(i64::MIN)).contains("expires_at"));
    }
}
