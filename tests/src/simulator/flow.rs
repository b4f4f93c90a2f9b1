//! The ways to log in.

use serde::Serialize;

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// SOAP `login()`.
    SoapLogin,
    /// OAuth username-password.
    Password,
    ClientCredentials,
    JwtBearer,
    RefreshToken,
    AuthorizationCode,
}

impl Flow {
    /// The flow of a `grant_type`.
    pub(super) fn of_grant_type(grant_type: &str) -> Option<Self> {
        Some(match grant_type {
            "password" => Self::Password,
            "client_credentials" => Self::ClientCredentials,
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => Self::JwtBearer,
            "refresh_token" => Self::RefreshToken,
            "authorization_code" => Self::AuthorizationCode,
            _ => return None,
        })
    }

    /// The name in [`super::Request::operation`].
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::SoapLogin => "login",
            Self::Password => "password",
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer => "jwt-bearer",
            Self::RefreshToken => "refresh_token",
            Self::AuthorizationCode => "authorization_code",
        }
    }
}
