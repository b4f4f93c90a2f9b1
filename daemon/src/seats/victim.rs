//! Whose connection is closed when somebody needs a seat.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use super::{Pid, Seat, Sitter};
use crate::share::Level;

/// Who is compared at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    User(u32),
    Unit(Option<&'a str>),
    Process(Pid),
}

type Seated<'a> = (u64, &'a Seat);

/// The seat that has been idle longest among those of whoever has the most, and has more than the newcomer; where nobody
/// has, of the newcomer himself. Users are compared first, then the newcomer's units, then the processes of his unit.
pub(super) fn longest_idle(seats: &BTreeMap<u64, Arc<Seat>>, newcomer: &Sitter) -> Option<u64> {
    let mut compared: Vec<_> = seats.iter().map(|(n, seat)| (*n, &**seat)).collect();
    let mut levels = &Level::ALL[..];
    while let [level, inner @ ..] = levels {
        let own = key(*level, newcomer);
        let mut groups = grouped(compared, *level);
        let own = groups.remove(&own).unwrap_or_default();
        groups.retain(|_, group| group.len() > own.len());
        if let Some(found) = of_the_greediest(groups, inner) {
            return Some(found);
        }
        (compared, levels) = (own, inner);
    }
    oldest(&compared).map(|(_, number)| number)
}

fn of_the_greediest(groups: BTreeMap<Key<'_>, Vec<Seated<'_>>>, inner: &[Level]) -> Option<u64> {
    let idle = groups
        .into_values()
        .filter_map(|group| oldest(&group).map(|oldest| (group, oldest)));
    let (group, (_, number)) = idle.max_by(|(group, oldest), (other, others_oldest)| {
        let by_size = group.len().cmp(&other.len());
        by_size.then(others_oldest.cmp(oldest))
    })?;
    match inner {
        [] => Some(number),
        [level, inner @ ..] => of_the_greediest(grouped(group, *level), inner),
    }
}

fn grouped<'a>(seats: Vec<Seated<'a>>, level: Level) -> BTreeMap<Key<'a>, Vec<Seated<'a>>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (number, seat) in seats {
        let group = groups.entry(key(level, &seat.sitter)).or_default();
        group.push((number, seat));
    }
    groups
}

fn key(level: Level, sitter: &Sitter) -> Key<'_> {
    match level {
        Level::User => Key::User(sitter.party.uid),
        Level::Unit => Key::Unit(sitter.party.unit.as_deref()),
        Level::Process => Key::Process(sitter.pid),
    }
}

fn oldest(seats: &[Seated<'_>]) -> Option<(Instant, u64)> {
    let idle = seats
        .iter()
        .filter_map(|(number, seat)| seat.idle_since().map(|since| (since, *number)));
    idle.min()
}
