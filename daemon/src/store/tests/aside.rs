//! Credentials that a record keeps aside: there as long as it names them, sealed where they belong, gone after that.

use redb::{Builder, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableError};

use super::*;
use crate::{
    aside::{Aside, DrawnPassword, DrawnState},
    ledger::Ledger,
    secret::ConsumerSecret,
};

pub(super) fn app() -> Credential {
    Credential::ClientCredentials {
        consumer_secret: ConsumerSecret::new("canary-secret".to_owned()),
    }
}

/// The record after it moved to an app, with its old login kept.
pub(super) fn moved(number: u16) -> Record {
    let old = record(number);
    Record {
        flow: Flow::ClientCredentials {
            consumer_key: "3MVG9".to_owned(),
        },
        login_host: Host::parse("acme.my.salesforce.com").unwrap(),
        credential_version: 2,
        credential_changed_at: at(2),
        aside: Aside {
            kept: Some(old.to_keep(at(3))),
            ..Aside::default()
        },
        ..old
    }
}

/// The record while a password that was drawn for it awaits its token.
fn awaiting(number: u16) -> Record {
    let old = record(number);
    Record {
        aside: Aside {
            drawn: Some(DrawnPassword {
                credential_version: 2,
                since: at(4),
                state: DrawnState::InForce,
            }),
            ..Aside::default()
        },
        ..old
    }
}

fn new(credential: &Credential) -> Credentials<'_> {
    Credentials {
        new: Some(credential),
        drawn: None,
    }
}

/// Records 0 and 1 as they are at first, 2 moved, 3 awaiting its token.
fn with_asides() -> (Disk, Store, Keys) {
    let (disk, store, keys) = filled(4);
    let ledger = Ledger::default();
    let first = Revision(1);
    store
        .rearrange(&keys, first, &moved(2), &ledger, new(&app()))
        .unwrap();
    let drawn = without_token("drawn");
    let credentials = Credentials {
        new: None,
        drawn: Some(&drawn),
    };
    store
        .rearrange(&keys, first, &awaiting(3), &ledger, credentials)
        .unwrap();
    (disk, store, keys)
}

fn check(store: &Store, keys: &Keys) {
    let found = store.load(keys).unwrap();
    assert_eq!(found[2].record, moved(2));
    assert_eq!(found[3].record, awaiting(3));
    let credential = |n: usize| store.credential(keys, &found[n].record).unwrap();
    let kept = |n: usize| store.kept(keys, &found[n].record).unwrap();
    let drawn = |n: usize| store.drawn(keys, &found[n].record).unwrap();
    assert!(credential(2).matches(&app()));
    assert!(kept(2).unwrap().matches(&credential_of(2)));
    assert!(credential(3).matches(&credential_of(3)));
    assert!(drawn(3).unwrap().matches(&without_token("drawn")));
    assert!(kept(0).is_none() && drawn(0).is_none() && drawn(2).is_none() && kept(3).is_none());
}

pub(super) fn credential_of(number: u16) -> Credential {
    credential(&number.to_string())
}

