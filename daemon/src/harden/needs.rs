//! Which files and ports a daemon of this configuration needs.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{
    paths::Paths,
    salesforce::{
        environment::Environment,
        proxy::{Proxy, ProxyUrl},
        settings::Settings,
    },
};

/// All that the process may still reach once it is confined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Where files are read and written.
    pub data: PathBuf,
    /// Where sockets are made as well.
    pub runtime: PathBuf,
    /// Where the runtime directory is made anew when somebody removed it.
    pub remake: PathBuf,
    /// Where files are read.
    pub read: Vec<PathBuf>,
    /// Where TCP goes.
    pub ports: BTreeSet<u16>,
}

/// Where the system keeps what any program needs: libraries of name services, which are loaded when first used,
/// certificates, time zones, and all that tells how names are resolved. Whole directories, for package managers and
/// network managers replace the files in them. Nothing here is secret to programs of any user.
const SYSTEM: [&str; 13] = [
    "/etc",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/gnu/store",
    "/nix/store",
    // The process itself and its peers. What is secret there (memory, environment) the kernel keeps from a confined process.
    "/proc",
    // Where `/etc/resolv.conf` may lead some day.
    "/run/NetworkManager",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/var/lib/ca-certificates",
    // sssd's cache of names.
    "/var/lib/sss/mc",
];
const RESOLVER: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"];

const DNS: u16 = 53;
const HTTPS: u16 = 443;
/// More links than these in a row are a circle.
const LONGEST_CHAIN: usize = 40;

impl Needs {
    /// What a daemon of these paths and settings needs. It looks at where links lead, so the directories must be there.
    #[must_use]
    pub fn of(paths: &Paths, salesforce: &Settings, environment: &Environment) -> Self {
        let own = [&paths.config, &paths.data, &paths.runtime];
        let named = [
            &salesforce.ca_file,
            &environment.ssl_cert_file,
            &environment.ssl_cert_dir,
        ];
        let mut read: BTreeSet<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        read.insert(paths.config.clone());
        for file in RESOLVER
            .iter()
            .map(Path::new)
            .chain(named.into_iter().flatten().map(PathBuf::as_path))
        {
            read.extend(homes(file, &own));
        }
        read.extend(environment.ssl_cert_dir.clone());
        Self {
            data: paths.data.clone(),
            remake: remake(&paths.runtime),
            runtime: paths.runtime.clone(),
            read: read.into_iter().collect(),
            ports: ports(salesforce, environment),
        }
    }
}

/// The directory to be readable for a file to be, and for another one that takes its place: of each link on the way to
/// it. A home directory would be too much: there it is the file that is there now.
fn homes(file: &Path, own: &[&PathBuf]) -> BTreeSet<PathBuf> {
    let mut homes = BTreeSet::new();
    let mut file = file.to_owned();
    for _ in 0..LONGEST_CHAIN {
        let Some(parent) = file.parent() else { break };
        let leads_to = fs::read_link(&file).ok().map(|target| parent.join(target));
        // Links in the names of directories too.
        let real = fs::canonicalize(parent).unwrap_or_else(|_| there(parent));
        let too_much = own.iter().any(|own| own.starts_with(&real)) && !own.contains(&&real);
        homes.insert(if too_much || real == Path::new("/") {
            file.clone()
        } else {
            real
        });
        match leads_to {
            Some(next) => file = next,
            None => break,
        }
    }
    homes
}

/// The directory itself, or the next above that is there: what is made there later must be found.
fn there(directory: &Path) -> PathBuf {
    directory
        .ancestors()
        .find(|path| path.is_dir())
        .unwrap_or(directory)
        .to_owned()
}

/// The directory above the runtime directory. Where a file system of its own is mounted there, as `/run/user/1000` is, it
/// is what that one is mounted in: the user's next session gets another one.
fn remake(runtime: &Path) -> PathBuf {
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    let Some(parent) = runtime.parent() else {
        return runtime.to_owned();
    };
    match parent.parent() {
        Some(above) if above != Path::new("/") && device(above) != device(parent) => {
            above.to_owned()
        }
        Some(_) | None => parent.to_owned(),
    }
}

