//! How a record logs in, and with what.

use crate::secret::{ConsumerSecret, Password, PrivateKey, RefreshToken, SecurityToken};

/// How a record logs in: all that the login needs and that is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// SOAP `login()` with username, password and security token.
    SoapLogin { username: String },
    /// OAuth 2.0 username-password flow.
    UsernamePassword {
        username: String,
        consumer_key: String,
    },
    /// OAuth 2.0 client credentials flow: the app's run-as user is the user.
    ClientCredentials { consumer_key: String },
    /// OAuth 2.0 JWT bearer flow.
    JwtBearer {
        username: String,
        consumer_key: String,
        /// The `aud` of the assertion: `https://` and a host.
        audience: String,
    },
    /// OAuth 2.0 refresh token flow: whoever approved the app is the user.
    RefreshToken { consumer_key: String },
}

/// Which flow it is, without what belongs to one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowKind {
    SoapLogin,
    UsernamePassword,
    ClientCredentials,
    JwtBearer,
    RefreshToken,
}

/// The long-lived secrets of a record.
#[derive(Debug, Clone)]
pub enum Credential {
    /// For [`Flow::SoapLogin`]. The token is absent where the org's trusted IP ranges make it needless.
    SoapLogin {
        password: Password,
        security_token: Option<SecurityToken>,
    },
    /// For [`Flow::UsernamePassword`]. An app may be set up to need no secret.
    UsernamePassword {
        password: Password,
        security_token: Option<SecurityToken>,
        consumer_secret: Option<ConsumerSecret>,
    },
    /// For [`Flow::ClientCredentials`].
    ClientCredentials { consumer_secret: ConsumerSecret },
    /// For [`Flow::JwtBearer`]. The consumer secret serves introspection only.
    JwtBearer {
        private_key: PrivateKey,
        consumer_secret: Option<ConsumerSecret>,
    },
    /// For [`Flow::RefreshToken`].
    RefreshToken {
        refresh_token: RefreshToken,
        consumer_secret: Option<ConsumerSecret>,
    },
}

impl Flow {
    /// Which flow it is.
    #[must_use]
    pub fn kind(&self) -> FlowKind {
        match self {
            Self::SoapLogin { .. } => FlowKind::SoapLogin,
            Self::UsernamePassword { .. } => FlowKind::UsernamePassword,
            Self::ClientCredentials { .. } => FlowKind::ClientCredentials,
            Self::JwtBearer { .. } => FlowKind::JwtBearer,
            Self::RefreshToken { .. } => FlowKind::RefreshToken,
        }
    }

    /// Whether the login sends a password, which alone can lock the user.
    #[must_use]
    pub fn sends_password(&self) -> bool {
        match self {
            Self::SoapLogin { .. } | Self::UsernamePassword { .. } => true,
            Self::ClientCredentials { .. } | Self::JwtBearer { .. } | Self::RefreshToken { .. } => {
                false
            }
        }
    }

    /// The user name that the login sends; `None` where the app or the approval decides who the user is.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::SoapLogin { username }
            | Self::UsernamePassword { username, .. }
            | Self::JwtBearer { username, .. } => Some(username),
            Self::ClientCredentials { .. } | Self::RefreshToken { .. } => None,
        }
    }

    /// The app that logs in; `None` for [`Flow::SoapLogin`], which needs none.
    #[must_use]
    pub fn consumer_key(&self) -> Option<&str> {
        match self {
            Self::SoapLogin { .. } => None,
            Self::UsernamePassword { consumer_key, .. }
            | Self::ClientCredentials { consumer_key }
            | Self::JwtBearer { consumer_key, .. }
            | Self::RefreshToken { consumer_key } => Some(consumer_key),
        }
    }
}

impl FlowKind {
    /// All flows.
    pub const ALL: [Self; 5] = [
        Self::SoapLogin,
        Self::UsernamePassword,
        Self::ClientCredentials,
        Self::JwtBearer,
        Self::RefreshToken,
    ];

    /// The name that operators and the store know it by: it never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SoapLogin => "soap-login",
            Self::UsernamePassword => "username-password",
            Self::ClientCredentials => "client-credentials",
            Self::JwtBearer => "jwt-bearer",
            Self::RefreshToken => "refresh-token",
        }
    }

    /// The flow of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.name() == name)
    }
}

impl Credential {
    /// The flow that uses it.
    #[must_use]
    pub fn flow(&self) -> FlowKind {
        match self {
            Self::SoapLogin { .. } => FlowKind::SoapLogin,
            Self::UsernamePassword { .. } => FlowKind::UsernamePassword,
            Self::ClientCredentials { .. } => FlowKind::ClientCredentials,
            Self::JwtBearer { .. } => FlowKind::JwtBearer,
            Self::RefreshToken { .. } => FlowKind::RefreshToken,
        }
    }

