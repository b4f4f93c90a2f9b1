//! Authorization codes.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::simulator::id;

/// What a browser brings back from the authorize page.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) code: String,
    pub(super) consumer_key: String,
    pub(super) username: String,
    pub(super) callback: String,
    /// PKCE (RFC 7636), method S256.
    pub(super) challenge: Option<String>,
    issued: SystemTime,
    used: bool,
}

impl Code {
    pub(super) fn new(
        consumer_key: &str,
        username: &str,
        callback: &str,
        challenge: Option<&str>,
        now: SystemTime,
    ) -> Self {
        Self {
            code: id::authorization_code(),
            consumer_key: consumer_key.to_owned(),
            username: username.to_owned(),
            callback: callback.to_owned(),
            challenge: challenge.map(str::to_owned),
            issued: now,
            used: false,
        }
    }

    /// Whether this is what the challenge was made of; nothing is, where there was none.
    pub(super) fn is_answered_by(&self, verifier: Option<&str>) -> bool {
        match (&self.challenge, verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => {
                let hash = digest(&SHA256, verifier.as_bytes());
                BASE64_URL_SAFE_NO_PAD.encode(hash) == *challenge
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

/// The codes so far.
#[derive(Debug, Default)]
pub(super) struct Codes(Vec<Code>);

/// What a code is good for.
pub(super) enum Found {
    Fresh(Code),
    /// Exchanged before, which no good client does.
    Used,
    Unknown,
}

impl Codes {
    pub(super) fn add(&mut self, code: Code) {
        self.0.push(code);
    }

    /// The user of a code.
    pub(super) fn username(&self, code: &str) -> Option<&str> {
        let code = self.0.iter().find(|known| known.code == code)?;
        Some(&code.username)
    }

    /// Uses a code up.
    pub(super) fn take(&mut self, code: &str, now: SystemTime) -> Found {
        let Some(known) = self.0.iter_mut().find(|known| known.code == code) else {
            return Found::Unknown;
        };
        if std::mem::replace(&mut known.used, true) {
            return Found::Used;
        }
        match now.duration_since(known.issued) {
            Ok(age) if age >= LIFE => Found::Unknown,
            Ok(_) | Err(_) => Found::Fresh(known.clone()),
        }
    }
}

/// "The authorization code expires after 15 minutes" (OAuth web server flow).
const LIFE: Duration = Duration::from_secs(15 * 60);
