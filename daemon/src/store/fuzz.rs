//! The vault file's parsers, for `crate::fuzz`.

use std::{io, path::Path};

use redb::{StorageBackend as _, backends::InMemoryBackend};

use super::{
    KdfCost, Keys, Store, StoreError, encode,
    header::Header,
    image::new_image,
    seal::{Field, Place, Secret32, VaultId},
};
use crate::{record::RecordId, secret::Passphrase};

pub(crate) fn header(bytes: &[u8]) {
    if let Ok(header) = Header::parse(bytes) {
        let again = header.to_bytes().map(|bytes| Header::parse(&bytes));
        assert_eq!(again, Ok(Ok(header)));
    }
}

pub(crate) fn envelope(bytes: &[u8]) {
    let id = RecordId(*b"a record's id...");
    // A key of zeros: this one guards nothing.
    let keys = Keys::new(VaultId([7; 16]), Secret32::default());
    for field in [Field::Record, Field::Password, Field::NoSecurityToken] {
        let version = bytes.first_chunk().copied().map_or(0, u64::from_be_bytes);
        let place = Place {
            record: id,
            field,
            version,
        };
        assert!(keys.open(place, bytes).is_err(), "nobody sealed this");
        if let Ok(mut sealed) = keys.seal(place, bytes) {
            assert!(
                keys.open(place, &sealed)
                    .is_ok_and(|opened| *opened == bytes)
            );
            if let Some(last) = sealed.last_mut() {
                *last ^= 1;
            }
            assert!(keys.open(place, &sealed).is_err(), "it was altered");
        }
    }
    if let Ok((record, ledger)) = encode::record_from_bytes(id, bytes) {
        let again = encode::record_to_bytes(&record, &ledger)
            .and_then(|bytes| encode::record_from_bytes(id, &bytes));
        assert_eq!(again, Ok((record, ledger)));
    }
}

/// A vault in memory to begin with, again and again.
pub(crate) struct Template {
    image: Vec<u8>,
    keys: Keys,
}

impl Template {
    pub(crate) fn new(passphrase: &Passphrase, cost: KdfCost) -> Result<Self, StoreError> {
        let (image, keys) = new_image(Path::new("(memory)"), passphrase, cost)?;
        Ok(Self { image, keys })
    }

    pub(crate) fn open(&self) -> Result<(Store, Keys), StoreError> {
        let disk = InMemoryBackend::new();
        let written = disk
            .set_len(self.image.len() as u64)
            .and_then(|()| disk.write(0, &self.image));
        written
            .map_err(|error: io::Error| StoreError::io(Path::new("(memory)"), "fill", &error))?;
        Ok((Store::open_backend(disk)?, self.keys.clone()))
    }
}