    /// Its password, where it has one.
    #[must_use]
    pub fn password(&self) -> Option<&Password> {
        match self {
            Self::SoapLogin { password, .. } | Self::UsernamePassword { password, .. } => {
                Some(password)
            }
            Self::ClientCredentials { .. } | Self::JwtBearer { .. } | Self::RefreshToken { .. } => {
                None
            }
        }
    }

    /// Its security token, where it has one.
    #[must_use]
    pub fn security_token(&self) -> Option<&SecurityToken> {
        match self {
            Self::SoapLogin { security_token, .. }
            | Self::UsernamePassword { security_token, .. } => security_token.as_ref(),
            Self::ClientCredentials { .. } | Self::JwtBearer { .. } | Self::RefreshToken { .. } => {
                None
            }
        }
    }

    /// Its consumer secret, where it has one.
    #[must_use]
    pub fn consumer_secret(&self) -> Option<&ConsumerSecret> {
        match self {
            Self::SoapLogin { .. } => None,
            Self::ClientCredentials { consumer_secret } => Some(consumer_secret),
            Self::UsernamePassword {
                consumer_secret, ..
            }
            | Self::JwtBearer {
                consumer_secret, ..
            }
            | Self::RefreshToken {
                consumer_secret, ..
            } => consumer_secret.as_ref(),
        }
    }

    /// Its private key, where it has one.
    #[must_use]
    pub fn private_key(&self) -> Option<&PrivateKey> {
        match self {
            Self::JwtBearer { private_key, .. } => Some(private_key),
            Self::SoapLogin { .. }
            | Self::UsernamePassword { .. }
            | Self::ClientCredentials { .. }
            | Self::RefreshToken { .. } => None,
        }
    }

    /// Its refresh token, where it has one.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&RefreshToken> {
        match self {
            Self::RefreshToken { refresh_token, .. } => Some(refresh_token),
            Self::SoapLogin { .. }
            | Self::UsernamePassword { .. }
            | Self::ClientCredentials { .. }
            | Self::JwtBearer { .. } => None,
        }
    }

    /// Whether both hold the same secrets.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        fn same<T>(a: Option<&T>, b: Option<&T>, matches: impl Fn(&T, &T) -> bool) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => matches(a, b),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
        }
        self.flow() == other.flow()
            && same(self.password(), other.password(), Password::matches)
            && same(
                self.security_token(),
                other.security_token(),
                SecurityToken::matches,
            )
            && same(
                self.consumer_secret(),
                other.consumer_secret(),
                ConsumerSecret::matches,
            )
            && same(self.private_key(), other.private_key(), PrivateKey::matches)
            && same(
                self.refresh_token(),
                other.refresh_token(),
                RefreshToken::matches,
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soap(password: &str, token: Option<&str>) -> Credential {
        Credential::SoapLogin {
            password: Password::new(password.to_owned()),
            security_token: token.map(|t| SecurityToken::new(t.to_owned())),
        }
    }

    fn secret(text: &str) -> ConsumerSecret {
        ConsumerSecret::new(text.to_owned())
    }

    #[test]
    fn a_credential_matches_only_the_same_secrets() {
        assert!(soap("a", Some("t")).matches(&soap("a", Some("t"))));
        assert!(soap("a", None).matches(&soap("a", None)));
        assert!(!soap("a", Some("t")).matches(&soap("a", None)));
        assert!(!soap("a", Some("t")).matches(&soap("a", Some("u"))));
        assert!(!soap("a", Some("t")).matches(&soap("b", Some("t"))));
        // Joined they would be the same text; as a credential they are not.
        assert!(!soap("at", None).matches(&soap("a", Some("t"))));
    }

    #[test]
    fn each_secret_of_each_flow_counts() {
        let jwt = |key: &str, secret: Option<ConsumerSecret>| Credential::JwtBearer {
            private_key: PrivateKey::new(key.to_owned()),
            consumer_secret: secret,
        };
        let refresh = |token: &str| Credential::RefreshToken {
            refresh_token: RefreshToken::new(token.to_owned()),
            consumer_secret: None,
        };
        let client = |text: &str| Credential::ClientCredentials {
            consumer_secret: secret(text),
        };
        assert!(jwt("k", None).matches(&jwt("k", None)));
        assert!(!jwt("k", None).matches(&jwt("l", None)));
        assert!(!jwt("k", None).matches(&jwt("k", Some(secret("s")))));
        assert!(refresh("r").matches(&refresh("r")));
        assert!(!refresh("r").matches(&refresh("s")));
        assert!(client("s").matches(&client("s")));
        assert!(!client("s").matches(&client("t")));
        let with_password = Credential::UsernamePassword {
            password: Password::new("a".to_owned()),
            security_token: None,
            consumer_secret: None,
        };
        assert!(!with_password.matches(&soap("a", None)), "another flow");
    }

    #[test]
    fn every_flow_is_found_by_its_name() {
        for flow in FlowKind::ALL {
            assert_eq!(FlowKind::from_name(flow.name()), Some(flow));
        }
        assert_eq!(FlowKind::from_name("telepathy"), None);
    }
}
