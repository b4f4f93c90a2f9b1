//! What is asked of a session, and the session that answers.

use sfvault_proto::v1;

use super::fields::{duration, environment};
use crate::{
    error::Error,
    session::{Session, decision::Want},
    vault::{SessionRequest, parse_name, watching::WatchRequest},
};

pub(in crate::api) fn session_request(
    request: &v1::GetSessionRequest,
) -> Result<SessionRequest, Error> {
    let min_ttl = duration("min_ttl", request.min_ttl)?;
    let refused = Some(request.refused_generation).filter(|generation| *generation != 0);
    let wanted = SessionRequest {
        want: Want {
            min_ttl,
            refused,
            fresh_proof: false,
            fresh_login: false,
            no_login: false,
        },
        expect_org: expected_org(&request.expect_org)?,
        expect_environment: environment("expect_environment", request.expect_environment)?,
        wait: duration("wait", request.wait)?,
        cause: None,
    };
    // Not only when it is looked for: while the vault is locked the call may wait for a day, with whatever was sent.
    parse_name(&request.record)?;
    Ok(wanted)
}

pub(in crate::api) fn watch_request(
    request: &v1::WatchSessionRequest,
) -> Result<WatchRequest, Error> {
    let wanted = WatchRequest {
        min_ttl: duration("min_ttl", request.min_ttl)?,
        expect_org: expected_org(&request.expect_org)?,
        expect_environment: environment("expect_environment", request.expect_environment)?,
    };
    parse_name(&request.record)?;
    Ok(wanted)
}

fn expected_org(text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_org_id =
        matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if !(is_org_id && text.starts_with("00D")) {
        return Err(Error::invalid(
            "expect_org",
            "an org id has 15 or 18 letters and digits and starts with `00D`",
        ));
    }
    Ok(Some(text.to_owned()))
}

pub(in crate::api) fn session(
    session: &Session,
    api_version: &str,
    warnings: Vec<String>,
) -> v1::GetSessionResponse {
    v1::GetSessionResponse {
        // EXPOSE: to the peer, who was let in for this.
        session_id: session.session_id.expose().to_owned(),
        instance_url: session.instance.url(),
        api_version: api_version.to_owned(),
        org_id: session.org_id.clone(),
        user_id: session.user_id.clone(),
        username: session.username.clone(),
        sandbox: session.sandbox,
        generation: session.generation,
        issued_at: Some(session.issued_at.into()),
        guaranteed_until: Some(session.guaranteed_until().into()),
        expires_at: Some(session.expires_at().into()),
        warnings,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::environment::Environment;

    fn request() -> v1::GetSessionRequest {
        v1::GetSessionRequest {
            record: "prod".to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn an_empty_request_wants_any_session_of_any_org() {
        let wanted = session_request(&request()).unwrap();
        assert_eq!(
            (wanted.want.min_ttl, wanted.want.refused, wanted.wait),
            (Duration::ZERO, None, Duration::ZERO)
        );
        assert_eq!(wanted.expect_org, None);
    }

    #[test]
    fn negative_spans_and_odd_org_ids_are_refused_by_field() {
        let negative = Some(prost_types::Duration {
            seconds: -1,
            nanos: 0,
        });
        for (request, field) in [
            (
                v1::GetSessionRequest {
                    min_ttl: negative,
                    ..request()
                },
                "min_ttl",
            ),
            (
                v1::GetSessionRequest {
                    wait: negative,
                    ..request()
                },
                "wait",
            ),
            (
                v1::GetSessionRequest {
                    expect_org: "prod".to_owned(),
                    ..request()
                },
                "expect_org",
            ),
            (
                v1::GetSessionRequest {
                    expect_org: "005xx000001Sv6A".to_owned(),
                    ..request()
                },
                "expect_org",
            ),
        ] {
            let error = session_request(&request).unwrap_err();
            assert!(
                matches!(&error, Error::InvalidArgument { field: named, .. } if *named == field),
                "{error:?}"
            );
        }
    }

    /// T21
    #[test]
    fn a_long_text_in_place_of_a_name_is_not_kept() {
        let record = "x".repeat(64 << 10);
        let get = session_request(&v1::GetSessionRequest {
            record: record.clone(),
            ..Default::default()
        });
        let watch = watch_request(&v1::WatchSessionRequest {
            record,
            ..Default::default()
        });
        for error in [get.map(drop).unwrap_err(), watch.map(drop).unwrap_err()] {
            assert!(
                matches!(
                    &error,
                    Error::InvalidArgument {
                        field: "record",
                        ..
                    }
                ),
                "{error:?}"
            );
        }
    }

    #[test]
    fn an_expectation_that_is_not_understood_is_refused_not_ignored() {
        for (sent, wanted) in [
            (0, None),
            (1, Some(Environment::Production)),
            (2, Some(Environment::Sandbox)),
        ] {
            let request = v1::GetSessionRequest {
                expect_environment: sent,
                ..request()
            };
            let read = session_request(&request).unwrap();
            assert_eq!(read.expect_environment, wanted);
        }
        for sent in [3, -1, i32::MAX] {
            let request = v1::GetSessionRequest {
                expect_environment: sent,
                ..request()
            };
            assert!(session_request(&request).is_err(), "{sent}");
        }
    }
}
