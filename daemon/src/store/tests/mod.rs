//! The vault through its public functions: what it promises, and what it does when the bytes or the disk lie.

mod aside;
mod contract;
mod cost;
mod damage;
pub(crate) mod disk;
mod faults;
mod lasting;
mod sessions;
mod vectors;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use disk::Disk;

use super::*;
use crate::{
    credential::Flow,
    host::Host,
    record::RecordName,
    secret::{Password, SecurityToken},
};

const CHEAP: KdfCost = KdfCost {
    memory_kib: 8 * 1024,
    iterations: 1,
    lanes: 1,
};

fn passphrase() -> Passphrase {
    Passphrase::new(b"correct horse".to_vec())
}

/// A directory of the test's own and the path of a vault in it.
fn home() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault.redb");
    (directory, path)
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + second)
}

fn record(number: u16) -> Record {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    Record {
        id: RecordId(id),
        name: RecordName::parse(&format!("record-{number}")).unwrap(),
        login_host: Host::parse("canary.my.salesforce.com").unwrap(),
        flow: Flow::SoapLogin {
            username: format!("canary-user-{number}@acme.example"),
        },
        pin: None,
        credential_version: 1,
        created_at: at(0),
        credential_changed_at: at(1),
        rules: None,
        remind_after: None,
        aside: crate::aside::Aside::default(),
    }
}

fn credential(text: &str) -> Credential {
    Credential::SoapLogin {
        password: Password::new(format!("canary-password-{text}")),
        security_token: Some(SecurityToken::new(format!("canary-token-{text}"))),
    }
}

fn without_token(text: &str) -> Credential {
    Credential::SoapLogin {
        password: Password::new(format!("canary-password-{text}")),
        security_token: None,
    }
}

fn generation(generation: u64) -> Ledger {
    Ledger {
        generation,
        ..Ledger::default()
    }
}

/// Opens a vault that somebody here had open. A child of another test has copies of our descriptors until it is a program of its
/// own, and with them the lock.
fn reopen(path: &Path) -> Result<Option<Store>, StoreError> {
    for _ in 0..10_000 {
        match Store::open(path) {
            Err(StoreError::InUse { .. }) => thread::sleep(Duration::from_millis(1)),
            opened => return opened,
        }
    }
    Store::open(path)
}

/// A vault in memory with so many records, made by `put`.
fn filled(records: u16) -> (Disk, Store, Keys) {
    let disk = Disk::default();
    let (store, keys) = Store::create_backend(disk.clone(), &passphrase(), CHEAP).unwrap();
    for number in 0..records {
        let secret = credential(&number.to_string());
        store
            .put(&keys, None, &record(number), &generation(7), Some(&secret))
            .unwrap();
    }
    (disk, store, keys)
}

/// Everything that the vault holds; an error of any part is the error.
fn contents(store: &Store, keys: &Keys) -> Result<Vec<(StoredRecord, Credential)>, StoreError> {
    let records = store.load(keys)?.into_iter();
    records
        .map(|stored| {
            let credential = store.credential(keys, &stored.record)?;
            store.kept(keys, &stored.record)?;
            store.drawn(keys, &stored.record)?;
            Ok((stored, credential))
        })
        .collect()
}

fn same(one: &[(StoredRecord, Credential)], two: &[(StoredRecord, Credential)]) -> bool {
    one.len() == two.len()
        && one
            .iter()
            .zip(two)
            .all(|(a, b)| a.0 == b.0 && a.1.matches(&b.1))
}
