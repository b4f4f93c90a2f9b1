//! What is wrong, or will be: findings about the daemon, its files, the way to Salesforce, and records.
//!
//! Everything here looks and tells; nothing changes, and nothing secret is sent.

mod places;
mod record;

pub use places::places;
pub use record::{is_due, last_use, record};

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use super::LockState;
use crate::{
    credential::FlowKind,
    error::Error,
    failure::{Class, Failure},
    harden::{Protection, State},
    host::Host,
    salesforce::{API_VERSION, Survey},
    store::KdfCost,
};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// For scripts; it never changes.
    pub check: &'static str,
    /// A path, a host or a record's name.
    pub subject: String,
    pub grade: Grade,
    pub text: String,
    /// Empty where nothing is to be done.
    pub fix: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Good,
    Note,
    Warning,
    Problem,
}

/// Assertions live for three minutes, so a clock this far off begins to matter.
const SKEW_DOUBTED: Duration = Duration::from_mins(1);
/// With a clock this far off, Salesforce takes an assertion for expired.
const SKEW_FATAL: Duration = Duration::from_mins(3);

impl Finding {
    fn new(check: &'static str, subject: impl Into<String>, grade: Grade, text: String) -> Self {
        Self {
            check,
            subject: subject.into(),
            grade,
            text,
            fix: String::new(),
        }
    }

    fn fix(self, fix: impl Into<String>) -> Self {
        Self {
            fix: fix.into(),
            ..self
        }
    }
}

/// The vault file, its key slots and its state.
#[must_use]
pub fn vault(path: &Path, state: LockState, slots: &[KdfCost]) -> Vec<Finding> {
    let subject = path.display().to_string();
    let finding = |check, grade, text: String| Finding::new(check, subject.clone(), grade, text);
    let mut findings = vec![match state {
        LockState::Missing => finding("vault", Grade::Problem, "there is no vault".to_owned())
            .fix("`sfvault init` makes one"),
        LockState::Locked => finding("vault", Grade::Problem, "it is locked".to_owned())
            .fix("`sfvault unlock` unlocks it"),
        LockState::Unlocked => finding("vault", Grade::Good, "it is unlocked".to_owned()),
    }];
    if let Ok(meta) = fs::symlink_metadata(path)
        && meta.mode() & 0o077 != 0
    {
        let text = format!("has mode {:04o}", meta.mode() & 0o7777);
        findings.push(
            finding("vault-file", Grade::Problem, text).fix(format!("`chmod 600 {subject}`")),
        );
    }
    let usual = KdfCost::default();
    for (number, cost) in slots.iter().enumerate() {
        let weak = cost.memory_kib < usual.memory_kib || cost.iterations < usual.iterations;
        let text = format!(
            "slot {}: passphrase, Argon2id with {} MiB and {} iterations",
            number + 1,
            cost.memory_kib / 1024,
            cost.iterations
        );
        let grade = if weak { Grade::Warning } else { Grade::Good };
        let slot = finding("key-slot", grade, text);
        findings.push(if weak {
            slot.fix("a stolen vault file is cheap to guess at; make the next vault without `kdf_…` in `config.toml`")
        } else {
            slot
        });
    }
    findings
}

/// Whether the audit is kept; `warnings` are its own.
pub fn audit(path: &Path, warnings: Vec<String>) -> Vec<Finding> {
    let subject = path.display().to_string();
    if warnings.is_empty() {
        let text = "every decision is written down".to_owned();
        return vec![Finding::new("audit", subject, Grade::Good, text)];
    }
    warnings
        .into_iter()
        .map(|text| {
            Finding::new("audit", subject.clone(), Grade::Problem, text)
                .fix("see to the disk and the data directory; `sfvault log verify` tells what is damaged")
        })
        .collect()
}

/// What could not be hardened.
pub fn limits(warnings: impl IntoIterator<Item = String>) -> Vec<Finding> {
    warnings
        .into_iter()
        .map(|text| {
            Finding::new("limits", "sfvaultd", Grade::Warning, text)
                .fix("`man sfvaultd` tells which limit of the service or user to raise")
        })
        .collect()
}

