//! Memory that holds a secret: wiped when dropped, never printed, never serialised.
//!
//! None of these types has `Debug`, so that whatever contains one can't be printed by accident.

use zeroize::Zeroizing;

macro_rules! secret_text {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes the text over: its allocation moves and is wiped on drop.
            #[must_use]
            pub fn new(text: String) -> Self {
                Self(Zeroizing::new(text))
            }

            /// The secret itself. The caller says in a comment who receives it.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// Gives the allocation away: a request over the wire takes it, and only an allocator that wipes, as the
            /// program `sfvault` has one, wipes it then.
            pub(crate) fn into_wire(mut self) -> String {
                std::mem::take(&mut self.0)
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
}

/// A Salesforce session id: whoever has it is the user.
pub struct SessionId(Zeroizing<String>);

impl SessionId {
    /// Takes the text over: its allocation moves and is wiped on drop.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself. The caller says in a comment who receives it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What opens the vault: 1 to 1,024 bytes of any kind.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the bytes over: their allocation moves and is wiped on drop.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Gives the allocation away: a request over the wire takes it, and only an allocator that wipes, as the program
    /// `sfvault` has one, wipes it then.
    pub(crate) fn into_wire(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}
