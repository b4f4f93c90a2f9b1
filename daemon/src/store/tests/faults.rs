//! A disk that fails, fills up or loses power at every step: the record is old or new, never between.

use super::*;
use disk::Fault;

const OLD: u64 = 7;
const NEW: u64 = 8;

/// How the disk fails, and what the store must call it.
const KINDS: [(io::ErrorKind, bool); 3] = [
    (io::ErrorKind::StorageFull, false),
    (io::ErrorKind::Other, false),
    (io::ErrorKind::StorageFull, true),
];

/// The change whose every step is made to fail: a ledger and a credential, in one `put`.
fn change(store: &Store, keys: &Keys) -> Result<Revision, StoreError> {
    let next = Record {
        credential_version: 2,
        ..record(1)
    };
    let secret = credential("new");
    store.put(
        keys,
        Some(Revision(1)),
        &next,
        &generation(NEW),
        Some(&secret),
    )
}

/// Whether the vault holds the new record; panics if it is neither old nor new, or anything else is amiss.
fn is_new(store: &Store, keys: &Keys, when: &str) -> bool {
    let found = contents(store, keys).unwrap_or_else(|error| panic!("{when}: {error:?}"));
    assert_eq!(found.len(), 3, "{when}");
    for number in [0, 2] {
        assert_eq!(found[number].0.ledger, generation(OLD), "{when}");
        assert!(found[number].1.matches(&credential(&number.to_string())));
    }
    let (stored, secret) = &found[1];
    match stored.revision {
        Revision(1) => {
            assert_eq!(stored.ledger.generation, OLD, "{when}");
            assert!(secret.matches(&credential("1")), "{when}");
            false
        }
        Revision(2) => {
            assert_eq!(stored.ledger.generation, NEW, "{when}");
            assert!(secret.matches(&credential("new")), "{when}");
            true
        }
        other => panic!("{when}: {other:?}"),
    }
}

/// A vault of three records: closed, or open and about to be changed not for the first time.
fn start(image: &[u8], keys: &Keys, warm: bool) -> (Disk, Store) {
    let disk = Disk::holding(image.to_vec());
    let store = Store::open_backend(disk.clone()).unwrap();
    if warm {
        let secret = credential("x");
        store
            .put(keys, None, &record(9), &generation(0), Some(&secret))
            .unwrap();
        store.remove(record(9).id, Revision(1)).unwrap();
    }
    (disk, store)
}

fn image() -> (Vec<u8>, Keys) {
    let (disk, store, keys) = filled(3);
    drop(store);
    (disk.bytes(), keys)
}

/// T31
#[test]
fn a_fault_at_any_step_of_a_change_is_a_typed_error_and_the_store_works_on() {
    let (image, keys) = image();
    for warm in [false, true] {
        for once in [false, true] {
            for (kind, short) in KINDS {
                for after in 1.. {
                    let when =
                        format!("{kind} at {after}, warm {warm}, once {once}, short {short}");
                    let (disk, store) = start(&image, &keys, warm);
                    disk.arm(Fault {
                        after,
                        kind,
                        once,
                        short,
                        reads_too: false,
                    });
                    let result = change(&store, &keys);
                    let struck = disk.heal();
                    if !struck {
                        assert_eq!(result, Ok(Revision(2)), "{when}");
                        assert!(after > 5, "the fault never had a chance");
                        break;
                    }
                    match &result {
                        Ok(_) => {}
                        Err(StoreError::Full { .. }) => {
                            assert_eq!(kind, io::ErrorKind::StorageFull, "{when}");
                        }
                        Err(StoreError::Io { .. }) => {
                            assert_eq!(kind, io::ErrorKind::Other, "{when}");
                        }
                        Err(error) => panic!("{when}: {error:?}"),
                    }
                    // The same store, with nothing done to it, reads and writes again.
                    let new = is_new(&store, &keys, &when);
                    assert!(new || result.is_err(), "{when}: acknowledged and lost");
                    if !new {
                        assert_eq!(change(&store, &keys), Ok(Revision(2)), "{when}");
                    }
                    drop(store);
                    let reopened = Store::open_backend(disk).unwrap();
                    assert!(is_new(&reopened, &keys, &when));
                }
            }
        }
    }
}

