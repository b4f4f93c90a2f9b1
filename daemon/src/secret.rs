//! Memory that holds a secret: kept out of swap, wiped when dropped, never printed, never serialised.
//!
//! Each kind of secret is a type of its own, so that one can't be passed for another. `expose` is the
//! only way in; every call says who receives the bytes.

use std::{fmt, sync::Arc};

use ring::{
    digest,
    error::Unspecified,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use crate::locked::Locked;

macro_rules! secret_text {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Arc<Locked>);

        impl $name {
            /// Takes the text over: it moves to locked memory, and where it was is wiped.
            #[must_use]
            pub fn new(text: String) -> Self {
                let text = Zeroizing::new(text);
                Self(Arc::new(Locked::copy_of(text.as_bytes())))
            }

            /// The secret itself. The caller says in a comment who receives it.
            #[must_use]
            pub fn expose(&self) -> &str {
                // It was text when it came, so it still is.
                std::str::from_utf8(self.0.bytes()).unwrap_or_default()
            }

            /// Whether both are the same text, in a time that depends on neither.
            #[must_use]
            pub fn matches(&self, other: &Self) -> bool {
                same_bytes(self.expose().as_bytes(), other.expose().as_bytes())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}

secret_text! {
    /// A Salesforce user's password, without the security token.
    Password;
    /// A Salesforce user's security token.
    SecurityToken;
    /// The secret of a connected app or external client app.
    ConsumerSecret;
    /// The RSA private key that signs JWT assertions, as PEM.
    PrivateKey;
    /// An OAuth refresh token.
    RefreshToken;
    /// What a login in a browser must bring back unchanged.
    LoginState;
    /// The PKCE code verifier of a login in a browser (RFC 7636).
    CodeVerifier;
    /// The code that a login in a browser brings.
    AuthorizationCode;
    /// A Salesforce session id: whoever has it is the user.
    SessionId;
}

impl Password {
    /// Draws a password that nobody can guess (140 bits) and that every password policy of Salesforce takes: 24
    /// characters, with small and capital letters, digits and special characters ("Set Password Policies",
    /// Salesforce Help), none of which is easily taken for another or needs quoting in XML.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn random() -> Result<Self, Unspecified> {
        loop {
            let mut drawn = Zeroizing::new([0; 24]);
            SystemRandom::new().fill(&mut *drawn)?;
            let mut text = Zeroizing::new(String::with_capacity(drawn.len()));
            // 64 characters, so that six bits choose one without bias.
            let characters = drawn
                .iter()
                .filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
            text.extend(characters.map(|byte| char::from(*byte)));
            let has = |kind: fn(&u8) -> bool| text.as_bytes().iter().any(kind);
            if has(u8::is_ascii_lowercase)
                && has(u8::is_ascii_uppercase)
                && has(u8::is_ascii_digit)
                && has(u8::is_ascii_punctuation)
            {
                return Ok(Self(Arc::new(Locked::copy_of(text.as_bytes()))));
            }
        }
    }
}

const ALPHABET: &[u8; 64] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!#%-_=+";

/// What opens a passphrase key slot.
#[derive(Clone)]
pub struct Passphrase(Arc<Locked>);

impl Passphrase {
    /// Takes the bytes over: they move to locked memory, and where they were is wiped.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(Arc::new(Locked::copy_of(&bytes)))
    }

    /// The secret itself. The caller says in a comment who receives it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Tells one credential from another without holding it. It is kept where the credential itself would be sealed, never
/// in the open: who has it can check guesses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of these parts, told apart from all others by where each ends.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// The time tells nothing about where two secrets differ, only how long the longer one is. Digests would hide that too,
/// but leave what they digest on the stack.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let mut different = a.len() ^ b.len();
    for place in 0..a.len().max(b.len()) {
        let byte = |bytes: &[u8]| bytes.get(place).copied().unwrap_or_default();
        different |= usize::from(byte(a) ^ byte(b));
    }
    std::hint::black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let password = Password::new("hunter2".to_owned());
        let passphrase = Passphrase::new(b"hunter2".to_vec());
        assert_eq!(
            format!("{password:?} {passphrase:?}"),
            "Password(..) Passphrase(..)"
        );
    }

    #[test]
    fn a_drawn_password_has_characters_of_all_kinds_and_is_never_drawn_twice() {
        let drawn: std::collections::BTreeSet<String> = (0..200)
            .map(|_| Password::random().unwrap().expose().to_owned())
            .collect();
        assert_eq!(drawn.len(), 200);
        for text in &drawn {
            assert_eq!(text.len(), 24);
            for kind in [
                u8::is_ascii_lowercase as fn(&u8) -> bool,
                u8::is_ascii_uppercase,
                u8::is_ascii_digit,
                u8::is_ascii_punctuation,
            ] {
                assert!(text.as_bytes().iter().any(kind), "{text}");
            }
        }
        let used: std::collections::BTreeSet<char> = drawn.iter().flat_map(|t| t.chars()).collect();
        assert_eq!(
            used.len(),
            ALPHABET.len(),
            "some characters are never drawn"
        );
    }

    #[test]
    fn a_fingerprint_tells_where_its_parts_end() {
        assert_eq!(
            Fingerprint::of(&[b"a", b"b"]),
            Fingerprint::of(&[b"a", b"b"])
        );
        assert_ne!(
            Fingerprint::of(&[b"ab", b""]),
            Fingerprint::of(&[b"a", b"b"])
        );
        assert_ne!(Fingerprint::of(&[b"ab"]), Fingerprint::of(&[b"a", b"b"]));
    }

    #[test]
    fn equal_secrets_match_and_others_do_not() {
        let id = SessionId::new("00D!a".to_owned());
        assert!(id.matches(&SessionId::new("00D!a".to_owned())));
        for other in ["00D!b", "10D!a", "00D!", "00D!a\0", ""] {
            assert!(!id.matches(&SessionId::new(other.to_owned())), "{other:?}");
        }
    }
}
