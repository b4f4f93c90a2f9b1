//! What the fuzz targets call: each takes a stranger's bytes and returns if nothing is amiss.
//!
//! Not for use: it is public only because targets are crates of their own. `tests/fuzz` holds them, and the test
//! `fuzz_replay` feeds their corpora to the same functions.

mod authority;
mod service;

pub use authority::authority;
pub use service::{admin_service, sessions_service};

use crate::{audit, config::Config, salesforce, store};

/// A vault's header.
///
/// # Panics
/// If a header that is accepted does not stay the same when it is written and read again.
pub fn vault_header(bytes: &[u8]) {
    store::fuzz::header(bytes);
}

/// A sealed value, and what is in one.
///
/// # Panics
/// If a sealed value that nobody sealed opens, or one that was sealed does not open as it was.
pub fn vault_envelope(bytes: &[u8]) {
    store::fuzz::envelope(bytes);
}

/// Salesforce's answer to a login and to a proof: two bytes make the HTTP status, the rest is the body.
///
/// # Panics
/// If what is told about a failure is too long, has control characters or holds a secret of the request; or if a
/// session leads to a host that may not see one.
pub fn soap_answer(bytes: &[u8]) {
    salesforce::fuzz::answer(bytes);
}

/// A file of the audit.
///
/// # Panics
/// If what is taken for a line is not written as it was read, or the lines do not lie side by side.
pub fn audit_file(bytes: &[u8]) {
    audit::fuzz::file(bytes);
}

/// The answers of Salesforce's OAuth endpoints: two bytes make the HTTP status, the rest is the body.
///
/// # Panics
/// As [`soap_answer`]; or if a session has ended before it began.
pub fn oauth_answer(bytes: &[u8]) {
    salesforce::fuzz::oauth_answer(bytes);
}

/// A private key as an operator enters it.
///
/// # Panics
/// If a key is taken that is too short or too long to sign with.
pub fn private_key(bytes: &[u8]) {
    salesforce::fuzz::key(bytes);
}

/// The configuration's text.
///
/// # Panics
/// If a problem has no place in the text, or no words.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Err(problems) = Config::parse(text) {
        assert!(!problems.is_empty(), "refused for no reason");
        let lines = text.split('\n').count();
        for problem in problems {
            assert!((1..=lines).contains(&problem.line) && problem.column > 0);
            assert!(!problem.message.is_empty());
        }
    }
}
