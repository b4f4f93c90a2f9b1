//! Which hosts may see a Salesforce credential or session.
//!
//! A password goes where this file says and nowhere else, so the rules are an allow-list of exact names
//! and dot-anchored suffixes. Syntax was checked by [`Host::parse`]; nothing here looks at the network.

mod kind;

use std::net::Ipv4Addr;

pub use self::kind::{HostKind, default_audience, doubt, is_instanced};
use self::kind::{is_login_host, is_my_domain};
use super::HostRefused;
use crate::host::Host;

/// The operator's part of the rules; the rest is fixed. No RPC can change it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRules {
    /// Hosts permitted beyond Salesforce's own, each with its port.
    pub allowed: Vec<Host>,
    /// Whether `na15.salesforce.com` and its like are permitted. API traffic to them ends in Spring '27.
    pub instanced: bool,
}

impl HostRules {
    /// Whether a credential or session may be sent to this host.
    ///
    /// # Errors
    /// If not; with what to use instead, where that can be told.
    pub fn permit(&self, host: &Host) -> Result<(), HostRefused> {
        if self.allowed.contains(host) {
            return Ok(());
        }
        let name = host.name();
        let known = !is_punycode(name) && (is_login_host(name) || is_my_domain(name));
        let permitted = known || (self.instanced && is_instanced(name));
        if permitted && host.port() == 443 {
            return Ok(());
        }
        Err(HostRefused {
            host: host.clone(),
            hint: Some(hint(host, permitted)),
        })
    }
}

/// Hosts of the user interface and of sites, with the suffix of the API host of the same org.
const UI_SUFFIXES: [(&str, &str); 6] = [
    (".lightning.force.com", ".my.salesforce.com"),
    (".my.salesforce-setup.com", ".my.salesforce.com"),
    (".my.site.com", ".my.salesforce.com"),
    (".lightning.crmforce.mil", ".my.salesforce.mil"),
    (".my.salesforce-setup.mil", ".my.salesforce.mil"),
    (".lightning.sfcrmapps.cn", ".my.sfcrmproducts.cn"),
];

fn is_punycode(name: &str) -> bool {
    name.split('.').any(|label| label.starts_with("xn--"))
}

