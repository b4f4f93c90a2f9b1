//! Which HTTP proxy stands between the vault and a host, if any. Pure: no network, no environment.

use std::fmt;

use zeroize::Zeroizing;

use super::environment::Environment;
use crate::host::Host;

/// Where proxies come from.
#[derive(Debug, Clone)]
pub enum Proxy {
    /// From `https_proxy` or `all_proxy`, except for the hosts in `no_proxy` and this machine itself.
    Environment,
    /// There is none, whatever the environment says.
    None,
    /// Always this one.
    Url(ProxyUrl),
}

/// A proxy: `http://[USER:PASSWORD@]HOST[:PORT]`.
///
/// What it relays is TLS from end to end; it sees the names of hosts, never a request.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    host: String,
    port: u16,
    login: Option<Zeroizing<String>>,
}

/// What is wrong with the text of a proxy URL. It never holds the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAProxy {
    /// An empty or malformed host.
    BadHost,
    /// Malformed user or password before `@`.
    BadLogin,
    /// Something after the colon that is no port.
    BadPort,
    /// A scheme other than `http`.
    NotHttp,
    /// A path, query or fragment.
    NotOnlyHost,
}

impl fmt::Display for NotAProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadHost => "its host is empty or malformed",
            Self::BadLogin => {
                "its user or password is malformed; write special characters as `%XX`"
            }
            Self::BadPort => "what follows the colon is not a port",
            Self::NotHttp => "only `http://` proxies are supported",
            Self::NotOnlyHost => "give scheme, host and port only",
        })
    }
}

impl ProxyUrl {
    /// Parses a proxy URL; a missing scheme means `http://`, a missing port 80.
    ///
    /// # Errors
    /// Says what is wrong without quoting it.
    pub fn parse(text: &str) -> Result<Self, NotAProxy> {
        let rest = match text.trim().split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(NotAProxy::NotHttp),
            None => text.trim(),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // The last `@`, because people forget to encode the one in a password.
        let (login, authority) = match rest.rsplit_once('@') {
            Some((login, authority)) => (Some(percent_decode(login)?), authority),
            None => (None, rest),
        };
        if authority.contains(['/', '?', '#', '\\']) {
            return Err(NotAProxy::NotOnlyHost);
        }
        let (host, port) = split_port(authority)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || host.len() > 253 || !host.bytes().all(allowed) {
            return Err(NotAProxy::BadHost);
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            login,
        })
    }

    /// The proxy's name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The proxy's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// SECRET. `USER:PASSWORD` as the proxy is to see it.
    pub(super) fn login(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.as_str())
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

impl Proxy {
    /// The proxy for a host, or `None` for a direct connection.
    ///
    /// # Errors
    /// If the environment names a proxy that can't be used; going around it could break a rule of the
    /// network.
    pub fn toward(
        &self,
        host: &Host,
        environment: &Environment,
    ) -> Result<Option<ProxyUrl>, NotAProxy> {
        match self {
            Self::None => Ok(None),
            Self::Url(url) => Ok(Some(url.clone())),
            Self::Environment => {
                let variable = environment
                    .https_proxy
                    .as_ref()
                    .or(environment.all_proxy.as_ref());
                let spared = environment
                    .no_proxy
                    .as_ref()
                    .is_some_and(|list| names(list, host));
                match variable {
                    // A proxy would look for `localhost` on its own machine.
                    Some(_) if spared || is_this_machine(host.name()) => Ok(None),
                    Some(text) => ProxyUrl::parse(text).map(Some),
                    None => Ok(None),
                }
            }
        }
    }
}

/// Whether a `no_proxy` list names a host: `*`, a domain (itself and all below, with or without a
/// leading dot), each with or without a port.
fn names(list: &str, host: &Host) -> bool {
    list.split([',', ' ']).any(|entry| {
        let entry = entry.trim().to_ascii_lowercase();
        let (domain, port) = match entry.rsplit_once(':') {
            Some((domain, port)) => (domain, Some(port)),
            None => (entry.as_str(), None),
        };
        if port.is_some_and(|port| port.parse() != Ok(host.port())) {
            return false;
        }
        let domain = domain.trim_start_matches("*.").trim_start_matches('.');
        match domain {
            "" => false,
            "*" => true,
            _ => host
                .name()
                .strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
        }
    })
}

fn is_this_machine(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

fn split_port(authority: &str) -> Result<(&str, u16), NotAProxy> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(NotAProxy::BadHost)?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(NotAProxy::BadPort),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    match port {
        None => Ok((host, 80)),
        Some(port) => match port.parse() {
            Ok(number) if number != 0 && port.bytes().all(|b| b.is_ascii_digit()) => {
                Ok((host, number))
            }
            Ok(_) | Err(_) => Err(NotAProxy::BadPort),
        },
    }
}

