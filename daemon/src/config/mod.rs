//! `config.toml`: what the operator settles for the daemon. No call over a socket can change it.
//!
//! A mistake must not surface at 3 a.m. as a failed login, so unknown keys are errors, and all problems are reported
//! at once, each with its place.

mod file;
mod sections;
mod table;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use table::Table;

use crate::{
    audit::settings::Settings as AuditSettings, harden::Switches, paths::PathError,
    retirement::Retirements, salesforce::settings::Settings, store::KdfCost,
    token_upkeep::TokenUpkeep,
};

/// What the daemon does where the operator may choose.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach Salesforce.
    pub salesforce: Settings,
    /// The API version that jobs are told to use, such as `64.0`. Logins always use their own.
    pub api_version: String,
    /// How many of the logins that Salesforce takes from one user in an hour are ours to make, in percent.
    pub login_share_percent: u32,
    /// What a passphrase slot of a new vault costs to open.
    pub kdf: KdfCost,
    /// What the process may do without.
    pub hardening: Switches,
    /// When refresh tokens that nobody uses are used once.
    pub token_upkeep: TokenUpkeep,
    /// The group whose members may administer a system-wide daemon: its name or number.
    pub admin_group: Option<String>,
    /// How the audit is kept.
    pub audit: AuditSettings,
    /// What Salesforce is taking away, with the operator's dates.
    pub retirements: Retirements,
    /// For how long after a GetSession its session is held: kept alive though the caller makes no calls.
    pub hold_after_get: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            salesforce: Settings::default(),
            api_version: "64.0".to_owned(),
            // Other tools log in as the same user.
            login_share_percent: 50,
            kdf: KdfCost::default(),
            hardening: Switches::default(),
            token_upkeep: TokenUpkeep::default(),
            admin_group: None,
            audit: AuditSettings::default(),
            retirements: Retirements::default(),
            hold_after_get: Duration::from_mins(30),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file can't be read.
    Io { path: PathBuf, error: io::Error },
    /// Somebody else could put another file there.
    Place(PathError),
    /// Somebody else could have written it, or it is no file at all.
    Unsafe { path: PathBuf, problem: String },
    /// What it says is wrong in these places.
    Wrong {
        path: PathBuf,
        problems: Vec<Problem>,
    },
}

