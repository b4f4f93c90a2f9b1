//! The sections of the file, each key with its limits.

use std::{path::PathBuf, time::Duration};

use super::{Config, Problem, table::Table};
use crate::{
    day::Day,
    host::Host,
    retirement::{Event, Retirements},
    salesforce::proxy::{Proxy, ProxyUrl},
};

impl Config {
    pub(super) fn salesforce_section(
        &mut self,
        section: &mut Table<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let salesforce = &mut self.salesforce;
        if let Some(hosts) = section.strings("allowed_hosts", problems, |text| {
            Host::parse(text)
                .map_err(|problem| format!("`{}` is no host: {problem}", text.escape_debug()))
        }) {
            salesforce.host_rules.allowed = hosts;
        }
        if let Some(instanced) = section.boolean("instanced_hosts", problems) {
            salesforce.host_rules.instanced = instanced;
        }
        if let Some(path) = section.string("ca_file", problems, |text| {
            let path = PathBuf::from(text);
            if path.is_absolute() {
                Ok(path)
            } else {
                Err("must be an absolute path".to_owned())
            }
        }) {
            salesforce.ca_file = Some(path);
        }
        if let Some(proxy) = section.string("proxy", problems, |text| match text {
            "environment" => Ok(Proxy::Environment),
            "none" => Ok(Proxy::None),
            // The text may hold a password: never quote it.
            url => ProxyUrl::parse(url)
                .map(Proxy::Url)
                .map_err(|problem| format!("is no proxy: {problem}")),
        }) {
            salesforce.proxy = proxy;
        }
        if let Some(seconds) = section.integer("connect_timeout_seconds", 1..=120, problems) {
            salesforce.connect_timeout = Duration::from_secs(seconds);
        }
        if let Some(seconds) = section.integer("answer_timeout_seconds", 1..=600, problems) {
            salesforce.answer_timeout = Duration::from_secs(seconds);
        }
        if let Some(percent) = section.integer("login_share_percent", 1..=100, problems) {
            self.login_share_percent = u32::try_from(percent).unwrap_or(100);
        }
        if let Some(version) = section.string("api_version", problems, |text| {
            let major = text
                .strip_suffix(".0")
                .and_then(|major| major.parse::<u16>().ok());
            // Versions up to 30.0 were retired in Summer '25 (Salesforce release notes).
            match major {
                Some(31..=999) => Ok(text.to_owned()),
                Some(_) | None => Err("must be an API version from \"31.0\" on".to_owned()),
            }
        }) {
            self.api_version = version;
        }
        // 0: never. More than the 30 days after which Salesforce ends them would be never too.
        if let Some(days) = section.integer("use_refresh_tokens_after_days", 0..=29, problems) {
            let after = Duration::from_hours(24 * days);
            self.token_upkeep.after = (days > 0).then_some(after);
        }
    }

    pub(super) fn admin_section(&mut self, section: &mut Table<'_>, problems: &mut Vec<Problem>) {
        self.admin_group = section.string("group", problems, |text| {
            let odd = |c: char| c.is_control() || c.is_whitespace() || c == ':';
            if text.is_empty() || text.contains(odd) {
                Err("is not the name of a group".to_owned())
            } else {
                Ok(text.to_owned())
            }
        });
    }

    pub(super) fn hardening_section(
        &mut self,
        section: &mut Table<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let hardening = &mut self.hardening;
        hardening.landlock = section.boolean("landlock", problems).unwrap_or(true);
        hardening.seccomp = section.boolean("seccomp", problems).unwrap_or(true);
    }

    pub(super) fn retirement_section(
        &mut self,
        section: &mut Table<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let set: Vec<_> = Event::ALL
            .into_iter()
            .filter_map(|event| {
                let day = section.string(event.name(), problems, |text| match text {
                    "never" => Ok(None),
                    day => Day::parse(day).map(Some).ok_or_else(|| {
                        "must be a day like \"2027-06-01\", or \"never\"".to_owned()
                    }),
                })?;
                Some((event, day))
            })
            .collect();
        self.retirements = Retirements::with(|event| {
            let found = set.iter().find(|(named, _)| *named == event);
            found.map(|(_, day)| *day)
        });
    }

    pub(super) fn vault_section(&mut self, section: &mut Table<'_>, problems: &mut Vec<Problem>) {
        if let Some(mib) = section.integer("kdf_memory_mib", 8..=1024, problems) {
            self.kdf.memory_kib = u32::try_from(mib * 1024).unwrap_or(u32::MAX);
        }
        if let Some(iterations) = section.integer("kdf_iterations", 1..=16, problems) {
            self.kdf.iterations = u32::try_from(iterations).unwrap_or(u32::MAX);
        }
    }

    pub(super) fn audit_section(&mut self, section: &mut Table<'_>, problems: &mut Vec<Problem>) {
        if let Some(kib) = section.integer("file_kib", 64..=1 << 20, problems) {
            self.audit.file_bytes = kib * 1024;
        }
        if let Some(files) = section.integer("keep_files", 1..=100_000, problems) {
            self.audit.keep_files = usize::try_from(files).ok();
        }
        if let Some(journald) = section.boolean("journald", problems) {
            self.audit.journald = journald;
        }
    }
}
