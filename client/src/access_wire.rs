//! Access rules and peers between this crate's types and the wire.

use std::path::PathBuf;

use sfvault_proto::v1;

use crate::{
    Access, AccessChange, AccessRule, Error, Explanation, HeldBack, Id, Limit, PeerIdentity,
    PeerLoad, Peers, RuleVerdict,
};

pub(crate) fn rule_to_wire(rule: &AccessRule) -> Result<v1::AccessRule, Error> {
    let name = |id: &Option<Id>| id.as_ref().and_then(|id| id.name.clone());
    let exe = match &rule.exe {
        None => String::new(),
        Some(path) => path
            .to_str()
            .ok_or_else(|| {
                Error::new(
                    crate::Reason::InvalidArgument,
                    "`exe`: the path is not UTF-8",
                )
            })?
            .to_owned(),
    };
    Ok(v1::AccessRule {
        uid: rule.uid.as_ref().map(|id| id.number),
        user: name(&rule.uid).unwrap_or_default(),
        gid: rule.gid.as_ref().map(|id| id.number),
        group: name(&rule.gid).unwrap_or_default(),
        unit: rule.unit.clone().unwrap_or_default(),
        user_unit: rule.user_unit.clone().unwrap_or_default(),
        exe,
    })
}

pub(crate) fn allowed(wire: v1::AllowPeerResponse) -> AccessChange {
    AccessChange {
        rules: rules(wire.rules),
        changed: wire.changed,
        warnings: wire.warnings,
    }
}

pub(crate) fn denied(wire: v1::DenyPeerResponse) -> AccessChange {
    AccessChange {
        rules: rules(wire.rules),
        changed: wire.changed,
        warnings: Vec::new(),
    }
}

pub(crate) fn access(wire: v1::GetAccessResponse) -> Access {
    Access {
        rules: rules(wire.rules),
        is_default: wire.is_default,
    }
}

pub(crate) fn explanation(wire: v1::ExplainAccessResponse) -> Result<Explanation, Error> {
    let peer = wire
        .peer
        .ok_or_else(|| Error::malformed("`peer` is missing"))?;
    Ok(Explanation {
        allowed: wire.allowed,
        rules: wire
            .rules
            .into_iter()
            .map(|verdict| RuleVerdict {
                rule: rule(verdict.rule.unwrap_or_default()),
                decides: verdict.decides,
                missing: verdict.missing,
            })
            .collect(),
        peer: PeerIdentity {
            uid: peer.uid,
            gid: peer.gid,
            groups: peer.groups,
            unit: filled(peer.unit),
            user_unit: filled(peer.user_unit),
            unit_uid: peer.unit_uid,
            exe: filled(peer.exe),
            unknown: peer.unknown,
        },
    })
}

pub(crate) fn peers(wire: v1::GetPeersResponse) -> Peers {
    let limit = |limit: v1::Limit| Limit {
        what: limit.what,
        room: limit.room,
        user: limit.user,
        unit: limit.unit,
        process: Some(limit.process).filter(|most| *most != 0),
    };
    Peers {
        peers: wire.peers.into_iter().map(peer).collect(),
        limits: wire.limits.into_iter().map(limit).collect(),
    }
}

fn peer(wire: v1::PeerLoad) -> PeerLoad {
    let held_back = |held: v1::HeldBack| HeldBack {
        what: held.what,
        times: held.times,
        now: held.now,
        until: held.until.and_then(|until| until.try_into().ok()),
    };
    PeerLoad {
        uid: wire.uid,
        unit: filled(wire.unit),
        pids: wire.pids,
        socket: wire.socket,
        connections: wire.connections,
        calls: wire.calls,
        waiting: wire.waiting,
        calls_total: wire.calls_total,
        bytes: wire.bytes,
        logins: wire.logins,
        holds: wire.holds,
        held_back: wire.held_back.into_iter().map(held_back).collect(),
    }
}

fn rules(wire: Vec<v1::AccessRule>) -> Vec<AccessRule> {
    wire.into_iter().map(rule).collect()
}

fn rule(wire: v1::AccessRule) -> AccessRule {
    let id = |number: Option<u32>, name| {
        number.map(|number| Id {
            number,
            name: filled(name),
        })
    };
    AccessRule {
        uid: id(wire.uid, wire.user),
        gid: id(wire.gid, wire.group),
        unit: filled(wire.unit),
        user_unit: filled(wire.user_unit),
        exe: filled(wire.exe).map(PathBuf::from),
    }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