fn hint(host: &Host, permitted_elsewhere: bool) -> String {
    let name = host.name();
    if permitted_elsewhere {
        return format!(
            "use port 443, or list `{host}` in `allowed_hosts` under `[salesforce]` in config.toml"
        );
    }
    let api_host = UI_SUFFIXES
        .iter()
        .find_map(|(ui, api)| name.strip_suffix(ui).map(|org| format!("{org}{api}")));
    if let Some(api_host) = api_host {
        return format!("that host serves people; the API of the same org is at `{api_host}`");
    }
    if is_instanced(name) {
        return "use the org's My Domain host, `NAME.my.salesforce.com`; Salesforce is switching \
                instance hosts off, and they are allowed only with `instanced_hosts = true` under \
                `[salesforce]` in config.toml"
            .to_owned();
    }
    if host.port() != 443 {
        return format!(
            "Salesforce's hosts serve port 443; if this is meant, list `{host}` in `allowed_hosts` \
             under `[salesforce]` in config.toml"
        );
    }
    if name.parse::<Ipv4Addr>().is_ok() || is_punycode(name) {
        return format!(
            "give the host by its plain name; if this is meant, list `{host}` in `allowed_hosts` \
             under `[salesforce]` in config.toml"
        );
    }
    let org = name.strip_suffix(".salesforce.com").unwrap_or(name);
    if !org.contains('.') && org != "my" {
        return format!("if `{org}` is the org's My Domain name, use `{org}.my.salesforce.com`");
    }
    "use `login.salesforce.com`, `test.salesforce.com` or the org's My Domain host, \
     `NAME.my.salesforce.com`"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    fn permitted(text: &str) -> bool {
        Host::parse(text).is_ok_and(|host| HostRules::default().permit(&host).is_ok())
    }

    /// T36, T37.
    #[test]
    fn no_credential_goes_to_a_host_that_only_looks_like_salesforce() {
        let long = format!("{}.my.salesforce.com", "a".repeat(64));
        for text in [
            "",
            "acme",
            "my.salesforce.com",
            ".my.salesforce.com",
            "acme..my.salesforce.com",
            "-acme.my.salesforce.com",
            "acme.my.salesforce.com.",
            "acme.my.salesforce.com.evil.example",
            "evilmy.salesforce.com",
            "evilsalesforce.com",
            "login.salesforce.com.evil.example",
            "acme.my.salesforce.com@evil.example",
            "evil.example/acme.my.salesforce.com",
            "evil.example#.my.salesforce.com",
            "evil.example?.my.salesforce.com",
            "acme.my.salesforce.com:8443",
            "login.salesforce.com:80",
            "http://acme.my.salesforce.com",
            "https://user:pw@acme.my.salesforce.com",
            "acme\n.my.salesforce.com",
            "acme.my.salesforce.com\r\nHost: evil.example",
            "acme\0.my.salesforce.com",
            "acm\u{e9}.my.salesforce.com",
            "xn--acm-dma.my.salesforce.com",
            "acme.xn--my-abc.salesforce.com",
            "127.0.0.1",
            "127.1",
            "[::1]",
            "localhost",
            "acme.lightning.force.com",
            "acme.my.salesforce-setup.com",
            "acme.my.site.com",
            "acme.cloudforce.com",
            "api.salesforce.com",
            "evilcrmforce.mil",
            "acme.my-salesforce.com.evil.example",
            "evilmy-salesforce.com",
            "my-salesforce.com",
            "na15.salesforce.com",
            &long,
        ] {
            assert!(!permitted(text), "{text:?}");
        }
    }

    #[test]
    fn the_hosts_of_salesforce_are_permitted() {
        for text in [
            "login.salesforce.com",
            "LOGIN.SALESFORCE.COM",
            "https://test.salesforce.com/",
            "login.sfcrmproducts.cn",
            "test.sfcrmproducts.cn",
            "acme.my.salesforce.com",
            "acme.my.salesforce.com:443",
            "acme--uat.sandbox.my.salesforce.com",
            "acme-dev-ed.develop.my.salesforce.com",
            "x-y-z-dev-ed.trailblaze.my.salesforce.com",
            "acme.my.salesforce.mil",
            "acme.my-salesforce.com",
            "acme--uat.sandbox.my.sfcrmproducts.cn",
        ] {
            assert!(permitted(text), "{text}");
        }
    }

    #[test]
    fn a_listed_host_is_permitted_with_its_port_only() {
        let rules = HostRules {
            allowed: vec![host("localhost:8443"), host("127.0.0.1:9443")],
            instanced: false,
        };
        for (text, expected) in [
            ("localhost:8443", true),
            ("127.0.0.1:9443", true),
            ("localhost", false),
            ("localhost:8444", false),
            ("a.localhost:8443", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(rules.permit(&host(text)).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn instance_hosts_need_the_operators_word() {
        let rules = HostRules {
            allowed: Vec::new(),
            instanced: true,
        };
        for text in [
            "na15.salesforce.com",
            "cs42.salesforce.com",
            "usa2s.salesforce.com",
        ] {
            assert!(!permitted(text), "{text}");
            assert_eq!(rules.permit(&host(text)), Ok(()), "{text}");
        }
        for text in [
            "na.salesforce.com",
            "na12345.salesforce.com",
            "na15-api.salesforce.com",
            "evil15.salesforce.com",
            "15.salesforce.com",
            "a.na15.salesforce.com",
            "na15.salesforce.com:8443",
            "na15.salesforce.com.evil.example",
        ] {
            assert!(rules.permit(&host(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_host_to_use_instead() {
        for (text, instead) in [
            ("acme.lightning.force.com", "`acme.my.salesforce.com`"),
            (
                "acme--uat.sandbox.lightning.force.com",
                "`acme--uat.sandbox.my.salesforce.com`",
            ),
            ("acme.my.salesforce-setup.com", "`acme.my.salesforce.com`"),
            ("acme.my.site.com", "`acme.my.salesforce.com`"),
            ("acme.lightning.crmforce.mil", "`acme.my.salesforce.mil`"),
            ("acme.lightning.sfcrmapps.cn", "`acme.my.sfcrmproducts.cn`"),
            ("acme", "`acme.my.salesforce.com`"),
            ("acme.salesforce.com", "`acme.my.salesforce.com`"),
            ("na15.salesforce.com", "`instanced_hosts = true`"),
            ("login.salesforce.com:8443", "port 443"),
            ("localhost:8443", "`allowed_hosts`"),
            ("127.0.0.1", "`allowed_hosts`"),
            ("evil.example", "`login.salesforce.com`"),
            ("my.salesforce.com", "`NAME.my.salesforce.com`"),
        ] {
            let refused = HostRules::default().permit(&host(text)).unwrap_err();
            let hint = refused.hint.unwrap();
            assert!(hint.contains(instead), "{text}: {hint}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_permitted_belongs_to_salesforce(text in "[a-z0-9.:-]{0,20}(salesforce|my-salesforce|my)?[.]?(com|mil)?[a-z.:0-9]{0,6}") {
            if permitted(&text) {
                let host = host(&text);
                prop_assert_eq!(host.port(), 443);
                let owned = [".salesforce.com", ".my-salesforce.com", ".my.salesforce.mil"];
                prop_assert!(owned.iter().any(|suffix| host.name().ends_with(suffix)), "{}", host);
            }
        }
    }
}
