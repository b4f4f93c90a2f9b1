//! The reader of Salesforce's answers, for `crate::fuzz`.

use super::{classify, hosts::HostRules, http::Answer};
use crate::failure::Failure;

/// What the request held: nothing that is told may repeat it.
const SECRETS: [&str; 3] = [
    "hunter2!hunter2TOKENtokenTOKEN",
    "hunter2!hunter2",
    "TOKENtokenTOKEN",
];

pub(crate) fn answer(bytes: &[u8]) {
    let Some((&status, body)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let rules = HostRules::default();
    for content_type in [None, Some("text/xml"), Some("text/html")] {
        let answer = Answer {
            status: u16::from_be_bytes(status),
            content_type: content_type.map(str::to_owned),
            retry_after: None,
            date: None,
            redirects_to: None,
            body: body.into(),
        };
        match classify::login(&answer, "etl@acme.example", &rules, &SECRETS) {
            Ok(grant) => assert!(rules.permit(&grant.instance).is_ok()),
            Err(failure) => check(&failure),
        }
        if let Err(failure) = classify::proof(Ok(answer), &SECRETS) {
            check(&failure);
        }
    }
}

fn check(failure: &Failure) {
    let told = failure.to_string();
    assert!(failure.message.chars().count() <= 300, "too long");
    assert!(!told.chars().any(char::is_control), "a control character");
    assert!(
        !SECRETS.iter().any(|secret| told.contains(secret)),
        "a secret"
    );
}
