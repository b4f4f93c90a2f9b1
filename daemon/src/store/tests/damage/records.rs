//! Rows of records and secrets that were altered, moved, taken from an older file or dropped.

use super::*;

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
