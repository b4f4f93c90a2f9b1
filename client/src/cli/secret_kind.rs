//! The kinds of secrets that a record can have: what each is called, and how it is given.

use sfvault::{
    ConsumerSecret, CredentialChange, Password, PrivateKey, RefreshToken, SecurityToken,
};

/// One of a record's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretKind {
    Password,
    SecurityToken,
    ConsumerSecret,
    PrivateKey,
    RefreshToken,
}

impl SecretKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 5] = [
        Self::Password,
        Self::SecurityToken,
        Self::ConsumerSecret,
        Self::PrivateKey,
        Self::RefreshToken,
    ];

    /// What people call it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SecurityToken => "security token",
            Self::ConsumerSecret => "consumer secret",
            Self::PrivateKey => "private key",
            Self::RefreshToken => "refresh token",
        }
    }

    /// Its key in the JSON object on stdin.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SecurityToken => "security_token",
            Self::ConsumerSecret => "consumer_secret",
            Self::PrivateKey => "private_key",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// The option that names a file with it.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Password => "--password-file",
            Self::SecurityToken => "--token-file",
            Self::ConsumerSecret => "--consumer-secret-file",
            Self::PrivateKey => "--private-key-file",
            Self::RefreshToken => "--refresh-token-file",
        }
    }

    /// The option that says that there is none, for the kinds that a login can do without.
    pub(crate) fn none_option(self) -> Option<&'static str> {
        match self {
            Self::SecurityToken => Some("--no-token"),
            Self::ConsumerSecret => Some("--no-consumer-secret"),
            Self::Password | Self::PrivateKey | Self::RefreshToken => None,
        }
    }

    /// Whether a person can type it: a key has many lines.
    pub(crate) fn can_be_typed(self) -> bool {
        match self {
            Self::Password | Self::SecurityToken | Self::ConsumerSecret | Self::RefreshToken => {
                true
            }
            Self::PrivateKey => false,
        }
    }
}

/// Whether a change has such a secret, even an empty one.
pub(crate) fn holds(change: &CredentialChange, kind: SecretKind) -> bool {
    match kind {
        SecretKind::Password => change.password.is_some(),
        SecretKind::SecurityToken => change.security_token.is_some(),
        SecretKind::ConsumerSecret => change.consumer_secret.is_some(),
        SecretKind::PrivateKey => change.private_key.is_some(),
        SecretKind::RefreshToken => change.refresh_token.is_some(),
    }
}

/// Gives a change a secret; the text's memory moves.
pub(crate) fn put(change: &mut CredentialChange, kind: SecretKind, text: String) {
    match kind {
        SecretKind::Password => change.password = Some(Password::new(text)),
        SecretKind::SecurityToken => change.security_token = Some(SecurityToken::new(text)),
        SecretKind::ConsumerSecret => change.consumer_secret = Some(ConsumerSecret::new(text)),
        SecretKind::PrivateKey => change.private_key = Some(PrivateKey::new(text)),
        SecretKind::RefreshToken => change.refresh_token = Some(RefreshToken::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_was_put_is_held_and_no_other() {
        for kind in SecretKind::ALL {
            let mut change = CredentialChange::default();
            put(&mut change, kind, String::new());
            for other in SecretKind::ALL {
                assert_eq!(holds(&change, other), other == kind, "{kind:?} {other:?}");
            }
        }
    }
}
