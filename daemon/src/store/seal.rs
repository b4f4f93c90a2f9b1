//! The envelope: what a sealed value is, and the keys that seal and open it.
//!
//! A value is sealed for one place: one vault, one record, one field, one version. Opened for any other
//! place it is not authentic, so nothing in the file can be copied elsewhere or set back by itself.
//!
//! The cipher is ChaCha20-Poly1305: constant time and equally fast on every processor, with or without
//! AES instructions. Nonces are random; with a key for each record, one written every second for a
//! hundred years stays below the 2^32 messages up to which random 96-bit nonces are sound.
//!
//! ring keeps its expanded keys in plain memory while a call runs; what this file holds itself is wiped.

use std::{fmt, sync::Arc};

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Okm, Prk, Salt},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use crate::{locked::Locked, record::RecordId};

/// The vault key, unwrapped, and the vault it belongs to. Wiped when the last clone goes.
#[derive(Clone)]
pub struct Keys(Arc<VaultKey>);

struct VaultKey {
    vault: VaultId,
    key: Secret32,
}

/// Identifies a vault for ever; drawn at random when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VaultId(pub(super) [u8; 16]);

/// A key in locked memory. It lies on the heap, so that moving it leaves no copy on a stack.
pub(super) struct Secret32(Locked);

impl Secret32 {
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

/// Zeros, to be filled in place.
impl Default for Secret32 {
    fn default() -> Self {
        Self(Locked::zeroed(32))
    }
}

/// Which of a record's values. The numbers are part of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    /// The record and its ledger.
    Record = 1,
    Password = 2,
    SecurityToken = 3,
    /// An empty value that says that there is no token: dropping the token's row would else go unseen.
    NoSecurityToken = 4,
    /// What is kept for the audit, of no record.
    Audit = 64,
    ConsumerSecret = 5,
    /// As [`Field::NoSecurityToken`], for an app that needs no secret.
    NoConsumerSecret = 6,
    PrivateKey = 7,
    RefreshToken = 8,
    /// The session that a restart may go on with; the version is the record's revision.
    Session = 32,
}

impl Field {
    /// The part of a credential that has this number.
    pub(super) fn of_secret(number: u8) -> Option<Self> {
        [
            Self::Password,
            Self::SecurityToken,
            Self::NoSecurityToken,
            Self::ConsumerSecret,
            Self::NoConsumerSecret,
            Self::PrivateKey,
            Self::RefreshToken,
        ]
        .into_iter()
        .find(|field| *field as u8 == number)
    }
}

/// Where a sealed value belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) record: RecordId,
    pub(super) field: Field,
    /// The record's revision, or the credential's version.
    pub(super) version: u64,
}

/// The value was altered, belongs elsewhere, or was sealed with another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAuthentic;

/// The system gave no random bytes, or the value is longer than the cipher allows (256 GiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CantSeal;

impl Keys {
    pub(super) fn new(vault: VaultId, key: Secret32) -> Self {
        Self(Arc::new(VaultKey { vault, key }))
    }

    pub(super) fn vault(&self) -> VaultId {
        self.0.vault
    }

    /// Seals a value for its place: version (8, big endian), nonce (12), ciphertext, tag (16).
    pub(super) fn seal(&self, place: Place, plaintext: &[u8]) -> Result<Vec<u8>, CantSeal> {
        let mut sealed = Vec::with_capacity(VERSION_LEN + OVERHEAD + plaintext.len());
        sealed.extend_from_slice(&place.version.to_be_bytes());
        let key = self.record_key(place.record)?;
        encrypt_onto(&mut sealed, &key, &self.binding(place), plaintext)?;
        Ok(sealed)
    }

    /// Opens a value that must have been sealed for this place.
    pub(super) fn open(
        &self,
        place: Place,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
        let (version, rest) = sealed.split_at_checked(VERSION_LEN).ok_or(NotAuthentic)?;
        if version != place.version.to_be_bytes() {
            return Err(NotAuthentic);
        }
        let key = self.record_key(place.record).map_err(|_| NotAuthentic)?;
        decrypt(&key, &self.binding(place), rest)
    }

    /// The code that authenticates the vault's header, bit for bit.
    pub(super) fn header_code(&self, header: &[u8]) -> Result<hmac::Tag, CantSeal> {
        Ok(hmac::sign(&self.header_key()?, header))
    }

