//! A kept session as the bytes to seal: its facts as JSON, behind their length, and then the id as it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Malformed, duration_ms, from_ms, to_ms};
use crate::{host::Host, kept::KeptSession, secret::SessionId};

pub(in crate::store) fn session_to_bytes(
    kept: &KeptSession,
) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let facts = serde_json::to_vec(&Facts::from(kept))
        .map_err(|_| "the session can't be written as JSON")?;
    let length = u32::try_from(facts.len()).map_err(|_| "the session's facts are too long")?;
    // EXPOSE: the cipher, through `Keys::seal`
    let id = kept.session_id.expose().as_bytes();
    // Large enough from the start: a buffer that grows leaves a copy that is not wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH + facts.len() + id.len()));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&facts);
    bytes.extend_from_slice(id);
    Ok(bytes)
}

/// The reverse of [`session_to_bytes`].
pub(in crate::store) fn session_from_bytes(bytes: &[u8]) -> Result<KeptSession, Malformed> {
    let malformed = "it is not a session of format 1";
    let (length, rest) = bytes.split_first_chunk::<LENGTH>().ok_or(malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| malformed)?;
    let (facts, id) = rest.split_at_checked(length).ok_or(malformed)?;
    let facts: Facts = serde_json::from_slice(facts).map_err(|_| malformed)?;
    let id = std::str::from_utf8(id).map_err(|_| malformed)?;
    Ok(KeptSession {
        session_id: SessionId::new(id.to_owned()),
        instance: Host::parse(&facts.instance).map_err(|_| "its host is not a host name")?,
        org_id: facts.org_id,
        user_id: facts.user_id,
        username: facts.username,
        sandbox: facts.sandbox,
        generation: facts.generation,
        first_generation: facts.first_generation,
        credential_version: facts.credential_version,
        issued_at: from_ms(facts.issued_ms)?,
        proven_at: facts.proven_ms.map(from_ms).transpose()?,
        timeout: facts.timeout_ms.map(Duration::from_millis),
        granted_timeout: facts.granted_timeout_ms.map(Duration::from_millis),
        hard_expiry: facts.hard_expiry_ms.map(from_ms).transpose()?,
        doubted: facts.doubted,
    })
}

const LENGTH: usize = 4;

/// Format 1; it never changes. Another format is another structure.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    instance: String,
    org_id: String,
    user_id: String,
    username: Option<String>,
    sandbox: bool,
    generation: u64,
    first_generation: u64,
    credential_version: u64,
    issued_ms: u64,
    proven_ms: Option<u64>,
    timeout_ms: Option<u64>,
    granted_timeout_ms: Option<u64>,
    hard_expiry_ms: Option<u64>,
    doubted: bool,
}

impl From<&KeptSession> for Facts {
    fn from(kept: &KeptSession) -> Self {
        Self {
            instance: kept.instance.as_str().to_owned(),
            org_id: kept.org_id.clone(),
            user_id: kept.user_id.clone(),
            username: kept.username.clone(),
            sandbox: kept.sandbox,
            generation: kept.generation,
            first_generation: kept.first_generation,
            credential_version: kept.credential_version,
            issued_ms: to_ms(kept.issued_at),
            proven_ms: kept.proven_at.map(to_ms),
            timeout_ms: kept.timeout.map(duration_ms),
            granted_timeout_ms: kept.granted_timeout.map(duration_ms),
            hard_expiry_ms: kept.hard_expiry.map(to_ms),
            doubted: kept.doubted,
        }
    }
}
