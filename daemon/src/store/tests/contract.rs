//! What the vault promises while the bytes and the disk are well.

mod file;

use super::*;

#[test]
fn a_new_vault_holds_what_was_put_after_it_is_opened_again() {
    let (_home, path) = home();
    let (store, keys) = Store::create(&path, &passphrase(), CHEAP).unwrap();
    store
        .put(
            &keys,
            None,
            &record(1),
            &generation(3),
            Some(&credential("a")),
        )
        .unwrap();
    store
        .put(
            &keys,
            None,
            &record(2),
            &generation(0),
            Some(&without_token("b")),
        )
        .unwrap();
    let before = contents(&store, &keys).unwrap();
    drop(store);

    let store = reopen(&path).unwrap().unwrap();
    let keys = store.unlock(&passphrase()).unwrap();
    let after = contents(&store, &keys).unwrap();
    assert!(same(&before, &after));
    assert_eq!(after.len(), 2);
    assert_eq!(after[0].0.record, record(1));
    assert_eq!(after[0].0.ledger, generation(3));
    assert!(after[0].1.matches(&credential("a")));
    assert!(after[1].1.matches(&without_token("b")));
}

#[test]
fn a_vault_left_by_a_killed_daemon_opens_unchanged_and_takes_changes() {
    let (disk, store, keys) = filled(3);
    let before = contents(&store, &keys).unwrap();
    // Not closed: the disk has whatever it had at that moment.
    let left = Disk::holding(disk.bytes());
    let opened = Store::open_backend(left.clone()).unwrap();
    assert!(same(&contents(&opened, &keys).unwrap(), &before));
    assert_eq!(left.bytes(), disk.bytes());
    let revision = before[0].0.revision;
    opened
        .put(&keys, Some(revision), &record(0), &generation(8), None)
        .unwrap();
    assert_eq!(opened.load(&keys).unwrap()[0].ledger.generation, 8);
}

#[test]
fn each_change_is_one_sync_and_a_read_none() {
    let (disk, store, keys) = filled(3);
    let syncs = |work: &dyn Fn()| {
        let before = disk.counts();
        work();
        let after = disk.counts();
        (after.syncs - before.syncs, after.writes - before.writes > 0)
    };
    let revision = store.load(&keys).unwrap()[0].revision;
    let new = record(9);
    assert_eq!(
        syncs(&|| {
            let secret = credential("new");
            store
                .put(&keys, None, &new, &generation(0), Some(&secret))
                .unwrap();
        }),
        (1, true)
    );
    assert_eq!(
        syncs(&|| {
            store
                .put(&keys, Some(revision), &record(0), &generation(8), None)
                .unwrap();
        }),
        (1, true)
    );
    assert_eq!(
        syncs(&|| store.remove(new.id, Revision(1)).unwrap()),
        (1, true)
    );
    assert_eq!(
        syncs(&|| assert_eq!(contents(&store, &keys).unwrap().len(), 3)),
        (0, false)
    );
    // A refused change costs nothing either.
    assert_eq!(
        syncs(&|| assert!(store.remove(new.id, Revision(1)).is_err())),
        (0, false)
    );
}

#[test]
fn only_the_right_passphrase_unlocks() {
    let (_, store, _) = filled(0);
    for wrong in [&b""[..], b"correct hors", b"correct horse ", b"\0"] {
        let unlocked = store.unlock(&Passphrase::new(wrong.to_vec()));
        assert!(matches!(unlocked, Err(StoreError::WrongPassphrase { .. })));
    }
    assert!(store.unlock(&passphrase()).is_ok());
}

