//! `sfvault status --peers`: who is connected, and who is held back.

use serde_json::{Map, Value, json};
use sfvault::{HeldBack, Limit, PeerLoad, Peers};

use super::{failure::Failure, instant::rfc3339, output::Output};

pub(crate) fn show(peers: &Peers, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        let limits: Map<String, Value> = peers.limits.iter().map(limit_json).collect();
        let list: Vec<_> = peers.peers.iter().map(peer_json).collect();
        return output.json(&json!({ "peers": list, "limits": limits }));
    }
    let head = [
        "UID",
        "UNIT",
        "SOCKET",
        "PIDS",
        "CONNECTIONS",
        "CALLS",
        "WAITING",
        "ALL CALLS",
        "LOGINS",
        "HOLDS",
        "HELD BACK",
    ];
    output.table(&head, peers.peers.iter().map(row).collect())?;
    output.data(b"\n")?;
    let head = ["LIMIT", "ROOM", "ONE USER", "ONE UNIT", "ONE PROCESS"];
    output.table(&head, peers.limits.iter().map(limit_row).collect())
}

fn limit_json(limit: &Limit) -> (String, Value) {
    let shares = json!({
        "room": limit.room,
        "user": limit.user,
        "unit": limit.unit,
        "process": limit.process,
    });
    (limit.what.clone(), shares)
}

fn limit_row(limit: &Limit) -> Vec<String> {
    vec![
        limit.what.clone(),
        limit.room.to_string(),
        limit.user.to_string(),
        limit.unit.to_string(),
        limit
            .process
            .map_or_else(|| "-".to_owned(), |most| most.to_string()),
    ]
}

fn peer_json(peer: &PeerLoad) -> Value {
    let held = |held: &HeldBack| {
        json!({
            "what": held.what,
            "times": held.times,
            "now": held.now,
            "until": held.until.map(rfc3339),
        })
    };
    json!({
        "uid": peer.uid,
        "unit": peer.unit,
        "socket": peer.socket,
        "pids": peer.pids,
        "connections": peer.connections,
        "calls": peer.calls,
        "waiting": peer.waiting,
        "bytes": peer.bytes,
        "calls_total": peer.calls_total,
        "logins": peer.logins,
        "holds": peer.holds,
        "held_back": peer.held_back.iter().map(held).collect::<Vec<_>>(),
    })
}

fn row(peer: &PeerLoad) -> Vec<String> {
    let held: Vec<_> = peer.held_back.iter().map(in_words).collect();
    vec![
        peer.uid.to_string(),
        peer.unit.clone().unwrap_or_else(|| "-".to_owned()),
        peer.socket.clone(),
        pids(&peer.pids),
        peer.connections.to_string(),
        peer.calls.to_string(),
        peer.waiting.to_string(),
        peer.calls_total.to_string(),
        peer.logins.to_string(),
        peer.holds.to_string(),
        if held.is_empty() {
            "-".to_owned()
        } else {
            held.join(", ")
        },
    ]
}

fn in_words(held: &HeldBack) -> String {
    let state = match held.until {
        Some(until) => format!(" until {}", rfc3339(until)),
        None if held.now => " now".to_owned(),
        None => String::new(),
    };
    format!("{} {}x{state}", held.what, held.times)
}

/// A crowd would be as wide as it is large.
fn pids(pids: &[i32]) -> String {
    match pids {
        [] => "-".to_owned(),
        [one] => one.to_string(),
        [one, another] => format!("{one}, {another}"),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}
