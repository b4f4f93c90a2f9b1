//! Memory that holds a secret: kept out of swap, wiped when dropped, never printed, never serialised.
//!
//! Each kind of secret is a type of its own, so that one can't be passed for another. `expose` is the
//! only way in; every call says who receives the bytes.

use std::{fmt, sync::Arc};

use ring::digest;
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
    /// A Salesforce session id: whoever has it is the user.
    SessionId;
}

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

/// Compares by digest: the time tells nothing about where two secrets differ, nor how long they are.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    digest::digest(&digest::SHA256, a).as_ref() == digest::digest(&digest::SHA256, b).as_ref()
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
    fn equal_secrets_match_and_others_do_not() {
        let id = SessionId::new("00D!a".to_owned());
        assert!(id.matches(&SessionId::new("00D!a".to_owned())));
        assert!(!id.matches(&SessionId::new("00D!b".to_owned())));
    }
}
