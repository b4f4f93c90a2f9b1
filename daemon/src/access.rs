//! Who may use a record, as the operator wrote it down: rules, each a conjunction of what the kernel can tell.
//!
//! A rule that a peer could fulfil at will is no rule, so those are refused here, where the operator still listens. What
//! each selector proves is in the threat model.

mod weak;

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Rules of one record. Each is asked for every call, and an operator has to understand them all.
pub const MOST_RULES: usize = 64;
/// What a socket address, a cgroup name and a path can hold at most, in bytes.
const LONGEST_UNIT: usize = 255;
const LONGEST_EXE: usize = 4095;
const LONGEST_NAME: usize = 256;

/// A user or group: the number counts, the name was its name when the rule was made.
#[derive(Debug, Clone)]
pub struct Id {
    pub number: u32,
    pub name: Option<String>,
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Id {}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} ({name})", self.number),
            None => self.number.fmt(f),
        }
    }
}

/// A systemd unit, and whose manager runs it: a user can give a unit of its own any name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// Of the system's manager.
    System(String),
    /// Of the manager of a user.
    User { uid: u32, name: String },
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(name) => name.fmt(f),
            Self::User { uid, name } => write!(f, "{name} of the manager of user {uid}"),
        }
    }
}

/// What a peer has to be: all that is named here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    uid: Option<Id>,
    gid: Option<Id>,
    unit: Option<Unit>,
    exe: Option<PathBuf>,
}

/// What a rule is made of, before anybody looked at it.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub uid: Option<Id>,
    pub gid: Option<Id>,
    /// Of the system's manager.
    pub unit: Option<String>,
    /// Of the manager of the rule's user.
    pub user_unit: Option<String>,
    /// The program's file, by its real path.
    pub exe: Option<PathBuf>,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    pub selector: &'static str,
    pub problem: String,
}

/// The id that the kernel shows for every owner that it can't name, and that services without a user share.
const NOBODY: u32 = 65_534;

impl Rule {
    /// The rule of one user.
    #[must_use]
    pub fn of_user(uid: u32) -> Self {
        Self {
            uid: Some(Id {
                number: uid,
                name: None,
            }),
            gid: None,
            unit: None,
            exe: None,
        }
    }

    /// Checks a rule without looking at the system.
    ///
    /// # Errors
    /// If it names nothing, or what it names can't be, or would prove nothing.
    pub fn new(draft: Draft) -> Result<Self, RuleProblem> {
        let problem = |selector, problem: &str| {
            Err(RuleProblem {
                selector,
                problem: problem.to_owned(),
            })
        };
        for (selector, id) in [("uid", &draft.uid), ("gid", &draft.gid)] {
            match id {
                Some(id) if id.number == NOBODY || id.number == u32::MAX => {
                    return problem(
                        selector,
                        "is the id of whoever has none of its own; give the job one of its own",
                    );
                }
                Some(Id {
                    name: Some(name), ..
                }) if name.is_empty()
                    || name.len() > LONGEST_NAME
                    || name.chars().any(char::is_control) =>
                {
                    return problem(selector, "has a name that is none");
                }
                Some(_) | None => {}
            }
        }
        let unit = match (draft.unit, draft.user_unit, &draft.uid) {
            (None, None, _) => None,
            (Some(_), Some(_), _) => {
                return problem("user_unit", "can't be asked for beside a system unit");
            }
            (Some(name), None, _) => Some(Unit::System(checked_unit("unit", name)?)),
            (None, Some(name), Some(uid)) => Some(Unit::User {
                uid: uid.number,
                name: checked_unit("user_unit", name)?,
            }),
            (None, Some(_), None) => {
                return problem(
                    "user_unit",
                    "proves nothing alone: every user can run a unit of this name; add the uid",
                );
            }
        };
        if let Some(exe) = &draft.exe {
            if draft.uid.is_none() {
                return problem(
                    "exe",
                    "proves nothing alone: every user can run the program, and under a debugger; add the uid",
                );
            }
            check_exe(exe)?;
        }
        let rule = Self {
            uid: draft.uid,
            gid: draft.gid,
            unit,
            exe: draft.exe,
        };
        if !rule.names_somebody() {
            return problem("rule", "names nobody; give a uid, a gid or a unit");
        }
        Ok(rule)
    }

