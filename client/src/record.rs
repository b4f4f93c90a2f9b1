//! What a record is, seen from outside: a named Salesforce login without its secrets.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::{
    ConsumerSecret, Environment, GeneratedPassword, KeptLogin, LastUse, Password, PrivateKey,
    Reason, RefreshToken, Retirement, SecurityToken,
};

/// A record's name: 1 to 64 of `A-Z a-z 0-9 . _ @ + -`, starting with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName(String);

/// The text is not a record name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotARecordName;

impl fmt::Display for NotARecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a record name has 1 to 64 of `A-Z a-z 0-9 . _ @ + -` and starts with a letter or digit",
        )
    }
}

impl std::error::Error for NotARecordName {}

impl RecordName {
    /// Checks the text.
    ///
    /// # Errors
    /// If it is no record name.
    pub fn parse(text: &str) -> Result<Self, NotARecordName> {
        let allowed =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'+' | b'-');
        let starts_well = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if starts_well && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotARecordName)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record to add.
pub struct NewRecord {
    /// Its name.
    pub name: RecordName,
    /// The Salesforce user name; empty for the flows that send none.
    pub username: String,
    /// Where to log in: `https://` and a Salesforce login host.
    pub login_url: String,
    /// The consumer key of the app; empty for [`Flow::SoapLogin`].
    pub consumer_key: String,
    /// The audience of the assertion for [`Flow::JwtBearer`]; empty for the usual one.
    pub audience: String,
    /// What to log in with; it decides the flow.
    pub credential: Credential,
    /// What the org is meant to be: a login host or an audience that says otherwise is refused.
    pub environment: Option<Environment>,
    /// How long after a change of the credential people are reminded to change it again.
    pub remind_after: Option<Duration>,
}

/// The long-lived secrets of a record.
pub enum Credential {
    /// For [`Flow::SoapLogin`].
    SoapLogin {
        /// The user's password.
        password: Password,
        /// Absent where the org's trusted IP ranges make it needless.
        security_token: Option<SecurityToken>,
    },
    /// For [`Flow::UsernamePassword`].
    UsernamePassword {
        /// The user's password.
        password: Password,
        /// Absent where the org's trusted IP ranges make it needless.
        security_token: Option<SecurityToken>,
        /// Absent where the app needs none.
        consumer_secret: Option<ConsumerSecret>,
    },
    /// For [`Flow::ClientCredentials`].
    ClientCredentials {
        /// The app's secret.
        consumer_secret: ConsumerSecret,
    },
    /// For [`Flow::JwtBearer`].
    JwtBearer {
        /// RSA, 2,048 bits or more, not encrypted.
        private_key: PrivateKey,
        /// The app's secret, to ask for a session's lifetime.
        consumer_secret: Option<ConsumerSecret>,
    },
    /// For [`Flow::RefreshToken`].
    RefreshToken {
        /// The refresh token.
        refresh_token: RefreshToken,
        /// Absent where the app needs none.
        consumer_secret: Option<ConsumerSecret>,
    },
}

/// New secrets of a record; what is absent stays.
#[derive(Default)]
pub struct CredentialChange {
    /// The new password.
    pub password: Option<Password>,
    /// The new security token; an empty one means that none is needed any more.
    pub security_token: Option<SecurityToken>,
    /// The new consumer secret; an empty one means that none is needed any more.
    pub consumer_secret: Option<ConsumerSecret>,
    /// The new private key.
    pub private_key: Option<PrivateKey>,
    /// The new refresh token.
    pub refresh_token: Option<RefreshToken>,
    /// How long after a change of the credential people are reminded to change it again; zero for never. Alone it
    /// leaves credential and latch as they are.
    pub remind_after: Option<Duration>,
}

/// How a record logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// SOAP `login()` with username, password and security token.
    SoapLogin,
    /// OAuth 2.0 username-password flow.
    UsernamePassword,
    /// OAuth 2.0 client credentials flow.
    ClientCredentials,
    /// OAuth 2.0 JWT bearer flow.
    JwtBearer,
    /// OAuth 2.0 refresh token flow.
    RefreshToken,
    /// One that this client does not know: the daemon is newer.
    Unrecognised,
}

