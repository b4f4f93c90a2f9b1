//! Bytes that were cut, flipped, moved or made up: a typed error, or the truth; and not one byte written.

use redb::{Builder, ReadableDatabase};

use super::{slots::Slot, *};

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
        if let Ok(Some(store)) = Store::open(&path) {
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

/// T29
#[test]
fn every_byte_of_every_row_counts() {
    let (bytes, keys, _) = sample();
    for field in [2, 3] {
        let row = secret_row(&bytes, 1, field);
        for place in (0..row.len()).step_by(7) {
            let mut altered = row.clone();
            altered[place] ^= 1;
            let edited = edit(&bytes, |transaction| {
                let mut table = transaction.open_table(rows::SECRETS).unwrap();
                table
                    .insert(&secret_key(1, field), altered.as_slice())
                    .unwrap();
            });
            damaged(read(edited, &keys), "record-1");
        }
    }
}

/// T29
#[test]
fn records_swapped_or_copied_are_damaged() {
    let (bytes, keys, _) = sample();
    let row = |transaction: &redb::WriteTransaction, number| {
        let table = transaction.open_table(rows::RECORDS).unwrap();
        let row = table.get(&record(number).id.0).unwrap().unwrap();
        row.value().to_vec()
    };
    let swapped = edit(&bytes, |transaction| {
        let (one, two) = (row(transaction, 1), row(transaction, 2));
        let mut table = transaction.open_table(rows::RECORDS).unwrap();
        table.insert(&record(1).id.0, two.as_slice()).unwrap();
        table.insert(&record(2).id.0, one.as_slice()).unwrap();
    });
    damaged(read(swapped, &keys), "record 0001");
    let copied = edit(&bytes, |transaction| {
        let one = row(transaction, 1);
        let mut table = transaction.open_table(rows::RECORDS).unwrap();
        table.insert(&record(7).id.0, one.as_slice()).unwrap();
    });
    damaged(read(copied, &keys), "record 0007");
    for length in [0, 7, 8, 20, 36] {
        let cut = edit(&bytes, |transaction| {
            let one = row(transaction, 1);
            let mut table = transaction.open_table(rows::RECORDS).unwrap();
            table.insert(&record(1).id.0, &one[..length]).unwrap();
        });
        damaged(read(cut, &keys), "record 0001");
    }
}

/// T29
#[test]
fn secrets_swapped_copied_or_dropped_are_damaged() {
    let (bytes, keys, _) = sample();
    let put = |rows_: &[(u16, u8, Option<Vec<u8>>)]| {
        edit(&bytes, |transaction| {
            let mut table = transaction.open_table(rows::SECRETS).unwrap();
            for (number, field, row) in rows_ {
                let key = secret_key(*number, *field);
                match row {
                    Some(row) => drop(table.insert(&key, row.as_slice()).unwrap()),
                    None => drop(table.remove(&key).unwrap()),
                }
            }
        })
    };
    let (password, token) = (secret_row(&bytes, 1, 2), secret_row(&bytes, 1, 3));
    let other = secret_row(&bytes, 2, 2);
    for (what, edited) in [
        ("password for token", put(&[(1, 3, Some(password.clone()))])),
        (
            "both swapped",
            put(&[(1, 2, Some(token.clone())), (1, 3, Some(password.clone()))]),
        ),
        ("another record's", put(&[(1, 2, Some(other))])),
        ("no password", put(&[(1, 2, None)])),
        ("no token", put(&[(1, 3, None)])),
        ("nothing", put(&[(1, 2, None), (1, 3, None)])),
        ("a token and none", put(&[(1, 4, Some(token.clone()))])),
        (
            "the token as none",
            put(&[(1, 3, None), (1, 4, Some(token))]),
        ),
        ("an empty row", put(&[(1, 2, Some(Vec::new()))])),
    ] {
        let result = read(edited, &keys);
        assert!(
            matches!(&result, Err(StoreError::Damaged { place, .. }) if place.contains("record-1")),
            "{what}: {result:?}"
        );
    }
}

/// T30
#[test]
fn an_older_password_does_not_come_back_under_a_newer_record() {
    let (disk, store, keys) = filled(2);
    let old = disk.bytes();
    let next = Record {
        credential_version: 2,
        ..record(1)
    };
    let new_secret = credential("rotated");
    store
        .put(
            &keys,
            Some(Revision(1)),
            &next,
            &generation(0),
            Some(&new_secret),
        )
        .unwrap();
    drop(store);
    for fields in [&[2_u8][..], &[3], &[2, 3]] {
        let edited = edit(&disk.bytes(), |transaction| {
            let mut table = transaction.open_table(rows::SECRETS).unwrap();
            for field in fields {
                let row = secret_row(&old, 1, *field);
                table
                    .insert(&secret_key(1, *field), row.as_slice())
                    .unwrap();
            }
        });
        damaged(read(edited, &keys), "record-1");
    }
}

/// T29
#[test]
fn a_header_that_was_altered_does_not_unlock() {
    let (bytes, _, _) = sample();
    let header = header_row(&bytes);
    let unlock = |header: &str| {
        let disk = Disk::holding(with_header(&bytes, header));
        Store::open_backend(disk)?.unlock(&passphrase())
    };
    assert!(unlock(&header).is_ok());

    // A second slot, made by somebody who does not know the vault key.
    let vault = Header::parse(header.as_bytes()).unwrap().vault;
    let intruder = Slot::wrap(
        vault,
        1,
        &Passphrase::new(b"intruder".to_vec()),
        CHEAP,
        &seal::random_key().unwrap(),
    )
    .unwrap();
    let mut added = Header::parse(header.as_bytes()).unwrap();
    added.slots.push(intruder.clone());
    let added = String::from_utf8(added.to_bytes().unwrap()).unwrap();
    damaged(unlock(&added), "header");
    let disk = Disk::holding(with_header(&bytes, &added));
    let store = Store::open_backend(disk).unwrap();
    damaged(
        store.unlock(&Passphrase::new(b"intruder".to_vec())),
        "header",
    );
    // The same content in other bytes.
    damaged(unlock(&header.replace(':', ": ")), "header");

    // Where the only slot is altered, nothing can tell that from a wrong passphrase.
    let replaced = Header {
        vault,
        slots: vec![intruder],
    };
    let replaced = String::from_utf8(replaced.to_bytes().unwrap()).unwrap();
    for altered in [
        header.replace("\"iterations\":1", "\"iterations\":2"),
        header.replace("\"memory_kib\":8192", "\"memory_kib\":9216"),
        header.replace("\"lanes\":1", "\"lanes\":2"),
        replaced,
    ] {
        assert_ne!(altered, header);
        let result = unlock(&altered);
        assert!(
            matches!(result, Err(StoreError::WrongPassphrase { .. })),
            "{result:?}"
        );
    }
}

/// T29
#[test]
fn a_removed_slot_is_noticed() {
    let disk = Disk::default();
    let (image, keys) = new_image(Path::new("v"), &passphrase(), CHEAP).unwrap();
    let mut header = Header::parse(header_row(&image).as_bytes()).unwrap();
    let key = header.slots[0]
        .unwrap_key(header.vault, &passphrase())
        .unwrap();
    let second = Passphrase::new(b"second".to_vec());
    let slot = Slot::wrap(header.vault, 1, &second, CHEAP, &key).unwrap();
    header.slots.push(slot);
    let two = header.to_bytes().unwrap();
    let code = keys.header_code(&two).unwrap();
    fill_image_over(&disk, &two, code.as_ref());
    let store = Store::open_backend(disk.clone()).unwrap();
    assert!(store.unlock(&passphrase()).is_ok());
    assert!(store.unlock(&second).is_ok());
    drop(store);

    for kept in [0, 1] {
        let one = Header {
            vault: header.vault,
            slots: vec![header.slots[kept].clone()],
        };
        let one = String::from_utf8(one.to_bytes().unwrap()).unwrap();
        let disk = Disk::holding(with_header(&disk.bytes(), &one));
        let store = Store::open_backend(disk).unwrap();
        let passphrase = if kept == 0 {
            passphrase()
        } else {
            second.clone()
        };
        damaged(store.unlock(&passphrase), "header");
    }
}

fn fill_image_over(disk: &Disk, header: &[u8], code: &[u8]) {
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(rows::HEADER).unwrap();
        table.insert(rows::HEADER_ROW, header).unwrap();
        table.insert(rows::CODE_ROW, code).unwrap();
        transaction.open_table(rows::RECORDS).unwrap();
        transaction.open_table(rows::SECRETS).unwrap();
    }
    transaction.commit().unwrap();
}

