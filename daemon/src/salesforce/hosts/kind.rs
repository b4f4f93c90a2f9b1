//! What the name of a host tells of the org behind it.

use crate::{environment::Environment, host::Host};

/// What kind of org a host leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// One org's own host. `sandbox` is also true of scratch orgs.
    MyDomain { sandbox: bool },
    /// Not one of Salesforce's names, or one that does not tell.
    Other,
    /// The login host shared by all production orgs.
    Production,
    /// The login host shared by all sandboxes and scratch orgs.
    Sandbox,
}

impl HostKind {
    /// The kind of this host, by its name alone.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let name = host.name();
        if PRODUCTION_HOSTS.contains(&name) {
            Self::Production
        } else if SANDBOX_HOSTS.contains(&name) {
            Self::Sandbox
        } else if let Some(org) = my_domain_part(name) {
            let (_, partition) = org.split_once('.').unwrap_or((org, ""));
            Self::MyDomain {
                sandbox: org.contains("--") || matches!(partition, "sandbox" | "scratch"),
            }
        } else {
            Self::Other
        }
    }

    /// Whether that is a sandbox, where the name tells.
    #[must_use]
    pub fn environment(self) -> Option<Environment> {
        match self {
            Self::Production => Some(Environment::Production),
            Self::Sandbox => Some(Environment::Sandbox),
            Self::MyDomain { sandbox } => Some(Environment::of_flag(sandbox)),
            Self::Other => None,
        }
    }
}

/// The audience of an assertion for this login host, unless the operator says another: the login host shared by all
/// orgs of its kind ("OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration", Salesforce Help).
#[must_use]
pub fn default_audience(host: &Host) -> &'static str {
    let china = host.name().ends_with(".sfcrmproducts.cn");
    match (HostKind::of(host), china) {
        (HostKind::Sandbox | HostKind::MyDomain { sandbox: true }, false) => {
            "https://test.salesforce.com"
        }
        (HostKind::Sandbox | HostKind::MyDomain { sandbox: true }, true) => {
            "https://test.sfcrmproducts.cn"
        }
        (HostKind::Production | HostKind::MyDomain { .. } | HostKind::Other, true) => {
            "https://login.sfcrmproducts.cn"
        }
        (HostKind::Production | HostKind::MyDomain { .. } | HostKind::Other, false) => {
            "https://login.salesforce.com"
        }
    }
}

/// What looks wrong about logging in as this user at this host; a reason to ask, never to refuse.
///
/// A sandbox appends `.` and its own name to the user names copied from production ("Sandbox Setup
/// Considerations", Salesforce Help), but users created in the sandbox may be called anything.
#[must_use]
pub fn doubt(username: &str, host: &Host) -> Option<String> {
    let org = my_domain_part(host.name())?;
    let (_, rest) = org.split_once("--")?;
    let sandbox = rest.split('.').next().unwrap_or(rest);
    let suffix = username.rsplit('.').next().unwrap_or_default();
    (!suffix.eq_ignore_ascii_case(sandbox)).then(|| {
        format!(
            "`{host}` is the sandbox `{sandbox}`, whose user names normally end in `.{sandbox}`"
        )
    })
}

const PRODUCTION_HOSTS: [&str; 2] = ["login.salesforce.com", "login.sfcrmproducts.cn"];
const SANDBOX_HOSTS: [&str; 2] = ["test.salesforce.com", "test.sfcrmproducts.cn"];

/// What follows an org's My Domain name ("My Domain URL Formats", Salesforce Help).
const MY_DOMAIN_SUFFIXES: [&str; 4] = [
    ".my.salesforce.com",
    ".my.salesforce.mil",
    ".my-salesforce.com",
    ".my.sfcrmproducts.cn",
];

/// The letters that instance names start with, by region.
const INSTANCE_REGIONS: [&str; 20] = [
    "ap", "aus", "bra", "can", "che", "cs", "deu", "eu", "fra", "gbr", "gs", "ind", "ita", "jpn",
    "kor", "na", "sgp", "swe", "um", "usa",
];

pub(super) fn is_login_host(name: &str) -> bool {
    PRODUCTION_HOSTS.contains(&name) || SANDBOX_HOSTS.contains(&name)
}

pub(super) fn is_my_domain(name: &str) -> bool {
    my_domain_part(name).is_some()
}

/// What stands before the My Domain suffix: `acme`, `acme--uat.sandbox`.
fn my_domain_part(name: &str) -> Option<&str> {
    MY_DOMAIN_SUFFIXES
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
}

/// `na15`, `usa2s`: a region, up to four digits, and `s` on some sandbox instances.
pub fn is_instanced(name: &str) -> bool {
    let Some(instance) = name.strip_suffix(".salesforce.com") else {
        return false;
    };
    let instance = instance.strip_suffix('s').unwrap_or(instance);
    let region = instance.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = instance.len() - region.len();
    INSTANCE_REGIONS.contains(&region) && (1..=4).contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    #[test]
    fn a_host_tells_what_kind_of_org_it_leads_to() {
        for (text, kind) in [
            ("login.salesforce.com", HostKind::Production),
            ("test.salesforce.com", HostKind::Sandbox),
            (
                "acme.my.salesforce.com",
                HostKind::MyDomain { sandbox: false },
            ),
            (
                "acme-dev-ed.develop.my.salesforce.com",
                HostKind::MyDomain { sandbox: false },
            ),
            (
                "acme--uat.sandbox.my.salesforce.com",
                HostKind::MyDomain { sandbox: true },
            ),
            (
                "x.scratch.my.salesforce.com",
                HostKind::MyDomain { sandbox: true },
            ),
            ("localhost:8443", HostKind::Other),
        ] {
            assert_eq!(HostKind::of(&host(text)), kind, "{text}");
        }
    }

    #[test]
    fn a_user_without_the_sandboxs_suffix_is_doubted_at_a_sandbox() {
        let sandbox = host("acme--uat.sandbox.my.salesforce.com");
        assert!(doubt("etl@acme.com", &sandbox).is_some_and(|d| d.contains("`.uat`")));
        assert_eq!(doubt("etl@acme.com.UAT", &sandbox), None);
        assert_eq!(doubt("etl@acme.com", &host("acme.my.salesforce.com")), None);
        assert_eq!(doubt("etl@acme.com", &host("test.salesforce.com")), None);
    }
}
