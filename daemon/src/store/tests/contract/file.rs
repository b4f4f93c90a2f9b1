//! The vault as a file: private, alone under its name, and changed by nothing but a change.

use std::{
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
};

use super::*;

fn put_one(store: &Store, keys: &Keys) {
    let secret = credential("a");
    let put = store.put(keys, None, &record(1), &generation(0), Some(&secret));
    put.unwrap();
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

    assert!(reopen(&path).unwrap().is_some());
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
    put_one(&store, &keys);
    assert!(in_use());
    // redb itself respects the lock.
    assert!(matches!(
        redb::Database::open(&path),
        Err(redb::DatabaseError::DatabaseAlreadyOpen)
    ));
    drop(store);
    assert!(reopen(&path).unwrap().is_some());
}

#[test]
fn opening_unlocking_and_reading_change_no_byte() {
    let (_home, path) = home();
    let (store, keys) = Store::create(&path, &passphrase(), CHEAP).unwrap();
    put_one(&store, &keys);
    drop(store);
    let bytes = fs::read(&path).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();

    let store = reopen(&path).unwrap().unwrap();
    let keys = store.unlock(&passphrase()).unwrap();
    assert_eq!(contents(&store, &keys).unwrap().len(), 1);
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
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
fn a_file_with_other_bytes_after_opening_is_not_mistaken() {
    let (_home, path) = home();
    drop(Store::create(&path, &passphrase(), CHEAP).unwrap());
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&[0xff; 10_000]).unwrap();
    // Bytes after the end belong to nothing; redb's header says where the end is.
    let before = fs::read(&path).unwrap();
    let opened = reopen(&path);
    let keys = opened.map(|store| store.unwrap().unlock(&passphrase()));
    assert!(matches!(keys, Ok(Ok(_)) | Err(StoreError::Damaged { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}
