//! Ids as Salesforce makes them: 15 or 18 characters, and random text.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The 18-character form of a 15-character id: three more characters say which letters are capital.
///
/// Object Reference, "ID Field Type".
///
/// ```
/// assert_eq!(sfvault_tests::simulator::id::eighteen("00Dxx0000001gPL"), "00Dxx0000001gPLEAY");
/// ```
#[must_use]
pub fn eighteen(fifteen: &str) -> String {
    const CHECKS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let checks = fifteen.as_bytes().chunks(5).map(|five| {
        let capitals = five
            .iter()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_uppercase())
            .fold(0, |bits, (place, _)| bits | 1 << place);
        char::from(CHECKS[capitals])
    });
    fifteen.chars().chain(checks).collect()
}

/// A security token: 24 letters and digits.
pub(super) fn security_token() -> String {
    random_text(24, 62)
}

/// A session id of an org: its 15-character id, `!`, and what nobody can guess.
pub(super) fn session_id(org: &str) -> String {
    format!("{org}!{}", random_text(96, 64))
}

/// A refresh token.
pub(super) fn refresh_token() -> String {
    format!("5Aep861{}", random_text(80, 64))
}

/// An authorization code: it ends with what a URL has to escape.
pub(super) fn authorization_code() -> String {
    format!("aPrx{}==", random_text(60, 64))
}

/// The hash that a refusal shows in place of the session id.
pub(super) fn session_hash() -> String {
    random_text(44, 62)
}

pub(super) fn random_text(length: usize, letters: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
    // A fresh RandomState per text: its keys come from the system's randomness.
    let state = RandomState::new();
    (0..length)
        .map(|place| {
            let mut hasher = state.build_hasher();
            hasher.write_usize(place);
            let letter = usize::try_from(hasher.finish() % letters).unwrap_or_default();
            char::from(LETTERS[letter])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_differ_and_keep_to_their_letters() {
        let (one, other) = (session_id("00Dxx0000001gPL"), session_id("00Dxx0000001gPL"));
        assert_ne!(one, other);
        let token = security_token();
        assert_eq!(token.len(), 24);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}