/// One thing wrong in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "`{}`: {error}", path.display()),
            Self::Place(error) => error.fmt(f),
            Self::Unsafe { path, problem } => write!(f, "`{}` {problem}", path.display()),
            Self::Wrong { path, problems } => {
                let plural = if problems.len() == 1 { "" } else { "s" };
                write!(f, "{} problem{plural} in the configuration", problems.len())?;
                problems.iter().try_for_each(|p| {
                    write!(
                        f,
                        "\n  {}:{}:{}: {}",
                        path.display(),
                        p.line,
                        p.column,
                        p.message
                    )
                })
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file; the defaults if there is none.
    ///
    /// # Errors
    /// If it can't be read, others can write or replace it, or anything in it is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let Some(text) = file::read(path)? else {
            return Ok(Self::default());
        };
        Self::parse(&text).map_err(|problems| ConfigError::Wrong {
            path: path.to_owned(),
            problems,
        })
    }

    /// Parses the text of a configuration.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut config = Self::default();
        let mut problems = Vec::new();
        let mut root = Table::parse(text, &mut problems);
        root.section("salesforce", &mut problems, |section, problems| {
            config.salesforce_section(section, problems)
        });
        root.section("vault", &mut problems, |section, problems| {
            config.vault_section(section, problems)
        });
        root.section("session", &mut problems, |section, problems| {
            if let Some(minutes) =
                section.integer("keep_alive_after_get_minutes", 0..=1440, problems)
            {
                config.hold_after_get = Duration::from_mins(minutes);
            }
        });
        root.section("admin", &mut problems, |section, problems| {
            config.admin_section(section, problems)
        });
        root.section("audit", &mut problems, |section, problems| {
            config.audit_section(section, problems)
        });
        root.section("hardening", &mut problems, |section, problems| {
            config.hardening_section(section, problems)
        });
        root.section("retirement", &mut problems, |section, problems| {
            config.retirement_section(section, problems)
        });
        root.finish(&mut problems);
        problems.sort_by_key(|problem| (problem.line, problem.column));
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        credential::FlowKind, day::Day, host::Host, retirement::Event, salesforce::proxy::Proxy,
    };

    #[test]
    fn an_empty_file_means_the_defaults() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.api_version, "64.0");
        assert!(config.salesforce.host_rules.allowed.is_empty());
        assert!(config.kdf.memory_kib >= 64 * 1024 && config.kdf.iterations >= 3);
    }

    #[test]
    fn every_key_is_read() {
        let config = Config::parse(
            r#"
            [salesforce]
            allowed_hosts = ["localhost:8443", "https://LOCALHOST:8444"]
            instanced_hosts = true
            ca_file = "/etc/ssl/corp.pem"
            proxy = "http://proxy.example:3128"
            connect_timeout_seconds = 5
            answer_timeout_seconds = 30
            login_share_percent = 20
            api_version = "60.0"
            use_refresh_tokens_after_days = 7
            [vault]
            kdf_memory_mib = 8
            kdf_iterations = 1
            [session]
            keep_alive_after_get_minutes = 90
            [admin]
            group = "sfvault"
            [audit]
            file_kib = 64
            keep_files = 3
            journald = false
            [hardening]
            landlock = false
            seccomp = true
            [retirement]
            soap_login = "2028-01-31"
            permission_gate = "never"
            "#,
        )
        .unwrap();
        let hosts: Vec<_> = config
            .salesforce
            .host_rules
            .allowed
            .iter()
            .map(Host::as_str)
            .collect();
        assert_eq!(hosts, ["localhost:8443", "localhost:8444"]);
        assert!(config.salesforce.host_rules.instanced);
        assert_eq!(
            config.salesforce.ca_file.as_deref(),
            Some(Path::new("/etc/ssl/corp.pem"))
        );
        assert!(matches!(config.salesforce.proxy, Proxy::Url(_)));
        assert_eq!(config.login_share_percent, 20);
        assert_eq!(config.salesforce.connect_timeout, Duration::from_secs(5));
        assert_eq!(config.salesforce.answer_timeout, Duration::from_secs(30));
        assert_eq!(config.api_version, "60.0");
        assert_eq!(config.hold_after_get, Duration::from_mins(90));
        let week = Duration::from_hours(7 * 24);
        assert_eq!(config.token_upkeep.after, Some(week));
        assert_eq!((config.kdf.memory_kib, config.kdf.iterations), (8192, 1));
        assert_eq!(config.admin_group.as_deref(), Some("sfvault"));
        let audit = AuditSettings {
            file_bytes: 64 << 10,
            keep_files: Some(3),
            journald: false,
        };
        assert_eq!(config.audit, audit);
        let hardening = Switches {
            landlock: false,
            seccomp: true,
        };
        assert_eq!(config.hardening, hardening);
        let host = Host::parse("login.salesforce.com").unwrap();
        let soap: Vec<_> = config
            .retirements
            .of(FlowKind::SoapLogin, &host)
            .map(|retirement| (retirement.event, retirement.day))
            .collect();
        assert_eq!(soap, [(Event::SoapLogin, Day::parse("2028-01-31"))]);
    }

    #[test]
    fn refresh_tokens_can_be_left_alone() {
        let text = "[salesforce]\nuse_refresh_tokens_after_days = 0\n";
        assert_eq!(Config::parse(text).unwrap().token_upkeep.after, None);
        let text = "[salesforce]\nuse_refresh_tokens_after_days = 30\n";
        assert!(Config::parse(text).is_err());
    }

    /// T50
    #[test]
    fn all_problems_are_reported_at_once_with_their_places() {
        let text = "[salesforce]\nallowed_hosts = [\"localhost:8443\", \"http://x\", 7]\nproxi = \"none\"\n\
                    proxy = \"http://user:hunter2@[\"\nconnect_timeout_seconds = 0\n[vault]\nkdf_memory_mib = \"64\"\n\
                    [valut]\n[retirement]\nsoap_login = \"soon\"\nsoap_logout = \"never\"\n";
        let problems = Config::parse(text).unwrap_err();
        let shown: Vec<_> = problems
            .iter()
            .map(|p| format!("{}:{}: {}", p.line, p.column, p.message))
            .collect();
        assert_eq!(
            shown,
            [
                "2:36: `allowed_hosts`: `http://x` is no host: only `https://` is allowed",
                "2:48: `allowed_hosts` must hold strings only",
                "3:1: unknown key `proxi`",
                "4:9: `proxy` is no proxy: its host is empty or malformed",
                "5:27: `connect_timeout_seconds` must be a whole number from 1 to 120",
                "7:18: `kdf_memory_mib` must be a whole number from 8 to 1024",
                "8:2: unknown key `valut`",
                "10:14: `soap_login` must be a day like \"2027-06-01\", or \"never\"",
                "11:1: unknown key `soap_logout`",
            ],
            "{shown:#?}"
        );
    }

    #[test]
    fn broken_syntax_is_reported_with_its_place() {
        let problems = Config::parse("[salesforce]\nproxy = \"none\nca_file = 7\n").unwrap_err();
        assert_eq!(problems.first().map(|p| p.line), Some(2), "{problems:?}");
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        assert!(Config::load(&path).is_ok());
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
        assert!(matches!(
            Config::load(&path),
            Err(ConfigError::Unsafe { .. })
        ));
    }
}
