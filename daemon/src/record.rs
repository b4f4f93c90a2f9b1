//! What a record is: a named way to log in, without its session.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{access::Rule, aside::Aside, credential::Flow, host::Host};

/// A record's name: 1 to 64 of `A-Z a-z 0-9 . _ @ + -`, starting with a letter or digit.
///
/// So narrow, because names end up in terminals, logs, unit files and shell scripts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName(String);

/// The text is not a record name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotARecordName;

impl fmt::Display for NotARecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record name has 1 to 64 of `A-Z a-z 0-9 . _ @ + -` and starts with a letter or digit")
    }
}

impl RecordName {
    /// Checks the text.
    ///
    /// # Errors
    /// If it is no record name.
    pub fn parse(text: &str) -> Result<Self, NotARecordName> {
        if Self::is_one(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotARecordName)
        }
    }

    /// Whether the text is a record name.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        let allowed =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'+' | b'-');
        let starts_well = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        starts_well && text.len() <= 64 && text.bytes().all(allowed)
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

impl std::borrow::Borrow<str> for RecordName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Identifies a record in the store for ever; a name can be given to another record later.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Checks a Salesforce user name: 3 to 80 characters with an `@`, none of them a space or control character
/// (Salesforce user names have the form of an e-mail address).
///
/// # Errors
/// Says what is wrong.
pub fn check_username(text: &str) -> Result<(), &'static str> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("has a space or control character");
    }
    if !(3..=80).contains(&text.chars().count()) {
        return Err("must have 3 to 80 characters");
    }
    if !text.contains('@') {
        return Err("has no `@`: Salesforce user names look like e-mail addresses");
    }
    Ok(())
}

/// The org and user that a record's logins must lead to, learnt from the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// 18 characters.
    pub org_id: String,
    /// 18 characters.
    pub user_id: String,
    /// The user's name, where the login told it; it may change at Salesforce and pins nothing.
    pub username: Option<String>,
}

/// Whether two org ids name one org: the 18 characters are the 15 that count and a checksum of their case.
#[must_use]
pub fn same_org(a: &str, b: &str) -> bool {
    let significant = |id: &str| id.is_ascii() && matches!(id.len(), 15 | 18);
    significant(a) && significant(b) && a.get(..15) == b.get(..15)
}

/// A record without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub id: RecordId,
    pub name: RecordName,
    pub login_host: Host,
    pub flow: Flow,
    /// Known after the first login.
    pub pin: Option<Pin>,
    /// Grows by one with every change of the credential.
    pub credential_version: u64,
    pub created_at: SystemTime,
    pub credential_changed_at: SystemTime,
    pub aside: Aside,
    /// Who may use it; `None` until an operator said something.
    pub rules: Option<Arc<[Rule]>>,
    /// How long after that people want to be reminded to change it again.
    pub remind_after: Option<Duration>,
}

impl Record {
    /// The Salesforce user name: the one that the login sends, else the one that the first login told.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        let learnt = || self.pin.as_ref()?.username.as_deref();
        self.flow.username().or_else(learnt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_harm_a_terminal_or_a_script_are_refused() {
        for name in ["prod", "acme.uat", "0", "a@b+c-d_e", &"x".repeat(64)] {
            assert!(RecordName::parse(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "-rf",
            ".hidden",
            "a b",
            "a/b",
            "a\u{1b}[2J",
            "a\nb",
            "\u{202e}dorp",
            "é",
            &"x".repeat(65),
        ] {
            assert_eq!(RecordName::parse(name), Err(NotARecordName), "{name:?}");
        }
    }
}