    /// Whether the code is this header's, in constant time.
    pub(super) fn header_is_authentic(&self, header: &[u8], code: &[u8]) -> bool {
        self.header_key()
            .is_ok_and(|key| hmac::verify(&key, header, code).is_ok())
    }

    /// A keyed digest of a session id, which tells sessions apart and nothing else.
    pub(super) fn digest(&self, session: &[u8]) -> Result<[u8; 32], CantSeal> {
        let purpose: [&[u8]; 1] = [b"sfvault fingerprint key v1\0"];
        let key: hmac::Key = derive(&self.prk(), &purpose, hmac::HMAC_SHA256)?;
        let digest = hmac::sign(&key, session);
        digest.as_ref().try_into().map_err(|_| CantSeal)
    }

    fn record_key(&self, record: RecordId) -> Result<LessSafeKey, CantSeal> {
        let info: [&[u8]; 2] = [b"sfvault record key v1\0", &record.0];
        derive(&self.prk(), &info, &CHACHA20_POLY1305).map(LessSafeKey::new)
    }

    fn header_key(&self) -> Result<hmac::Key, CantSeal> {
        derive(
            &self.prk(),
            &[b"sfvault header key v1\0"],
            hmac::HMAC_SHA256,
        )
    }

    fn prk(&self) -> Prk {
        Salt::new(HKDF_SHA256, &self.0.vault.0).extract(self.0.key.bytes())
    }

    /// Each part has a fixed length, so no two places give the same bytes.
    fn binding(&self, place: Place) -> Vec<u8> {
        [
            b"sfvault value v1\0".as_slice(),
            &self.0.vault.0,
            &place.record.0,
            &[place.field as u8],
            &place.version.to_be_bytes(),
        ]
        .concat()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// The version that a sealed value claims; only opening it shows whether that is true.
pub(super) fn claimed_version(sealed: &[u8]) -> Option<u64> {
    sealed.first_chunk().copied().map(u64::from_be_bytes)
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], CantSeal> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

/// A new key; it is never anywhere but in wiped memory.
pub(super) fn random_key() -> Result<Secret32, CantSeal> {
    let mut key = Secret32::default();
    fill_random(key.bytes_mut())?;
    Ok(key)
}

/// Appends a random nonce, the ciphertext and the tag.
pub(super) fn encrypt_onto(
    out: &mut Vec<u8>,
    key: &LessSafeKey,
    binding: &[u8],
    plaintext: &[u8],
) -> Result<(), CantSeal> {
    let nonce = random::<NONCE_LEN>()?;
    // Until the cipher has run over it, this is the plaintext.
    let mut text = Zeroizing::new(plaintext.to_vec());
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(binding),
            &mut text,
        )
        .map_err(|_| CantSeal)?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&text);
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

/// The reverse of [`encrypt_onto`].
pub(super) fn decrypt(
    key: &LessSafeKey,
    binding: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
    let (nonce, text) = sealed
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(NotAuthentic)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = key
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(binding),
            &mut text,
        )
        .map_err(|_| NotAuthentic)?
        .len();
    text.truncate(length);
    Ok(text)
}

/// The cipher's key from 32 secret bytes.
pub(super) fn cipher_key(key: &Secret32) -> Result<LessSafeKey, CantSeal> {
    UnboundKey::new(&CHACHA20_POLY1305, key.bytes())
        .map(LessSafeKey::new)
        .map_err(|_| CantSeal)
}

const VERSION_LEN: usize = 8;
/// What [`encrypt_onto`] adds to the plaintext's length.
pub(super) const OVERHEAD: usize = NONCE_LEN + 16;

fn fill_random(bytes: &mut [u8]) -> Result<(), CantSeal> {
    SystemRandom::new().fill(bytes).map_err(|_| CantSeal)
}

/// HKDF refuses only outputs over 8,160 bytes, and every key here has 32.
fn derive<K, L: KeyType>(prk: &Prk, info: &[&[u8]], kind: L) -> Result<K, CantSeal>
where
    K: for<'a> From<Okm<'a, L>>,
{
    Ok(prk.expand(info, kind).map_err(|_| CantSeal)?.into())
}

#[cfg(test)]
mod tests;
