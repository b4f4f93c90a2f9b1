//! A new vault, made in memory: no half-made file is ever on disk, and nothing is there while Argon2id runs.

use std::{io, path::Path, sync::Arc};

use redb::{Builder, StorageBackend, backends::InMemoryBackend};

use super::{
    KdfCost, StoreError,
    header::Header,
    no_resources,
    overlay::Direct,
    rows,
    seal::{self, Keys, VaultId},
    slots::Slot,
};
use crate::secret::Passphrase;

/// The bytes of a new, empty vault.
pub(super) fn new_image(
    path: &Path,
    passphrase: &Passphrase,
    cost: KdfCost,
) -> Result<(Vec<u8>, Keys), StoreError> {
    cost.check()?;
    let no_resources = || no_resources(path, "create");
    let vault = VaultId(seal::random().map_err(|_| no_resources())?);
    let key = seal::random_key().map_err(|_| no_resources())?;
    let slot = Slot::wrap(vault, 0, passphrase, cost, &key).map_err(|_| no_resources())?;
    let header = Header {
        vault,
        slots: vec![slot],
    };
    let header = header.to_bytes().map_err(|_| no_resources())?;
    let keys = Keys::new(vault, key);
    let code = keys.header_code(&header).map_err(|_| no_resources())?;
    let image = Arc::new(InMemoryBackend::new());
    fill_image(image.clone(), &header, code.as_ref())
        .and_then(|()| {
            let mut bytes = vec![0; usize::try_from(image.len()?).map_err(io::Error::other)?];
            image.read(0, &mut bytes)?;
            Ok((bytes, keys))
        })
        .map_err(|error| StoreError::redb(path, "create", &error))
}

fn fill_image(image: Arc<InMemoryBackend>, header: &[u8], code: &[u8]) -> Result<(), redb::Error> {
    let mut database = Builder::new().create_with_backend(Direct(image))?;
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(rows::HEADER)?;
        table.insert(rows::HEADER_ROW, header)?;
        table.insert(rows::CODE_ROW, code)?;
        transaction.open_table(rows::RECORDS)?;
        transaction.open_table(rows::SECRETS)?;
        transaction.open_table(rows::SESSIONS)?;
    }
    transaction.commit()?;
    // What redb sets aside for growth would make an empty vault 1 MiB long.
    database.compact()?;
    Ok(database.close()?)
}