fn rows_aside(disk: &Disk) -> u64 {
    let disk = Disk::holding(disk.bytes());
    let database = Builder::new().create_with_backend(disk).unwrap();
    let transaction = database.begin_read().unwrap();
    match transaction.open_table(rows::ASIDE) {
        Ok(table) => table.len().unwrap(),
        Err(TableError::TableDoesNotExist(_)) => 0,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_is_kept_aside_comes_back_after_the_vault_is_opened_again() {
    let (disk, store, keys) = with_asides();
    check(&store, &keys);
    drop(store);
    let store = Store::open_backend(Disk::holding(disk.bytes())).unwrap();
    check(&store, &store.unlock(&passphrase()).unwrap());
}

#[test]
fn a_ledger_that_is_saved_leaves_it_alone() {
    let (_, store, keys) = with_asides();
    store
        .put(&keys, Some(Revision(2)), &moved(2), &generation(9), None)
        .unwrap();
    check(&store, &keys);
}

#[test]
fn what_is_not_named_any_more_is_gone_from_the_file() {
    let (disk, store, keys) = with_asides();
    let ledger = Ledger::default();
    assert_eq!(rows_aside(&disk), 4);
    let forgotten = Record {
        aside: Aside::default(),
        ..moved(2)
    };
    let none = Credentials::default();
    store
        .rearrange(&keys, Revision(2), &forgotten, &ledger, none)
        .unwrap();
    assert_eq!(rows_aside(&disk), 2);
    store.remove(record(3).id, Revision(2)).unwrap();
    assert_eq!(rows_aside(&disk), 0);
    assert!(contents(&store, &keys).unwrap().len() == 3);
}

#[test]
fn a_record_cannot_name_what_is_not_there() {
    let (disk, store, keys) = filled(3);
    let ledger = Ledger::default();
    let (app, other) = (app(), credential("x"));
    let refused = |record: &Record, expected, credentials: Credentials<'_>| {
        let result = store.rearrange(&keys, expected, record, &ledger, credentials);
        assert!(
            matches!(
                result,
                Err(StoreError::Refused { .. } | StoreError::Changed { .. })
            ),
            "{result:?}"
        );
    };
    // Nothing was drawn; the kept version never was; the revision is another; the flow is another.
    refused(&awaiting(1), Revision(1), Credentials::default());
    let mut strange = moved(1);
    strange.aside.kept.as_mut().unwrap().credential_version = 7;
    refused(&strange, Revision(1), new(&app));
    refused(&moved(1), Revision(2), new(&app));
    refused(&moved(1), Revision(1), new(&other));
    // A migration that brings no credential of its own.
    refused(&moved(1), Revision(1), Credentials::default());
    assert_eq!(rows_aside(&disk), 0);
    assert!(contents(&store, &keys).unwrap()[1].0.record == record(1));
}

/// Somebody without the key moves rows about.
#[test]
fn rows_that_were_moved_dropped_or_swapped_are_damage() {
    let (disk, store, keys) = with_asides();
    drop(store);
    let bytes = disk.bytes();
    let key = |number: u16, version: u64, field: u8| {
        let mut key = [field; 25];
        key[..16].copy_from_slice(&record(number).id.0);
        key[16..24].copy_from_slice(&version.to_be_bytes());
        key
    };
    let secret_key = |number: u16, field: u8| {
        let mut key = [field; 17];
        key[..16].copy_from_slice(&record(number).id.0);
        key
    };
    type Edit<'a> = &'a dyn Fn(&mut rows::AsideRows<'_>, &mut rows::SecretRows<'_>);
    let edits: [(&str, Edit<'_>); 4] = [
        ("a dropped row", &|aside, _| {
            aside.remove(&key(2, 1, 3)).unwrap();
            aside.remove(&key(3, 2, 4)).unwrap();
        }),
        ("the rows of another record", &|aside, _| {
            let row = aside.get(&key(3, 2, 2)).unwrap().unwrap().value().to_vec();
            aside.insert(&key(2, 1, 2), row.as_slice()).unwrap();
            aside.insert(&key(3, 2, 4), row.as_slice()).unwrap();
        }),
        (
            "the old password under the record in use",
            &|aside, secrets| {
                let row = aside.get(&key(3, 2, 2)).unwrap().unwrap().value().to_vec();
                secrets.insert(&secret_key(3, 2), row.as_slice()).unwrap();
                aside.remove(&key(2, 1, 2)).unwrap();
            },
        ),
        ("the password in use as the drawn one", &|aside, secrets| {
            let row = secrets
                .get(&secret_key(3, 2))
                .unwrap()
                .unwrap()
                .value()
                .to_vec();
            aside.insert(&key(3, 2, 2), row.as_slice()).unwrap();
            aside.remove(&key(2, 1, 2)).unwrap();
        }),
    ];
    for (what, edit) in edits {
        let edited = Disk::holding(bytes.clone());
        let database = Builder::new().create_with_backend(edited.clone()).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut aside = transaction.open_table(rows::ASIDE).unwrap();
            let mut secrets = transaction.open_table(rows::SECRETS).unwrap();
            edit(&mut aside, &mut secrets);
        }
        transaction.commit().unwrap();
        database.close().unwrap();
        let store = Store::open_backend(Disk::holding(edited.bytes())).unwrap();
        let all = |number: usize| -> Result<(), StoreError> {
            let record = &store.load(&keys)?[number].record;
            store.credential(&keys, record)?;
            store.kept(&keys, record)?;
            store.drawn(&keys, record).map(drop)
        };
        for number in [2, 3] {
            let result = all(number);
            assert!(
                matches!(result, Err(StoreError::Damaged { .. })),
                "{what}: {result:?}"
            );
        }
        // The others are whole.
        assert!(all(0).is_ok() && all(1).is_ok(), "{what}");
    }
}

/// A vault with what is kept aside, written once, opens for ever. See `vectors`.
#[test]
fn a_vault_of_format_1_with_asides_opens_with_every_field() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/vectors/vault-v1-aside.redb"
    );
    let (_home, copy) = home();
    VaultFile::create(&copy, &fs::read(path).unwrap()).unwrap();
    let store = Store::open(&copy).unwrap().unwrap();
    let keys = store.unlock(&passphrase()).unwrap();
    check(&store, &keys);
    // And it is no museum piece.
    let forgotten = Record {
        aside: Aside::default(),
        ..moved(2)
    };
    store
        .rearrange(
            &keys,
            Revision(2),
            &forgotten,
            &Ledger::default(),
            Credentials::default(),
        )
        .unwrap();
}

#[test]
fn a_vault_written_today_holds_the_same_as_the_vector_with_asides() {
    let (disk, store, keys) = with_asides();
    check(&store, &keys);
    drop(store);
    // Where this is set, the file is kept: that is how the vector was made.
    if let Some(kept) = std::env::var_os("SFVAULT_KEEP_ASIDE_VECTOR") {
        fs::write(kept, disk.bytes()).unwrap();
    }
}
