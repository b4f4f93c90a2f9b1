//! The session that a restart may go on with: there when it was written with the record's row, and at no other time.

use redb::{Builder, ReadableDatabase};

use super::*;
use crate::{kept::KeptSession, secret::SessionId};

pub(super) fn kept(text: &str) -> KeptSession {
    KeptSession {
        session_id: SessionId::new(format!("00Dxx0000001gPL!canary-session-{text}")),
        instance: Host::parse("canary-instance.my.salesforce.com").unwrap(),
        org_id: "00Dxx0000001gPLEAY".to_owned(),
        user_id: "005xx000001Sv6AAAS".to_owned(),
        username: Some("canary@acme.example".to_owned()),
        sandbox: true,
        generation: 9,
        first_generation: 7,
        credential_version: 1,
        issued_at: at(2),
        proven_at: Some(at(3)),
        timeout: Some(Duration::from_hours(2)),
        granted_timeout: Some(Duration::from_hours(4)),
        hard_expiry: Some(at(90_000)),
        doubted: true,
    }
}

fn bare(text: &str) -> KeptSession {
    KeptSession {
        username: None,
        sandbox: false,
        proven_at: None,
        timeout: None,
        granted_timeout: None,
        hard_expiry: None,
        doubted: false,
        ..kept(text)
    }
}

fn ledger(kept: KeptSession) -> Ledger {
    Ledger {
        kept: Some(kept),
        ..generation(9)
    }
}

/// Changes the sessions' rows with redb itself, as somebody would who knows the format and has no key.
fn edit(disk: &Disk, change: impl FnOnce(&mut redb::Table<'_, &'static [u8; 16], &'static [u8]>)) {
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&mut transaction.open_table(rows::SESSIONS).unwrap());
    transaction.commit().unwrap();
    database.close().unwrap();
}

fn row(disk: &Disk, number: u16) -> Vec<u8> {
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_read().unwrap();
    let table = transaction.open_table(rows::SESSIONS).unwrap();
    let row = table.get(&record(number).id.0).unwrap().unwrap();
    row.value().to_vec()
}

#[test]
fn a_session_comes_back_with_the_ledger_it_was_written_with() {
    let (disk, store, keys) = filled(3);
    let put = |number, kept| {
        store.put(
            &keys,
            Some(Revision(1)),
            &record(number),
            &ledger(kept),
            None,
        )
    };
    put(0, kept("a")).unwrap();
    put(2, bare("b")).unwrap();
    drop(store);
    let store = Store::open_backend(disk).unwrap();
    let loaded = store.load(&keys).unwrap();
    assert_eq!(loaded[0].ledger, ledger(kept("a")));
    for (loaded, text) in [(&loaded[0], "a"), (&loaded[2], "b")] {
        let found = &loaded.ledger.kept.as_ref().unwrap().session_id;
        assert!(found.matches(&kept(text).session_id), "{text}");
    }
    assert_eq!(loaded[1].ledger.kept, None);
    assert_eq!(loaded[2].ledger, ledger(bare("b")));
}

#[test]
fn a_row_written_without_a_session_ends_the_one_before() {
    let (_, store, keys) = filled(1);
    let with = store.put(
        &keys,
        Some(Revision(1)),
        &record(0),
        &ledger(kept("a")),
        None,
    );
    store
        .put(
            &keys,
            Some(with.unwrap()),
            &record(0),
            &generation(10),
            None,
        )
        .unwrap();
    assert_eq!(store.load(&keys).unwrap()[0].ledger.kept, None);
}

#[test]
fn removing_a_record_removes_its_session() {
    let (disk, store, keys) = filled(2);
    for number in 0..2 {
        let put = store.put(
            &keys,
            Some(Revision(1)),
            &record(number),
            &ledger(kept("a")),
            None,
        );
        put.unwrap();
    }
    store.remove(record(0).id, Revision(2)).unwrap();
    drop(store);
    edit(&disk, |rows| {
        assert!(rows.remove(&record(0).id.0).unwrap().is_none());
        assert!(rows.remove(&record(1).id.0).unwrap().is_some());
    });
}

