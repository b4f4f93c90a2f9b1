//! Files that are no vaults.

use super::*;

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
        let result = reopen(&path);
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
