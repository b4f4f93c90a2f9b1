//! An access rule as options, and as text and JSON.

use std::{fs, path::PathBuf};

use clap::Args;
use serde::Serialize;
use sfvault::{AccessRule, Id};

use super::failure::Failure;

/// A rule as options. All that is given has to fit.
#[derive(Debug, Args)]
pub(crate) struct RuleArgs {
    /// The user of the job: its name, or its number
    #[arg(long, value_name = "USER")]
    uid: Option<String>,

    /// A group of the job: its name, or its number
    #[arg(long, value_name = "GROUP")]
    gid: Option<String>,

    /// The system unit in which the job runs, such as nightly.service
    #[arg(long, value_name = "UNIT", conflicts_with = "user_unit")]
    unit: Option<String>,

    /// The unit of the user's own manager (systemctl --user); only with --uid
    #[arg(long, value_name = "UNIT", requires = "uid")]
    user_unit: Option<String>,

    /// The program of the job, by its real path; only with --uid
    #[arg(long, value_name = "PATH", requires = "uid")]
    exe: Option<PathBuf>,
}

impl RuleArgs {
    /// Whether nothing was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.uid.is_none()
            && self.gid.is_none()
            && self.unit.is_none()
            && self.user_unit.is_none()
            && self.exe.is_none()
    }

    /// The rule, with names looked up in this host's own lists.
    pub(crate) fn rule(self) -> Result<AccessRule, Failure> {
        let uid = self.uid.map(|text| user(text, "--uid"));
        let gid = self
            .gid
            .map(|text| resolve(text, "/etc/group", Kind::Group, "--gid"));
        Ok(AccessRule {
            uid: uid.transpose()?,
            gid: gid.transpose()?,
            unit: self.unit,
            user_unit: self.user_unit,
            exe: self.exe,
        })
    }
}

/// The user that an option names, with the name looked up in this host's own list.
///
/// # Errors
/// If there is no such user.
pub(crate) fn user(text: String, option: &str) -> Result<Id, Failure> {
    resolve(text, "/etc/passwd", Kind::User, option)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    User,
    Group,
}

/// Names of a directory service are not looked up: what a name means must be seen when the rule is made.
fn resolve(text: String, list: &str, kind: Kind, option: &str) -> Result<Id, Failure> {
    if let Ok(number) = text.parse() {
        let known = fs::read_to_string(list).unwrap_or_default();
        let name = entries(&known)
            .find(|(_, of)| *of == number)
            .map(|(name, _)| name.to_owned());
        return Ok(Id { number, name });
    }
    let (what, command) = match kind {
        Kind::User => ("user", format!("{option} \"$(id -u {text})\"")),
        Kind::Group => (
            "group",
            format!("{option} \"$(getent group {text} | cut -d: -f3)\""),
        ),
    };
    let known = fs::read_to_string(list)
        .map_err(|error| Failure::local(format!("can't read `{list}`: {error}")))?;
    let found = entries(&known).find(|(name, _)| *name == text);
    match found.map(|(_, number)| number) {
        Some(number) => Ok(Id {
            number,
            name: Some(text),
        }),
        None => Err(Failure::usage(
            format!("there is no {what} `{text}` in `{list}`"),
            format!("give the number, for example with {command}"),
        )),
    }
}

/// passwd(5) and group(5) both begin with name, password and number.
fn entries(list: &str) -> impl Iterator<Item = (&str, u32)> {
    list.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((name, fields.nth(1)?.parse().ok()?))
    })
}

/// A rule as JSON; what it does not ask for is `null`.
#[derive(Serialize)]
pub(crate) struct RuleJson<'a> {
    uid: Option<u32>,
    user: Option<&'a str>,
    gid: Option<u32>,
    group: Option<&'a str>,
    unit: Option<&'a str>,
    user_unit: Option<&'a str>,
    exe: Option<String>,
}

impl<'a> From<&'a AccessRule> for RuleJson<'a> {
    fn from(rule: &'a AccessRule) -> Self {
        let name = |id: &'a Option<Id>| id.as_ref().and_then(|id| id.name.as_deref());
        Self {
            uid: rule.uid.as_ref().map(|id| id.number),
            user: name(&rule.uid),
            gid: rule.gid.as_ref().map(|id| id.number),
            group: name(&rule.gid),
            unit: rule.unit.as_deref(),
            user_unit: rule.user_unit.as_deref(),
            exe: rule.exe.as_ref().map(|exe| exe.display().to_string()),
        }
    }
}

/// Rules as JSON.
pub(crate) fn rules_json(rules: &[AccessRule]) -> Vec<RuleJson<'_>> {
    rules.iter().map(RuleJson::from).collect()
}

/// A rule as the options that make it, so that it can be given to `deny`.
pub(crate) fn options(rule: &AccessRule) -> String {
    let id = |id: &Option<Id>| id.as_ref().map(|id| id.number.to_string());
    let parts = [
        ("--uid", id(&rule.uid)),
        ("--gid", id(&rule.gid)),
        ("--unit", rule.unit.clone()),
        ("--user-unit", rule.user_unit.clone()),
        (
            "--exe",
            rule.exe.as_ref().map(|exe| exe.display().to_string()),
        ),
    ];
    let given: Vec<_> = parts
        .into_iter()
        .filter_map(|(option, value)| Some(format!("{option} {}", value?)))
        .collect();
    given.join(" ")
}

/// The names behind the numbers of a rule.
pub(crate) fn names(rule: &AccessRule) -> String {
    let name = |id: &Option<Id>| id.as_ref().and_then(|id| id.name.clone());
    let names: Vec<_> = [name(&rule.uid), name(&rule.gid)]
        .into_iter()
        .flatten()
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whole_and_numbers_as_they_are() {
        let list = "root:x:0:0::/:/bin/sh\netl2:x:7:\netl:x:1001:1001::/:\nbroken\nodd:x:y:\n";
        let number = |wanted: &str| {
            entries(list)
                .find(|(name, _)| *name == wanted)
                .map(|(_, number)| number)
        };
        assert_eq!((number("etl"), number("root")), (Some(1001), Some(0)));
        assert_eq!(
            (number("et"), number("broken"), number("odd")),
            (None, None, None)
        );
        let root = resolve("root".to_owned(), "/etc/passwd", Kind::User, "--uid").unwrap();
        assert_eq!((root.number, root.name.as_deref()), (0, Some("root")));
        let zero = resolve("0".to_owned(), "/etc/passwd", Kind::User, "--uid").unwrap();
        assert_eq!(zero, root);
        let none = resolve(
            "no such user".to_owned(),
            "/etc/passwd",
            Kind::User,
            "--peer-uid",
        );
        assert!(none.unwrap_err().hint().unwrap().contains("id -u"));
    }

    #[test]
    fn a_rule_is_shown_as_the_options_that_make_it() {
        let rule = AccessRule {
            uid: Some(Id {
                number: 1001,
                name: Some("etl".to_owned()),
            }),
            unit: Some("nightly.service".to_owned()),
            exe: Some("/opt/etl".into()),
            ..AccessRule::default()
        };
        assert_eq!(
            options(&rule),
            "--uid 1001 --unit nightly.service --exe /opt/etl"
        );
        assert_eq!(names(&rule), "etl");
    }
}
