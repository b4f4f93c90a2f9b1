//! Who is connected, what each has, and who is held back, as messages.

use std::time::SystemTime;

use sfvault_proto::v1;

use super::door::House;
use crate::{
    seats::{Load, Seats},
    share::{Account, Good, Level, Pool},
};

/// What is told of both sockets, and of those who are not let in.
pub(super) fn peers(house: &House, now: SystemTime) -> v1::GetPeersResponse {
    let of = |socket: &'static str, seats: &Seats| {
        let loads = seats.loads().into_iter();
        loads.map(move |load| peer(socket, load, now))
    };
    let sessions = house.sessions.pool();
    v1::GetPeersResponse {
        peers: of("sfvault.sock", &house.sessions)
            .chain(of("admin.sock", &house.admin))
            .chain(of("denied", &house.strangers))
            .collect(),
        limits: Good::ALL
            .into_iter()
            .filter_map(|good| limit(sessions, good))
            .collect(),
    }
}

fn peer(socket: &str, load: Load, now: SystemTime) -> v1::PeerLoad {
    let Load { account, pids } = load;
    let party = account.party();
    let held_back = Good::ALL
        .into_iter()
        .filter_map(|good| held_back(&account, good, now));
    v1::PeerLoad {
        uid: party.uid,
        unit: party.unit.as_deref().unwrap_or_default().to_owned(),
        socket: socket.to_owned(),
        connections: small(account.has(Good::Connections)),
        calls: small(account.has(Good::Calls)),
        waiting: small(account.has(Good::Waiting)),
        pids,
        calls_total: account.calls(),
        bytes: account.has(Good::Bytes) as u64,
        logins: account.logins(),
        holds: small(account.has(Good::Holds)),
        held_back: held_back.collect(),
    }
}

fn held_back(account: &Account, good: Good, now: SystemTime) -> Option<v1::HeldBack> {
    let times = account.held_back(good);
    (times > 0).then(|| v1::HeldBack {
        what: good.name().to_owned(),
        times,
        now: account.is_held_back(good, now),
        until: account
            .no_login_until(now)
            .filter(|_| good == Good::Logins)
            .map(Into::into),
    })
}

fn limit(pool: &Pool, good: Good) -> Option<v1::Limit> {
    let room = pool.room(good)?;
    let most = |level: Level| level.most(room) as u64;
    Some(v1::Limit {
        what: good.name().to_owned(),
        room: room as u64,
        user: most(Level::User),
        unit: most(Level::Unit),
        process: match good {
            Good::Connections | Good::Waiting => most(Level::Process),
            Good::Calls | Good::Bytes | Good::Turns | Good::Logins | Good::Holds => 0,
        },
    })
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
