//! The header: what is readable without a key, and what somebody without one can do to it.

use super::{slots::Slot, *};

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