/// T29
#[test]
fn a_cost_bomb_in_the_header_is_refused_before_it_is_spent() {
    let (bytes, _, _) = sample();
    let header = header_row(&bytes);
    for (from, to) in [
        ("\"memory_kib\":8192", "\"memory_kib\":4294967295"),
        ("\"iterations\":1", "\"iterations\":4294967295"),
        ("\"lanes\":1", "\"lanes\":16777215"),
        ("\"memory_kib\":8192", "\"memory_kib\":8"),
    ] {
        let bomb = header.replace(from, to);
        assert_ne!(bomb, header);
        let disk = Disk::holding(with_header(&bytes, &bomb));
        damaged(Store::open_backend(disk), "header");
    }
}

/// T51
#[test]
fn a_newer_format_says_so() {
    let (bytes, keys, _) = sample();
    let newer = header_row(&bytes).replace("\"format\":1", "\"format\":2,\"new\":[]");
    assert_eq!(
        read(with_header(&bytes, &newer), &keys).err(),
        Some(StoreError::NewerFormat {
            path: PathBuf::from(BACKEND_NAME),
            found: 2,
            known: 1
        })
    );
}

#[test]
fn a_missing_table_or_row_is_an_error() {
    let (bytes, keys, _) = sample();
    let no_records = edit(&bytes, |transaction| {
        transaction.delete_table(rows::RECORDS).unwrap();
    });
    damaged(read(no_records, &keys), "tables");
    let no_secrets = edit(&bytes, |transaction| {
        transaction.delete_table(rows::SECRETS).unwrap();
    });
    damaged(read(no_secrets, &keys), "tables");
    for row in [rows::HEADER_ROW, rows::CODE_ROW] {
        let edited = edit(&bytes, |transaction| {
            let mut table = transaction.open_table(rows::HEADER).unwrap();
            table.remove(row).unwrap();
        });
        let result = read(edited, &keys);
        assert!(
            matches!(result, Err(StoreError::Foreign { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn files_of_other_programs_are_foreign_and_stay_as_they_are() {
    let (_home, path) = home();
    let other = Disk::default();
    let database = Builder::new().create_with_backend(other.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("numbers");
    transaction.open_table(table).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let namesake = Disk::default();
    let database = Builder::new()
        .create_with_backend(namesake.clone())
        .unwrap();
    let transaction = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("sfvault.header");
    transaction.open_table(table).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();

    let mut noise = vec![0; 20_000];
    let mut state = 1_u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = state.to_be_bytes()[0];
    }
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("one byte", vec![b'r']),
        ("zeros", vec![0; 8192]),
        ("noise", noise),
        (
            "SQLite",
            [b"SQLite format 3\0".as_slice(), &[0; 8176]].concat(),
        ),
        ("text", b"password = \"hunter2\"\n".repeat(500)),
        ("redb's magic in text", b"redb\n".repeat(2000)),
        ("another redb", other.bytes()),
        ("a redb with our table's name", namesake.bytes()),
    ] {
        fs::write(&path, &bytes).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, private).unwrap();
        let result = Store::open(&path);
        assert!(
            matches!(result, Err(StoreError::Foreign { .. })),
            "{what}: {result:?}"
        );
        assert!(fs::read(&path).unwrap() == bytes, "{what}");
    }
}

#[test]
fn redbs_magic_before_nonsense_is_damage() {
    let (bytes, keys, _) = sample();
    for filler in [0_u8, 1, 0x55, 0xff] {
        for length in [9, 64, 320, 4096, 50_000] {
            let mut nonsense = vec![filler; length];
            nonsense[..9].copy_from_slice(&bytes[..9]);
            let result = read(nonsense, &keys);
            assert!(
                matches!(
                    result,
                    Err(StoreError::Damaged { .. } | StoreError::Foreign { .. })
                ),
                "{filler} {length}: {result:?}"
            );
        }
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
