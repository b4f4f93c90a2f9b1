use std::collections::HashMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::host::Host;
use crate::salesforce::buffer::WipedBuffer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    status: u16,
    headers: HashMap<String, String>,
    body: Option<String>,
    fault: Option<FaultCase>,
    /// The name of the class; none for a grant.
    class: Option<String>,
    /// The code that is shown.
    code: Option<String>,
    /// What becomes of the class on its way to the shell is for `tests/it/cases/soap_login.rs`.
    #[serde(rename = "reason")]
    _reason: Option<String>,
    #[serde(rename = "exit")]
    _exit: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultCase {
    code: String,
    message: String,
    /// The element in `detail`, or `none`.
    detail: String,
    /// Whether `faultcode` is `sf:CODE`.
    prefix: bool,
}

impl FaultCase {
    fn body(&self) -> String {
        let Self {
            code,
            message,
            detail,
            ..
        } = self;
        let prefix = if self.prefix { "sf:" } else { "" };
        let mut escaped = WipedBuffer::default();
        super::super::xml::push_escaped(message, &mut escaped).unwrap();
        let message = std::str::from_utf8(escaped.as_ref()).unwrap();
        let detail = match detail.as_str() {
            "none" => String::new(),
            detail => format!(
                "<detail><sf:{detail} xsi:type=\"sf:{detail}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
                 <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{detail}></detail>"
            ),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:sf=\"urn:fault.partner.soap.sforce.com\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><soapenv:Fault>\
             <faultcode>{prefix}{code}</faultcode><faultstring>{code}: {message}</faultstring>{detail}\
             </soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        )
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../../tests/cases/soap_login.json")).unwrap()
}

fn answer(status: u16, content_type: Option<&str>, body: &[u8]) -> Answer {
    Answer {
        status,
        content_type: content_type.map(str::to_owned),
        retry_after: None,
        date: None,
        redirects_to: None,
        body: WipedBuffer::from(body),
    }
}

fn soap_fault(code: &str, message: &str) -> Answer {
    let fault = FaultCase {
        code: code.to_owned(),
        message: message.to_owned(),
        detail: "UnexpectedErrorFault".to_owned(),
        prefix: true,
    };
    answer(500, Some("text/xml"), fault.body().as_bytes())
}

fn logged_in(answer: &Answer, secrets: &[&str]) -> Result<Grant, Failure> {
    login(answer, "etl@acme.com", &HostRules::default(), secrets)
}

/// T36, T38, T39.
#[test]
fn every_known_answer_to_a_login_has_its_class() {
    for case in cases() {
        let body = match (&case.body, &case.fault) {
            (Some(body), None) => body.clone(),
            (None, Some(fault)) => fault.body(),
            (Some(_), Some(_)) | (None, None) => panic!("{}: body or fault", case.name),
        };
        let content_type = case.headers.get("content-type").map(String::as_str);
        let result = logged_in(&answer(case.status, content_type, body.as_bytes()), &[]);
        let class = result.as_ref().err().map(|failure| failure.class.name());
        assert_eq!(class, case.class.as_deref(), "{}: {result:?}", case.name);
        if let Err(failure) = result {
            assert_eq!(failure.code, case.code, "{}", case.name);
            assert!(
                !failure.message.is_empty() && failure.message.len() <= 300,
                "{}",
                case.name
            );
        }
    }
}

#[test]
fn what_salesforce_says_about_a_rejected_login_reaches_the_operator() {
    let text = "Invalid username, password, security token; or user locked out.";
    let failure =
        logged_in(&soap_fault("INVALID_LOGIN", text), &["password", "token"]).unwrap_err();
    assert_eq!(failure.to_string(), format!("INVALID_LOGIN: {text}"));
}

/// T43.
#[test]
fn no_failure_quotes_the_credential() {
    let secrets = ["Tr0ub4dor&3", "AbCdEfGhIjKlMnOpQrStUvWx"];
    for (code, text) in [
        (
            "UNKNOWN_EXCEPTION",
            "The reference to entity \"3AbCdEfGh\" must end with the ';' delimiter.",
        ),
        (
            "UNKNOWN_EXCEPTION",
            "unexpected Tr0ub4dor&3AbCdEfGhIjKlMnOpQrStUvWx at 1",
        ),
        ("SOMETHING_NEW", "got Tr0ub4dor%263 and b4dor&amp;3"),
        ("TR0UB4DOR", "no"),
        (
            "INVALID_LOGIN",
            "Invalid username, password, security token; or user locked out. b4dor KlMnOp",
        ),
    ] {
        let failure = logged_in(&soap_fault(code, text), &secrets).unwrap_err();
        let shown = format!("{failure} {failure:?}").to_lowercase();
        for piece in ["b4dor", "klmn", "abcd", "tr0u"] {
            assert!(!shown.contains(piece), "{shown}");
        }
    }
}

#[test]
fn limits_tell_how_long_to_wait() {
    let minutes = |code, text| {
        let failure = logged_in(&soap_fault(code, text), &[]).unwrap_err();
        failure.pause.map(|pause| pause.as_secs() / 60)
    };
    assert_eq!(minutes("LOGIN_RATE_EXCEEDED", ""), Some(60));
    assert_eq!(
        minutes("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        Some(60)
    );
    assert_eq!(
        minutes(
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (..) Limit exceeded."
        ),
        Some(1)
    );
    assert_eq!(minutes("LOGIN_DURING_RESTRICTED_TIME", ""), Some(30));
    assert_eq!(minutes("INVALID_LOGIN", ""), None);

    let retry_after = Some(Duration::from_secs(120));
    let busy = Answer {
        retry_after,
        ..answer(503, None, b"")
    };
    assert_eq!(logged_in(&busy, &[]).unwrap_err().pause, retry_after);
    let limited = answer(429, None, b"");
    assert_eq!(
        logged_in(&limited, &[]).unwrap_err().pause,
        Some(Duration::from_hours(1))
    );
}

#[test]
fn a_dead_session_and_a_barred_one_are_told_apart() {
    for (text, class) in [
        (
            "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session \
             hash: x\nThis error usually occurs after a session expires or a user logs out.",
            Class::SessionDead,
        ),
        ("Illegal Session", Class::SessionDead),
        (
            "This session is not valid for use with the API",
            Class::SessionBarred,
        ),
        (
            "This session is not valid for use with the REST API",
            Class::SessionBarred,
        ),
        (
            "Connected app is not attached to Agent",
            Class::SessionBarred,
        ),
    ] {
        let failure = proof(Ok(soap_fault("INVALID_SESSION_ID", text)), &[]).unwrap_err();
        assert_eq!(failure.class, class, "{text}");
    }
    let expired = soap_fault("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "");
    assert_eq!(
        proof(Ok(expired), &[]).unwrap_err().class,
        Class::PasswordExpired
    );
}

/// "User Info Endpoint": plain words with status 403.
#[test]
fn userinfo_calls_a_session_dead_in_one_way_only() {
    const DEAD: &str =
        r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
    const BARRED: &str = r#"[{"message":"This session is not valid for use with the REST API",
        "errorCode":"INVALID_SESSION_ID"}]"#;
    for (status, text, class) in [
        (403, "Bad_OAuth_Token", Class::SessionDead),
        (403, " Bad_OAuth_Token\n", Class::SessionDead),
        (401, DEAD, Class::SessionDead),
        (401, BARRED, Class::SessionBarred),
        (403, "Missing_OAuth_Token", Class::Protocol),
        (403, "Wrong_Org", Class::Protocol),
        (
            403,
            "Your Bad_OAuth_Token is blocked by a proxy",
            Class::Protocol,
        ),
        (403, "", Class::Protocol),
        (400, "Bad_OAuth_Token", Class::Protocol),
        (200, "Bad_OAuth_Token", Class::Protocol),
        (200, "{}", Class::Protocol),
        (302, DEAD, Class::WrongHost),
        (404, "", Class::WrongHost),
        (503, "<html>", Class::Unavailable),
        (504, "<html>", Class::Unavailable),
    ] {
        let failure = user_info(Ok(answer(status, None, text.as_bytes())), &[]).unwrap_err();
        assert_eq!(failure.class, class, "{status} {text}: {failure}");
    }
    let page = answer(200, Some("text/html"), b"<html>");
    assert_eq!(
        user_info(Ok(page), &[]).unwrap_err().class,
        Class::WrongHost
    );
}

/// T43.
#[test]
fn userinfo_quotes_no_session() {
    let word = answer(403, None, b"Bad_eyJhbGciOi");
    let failure = user_info(Ok(word), &["eyJhbGciOi.e30.c2ln"]).unwrap_err();
    assert!(!failure.to_string().contains("JhbG"), "{failure}");
}

#[test]
fn a_redirect_tells_where_it_leads_and_nothing_follows() {
    let moved = Answer {
        redirects_to: Host::parse("new.my.salesforce.com").ok(),
        ..answer(301, None, b"")
    };
    let failure = logged_in(&moved, &[]).unwrap_err();
    assert_eq!(failure.class, Class::WrongHost);
    assert!(
        failure.message.contains("`new.my.salesforce.com`"),
        "{failure}"
    );
}

#[test]
fn only_what_never_left_may_be_tried_again_for_free() {
    for (error, class) in [
        (HttpError::NotSent("x".to_owned()), Class::Unavailable),
        (HttpError::NoAnswer("x".to_owned()), Class::Unanswered),
        (HttpError::BadAnswer("x".to_owned()), Class::Protocol),
    ] {
        assert_eq!(unanswered(error).class, class);
    }
}

/// The same gateway after a login leaves an attempt that may have been counted.
#[test]
fn a_proof_without_an_answer_costs_nothing() {
    for status in [502, 504] {
        let gateway = || answer(status, Some("text/html"), b"<html>");
        assert_eq!(
            proof(Ok(gateway()), &[]).unwrap_err().class,
            Class::Unavailable
        );
        assert_eq!(
            logged_in(&gateway(), &[]).unwrap_err().class,
            Class::Unanswered
        );
    }
    let broken = unanswered(HttpError::NoAnswer("x".to_owned()));
    assert_eq!(
        proof(Err(broken), &[]).unwrap_err().class,
        Class::Unavailable
    );
}

proptest! {
    /// T38.
    #[test]
    fn no_bytes_panic_or_make_a_grant(body in any::<Vec<u8>>(), status in 100..600_u16) {
        prop_assert!(logged_in(&answer(status, None, &body), &[]).is_err());
        prop_assert!(proof(Ok(answer(status, None, &body)), &[]).is_err());
    }

    /// A grant damaged at one place is no grant, or the damage is where nothing is read.
    #[test]
    fn a_damaged_grant_gives_no_malformed_session(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let grant = cases().into_iter().find(|case| case.name == "a grant").unwrap();
        let mut body = grant.body.unwrap().into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(grant) = logged_in(&answer(200, Some("text/xml"), &body), &[]) {
            // EXPOSE: this test.
            let session = grant.session_id.expose();
            prop_assert!(session.starts_with("00Dxx0000001gPL!"));
            prop_assert!(session.bytes().all(|b| b.is_ascii_alphanumeric() || b"!._".contains(&b)));
            prop_assert!(HostRules::default().permit(&grant.instance).is_ok());
            prop_assert_eq!(grant.org_id.len(), 18);
        }
    }
}
