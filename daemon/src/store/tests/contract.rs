use std::{
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
};

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

    let store = Store::open(&path).unwrap().unwrap();
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
fn where_no_vault_is_none_is_made() {
    let (home, path) = home();
    assert!(Store::open(&path).unwrap().is_none());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn creating_leaves_one_private_file_and_replaces_nothing() {
    let (home, path) = home();
    let (store, _) = Store::create(&path, &passphrase(), CHEAP).unwrap();
    drop(store);
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!(metadata.nlink(), 1);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);

    let bytes = fs::read(&path).unwrap();
    let again = Store::create(&path, &passphrase(), CHEAP);
    assert!(matches!(again, Err(StoreError::Exists { .. })));
    // The check before the work is a courtesy; this is the one that holds against a race.
    let raced = VaultFile::create(&path, b"another");
    assert!(matches!(raced, Err(StoreError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn a_link_at_the_vaults_name_is_neither_followed_nor_replaced() {
    let (home, path) = home();
    for target in ["nowhere", "victim"] {
        let target = home.path().join(target);
        if target.ends_with("victim") {
            fs::write(&target, b"precious").unwrap();
        }
        symlink(&target, &path).unwrap();
        let created = Store::create(&path, &passphrase(), CHEAP);
        assert!(matches!(created, Err(StoreError::Exists { .. })));
        let raced = VaultFile::create(&path, b"another");
        assert!(matches!(raced, Err(StoreError::Exists { .. })));
        let opened = Store::open(&path);
        assert!(matches!(opened, Err(StoreError::NotPrivate { .. })));
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        fs::remove_file(&path).unwrap();
    }
    assert!(!home.path().join("nowhere").exists());
    assert_eq!(fs::read(home.path().join("victim")).unwrap(), b"precious");
}

#[test]
fn a_vault_that_others_can_reach_is_not_opened() {
    let (home, path) = home();
    drop(Store::create(&path, &passphrase(), CHEAP).unwrap());
    let bytes = fs::read(&path).unwrap();
    let refused = |what: &str| {
        let opened = Store::open(&path);
        assert!(
            matches!(opened, Err(StoreError::NotPrivate { .. })),
            "{what}: {opened:?}"
        );
    };

    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        refused(&format!("mode {mode:o}"));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();

    let second = home.path().join("second");
    fs::hard_link(&path, &second).unwrap();
    refused("hard link");
    fs::remove_file(&second).unwrap();

    assert!(Store::open(&path).unwrap().is_some());
    assert_eq!(fs::read(&path).unwrap(), bytes);

    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        refused("another owner");
    }
}

#[test]
fn what_is_no_plain_file_is_not_opened_and_does_not_block() {
    let (_home, path) = home();
    fs::create_dir(&path).unwrap();
    assert!(matches!(
        Store::open(&path),
        Err(StoreError::NotPrivate { .. })
    ));
    fs::remove_dir(&path).unwrap();

    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert!(matches!(
        Store::open(&path),
        Err(StoreError::NotPrivate { .. })
    ));
    fs::remove_file(&path).unwrap();

    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(matches!(
        Store::open(&path),
        Err(StoreError::NotPrivate { .. })
    ));
}

#[test]
fn a_directory_that_is_missing_is_an_error_that_names_it() {
    let (home, _) = home();
    let path = home.path().join("missing").join("vault.redb");
    let error = Store::create(&path, &passphrase(), CHEAP).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(Store::open(&path).unwrap().is_none());
}

#[test]
fn a_second_opener_is_told_that_the_vault_is_in_use() {
    let (_home, path) = home();
    let (store, keys) = Store::create(&path, &passphrase(), CHEAP).unwrap();
    let in_use = || matches!(Store::open(&path), Err(StoreError::InUse { .. }));
    assert!(in_use());
    store
        .put(
            &keys,
            None,
            &record(1),
            &generation(0),
            Some(&credential("a")),
        )
        .unwrap();
    assert!(in_use());
    // redb itself respects the lock.
    assert!(matches!(
        redb::Database::open(&path),
        Err(redb::DatabaseError::DatabaseAlreadyOpen)
    ));
    drop(store);
    assert!(Store::open(&path).unwrap().is_some());
}

#[test]
fn opening_unlocking_and_reading_change_no_byte() {
    let (_home, path) = home();
    let (store, keys) = Store::create(&path, &passphrase(), CHEAP).unwrap();
    store
        .put(
            &keys,
            None,
            &record(1),
            &generation(0),
            Some(&credential("a")),
        )
        .unwrap();
    drop(store);
    let bytes = fs::read(&path).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();

    let store = Store::open(&path).unwrap().unwrap();
    let keys = store.unlock(&passphrase()).unwrap();
    assert_eq!(contents(&store, &keys).unwrap().len(), 1);
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
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
fn a_cost_out_of_bounds_makes_no_vault() {
    let (home, path) = home();
    let bomb = KdfCost {
        memory_kib: u32::MAX,
        ..CHEAP
    };
    let created = Store::create(&path, &passphrase(), bomb);
    assert!(matches!(created, Err(StoreError::BadCost { .. })));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
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
fn no_name_and_no_secret_is_readable_in_the_file() {
    let (_home, path) = home();
    let (store, keys) = Store::create(&path, &passphrase(), CHEAP).unwrap();
    for number in 0..20 {
        let secret = credential(&number.to_string());
        store
            .put(&keys, None, &record(number), &generation(0), Some(&secret))
            .unwrap();
    }
    store.remove(record(3).id, Revision(1)).unwrap();
    drop(store);
    let bytes = fs::read(&path).unwrap();
    for word in ["canary", "record-", "acme", "salesforce", "correct horse"] {
        let found = bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes());
        assert!(!found, "{word}");
    }
}

#[test]
fn a_file_system_without_writing_is_said_so() {
    // Root writes to read-only files, so the error is made where the system would make it.
    for kind in [
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::PermissionDenied,
    ] {
        let error = StoreError::io(Path::new("/v"), "write", &kind.into());
        assert!(matches!(error, StoreError::ReadOnly { .. }));
    }
}

#[test]
fn changes_from_many_threads_are_all_kept() {
    let (_, store, keys) = filled(0);
    std::thread::scope(|scope| {
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
fn a_file_with_other_bytes_after_opening_is_not_mistaken() {
    let (_home, path) = home();
    drop(Store::create(&path, &passphrase(), CHEAP).unwrap());
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&[0xff; 10_000]).unwrap();
    // Bytes after the end belong to nothing; redb's header says where the end is.
    let before = fs::read(&path).unwrap();
    let opened = Store::open(&path);
    let keys = opened.map(|store| store.unwrap().unlock(&passphrase()));
    assert!(matches!(keys, Ok(Ok(_)) | Err(StoreError::Damaged { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_store_and_its_keys_can_go_to_any_thread() {
    fn any_thread<T: Send + Sync + 'static>() {}
    any_thread::<Store>();
    any_thread::<Keys>();
    any_thread::<StoreError>();
}