fn ports(salesforce: &Settings, environment: &Environment) -> BTreeSet<u16> {
    let hosts = salesforce.host_rules.allowed.iter().map(|host| host.port());
    let proxy = match &salesforce.proxy {
        Proxy::None => None,
        Proxy::Url(url) => Some(url.port()),
        Proxy::Environment => [&environment.https_proxy, &environment.all_proxy]
            .into_iter()
            .flatten()
            .next()
            .and_then(|text| ProxyUrl::parse(text).ok())
            .map(|url| url.port()),
    };
    [DNS, HTTPS].into_iter().chain(hosts).chain(proxy).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use zeroize::Zeroizing;

    use super::*;
    use crate::{host::Host, salesforce::hosts::HostRules};

    fn paths(base: &Path) -> Paths {
        let paths = Paths {
            config: base.join("home/.config/sfvault"),
            data: base.join("home/.local/share/sfvault"),
            runtime: base.join("run/sfvault"),
        };
        for path in [&paths.config, &paths.data, &paths.runtime] {
            fs::create_dir_all(path).unwrap();
        }
        paths
    }

    fn base() -> (tempfile::TempDir, PathBuf) {
        let base = tempfile::tempdir().unwrap();
        let real = base.path().canonicalize().unwrap();
        (base, real)
    }

    #[test]
    fn ports_are_those_of_hosts_and_proxy() {
        let ports = |settings: &Settings, environment: &Environment| {
            ports(settings, environment).into_iter().collect::<Vec<_>>()
        };
        let mut settings = Settings::default();
        let mut environment = Environment::default();
        assert_eq!(ports(&settings, &environment), [53, 443]);
        settings.host_rules = HostRules {
            allowed: vec![Host::parse("localhost:8443").unwrap()],
            ..HostRules::default()
        };
        environment.all_proxy = Some(Zeroizing::new("http://u:p@proxy:3128".to_owned()));
        assert_eq!(ports(&settings, &environment), [53, 443, 3128, 8443]);
        environment.https_proxy = Some(Zeroizing::new("proxy".to_owned()));
        assert_eq!(ports(&settings, &environment), [53, 80, 443, 8443]);
        settings.proxy = Proxy::None;
        assert_eq!(ports(&settings, &environment), [53, 443, 8443]);
        settings.proxy = Proxy::Url(ProxyUrl::parse("p:81").unwrap());
        assert_eq!(ports(&settings, &environment), [53, 81, 443, 8443]);
    }

    #[test]
    fn a_certificate_file_is_readable_with_all_that_its_links_lead_through() {
        let (_guard, base) = base();
        let paths = paths(&base);
        for name in ["ca", "store"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        fs::write(base.join("store/real.pem"), "").unwrap();
        symlink("../store/real.pem", base.join("ca/corp.pem")).unwrap();
        let settings = Settings {
            ca_file: Some(base.join("ca/corp.pem")),
            ..Settings::default()
        };
        let needs = Needs::of(&paths, &settings, &Environment::default());
        assert!(needs.read.contains(&base.join("ca")));
        assert!(needs.read.contains(&base.join("store")), "{:?}", needs.read);
        assert!(!needs.read.contains(&base));
    }

    #[test]
    fn a_certificate_file_in_the_home_does_not_open_the_home() {
        let (_guard, base) = base();
        let paths = paths(&base);
        let file = base.join("home/corp.pem");
        fs::write(&file, "").unwrap();
        let environment = Environment {
            ssl_cert_file: Some(file.clone()),
            ..Environment::default()
        };
        let needs = Needs::of(&paths, &Settings::default(), &environment);
        assert!(needs.read.contains(&file));
        assert!(!needs.read.contains(&base.join("home")), "{:?}", needs.read);
    }

    #[test]
    fn links_in_a_circle_end() {
        let (_guard, base) = base();
        symlink("b", base.join("a")).unwrap();
        symlink("a", base.join("b")).unwrap();
        assert_eq!(homes(&base.join("a"), &[]), BTreeSet::from([base]));
    }

    #[test]
    fn the_runtime_directory_can_be_made_anew_beside_nothing_else() {
        let (_guard, base) = base();
        let paths = paths(&base);
        assert_eq!(remake(&paths.runtime), base.join("run"));
    }
}
