//! What the fuzz targets call: each takes a stranger's bytes and returns if nothing is amiss.
//!
//! Not for use: it is public only because targets are crates of their own. `tests/fuzz` holds them, and the test
//! `fuzz_replay` feeds their corpora to the same functions.

mod authority;
mod service;

pub use authority::authority;
pub use service::{ADMIN_CALLS, SESSIONS_CALLS, admin_service, sessions_service};

use crate::{audit, config::Config, policy, salesforce, store, witness};

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

/// The block of the audit's state.
///
/// # Panics
/// If a block that is accepted does not stay the same when it is written and read again.
pub fn audit_state(bytes: &[u8]) {
    audit::fuzz::state(bytes);
}

/// What the kernel says of a process, in which the process has a say: its control group and its status.
///
/// # Panics
/// If a unit is read that the text does not name.
pub fn process(bytes: &[u8]) {
    policy::fuzz::process(bytes);
}

/// What a proxy answers to `CONNECT`.
///
/// # Panics
/// If a refusal repeats what the proxy said, or its login; or if reading does not end with the answer.
pub fn proxy_answer(bytes: &[u8]) {
    salesforce::fuzz::proxy_answer(bytes);
}

/// A host's list of API versions: two bytes make the HTTP status, the rest is the body.
///
/// # Panics
/// If a version is taken for one that is not, or as [`soap_answer`].
pub fn survey(bytes: &[u8]) {
    salesforce::fuzz::survey(bytes);
}

/// A packet of the daemon's witness, or to it.
///
/// # Panics
/// If a packet that is accepted does not stay the same when it is written again.
pub fn witness_packet(bytes: &[u8]) {
    witness::fuzz::packet(bytes);
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
