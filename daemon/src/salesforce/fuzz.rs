//! The reader of Salesforce's answers, for `crate::fuzz`.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use super::{
    classify,
    hosts::HostRules,
    http::Answer,
    oauth::{self, Expected},
    private_key,
    proxy::ProxyUrl,
    tunnel,
};
use crate::{
    credential::FlowKind,
    failure::Failure,
    host::Host,
    secret::{ConsumerSecret, RefreshToken},
};

/// What the request held: nothing that is told may repeat it.
const SECRETS: [&str; 3] = [
    "hunter2!hunter2TOKENtokenTOKEN",
    "hunter2!hunter2",
    "TOKENtokenTOKEN",
];

pub(crate) fn answer(bytes: &[u8]) {
    let rules = HostRules::default();
    for content_type in [None, Some("text/xml"), Some("text/html")] {
        let Some(mut answer) = read(bytes) else {
            return;
        };
        answer.content_type = content_type.map(str::to_owned);
        match classify::login(&answer, "etl@acme.example", &rules, &SECRETS) {
            Ok(grant) => assert!(rules.permit(&grant.instance).is_ok()),
            Err(failure) => check(&failure),
        }
        if let Err(failure) = classify::proof(Ok(answer), &SECRETS) {
            check(&failure);
        }
    }
}

pub(crate) fn oauth_answer(bytes: &[u8]) {
    let rules = HostRules::default();
    let sent_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000);
    let [_, secret, token] = SECRETS;
    let (secret, token) = (
        ConsumerSecret::new(secret.to_owned()),
        RefreshToken::new(token.to_owned()),
    );
    for (flow, consumer_secret) in [
        (FlowKind::UsernamePassword, None),
        (FlowKind::ClientCredentials, Some(&secret)),
        (FlowKind::JwtBearer, None),
        (FlowKind::RefreshToken, None),
    ] {
        let Some(answer) = read(bytes) else {
            return;
        };
        let expected = Expected {
            rules: &rules,
            username: None,
            consumer_secret,
            refresh_token: (flow == FlowKind::RefreshToken).then_some(&token),
            sent_at,
        };
        match oauth::login(&answer, flow, &expected, &SECRETS, sent_at) {
            Ok(grant) => {
                assert!(rules.permit(&grant.instance).is_ok());
                assert!(grant.hard_expiry.is_none_or(|end| end > sent_at));
            }
            Err(refused) => check(&refused.failure),
        }
        if let Err(failure) = classify::user_info(Ok(answer), &SECRETS) {
            check(&failure);
        }
    }
    let _ = oauth::timeout(bytes.get(2..).unwrap_or_default());
}

pub(crate) fn key(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = private_key::parse(text) {
        let bits = key.public().modulus_len() * 8;
        assert!((2048..=4096).contains(&bits), "{bits} bits");
    }
}

pub(crate) fn survey(bytes: &[u8]) {
    let Some(answer) = read(bytes) else {
        return;
    };
    match super::survey::read(&answer) {
        Ok(survey) => {
            let printable = |c: char| c.is_ascii_digit() || c == '.';
            let mut versions = survey.versions.iter();
            assert!(versions.all(|version| version.len() <= 9 && version.chars().all(printable)));
        }
        Err(failure) => check(&failure),
    }
}

pub(crate) fn proxy_answer(bytes: &[u8]) {
    let (Ok(proxy), Ok(host)) = (
        ProxyUrl::parse("http://hunter2:TOKENtoken@proxy:3128"),
        Host::parse("acme.my.salesforce.com"),
    ) else {
        return;
    };
    let mut stream = tokio::io::join(bytes, tokio::io::sink());
    let opened = pin!(tunnel::open(&mut stream, &proxy, &host))
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(opened.is_ready(), "all has been said, and more is awaited");
    if let Poll::Ready(Err(told)) = opened {
        assert!(told.len() <= 200, "foreign words: {told}");
        assert!(!told.chars().any(char::is_control), "a control character");
        let secrets = ["hunter2", "TOKENtoken"];
        assert!(!secrets.iter().any(|secret| told.contains(secret)));
    }
}

/// Two bytes make the HTTP status, the rest is the body.
fn read(bytes: &[u8]) -> Option<Answer> {
    let (&status, body) = bytes.split_first_chunk::<2>()?;
    Some(Answer {
        status: u16::from_be_bytes(status),
        content_type: None,
        retry_after: None,
        date: None,
        redirects_to: None,
        body: body.into(),
    })
}

fn check(failure: &Failure) {
    let told = failure.to_string();
    // 300 of Salesforce's words, and what we say of the clocks.
    assert!(failure.message.chars().count() <= 400, "too long");
    assert!(!told.chars().any(char::is_control), "a control character");
    assert!(
        !SECRETS.iter().any(|secret| told.contains(secret)),
        "a secret"
    );
}