/// What a record is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// No session: the next caller causes a login.
    Idle,
    /// A login or a proof of the session is under way.
    LoggingIn,
    /// There is a session.
    Ready,
    /// The last login failed for a reason that may pass.
    BackingOff,
    /// Salesforce rejected the credential; no login until it changes or an operator releases it.
    Latched,
    /// One that this client does not know: the daemon is newer.
    Unrecognised,
}

/// The logins of a Salesforce user in the last hour, over all records that log in as that user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginUsage {
    /// Logins that were sent, those that failed included.
    pub used: u32,
    /// How many may be sent in an hour.
    pub limit: u32,
    /// When that is reached if it goes on so; `None` if it is not.
    pub reached_at: Option<SystemTime>,
    /// No login before then.
    pub throttled_until: Option<SystemTime>,
}

/// A record without its secrets. The texts are the daemon's and may hold control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordStatus {
    /// Its name.
    pub name: String,
    /// The Salesforce user name; empty until the first login where the flow sends none.
    pub username: String,
    /// Where it logs in.
    pub login_url: String,
    /// How it logs in.
    pub flow: Flow,
    /// What it is doing.
    pub state: RecordState,
    /// Why it is backing off or latched.
    pub reason: Option<Reason>,
    /// The failure behind `reason` in words.
    pub problem: Option<String>,
    /// When that failure happened.
    pub failed_at: Option<SystemTime>,
    /// When the next login may be made, while backing off.
    pub retry_at: Option<SystemTime>,
    /// The org's id, known after the first login.
    pub org_id: Option<String>,
    /// The user's id, known after the first login.
    pub user_id: Option<String>,
    /// The stamp of the newest login attempt; 0 before the first.
    pub generation: u64,
    /// When the record was added.
    pub created_at: Option<SystemTime>,
    /// When its credential was last changed.
    pub credential_changed_at: Option<SystemTime>,
    /// When the current session was issued, if there is one.
    pub session_issued_at: Option<SystemTime>,
    /// Until when the current session is guaranteed, if there is one.
    pub guaranteed_until: Option<SystemTime>,
    /// Logins counted since the record was added, those that failed included.
    pub logins: u64,
    /// How near its user is to the limit of logins.
    pub login_usage: Option<LoginUsage>,
    /// The consumer key of the app that logs in.
    pub consumer_key: Option<String>,
    /// The audience of the assertion.
    pub audience: Option<String>,
    /// When Salesforce ends the refresh token unless somebody logs in before.
    pub refresh_token_idle_until: Option<SystemTime>,
    /// The login that it had before a migration and can return to.
    pub kept_login: Option<KeptLogin>,
    /// The password that sfvault generated for it, while its security token is awaited.
    pub generated_password: Option<GeneratedPassword>,
    /// How long after a change of its credential people are reminded to change it again.
    pub remind_after: Option<Duration>,
    /// What Salesforce is taking away from its way of logging in, by date.
    pub retirements: Vec<Retirement>,
    /// Who used it last: told on `admin.sock` only, by [`AdminClient::describe`](crate::AdminClient::describe), and by
    /// [`AdminClient::status`](crate::AdminClient::status) of records that must change.
    pub last_use: Option<LastUse>,
}

impl RecordStatus {
    /// When its credential is due for a change, if somebody wants to be reminded.
    #[must_use]
    pub fn credential_due_at(&self) -> Option<SystemTime> {
        self.credential_changed_at?.checked_add(self.remind_after?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_pass_for_an_option_a_path_or_an_escape_is_no_name() {
        for name in ["prod", "0", "acme.uat", "a@b+c-d_e", &"x".repeat(64)] {
            assert_eq!(RecordName::parse(name).unwrap().as_str(), name);
        }
        for name in [
            "",
            "-h",
            "--json",
            ".x",
            "a b",
            "a/b",
            "a\0",
            "a\n",
            "\u{1b}[2J",
            "é",
            &"x".repeat(65),
        ] {
            assert_eq!(RecordName::parse(name), Err(NotARecordName), "{name:?}");
        }
    }
}