/// Decodes `%XX`. The result has no control character: it goes into a header.
fn percent_decode(text: &str) -> Result<Zeroizing<String>, NotAProxy> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
            match (digit(), digit()) {
                (Some(high), Some(low)) => {
                    u8::try_from(high * 16 + low).map_err(|_| NotAProxy::BadLogin)?
                }
                (None, _) | (_, None) => return Err(NotAProxy::BadLogin),
            }
        } else {
            byte
        });
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control()) => Ok(Zeroizing::new(text.to_owned())),
        Ok(_) | Err(_) => Err(NotAProxy::BadLogin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    fn environment(https: Option<&str>, all: Option<&str>, no: Option<&str>) -> Environment {
        Environment {
            https_proxy: https.map(|t| Zeroizing::new(t.to_owned())),
            all_proxy: all.map(|t| Zeroizing::new(t.to_owned())),
            no_proxy: no.map(str::to_owned),
            ..Environment::default()
        }
    }

    #[test]
    fn a_proxy_url_is_host_port_and_perhaps_a_login() {
        for (text, shown, login) in [
            ("http://proxy.acme.com:3128", "proxy.acme.com:3128", None),
            ("HTTP://Proxy/", "proxy:80", None),
            ("proxy:3128", "proxy:3128", None),
            ("http://[::1]:3128", "::1:3128", None),
            ("http://u:p%40%20w@proxy:1", "proxy:1", Some("u:p@ w")),
            ("http://u:p@w@proxy:1", "proxy:1", Some("u:p@w")),
        ] {
            let proxy = ProxyUrl::parse(text).unwrap();
            assert_eq!(
                (proxy.to_string().as_str(), proxy.login()),
                (shown, login),
                "{text}"
            );
        }
        for (text, problem) in [
            ("https://proxy:3128", NotAProxy::NotHttp),
            ("socks5://proxy:1080", NotAProxy::NotHttp),
            ("", NotAProxy::BadHost),
            ("http://", NotAProxy::BadHost),
            ("http://pro xy", NotAProxy::BadHost),
            ("http://pro\nxy", NotAProxy::BadHost),
            ("http://[::1", NotAProxy::BadHost),
            ("http://proxy:", NotAProxy::BadPort),
            ("http://proxy:0", NotAProxy::BadPort),
            ("http://proxy:99999", NotAProxy::BadPort),
            ("http://proxy/path", NotAProxy::NotOnlyHost),
            ("http://u:p%0d%0aX@proxy", NotAProxy::BadLogin),
            ("http://u:p%4@proxy", NotAProxy::BadLogin),
            ("http://u:p%ff@proxy", NotAProxy::BadLogin),
        ] {
            assert_eq!(ProxyUrl::parse(text), Err(problem), "{text:?}");
        }
    }

    #[test]
    fn a_proxys_password_is_never_shown() {
        let proxy = ProxyUrl::parse("http://u:hunter2@proxy:1").unwrap();
        let shown = format!("{proxy} {proxy:?} {:?}", Proxy::Url(proxy.clone()));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_environment_names_a_proxy_unless_no_proxy_spares_the_host() {
        let acme = host("acme.my.salesforce.com");
        let through = |environment: Environment| {
            Proxy::Environment
                .toward(&acme, &environment)
                .unwrap()
                .map(|proxy| proxy.to_string())
        };
        let (a, b) = (Some("http://a:1"), Some("http://b:2"));
        assert_eq!(through(environment(None, None, None)), None);
        assert_eq!(through(environment(a, b, None)).as_deref(), Some("a:1"));
        assert_eq!(through(environment(None, b, None)).as_deref(), Some("b:2"));
        for spared in [
            "*",
            "salesforce.com",
            ".salesforce.com",
            "*.my.salesforce.com",
            "x.example, ACME.my.salesforce.com",
            "acme.my.salesforce.com:443",
        ] {
            assert_eq!(through(environment(a, b, Some(spared))), None, "{spared}");
        }
        for other in [
            "",
            ",",
            "force.com",
            "acme",
            "salesforce.com:8443",
            "x.acme.my.salesforce.com",
        ] {
            assert!(through(environment(a, b, Some(other))).is_some(), "{other}");
        }
    }

    #[test]
    fn this_machine_is_never_reached_through_a_proxy_of_the_environment() {
        let environment = environment(Some("http://a:1"), None, None);
        for name in ["localhost:8443", "127.0.0.1:1", "sf.localhost"] {
            assert_eq!(
                Proxy::Environment.toward(&host(name), &environment),
                Ok(None),
                "{name}"
            );
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_not_a_detour() {
        let environment = environment(Some("https://a:1"), Some("http://b:2"), None);
        let acme = host("acme.my.salesforce.com");
        assert_eq!(
            Proxy::Environment.toward(&acme, &environment),
            Err(NotAProxy::NotHttp)
        );
        assert_eq!(Proxy::None.toward(&acme, &environment), Ok(None));
    }
}
