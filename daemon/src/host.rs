//! The name of an HTTPS host: what may stand between `https://` and the path, and nothing else.
//!
//! This file knows syntax only. Which hosts may see a credential is `salesforce/hosts.rs`.

use std::fmt;

/// A host in lower case, with its port if that is not 443: `login.salesforce.com`, `localhost:8443`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(String);

/// What is wrong with the text of a host or URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostSyntax {
    /// There is nothing.
    Empty,
    /// Longer than 253 characters, or a label longer than 63.
    TooLong,
    /// A scheme other than `https`.
    NotHttps,
    /// A user or password before `@`.
    UserInfo,
    /// A path, query or fragment.
    NotOnlyHost,
    /// Something after the colon that is no port.
    BadPort,
    /// An empty label, a leading or trailing dot or hyphen.
    BadLabel,
    /// A character outside `a-z 0-9 - .`, such as a space, a control character or a non-ASCII letter.
    BadCharacter,
}

impl fmt::Display for HostSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than a host name may be",
            Self::NotHttps => "only `https://` is allowed",
            Self::UserInfo => "it has a user or password before `@`",
            Self::NotOnlyHost => "give the host only, without path, query or fragment",
            Self::BadPort => "what follows the colon is not a port",
            Self::BadLabel => "it has an empty part, or a part that starts or ends with a hyphen",
            Self::BadCharacter => "it has a character that no host name has",
        })
    }
}

impl Host {
    /// Parses `HOST`, `HOST:PORT` or either after `https://`, with at most one `/` at the end.
    ///
    /// # Errors
    /// Says what is wrong; nothing is repaired but letter case.
    pub fn parse(text: &str) -> Result<Self, HostSyntax> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => rest,
            Some(_) => return Err(HostSyntax::NotHttps),
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Err(HostSyntax::Empty);
        }
        if rest.contains('@') {
            return Err(HostSyntax::UserInfo);
        }
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(HostSyntax::NotOnlyHost);
        }
        let (name, port) = match rest.split_once(':') {
            Some((name, port)) => (name, parse_port(port)?),
            None => (rest, HTTPS_PORT),
        };
        let name = name.to_ascii_lowercase();
        check_labels(&name)?;
        Ok(Self(if port == HTTPS_PORT {
            name
        } else {
            format!("{name}:{port}")
        }))
    }

    /// The host with its port if that is not 443.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without a port.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(name, _)| name)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0
            .split_once(':')
            .and_then(|(_, port)| port.parse().ok())
            .unwrap_or(HTTPS_PORT)
    }

    /// `https://` and the host.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.0)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const HTTPS_PORT: u16 = 443;

fn parse_port(text: &str) -> Result<u16, HostSyntax> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(HostSyntax::BadPort),
    }
}

fn check_labels(name: &str) -> Result<(), HostSyntax> {
    if name.is_empty() {
        return Err(HostSyntax::Empty);
    }
    if !name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
    {
        return Err(HostSyntax::BadCharacter);
    }
    if name.len() > 253 || name.split('.').any(|label| label.len() > 63) {
        return Err(HostSyntax::TooLong);
    }
    if name
        .split('.')
        .any(|label| label.is_empty() || label.starts_with('-') || label.ends_with('-'))
    {
        return Err(HostSyntax::BadLabel);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_lower_cased_and_keeps_an_unusual_port() {
        for (text, host) in [
            ("LOGIN.Salesforce.COM", "login.salesforce.com"),
            ("https://acme.my.salesforce.com", "acme.my.salesforce.com"),
            ("HTTPS://acme.my.salesforce.com/", "acme.my.salesforce.com"),
            (
                "https://acme.my.salesforce.com:443",
                "acme.my.salesforce.com",
            ),
            ("localhost:8443", "localhost:8443"),
        ] {
            assert_eq!(
                Host::parse(text).map(|h| h.as_str().to_owned()),
                Ok(host.to_owned()),
                "{text}"
            );
        }
        let host = Host::parse("localhost:8443").unwrap();
        assert_eq!(
            (host.name(), host.port(), host.url()),
            ("localhost", 8443, "https://localhost:8443".to_owned())
        );
    }

    #[test]
    fn malformed_hosts_say_what_is_wrong() {
        for (text, problem) in [
            ("", HostSyntax::Empty),
            ("https://", HostSyntax::Empty),
            ("http://login.salesforce.com", HostSyntax::NotHttps),
            ("ftp://login.salesforce.com", HostSyntax::NotHttps),
            (
                "https://user:pw@acme.my.salesforce.com",
                HostSyntax::UserInfo,
            ),
            ("acme.my.salesforce.com@evil.example", HostSyntax::UserInfo),
            (
                "evil.example/acme.my.salesforce.com",
                HostSyntax::NotOnlyHost,
            ),
            ("evil.example#.my.salesforce.com", HostSyntax::NotOnlyHost),
            ("evil.example?.my.salesforce.com", HostSyntax::NotOnlyHost),
            ("evil.example\\.my.salesforce.com", HostSyntax::NotOnlyHost),
            ("acme.my.salesforce.com:", HostSyntax::BadPort),
            ("acme.my.salesforce.com:+443", HostSyntax::BadPort),
            ("acme.my.salesforce.com:0", HostSyntax::BadPort),
            ("acme.my.salesforce.com:8443:1", HostSyntax::BadPort),
            (".my.salesforce.com", HostSyntax::BadLabel),
            ("acme..my.salesforce.com", HostSyntax::BadLabel),
            ("-acme.my.salesforce.com", HostSyntax::BadLabel),
            ("acme.my.salesforce.com.", HostSyntax::BadLabel),
            ("acm\u{e9}.my.salesforce.com", HostSyntax::BadCharacter),
            ("acme.my.salesforce.com\n", HostSyntax::BadCharacter),
            ("acme\0.my.salesforce.com", HostSyntax::BadCharacter),
        ] {
            assert_eq!(Host::parse(text), Err(problem), "{text:?}");
        }
        let long = format!("{}.my.salesforce.com", "a".repeat(64));
        assert_eq!(Host::parse(&long), Err(HostSyntax::TooLong));
    }
}
