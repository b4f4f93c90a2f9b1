//! Access rules, verdicts and peers as messages.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use sfvault_proto::v1;

use super::convert;
use crate::{
    access::{Draft, Id, Rule, Unit},
    error::Error,
    mode::Mode,
    policy::{Identity, Policy, Seen, Verdict, check_program, explain as look_at, verdict},
    vault::Vault,
};

pub(super) async fn allow(
    vault: &Arc<Vault>,
    policy: &Policy,
    request: v1::AllowPeerRequest,
) -> Result<v1::AllowPeerResponse, Error> {
    let name = convert::record_name(&request.name)?;
    let sent = request
        .rule
        .ok_or_else(|| Error::invalid("rule", "is missing"))?;
    let rule = rule(sent)?;
    if let Some(exe) = rule.exe() {
        check_program(exe, policy.sight()).map_err(|problem| Error::invalid("exe", problem))?;
    }
    let warnings = doubts(&rule, policy);
    let access = vault.allow(policy.clone(), name, rule).await?;
    Ok(v1::AllowPeerResponse {
        rules: rules(&access.rules),
        changed: access.changed,
        warnings,
    })
}

pub(super) async fn deny(
    vault: &Arc<Vault>,
    policy: &Policy,
    request: v1::DenyPeerRequest,
) -> Result<v1::DenyPeerResponse, Error> {
    let name = convert::record_name(&request.name)?;
    let rule = request.rule.map(accepted).transpose()?;
    let access = vault.deny(policy.clone(), name, rule).await?;
    Ok(v1::DenyPeerResponse {
        rules: rules(&access.rules),
        changed: access.changed,
    })
}

pub(super) fn get(
    vault: &Vault,
    policy: &Policy,
    request: &v1::GetAccessRequest,
) -> Result<v1::GetAccessResponse, Error> {
    let access = vault.access(policy, &request.name)?;
    Ok(v1::GetAccessResponse {
        rules: rules(&access.rules),
        is_default: access.default,
    })
}

pub(super) fn explain(
    vault: &Vault,
    policy: &Policy,
    request: &v1::ExplainAccessRequest,
) -> Result<v1::ExplainAccessResponse, Error> {
    let access = vault.access(policy, &request.name)?;
    let programs: BTreeSet<PathBuf> = access
        .rules
        .iter()
        .filter_map(|rule| rule.exe().map(PathBuf::from))
        .collect();
    let pid = i32::try_from(request.pid).unwrap_or(0);
    let peer = look_at(pid, &programs, policy.sight())
        .map_err(|error| Error::invalid("pid", error.to_string()))?;
    let decided = verdict(&access.rules, &peer);
    let verdicts = access.rules.iter().enumerate().map(|(number, rule)| {
        let (decides, missing) = match &decided {
            Verdict::Allowed { rule } => (*rule == number, Vec::new()),
            Verdict::Denied { missing } => {
                (false, missing.get(number).cloned().unwrap_or_default())
            }
            Verdict::Unsettled => (false, Vec::new()),
        };
        v1::RuleVerdict {
            rule: Some(message(rule)),
            decides,
            missing,
        }
    });
    Ok(v1::ExplainAccessResponse {
        allowed: matches!(decided, Verdict::Allowed { .. }),
        rules: verdicts.collect(),
        peer: Some(identity(&peer)),
    })
}

/// What an operator should know about a rule that is accepted.
fn doubts(rule: &Rule, policy: &Policy) -> Vec<String> {
    let mut doubts = Vec::new();
    let foreign = rule.uid().is_none_or(|uid| uid.number != policy.own_uid());
    if policy.mode() == Mode::User && foreign {
        doubts.push(
            "this daemon serves one user: others get into neither its runtime directory nor its socket; \
             a daemon for several users runs in system mode (SFVAULT_MODE=system)"
                .to_owned(),
        );
    }
    if policy.mode() == Mode::User
        && rule.uid().is_some_and(|uid| uid.number == policy.own_uid())
        && rule.needs_process()
    {
        doubts.push(
            "this rule widens nothing while the daemon's own user may use the record anyway; \
             `sfvault access` shows the rules, `sfvault deny` removes one"
                .to_owned(),
        );
    }
    if rule.uid().is_some_and(|uid| uid.number == 0) {
        doubts.push("whatever runs as root will get sessions of this record".to_owned());
    }
    doubts
}

fn rule(sent: v1::AccessRule) -> Result<Rule, Error> {
    Rule::new(draft(sent)).map_err(|problem| Error::invalid(problem.selector, problem.problem))
}

/// A rule in words, for the audit. What is none may be anything.
pub(super) fn named(sent: Option<&v1::AccessRule>) -> Option<String> {
    match sent {
        None => Some("all rules".to_owned()),
        Some(sent) => accepted(sent.clone()).ok().map(|rule| rule.to_string()),
    }
}

/// A rule that may be there, though it would not be accepted now.
fn accepted(sent: v1::AccessRule) -> Result<Rule, Error> {
    Rule::accepted(draft(sent))
        .ok_or_else(|| Error::invalid("rule", "means nothing; give it as it was added"))
}

fn draft(sent: v1::AccessRule) -> Draft {
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let id = |number: Option<u32>, name| {
        number.map(|number| Id {
            number,
            name: filled(name),
        })
    };
    Draft {
        uid: id(sent.uid, sent.user),
        gid: id(sent.gid, sent.group),
        unit: filled(sent.unit),
        user_unit: filled(sent.user_unit),
        exe: filled(sent.exe).map(PathBuf::from),
    }
}

fn rules(rules: &[Rule]) -> Vec<v1::AccessRule> {
    rules.iter().map(message).collect()
}

fn message(rule: &Rule) -> v1::AccessRule {
    let draft = rule.draft();
    let (uid, user) = draft
        .uid
        .map_or((None, None), |id| (Some(id.number), id.name));
    let (gid, group) = draft
        .gid
        .map_or((None, None), |id| (Some(id.number), id.name));
    v1::AccessRule {
        uid,
        user: user.unwrap_or_default(),
        gid,
        group: group.unwrap_or_default(),
        unit: draft.unit.unwrap_or_default(),
        user_unit: draft.user_unit.unwrap_or_default(),
        exe: draft
            .exe
            .map_or_else(String::new, |exe| exe.display().to_string()),
    }
}

fn identity(peer: &Identity) -> v1::PeerIdentity {
    let mut shown = v1::PeerIdentity {
        uid: peer.uid,
        gid: peer.gid,
        ..v1::PeerIdentity::default()
    };
    match &peer.groups {
        Seen::Is(groups) => shown.groups = groups.to_vec(),
        Seen::Unknown(why) => shown.unknown.push(format!("groups: {why}")),
        Seen::Unasked => {}
    }
    match &peer.unit {
        Seen::Is(Some(Unit::System(name))) => shown.unit.clone_from(name),
        Seen::Is(Some(Unit::User { uid, name })) => {
            shown.user_unit.clone_from(name);
            shown.unit_uid = Some(*uid);
        }
        Seen::Unknown(why) => shown.unknown.push(format!("unit: {why}")),
        Seen::Is(None) | Seen::Unasked => {}
    }
    match &peer.program {
        Seen::Is(program) => shown.exe = program.path.display().to_string(),
        Seen::Unknown(why) => shown.unknown.push(format!("exe: {why}")),
        Seen::Unasked => {}
    }
    shown
}
