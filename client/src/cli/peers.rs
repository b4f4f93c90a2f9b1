//! `sfvault status --peers`: who is connected, and who is held back.

use serde_json::json;
use sfvault::{PeerLoad, Peers};

use super::{failure::Failure, output::Output};

pub(crate) fn show(peers: &Peers, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        let list: Vec<_> = peers
            .peers
            .iter()
            .map(|peer| {
                json!({
                    "uid": peer.uid,
                    "pid": peer.pid,
                    "unit": peer.unit,
                    "socket": peer.socket,
                    "connections": peer.connections,
                    "calls": peer.calls,
                    "waiting": peer.waiting,
                    "held_back": peer.held_back,
                })
            })
            .collect();
        return output.json(&json!({
            "peers": list,
            "room": peers.room,
            "share": peers.share,
        }));
    }
    output.fields(&[(
        "room",
        format!(
            "{} connections, {} of them for one process",
            peers.room, peers.share
        ),
    )])?;
    output.data(b"\n")?;
    let head = [
        "UID",
        "PID",
        "SOCKET",
        "CONNECTIONS",
        "CALLS",
        "WAITING",
        "HELD BACK",
        "UNIT",
    ];
    output.table(&head, peers.peers.iter().map(row).collect())
}

fn row(peer: &PeerLoad) -> Vec<String> {
    vec![
        peer.uid.to_string(),
        peer.pid
            .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        peer.socket.clone(),
        peer.connections.to_string(),
        peer.calls.to_string(),
        peer.waiting.to_string(),
        peer.held_back.to_string(),
        peer.unit.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
