//! Bytes that were cut, flipped, moved or made up: a typed error, or the truth; and not one byte written.

mod foreign;
mod header;
mod records;

use redb::{Builder, ReadableDatabase};

use super::*;

/// What opening these bytes gives, after checking that it wrote none.
fn read(bytes: Vec<u8>, keys: &Keys) -> Result<Vec<(StoredRecord, Credential)>, StoreError> {
    let disk = Disk::holding(bytes);
    let read = Store::open_backend(disk.clone()).and_then(|store| contents(&store, keys));
    let counts = disk.counts();
    assert_eq!((counts.writes, counts.set_lens, counts.syncs), (0, 0, 0));
    read
}

/// A closed vault of three records, one of them changed a few times.
fn sample() -> (Vec<u8>, Keys, Vec<(StoredRecord, Credential)>) {
    let (disk, store, keys) = filled(3);
    let mut revision = Revision(1);
    for number in 0..3 {
        let put = store.put(&keys, Some(revision), &record(1), &generation(number), None);
        revision = put.unwrap();
    }
    let truth = contents(&store, &keys).unwrap();
    drop(store);
    (disk.bytes(), keys, truth)
}

/// Changes rows with redb itself, as somebody would who knows the format and has no key.
fn edit(bytes: &[u8], change: impl FnOnce(&redb::WriteTransaction)) -> Vec<u8> {
    let disk = Disk::holding(bytes.to_vec());
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
    database.close().unwrap();
    disk.bytes()
}

fn secret_key(number: u16, field: u8) -> [u8; 17] {
    let mut key = [0; 17];
    key[..16].copy_from_slice(&record(number).id.0);
    key[16] = field;
    key
}

fn secret_row(bytes: &[u8], number: u16, field: u8) -> Vec<u8> {
    let disk = Disk::holding(bytes.to_vec());
    let database = Builder::new().create_with_backend(disk).unwrap();
    let transaction = database.begin_read().unwrap();
    let table = transaction.open_table(rows::SECRETS).unwrap();
    let row = table.get(&secret_key(number, field)).unwrap().unwrap();
    row.value().to_vec()
}

fn header_row(bytes: &[u8]) -> String {
    let disk = Disk::holding(bytes.to_vec());
    let database = Builder::new().create_with_backend(disk).unwrap();
    let transaction = database.begin_read().unwrap();
    let (header, _) = rows::read_header(&transaction).unwrap().unwrap().unwrap();
    String::from_utf8(header).unwrap()
}

fn with_header(bytes: &[u8], header: &str) -> Vec<u8> {
    edit(bytes, |transaction| {
        let mut table = transaction.open_table(rows::HEADER).unwrap();
        table.insert(rows::HEADER_ROW, header.as_bytes()).unwrap();
    })
}

fn damaged<T: fmt::Debug>(result: Result<T, StoreError>, place: &str) {
    match result {
        Err(StoreError::Damaged { place: found, .. }) => {
            assert!(found.contains(place), "{found:?} is not {place:?}");
        }
        other => panic!("{place}: {other:?}"),
    }
}

/// T29
#[test]
fn a_cut_file_is_an_error_wherever_it_is_cut() {
    let (bytes, keys, _) = sample();
    let cuts = (0..64)
        .chain((64..4096).step_by(61))
        .chain((4096..bytes.len()).step_by(512));
    for cut in cuts {
        let error = read(bytes[..cut].to_vec(), &keys).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Damaged { .. } | StoreError::Foreign { .. }
            ),
            "cut at {cut}: {error:?}"
        );
    }
}

/// T29
#[test]
fn a_flipped_bit_gives_an_error_or_changes_nothing() {
    let (bytes, keys, truth) = sample();
    let mut noticed = 0;
    let places = (0..512).chain((512..bytes.len()).step_by(53));
    for place in places {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        match read(flipped, &keys) {
            Ok(found) => assert!(same(&found, &truth), "byte {place}"),
            Err(StoreError::Damaged { .. } | StoreError::Foreign { .. }) => noticed += 1,
            Err(error) => panic!("byte {place}: {error:?}"),
        }
    }
    assert!(noticed > 20, "only {noticed} were noticed");
}

#[test]
fn a_flipped_bit_in_a_file_on_disk_leaves_the_file_as_it_is() {
    let (bytes, keys, _) = sample();
    let (_home, path) = home();
    // The magic, the commit slots, and the first pages with trees.
    for place in [3, 9, 12, 64, 100, 200, 4096, 4100, 8192, 8200, 12_300] {
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x10;
        let mut file = fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        let file = file.write(true).create(true).truncate(true).open(&path);
        io::Write::write_all(&mut file.unwrap(), &flipped).unwrap();
        if let Ok(Some(store)) = reopen(&path) {
            let _ = contents(&store, &keys);
        }
        assert!(fs::read(&path).unwrap() == flipped, "byte {place}");
    }
}

#[test]
fn damage_is_noticed_at_opening_and_not_only_when_the_record_is_used() {
    let (bytes, _, _) = sample();
    for field in [2, 3] {
        let row = secret_row(&bytes, 1, field);
        let place = bytes.windows(row.len()).position(|window| window == row);
        let mut flipped = bytes.clone();
        flipped[place.unwrap() + row.len() / 2] ^= 1;
        damaged(Store::open_backend(Disk::holding(flipped)), "the file");
    }
}

#[test]
fn errors_and_debug_output_name_no_secret() {
    let (bytes, keys, truth) = sample();
    let mut texts = vec![format!("{keys:?} {truth:?}")];
    let store = Store::open_backend(Disk::holding(bytes)).unwrap();
    texts.push(format!("{store:?}"));
    for error in [
        store
            .unlock(&Passphrase::new(b"canary-passphrase".to_vec()))
            .err(),
        store
            .put(
                &keys,
                None,
                &record(1),
                &generation(0),
                Some(&credential("x")),
            )
            .err(),
    ] {
        let error = error.unwrap();
        texts.push(format!("{error} {error:?} {}", error.hint()));
    }
    for text in texts {
        for word in ["canary-pass", "canary-token", "correct horse"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}