    /// A rule that was accepted before. What is thought weak today may have been accepted then, and must not make a
    /// vault unreadable.
    #[must_use]
    pub fn accepted(draft: Draft) -> Option<Self> {
        let unit = match (draft.unit, draft.user_unit, &draft.uid) {
            (None, None, _) => None,
            (Some(name), None, _) => Some(Unit::System(name)),
            (None, Some(name), Some(uid)) => Some(Unit::User {
                uid: uid.number,
                name,
            }),
            (Some(_), Some(_), _) | (None, Some(_), None) => return None,
        };
        let rule = Self {
            uid: draft.uid,
            gid: draft.gid,
            unit,
            exe: draft.exe,
        };
        rule.names_somebody().then_some(rule)
    }

    /// What the rule says, to be kept or shown.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let (unit, user_unit) = match &self.unit {
            None => (None, None),
            Some(Unit::System(name)) => (Some(name.clone()), None),
            Some(Unit::User { name, .. }) => (None, Some(name.clone())),
        };
        Draft {
            uid: self.uid.clone(),
            gid: self.gid.clone(),
            unit,
            user_unit,
            exe: self.exe.clone(),
        }
    }

    /// The user that it asks for.
    #[must_use]
    pub fn uid(&self) -> Option<&Id> {
        self.uid.as_ref()
    }

    /// The group that it asks for.
    #[must_use]
    pub fn gid(&self) -> Option<&Id> {
        self.gid.as_ref()
    }

    /// The unit that it asks for.
    #[must_use]
    pub fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }

    /// The program that it asks for.
    #[must_use]
    pub fn exe(&self) -> Option<&Path> {
        self.exe.as_deref()
    }

    fn names_somebody(&self) -> bool {
        self.uid.is_some() || self.gid.is_some() || self.unit.is_some()
    }

    /// Whether the process has to be looked at for every call, because it can change what is asked for.
    #[must_use]
    pub fn needs_process(&self) -> bool {
        self.unit.is_some() || self.exe.is_some()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let mut part = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            write!(f, "{between}{name} {value}")?;
            between = ", ";
            Ok(())
        };
        if let Some(uid) = &self.uid {
            part(f, "uid", uid)?;
        }
        if let Some(gid) = &self.gid {
            part(f, "gid", gid)?;
        }
        match &self.unit {
            Some(Unit::System(name)) => part(f, "unit", name)?,
            Some(Unit::User { name, .. }) => part(f, "user unit", name)?,
            None => {}
        }
        match &self.exe {
            Some(exe) => part(f, "exe", &exe.display()),
            None => Ok(()),
        }
    }
}

fn checked_unit(selector: &'static str, name: String) -> Result<String, RuleProblem> {
    let problem = |problem: &str| {
        Err(RuleProblem {
            selector,
            problem: problem.to_owned(),
        })
    };
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'.' | b'\\' | b'@');
    let Some((stem, "service" | "scope")) = name.rsplit_once('.') else {
        return problem("must end in `.service` or `.scope`: other units run no jobs");
    };
    if stem.is_empty() || name.len() > LONGEST_UNIT || !name.bytes().all(allowed) {
        return problem("is not the name of a unit");
    }
    if stem.ends_with('@') {
        return problem(
            "is a template, which never runs; name its instance, such as `job@1.service`",
        );
    }
    if name.starts_with("user@") {
        return problem("is the manager of a user, who can run anything in it; take `user_unit`");
    }
    Ok(name)
}

fn check_exe(exe: &Path) -> Result<(), RuleProblem> {
    let problem = |problem: String| {
        Err(RuleProblem {
            selector: "exe",
            problem,
        })
    };
    let Some(text) = exe.to_str().filter(|text| text.starts_with('/')) else {
        return problem("must be an absolute path, in UTF-8".to_owned());
    };
    if text.len() > LONGEST_EXE || text.chars().any(char::is_control) {
        return problem("is too long, or has control characters".to_owned());
    }
    // The kernel shows no others, so no peer would ever match.
    let plain = text
        .get(1..)
        .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")));
    if !plain {
        return problem("must be a real path, without `.`, `..` and doubled slashes".to_owned());
    }
    match weak::program(exe) {
        Some(why) => problem(format!("is no identity: {why}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
