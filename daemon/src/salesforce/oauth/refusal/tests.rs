use std::collections::HashMap;

use super::*;
use crate::{
    host::Host,
    salesforce::{
        Grant,
        buffer::WipedBuffer,
        hosts::HostRules,
        http::HttpError,
        oauth::{self, Expected},
    },
    secret::{ConsumerSecret, RefreshToken},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Where it means the same.
    flows: Vec<String>,
    status: u16,
    headers: HashMap<String, String>,
    body: String,
    /// How many spaces follow the body.
    #[serde(default)]
    pad: usize,
    /// The name of the class; none for a grant.
    class: Option<String>,
    /// The code that is shown.
    code: Option<String>,
    /// What becomes of the class on its way to the shell is for `tests/it/cases/oauth_login.rs`.
    #[serde(rename = "reason")]
    _reason: Option<String>,
    #[serde(rename = "exit")]
    _exit: u8,
}

impl Case {
    /// As `http` would hand it over.
    fn answer(&self) -> Result<Answer, HttpError> {
        if self.headers.contains_key("content-encoding") {
            return Err(HttpError::BadAnswer("compressed".to_owned()));
        }
        let body = format!("{}{}", self.body, " ".repeat(self.pad));
        let content_type = self.headers.get("content-type");
        Ok(Answer {
            content_type: content_type.cloned(),
            ..answer(self.status, &body)
        })
    }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        content_type: None,
        retry_after: None,
        date: None,
        redirects_to: None,
        body: WipedBuffer::from(body.as_bytes()),
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

const NOW: u64 = 1_764_000_000;

fn logged_in(answer: &Answer, flow: FlowKind, secrets: &[&str]) -> Result<Grant, Failure> {
    let secret = ConsumerSecret::new("an app's own secret".to_owned());
    let token = RefreshToken::new("5Aep861.canary".to_owned());
    let expected = Expected {
        rules: &HostRules::default(),
        username: None,
        consumer_secret: (flow == FlowKind::ClientCredentials).then_some(&secret),
        refresh_token: (flow == FlowKind::RefreshToken).then_some(&token),
        sent_at: at(NOW),
    };
    oauth::login(answer, flow, &expected, secrets, at(NOW)).map_err(|refused| refused.failure)
}

fn refused(status: u16, body: &str, flow: FlowKind) -> Failure {
    logged_in(&answer(status, body), flow, &[]).unwrap_err()
}

#[test]
fn every_known_answer_has_its_class_in_every_flow_that_gets_it() {
    let text = include_str!("../../../../../tests/cases/oauth_login.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    for case in cases {
        for flow in &case.flows {
            let kind = FlowKind::from_name(flow).unwrap();
            let result = case
                .answer()
                .map_err(classify::unanswered)
                .and_then(|answer| logged_in(&answer, kind, &[]));
            let class = result.as_ref().err().map(|failure| failure.class.name());
            let name = format!("{} ({flow})", case.name);
            assert_eq!(class, case.class.as_deref(), "{name}: {result:?}");
            if let Err(failure) = result {
                assert_eq!(failure.code, case.code, "{name}");
                let length = failure.message.len();
                assert!((1..=300).contains(&length), "{name}: {failure}");
            }
        }
    }
}

/// T43.
#[test]
fn no_failure_quotes_the_credential() {
    let secrets = ["Tr0ub4dor&3", "AbCdEfGhIjKlMnOpQrStUvWx", "5D1CC0FFEE99"];
    for body in [
        r#"{"error":"invalid_grant","error_description":"authentication failure for b4dor AbCdEfGh"}"#,
        r#"{"error":"Tr0ub4dor&3","error_description":"Tr0ub4dor%263"}"#,
        r#"{"error":"x","error_description":"client_secret=5D1CC0FFEE99 5d1cc0"}"#,
        r#"[{"errorCode":"SOMETHING_NEW","message":"got Tr0ub4dor&3AbCdEf"}]"#,
        "error=Tr0ub4dor%263&error_description=Tr0ub4dor%263",
        "<html>Tr0ub4dor&amp;3</html>",
    ] {
        let failure = logged_in(&answer(400, body), FlowKind::UsernamePassword, &secrets);
        let shown = format!("{:?}", failure.unwrap_err()).to_lowercase();
        for piece in ["b4dor", "tr0u", "abcd", "c0ff", "5d1c"] {
            assert!(!shown.contains(piece), "{body}: {shown}");
        }
    }
}

#[test]
fn the_words_that_salesforce_always_uses_are_kept_whatever_the_secret() {
    let body = r#"{"error":"invalid_grant","error_description":"authentication failure"}"#;
    let secrets = ["authentication"];
    let failure = logged_in(&answer(400, body), FlowKind::UsernamePassword, &secrets).unwrap_err();
    assert_eq!(failure.to_string(), "invalid_grant: authentication failure");
}

#[test]
fn an_expired_assertion_tells_how_far_the_clock_is_off() {
    let body = r#"{"error":"invalid_grant","error_description":"expired authorization code"}"#;
    for (date, words) in [
        (Some(NOW - 300), "300 s ahead of Salesforce's"),
        (Some(NOW + 4000), "4000 s behind Salesforce's"),
        (Some(NOW + 2), "agrees with Salesforce's"),
        (None, "see whether this host's clock is right"),
    ] {
        let answer = Answer {
            date: date.map(at),
            ..answer(400, body)
        };
        let failure = logged_in(&answer, FlowKind::JwtBearer, &[]).unwrap_err();
        assert_eq!(failure.class, Class::ClockSkew);
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[test]
fn limits_tell_how_long_to_wait() {
    let flow = FlowKind::ClientCredentials;
    let hour = Some(Duration::from_hours(1));
    for body in [
        r#"{"error":"invalid_grant","error_description":"LOGIN RATE EXCEEDED"}"#,
        r#"{"error":"rate_limit_exceeded"}"#,
    ] {
        assert_eq!(refused(400, body, flow).pause, hour, "{body}");
    }
    let busy = Answer {
        retry_after: Some(Duration::from_secs(120)),
        ..answer(503, "<html>")
    };
    let failure = logged_in(&busy, flow, &[]).unwrap_err();
    assert_eq!(failure.pause, Some(Duration::from_secs(120)));
}

#[test]
fn a_redirect_tells_where_it_leads_and_nothing_follows() {
    let moved = Answer {
        redirects_to: Host::parse("new.my.salesforce.com").ok(),
        ..answer(307, "")
    };
    let failure = logged_in(&moved, FlowKind::JwtBearer, &[]).unwrap_err();
    assert_eq!(failure.class, Class::WrongHost);
    assert!(failure.message.contains("`new.my.salesforce.com`"));
}