#[test]
fn nothing_of_a_session_shows_in_the_file() {
    let (disk, store, keys) = filled(1);
    store
        .put(
            &keys,
            Some(Revision(1)),
            &record(0),
            &ledger(kept("a")),
            None,
        )
        .unwrap();
    drop(store);
    let bytes = disk.bytes();
    for word in ["canary", "00Dxx", "005xx"] {
        let seen = bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes());
        assert!(!seen, "{word}");
    }
}

/// Whoever can write the file can take a session away, which costs a login; he can't set one back or pass one on.
#[test]
fn a_session_set_back_is_none_and_one_that_was_moved_or_altered_is_damage() {
    let (disk, store, keys) = filled(2);
    let put = |number, revision, text| {
        store
            .put(
                &keys,
                Some(Revision(revision)),
                &record(number),
                &ledger(kept(text)),
                None,
            )
            .unwrap();
    };
    put(0, 1, "old");
    put(1, 1, "other");
    drop(store);
    let (old, other) = (row(&disk, 0), row(&disk, 1));
    let store = Store::open_backend(disk.clone()).unwrap();
    let again = store.put(
        &keys,
        Some(Revision(2)),
        &record(0),
        &ledger(kept("new")),
        None,
    );
    again.unwrap();
    drop(store);
    let now = row(&disk, 0);
    let load = || Store::open_backend(disk.clone()).unwrap().load(&keys);

    edit(&disk, |rows| {
        drop(rows.insert(&record(0).id.0, old.as_slice()).unwrap())
    });
    assert_eq!(load().unwrap()[0].ledger.kept, None);

    let mut forged = vec![
        [&now[..8], &old[8..]].concat(),
        [&now[..8], &other[8..]].concat(),
        now[..now.len() - 1].to_vec(),
        now[..8].to_vec(),
    ];
    for place in 8..now.len() {
        let mut flipped = now.clone();
        flipped[place] ^= 1;
        forged.push(flipped);
    }
    for bytes in forged {
        edit(&disk, |rows| {
            drop(rows.insert(&record(0).id.0, bytes.as_slice()).unwrap())
        });
        assert!(matches!(load(), Err(StoreError::Damaged { .. })));
    }
    for bytes in [&now[..7], &[]] {
        edit(&disk, |rows| {
            drop(rows.insert(&record(0).id.0, bytes).unwrap())
        });
        assert_eq!(load().unwrap()[0].ledger.kept, None);
    }
    edit(&disk, |rows| {
        drop(rows.insert(&record(0).id.0, now.as_slice()).unwrap())
    });
    assert_eq!(load().unwrap()[0].ledger.kept, Some(kept("new")));
}

/// A vault made before sessions were kept.
#[test]
fn a_vault_without_the_table_has_no_sessions_and_gets_it_with_the_first() {
    let (disk, store, keys) = filled(1);
    drop(store);
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(rows::SESSIONS).unwrap());
    transaction.commit().unwrap();
    database.close().unwrap();
    let store = Store::open_backend(disk).unwrap();
    assert_eq!(store.load(&keys).unwrap()[0].ledger.kept, None);
    store
        .put(
            &keys,
            Some(Revision(1)),
            &record(0),
            &ledger(kept("a")),
            None,
        )
        .unwrap();
    assert_eq!(store.load(&keys).unwrap()[0].ledger.kept, Some(kept("a")));
}

#[test]
fn bytes_that_are_no_session_are_refused() {
    let bytes = encode::session_to_bytes(&kept("a")).unwrap();
    assert_eq!(encode::session_from_bytes(&bytes).unwrap(), kept("a"));
    for length in 0..bytes.len() - kept("a").session_id.expose().len() {
        assert!(
            encode::session_from_bytes(&bytes[..length]).is_err(),
            "{length}"
        );
    }
    for start in [[0xff; 4], [0, 0, 0, 0], [0, 0, 0, 1]] {
        let bytes = [&start, &bytes[4..]].concat();
        assert!(encode::session_from_bytes(&bytes).is_err(), "{start:?}");
    }
    let beyond = bytes
        .iter()
        .map(|byte| if *byte == b':' { b'9' } else { *byte });
    assert!(encode::session_from_bytes(&beyond.collect::<Vec<_>>()).is_err());
}