#[test]
fn a_change_needs_the_revision_that_is_stored() {
    let (_, store, keys) = filled(1);
    let put = |expected, generation_| {
        store.put(&keys, expected, &record(0), &generation(generation_), None)
    };
    let first = store.load(&keys).unwrap()[0].revision;
    let changed = |result: Result<Revision, StoreError>| {
        assert_eq!(
            result,
            Err(StoreError::Changed {
                record: record(0).id
            })
        );
    };
    let second = put(Some(first), 8).unwrap();
    assert_ne!(first, second);
    changed(put(Some(first), 9));
    changed(put(None, 9));
    changed(put(Some(Revision(second.0 + 1)), 9));
    changed(put(Some(Revision(u64::MAX)), 9));
    assert!(store.remove(record(0).id, first).is_err());
    assert_eq!(store.load(&keys).unwrap()[0].ledger.generation, 8);
    store.remove(record(0).id, second).unwrap();
    changed(put(Some(second), 9));
    assert!(store.remove(record(0).id, second).is_err());
    assert_eq!(store.load(&keys).unwrap(), []);
}

#[test]
fn a_credential_is_stored_only_with_the_version_that_the_record_says() {
    let (_, store, keys) = filled(1);
    let revision = store.load(&keys).unwrap()[0].revision;
    let next = Record {
        credential_version: 2,
        ..record(0)
    };
    let refused = |result: Result<Revision, StoreError>| {
        assert!(
            matches!(result, Err(StoreError::Refused { .. })),
            "{result:?}"
        );
    };
    // A new record needs a credential; a new version too; an old version has had one.
    refused(store.put(&keys, None, &record(1), &generation(0), None));
    refused(store.put(&keys, Some(revision), &next, &generation(0), None));
    let other = credential("other");
    refused(store.put(
        &keys,
        Some(revision),
        &record(0),
        &generation(0),
        Some(&other),
    ));

    let old = store.load(&keys).unwrap().remove(0).record;
    store
        .put(
            &keys,
            Some(revision),
            &next,
            &generation(0),
            Some(&without_token("new")),
        )
        .unwrap();
    let stored = store.credential(&keys, &next).unwrap();
    assert!(stored.matches(&without_token("new")));
    // Who still has the old record does not get the new credential under its name.
    assert_eq!(
        store.credential(&keys, &old).err(),
        Some(StoreError::Changed { record: old.id })
    );
}

#[test]
fn a_removed_record_leaves_no_credential() {
    let (_, store, keys) = filled(2);
    store.remove(record(0).id, Revision(1)).unwrap();
    assert_eq!(
        store.credential(&keys, &record(0)).err(),
        Some(StoreError::Changed {
            record: record(0).id
        })
    );
    // The same id can be used again, from the first version on.
    store
        .put(
            &keys,
            None,
            &record(0),
            &generation(0),
            Some(&credential("again")),
        )
        .unwrap();
    assert_eq!(contents(&store, &keys).unwrap().len(), 2);
}

#[test]
fn the_keys_of_another_vault_are_refused() {
    let (_, store, keys) = filled(1);
    let (_, other, other_keys) = filled(1);
    let foreign = |error: Option<StoreError>| {
        assert!(
            matches!(error, Some(StoreError::Foreign { .. })),
            "{error:?}"
        );
    };
    foreign(store.load(&other_keys).err());
    foreign(store.credential(&other_keys, &record(0)).err());
    let secret = credential("x");
    foreign(
        other
            .put(&keys, None, &record(5), &generation(0), Some(&secret))
            .err(),
    );
    assert_eq!(other.load(&other_keys).unwrap().len(), 1);
}

#[test]
fn changes_from_many_threads_are_all_kept() {
    let (_, store, keys) = filled(0);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (store, keys) = (&store, &keys);
            scope.spawn(move || {
                for number in 0..10 {
                    let record = record(thread * 100 + number);
                    let secret = credential("x");
                    store
                        .put(keys, None, &record, &generation(0), Some(&secret))
                        .unwrap();
                    store.load(keys).unwrap();
                }
            });
        }
    });
    assert_eq!(contents(&store, &keys).unwrap().len(), 40);
}

#[test]
fn a_store_and_its_keys_can_go_to_any_thread() {
    fn any_thread<T: Send + Sync + 'static>() {}
    any_thread::<Store>();
    any_thread::<Keys>();
    any_thread::<StoreError>();
}