#[test]
fn a_read_that_fails_is_a_typed_error_and_the_next_one_works() {
    let (image, keys) = image();
    let opened = Store::open_backend(Disk::holding(image.clone())).unwrap();
    drop(opened);
    let mut struck_while_reading = 0;
    for after in 1.. {
        let disk = Disk::holding(image.clone());
        disk.arm(Fault {
            after,
            kind: io::ErrorKind::Other,
            once: true,
            short: false,
            reads_too: true,
        });
        let opened = Store::open_backend(disk.clone());
        let outcome = match &opened {
            Ok(store) => contents(store, &keys).map(drop),
            Err(error) => Err(error.clone()),
        };
        if !disk.heal() {
            assert_eq!(outcome, Ok(()));
            break;
        }
        struck_while_reading += 1;
        assert!(
            matches!(outcome, Err(StoreError::Io { .. })),
            "at {after}: {outcome:?}"
        );
        let store = opened.or_else(|_| Store::open_backend(disk)).unwrap();
        assert!(!is_new(&store, &keys, "after a failed read"));
    }
    assert!(struck_while_reading > 3);
}

/// T31. A power cut keeps any of the writes since the last sync and loses the others: all choices are tried.
#[test]
fn a_power_cut_at_any_step_leaves_the_old_record_or_the_new() {
    let (image, keys) = image();
    let (mut old, mut new) = (0, 0);
    for warm in [false, true] {
        for after in 1.. {
            let (disk, store) = start(&image, &keys, warm);
            disk.arm(Fault::lasting(after, io::ErrorKind::Other));
            let result = change(&store, &keys);
            let pending = disk.pending();
            for kept in choices(pending) {
                let when = format!("warm {warm}, cut at {after}, {kept:b} of {pending}");
                let left = Disk::holding(disk.after_power_cut(kept));
                let reopened =
                    Store::open_backend(left).unwrap_or_else(|e| panic!("{when}: {e:?}"));
                let is_new = is_new(&reopened, &keys, &when);
                assert!(is_new || result.is_err(), "{when}: acknowledged and lost");
                if is_new {
                    new += 1;
                } else {
                    old += 1;
                }
                assert_eq!(
                    change(&reopened, &keys).is_ok(),
                    !is_new,
                    "{when}: the change can be made after a recovery"
                );
            }
            if !disk.heal() {
                break;
            }
        }
    }
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}

/// All subsets of up to 7 writes; of more, the prefixes and those that miss or keep a single one.
fn choices(pending: usize) -> Vec<u64> {
    if pending <= 7 {
        return (0..1 << pending).collect();
    }
    let all = (1_u64 << pending) - 1;
    let one = |number| 1_u64 << number;
    (0..pending)
        .flat_map(|number| [one(number) - 1, one(number), all & !one(number)])
        .chain([all])
        .collect()
}

/// T31
#[test]
fn a_full_disk_while_creating_leaves_no_vault() {
    for after in 1..=3 {
        let disk = Disk::default();
        disk.arm(Fault {
            after,
            kind: io::ErrorKind::StorageFull,
            once: false,
            short: true,
            reads_too: false,
        });
        let created = Store::create_backend(disk, &passphrase(), CHEAP);
        assert!(matches!(created, Err(StoreError::Full { .. })), "{after}");
    }
}

/// Linux takes pages for clean after a sync that failed: what builds on them must not be acknowledged before they
/// are written again.
#[test]
fn a_change_after_a_failed_sync_survives_a_power_cut() {
    let (image, keys) = image();
    for warm in [false, true] {
        for after in 1.. {
            let (disk, store) = start(&image, &keys, warm);
            disk.arm(Fault {
                after,
                kind: io::ErrorKind::Other,
                once: true,
                short: true,
                reads_too: false,
            });
            let _ = change(&store, &keys);
            let struck = disk.heal();
            let found = contents(&store, &keys).unwrap().remove(1).0;
            let next = store.put(
                &keys,
                Some(found.revision),
                &found.record,
                &generation(NEW + 1),
                None,
            );
            assert!(next.is_ok(), "{next:?}");
            let left = Disk::holding(disk.after_power_cut(0));
            let reopened = Store::open_backend(left)
                .unwrap_or_else(|error| panic!("warm {warm}, step {after}: {error:?}"));
            let kept = contents(&reopened, &keys).unwrap().remove(1).0;
            assert_eq!(
                kept.ledger,
                generation(NEW + 1),
                "warm {warm}, step {after}"
            );
            if !struck {
                break;
            }
        }
    }
}
