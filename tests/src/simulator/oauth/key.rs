//! The key pair of the default app. It is in the sources, and so protects nothing.

use rcgen::{CertificateParams, DnType, KeyPair};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::{
    pki_types::{CertificateDer, pem::PemObject as _},
    server::ParsedCertificate,
};

/// The RSA key that signs the assertions which the default app accepts: PKCS #8 in PEM.
pub const PRIVATE_KEY: &str = include_str!("private_key.pem");

/// A self-signed certificate in PEM for a private key in PEM, as an administrator uploads it to an app.
///
/// # Panics
/// If the key is none that can be read.
#[must_use]
pub fn certificate(private_key: &str) -> String {
    let signed = KeyPair::from_pem(private_key).and_then(|key| {
        let mut params = CertificateParams::new(Vec::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "ETL app, for tests only");
        params.self_signed(&key)
    });
    match signed {
        Ok(certificate) => certificate.pem(),
        Err(error) => panic!("no certificate for this key: {error}"),
    }
}

/// Whether this signature of a text was made with the RSA key of a certificate, by RS256.
pub(super) fn verifies(certificate: &str, text: &[u8], signature: &[u8]) -> bool {
    rsa_key(certificate).is_some_and(|key| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(text, signature)
            .is_ok()
    })
}

/// The `RSAPublicKey` in a certificate's `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7; RFC 3279, 2.3.1).
fn rsa_key(certificate: &str) -> Option<Vec<u8>> {
    /// The algorithm `rsaEncryption` with its NULL, and the head of a BIT STRING of 256 to 65,535 bytes.
    const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82";
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let parsed = ParsedCertificate::try_from(&certificate).ok()?;
    let info = parsed.subject_public_key_info();
    // Behind the head of the outer SEQUENCE; behind the BIT STRING's length stands a count of unused bits.
    let key = info.as_ref().get(4..)?.strip_prefix(RSA)?.get(3..)?;
    Some(key.to_vec())
}
