//! What a call costs below redb, counted: unlike times, counts are the same on every machine.

use super::*;
use disk::Counts;

/// A closed vault with so many records, filled in one transaction.
fn large(records: u16) -> (Disk, Keys) {
    let disk = Disk::default();
    let (store, keys) = Store::create_backend(disk.clone(), &passphrase(), CHEAP).unwrap();
    let filled = store.engine.write(|transaction| {
        let mut table = transaction.open_table(rows::RECORDS)?;
        let mut secrets = transaction.open_table(rows::SECRETS)?;
        for number in 0..records {
            let mut record = record(number);
            // Ids are random, so that changes fall anywhere in the table.
            record.id.0 = scattered(number);
            let sealed = rows::seal_record(&keys, Revision(1), &record, &generation(0)).unwrap();
            table.insert(&record.id.0, sealed.as_slice())?;
            let secret = rows::SealedCredential::seal(
                &keys,
                record.id,
                record.credential_version,
                &credential("x"),
            )
            .unwrap();
            secret.write(&mut secrets, record.id)?;
        }
        Ok(Ok(()))
    });
    filled.unwrap();
    drop(store);
    (disk, keys)
}

fn scattered(number: u16) -> [u8; 16] {
    let mut id = [0; 16];
    let spread = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    id[..8].copy_from_slice(&spread.to_be_bytes());
    id
}

/// The cost of adding 20 records, one by one, to an open vault; the first change opens it for writing.
fn adding(disk: &Disk, keys: &Keys) -> Counts {
    let store = Store::open_backend(disk.clone()).unwrap();
    let add = |number| {
        let mut record = record(number);
        record.id.0 = scattered(number);
        let secret = credential("x");
        store
            .put(keys, None, &record, &generation(0), Some(&secret))
            .unwrap();
    };
    add(60_000);
    let before = disk.counts();
    (60_001..60_021).for_each(add);
    let after = disk.counts();
    Counts {
        reads: after.reads - before.reads,
        writes: after.writes - before.writes,
        written: after.written - before.written,
        set_lens: after.set_lens - before.set_lens,
        syncs: after.syncs - before.syncs,
    }
}

#[test]
fn adding_to_ten_thousand_records_costs_as_much_as_to_ten() {
    let (few, few_keys) = large(10);
    let (many, many_keys) = large(10_000);
    let few = adding(&few, &few_keys);
    let many = adding(&many, &many_keys);
    assert_eq!((few.syncs, many.syncs), (20, 20));
    assert!(many.writes * 2 <= few.writes * 3, "{few:?} {many:?}");
    assert!(many.written * 2 <= few.written * 3, "{few:?} {many:?}");
}

#[test]
fn opening_and_loading_reads_each_byte_a_few_times_at_most() {
    let (disk, keys) = large(2_000);
    let before = disk.counts();
    let store = Store::open_backend(disk.clone()).unwrap();
    assert_eq!(store.load(&keys).unwrap().len(), 2_000);
    let after = disk.counts();
    let pages = disk.bytes().len() as u64 / 4096;
    let reads = after.reads - before.reads;
    assert!(reads < pages * 4, "{reads} reads for {pages} pages");
}