/// What was hardened. What the system refused is among the [`limits`] too.
pub fn protections(all: impl Iterator<Item = Protection>) -> Finding {
    let (on, others): (Vec<_>, Vec<_>) = all.partition(|one| one.state == State::On);
    let text = others
        .iter()
        .map(|one| format!("`{}` is {}: {}", one.name, one.state.name(), one.reason))
        .collect::<Vec<_>>();
    let is_off = others.iter().any(|one| one.state == State::Off);
    let finding = |grade, text: String| Finding::new("protections", "sfvaultd", grade, text);
    if others.is_empty() {
        finding(Grade::Good, format!("all {} are on", on.len()))
    } else {
        let grade = if is_off { Grade::Warning } else { Grade::Note };
        finding(grade, text.join("; ")).fix("`sfvault status --security` tells what each keeps out")
    }
}

/// Whether a proxy stands on the way to a login host; `proxy` is its address without its login.
#[must_use]
pub fn proxy(host: &Host, proxy: Option<&str>) -> Finding {
    let text = match proxy {
        Some(proxy) => format!("goes through the proxy {proxy}"),
        None => "goes there without a proxy".to_owned(),
    };
    Finding::new("proxy", host.as_str(), Grade::Good, text)
}

/// The way to a login host, as a request without credentials found it.
#[must_use]
pub fn way(
    host: &Host,
    flow: FlowKind,
    api_version: &str,
    survey: Result<&Survey, &Failure>,
    now: SystemTime,
) -> Vec<Finding> {
    let finding = |check, grade, text: String| Finding::new(check, host.as_str(), grade, text);
    let survey = match survey {
        Ok(survey) => survey,
        Err(failure) => {
            let fix = match failure.class {
                Class::WrongHost => {
                    "compare the login URL with Setup > Company Settings > My Domain"
                }
                Class::AccessPolicy
                | Class::ApiVersion
                | Class::AppConfig
                | Class::BadCredentials
                | Class::ClockSkew
                | Class::LockedOut
                | Class::LoginDisabled
                | Class::OrgState
                | Class::PasswordExpired
                | Class::PinnedElsewhere
                | Class::Protocol
                | Class::RateLimited
                | Class::RefreshDead
                | Class::RestrictedHours
                | Class::SessionBarred
                | Class::SessionDead
                | Class::TokenAwaited
                | Class::Unanswered
                | Class::Unavailable => {
                    "see this host's network, DNS and proxy, `ca_file` in `config.toml`, and https://status.salesforce.com"
                }
            };
            return vec![finding("reach", Grade::Problem, failure.to_string()).fix(fix)];
        }
    };
    let mut findings = vec![finding(
        "reach",
        Grade::Good,
        "answers over verified TLS as a Salesforce API host does".to_owned(),
    )];
    if let Some(theirs) = survey.server_time {
        let skew = now.duration_since(theirs).unwrap_or_else(|e| e.duration());
        let grade = match skew {
            skew if skew >= SKEW_FATAL && flow == FlowKind::JwtBearer => Grade::Problem,
            skew if skew >= SKEW_DOUBTED => Grade::Warning,
            _ => Grade::Good,
        };
        let text = format!("this host's clock is {} s off Salesforce's", skew.as_secs());
        let clock = finding("clock", grade, text);
        findings.push(if grade > Grade::Good {
            clock.fix(
                "set this host's clock by NTP: deadlines of sessions and assertions hang on it",
            )
        } else {
            clock
        });
    }
    let mut wanted = vec![api_version];
    if flow == FlowKind::SoapLogin && api_version != API_VERSION {
        wanted.push(API_VERSION);
    }
    for version in wanted {
        let offered = survey.versions.iter().any(|offered| offered == version);
        let newest = survey.versions.last().map_or("", String::as_str);
        findings.push(if offered {
            let text = format!("offers API version {version}; the newest is {newest}");
            finding("api-version", Grade::Good, text)
        } else {
            let text = format!("does not offer API version {version}; the newest is {newest}");
            finding("api-version", Grade::Problem, text)
                .fix("set `api_version` in `config.toml` to one that it offers, or update sfvaultd")
        });
    }
    findings
}

/// Whether the record works, as a check found it.
#[must_use]
pub fn login(name: &str, result: &Result<bool, Error>) -> Finding {
    let finding = |grade, text: String| Finding::new("login", name, grade, text);
    match result {
        Ok(true) => finding(Grade::Good, "works, with a new login".to_owned()),
        Ok(false) => finding(Grade::Good, "works, with the session at hand".to_owned()),
        Err(error) => finding(Grade::Problem, error.to_string())
            .fix(format!("`sfvault check {name}` tells what to do")),
    }
}
