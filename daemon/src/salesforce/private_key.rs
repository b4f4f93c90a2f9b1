//! The private key of an app, in PEM: what it must be, and what people give instead of it.

use std::fmt;

use ring::signature::RsaKeyPair;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use zeroize::Zeroizing;

/// Why a text is no private key that can sign assertions. Its words follow the name of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAKey {
    Certificate,
    Damaged,
    EllipticCurve,
    Encrypted,
    NotPem,
    OpenSsh,
    PublicKey,
    TooLarge,
    TooSmall,
}

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => {
                "is a certificate, which belongs into the app in Salesforce; give the private key it was made with"
            }
            Self::Damaged => "is damaged: it is not a whole RSA key in PEM",
            Self::EllipticCurve => "is not an RSA key; Salesforce takes RS256 signatures only",
            Self::Encrypted => {
                "is encrypted; decrypt it first, as with `openssl pkey -in FILE`: the vault seals it"
            }
            Self::NotPem => "is not PEM: no line says `-----BEGIN PRIVATE KEY-----`",
            Self::OpenSsh => {
                "has the form of OpenSSH; convert it, as with `ssh-keygen -p -m PKCS8 -f FILE`"
            }
            Self::PublicKey => "is a public key; give the private one",
            Self::TooLarge => "has more than 4,096 bits; make one with 2,048 to 4,096",
            Self::TooSmall => "has fewer than 2,048 bits; make one with 2,048 to 4,096",
        })
    }
}

/// Reads an RSA key of 2,048 to 4,096 bits in PKCS#8 or PKCS#1. What else the text holds, as a certificate beside the
/// key, does not matter.
///
/// # Errors
/// Says what the text is instead.
pub(crate) fn parse(pem: &str) -> Result<RsaKeyPair, NotAKey> {
    let labels: Vec<&str> = pem
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("-----BEGIN ")?
                .strip_suffix("-----")
        })
        .collect();
    let is_there = |label| labels.contains(&label);
    if is_there("ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(NotAKey::Encrypted);
    }
    if !is_there("PRIVATE KEY") && !is_there("RSA PRIVATE KEY") {
        let instead = [
            ("EC PRIVATE KEY", NotAKey::EllipticCurve),
            ("OPENSSH PRIVATE KEY", NotAKey::OpenSsh),
            ("CERTIFICATE", NotAKey::Certificate),
            ("PUBLIC KEY", NotAKey::PublicKey),
            ("RSA PUBLIC KEY", NotAKey::PublicKey),
        ];
        let found = instead.into_iter().find(|(label, _)| is_there(label));
        return Err(found.map_or(NotAKey::NotPem, |(_, what)| what));
    }
    // What the reader leaves behind of lines and sections, the daemon's allocator wipes.
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        let (kind, der) = section.map_err(|_| NotAKey::Damaged)?;
        let der = Zeroizing::new(der);
        let key = if kind == SectionKind::PrivateKey {
            RsaKeyPair::from_pkcs8(&der)
        } else if kind == SectionKind::RsaPrivateKey {
            RsaKeyPair::from_der(&der)
        } else {
            continue;
        };
        return key.map_err(|rejected| match rejected.to_string().as_str() {
            "TooSmall" => NotAKey::TooSmall,
            "TooLarge" => NotAKey::TooLarge,
            "WrongAlgorithm" => NotAKey::EllipticCurve,
            _ => NotAKey::Damaged,
        });
    }
    Err(NotAKey::Damaged)
}

#[cfg(test)]
mod tests;
