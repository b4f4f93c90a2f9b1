//! A record's ledger, as it is stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Malformed, duration_ms, from_ms,
    hold::{StoredHold, StoredHostDown},
    to_ms,
};
use crate::{
    failure::{Class, Failure},
    hex::{from_hex, to_hex},
    ledger::{Hold, HostDown, Latch, Ledger, Pending},
    recent_logins::RecentLogins,
    secret::Fingerprint,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredLedger {
    generation: u64,
    logins: u64,
    pending: Option<StoredPending>,
    latch: Option<StoredLatch>,
    failed_ms: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    succeeded_ms: Option<u64>,
    rejections: u32,
    /// Each in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rejected_trials: Vec<String>,
    /// By time and number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<(u64, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<StoredHold>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hosts_down: Vec<StoredHostDown>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refusal_logins_ms: Vec<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refusal_login_due: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPending {
    credential_version: u64,
    since_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLatch {
    credential_version: u64,
    since_ms: u64,
    class: String,
    code: Option<String>,
    message: String,
    pause_ms: Option<u64>,
}

impl From<&Ledger> for StoredLedger {
    fn from(ledger: &Ledger) -> Self {
        Self {
            generation: ledger.generation,
            logins: ledger.logins,
            pending: ledger.pending.map(|pending| StoredPending {
                credential_version: pending.credential_version,
                since_ms: to_ms(pending.since),
            }),
            latch: ledger.latch.as_ref().map(|latch| StoredLatch {
                credential_version: latch.credential_version,
                since_ms: to_ms(latch.since),
                class: latch.failure.class.name().to_owned(),
                code: latch.failure.code.clone(),
                message: latch.failure.message.clone(),
                pause_ms: latch.failure.pause.map(duration_ms),
            }),
            failed_ms: ledger.failed_at.iter().copied().map(to_ms).collect(),
            succeeded_ms: ledger.succeeded_at.map(to_ms),
            rejections: ledger.rejections,
            rejected_trials: ledger
                .rejected_trials
                .iter()
                .map(|digest| to_hex(&digest.0))
                .collect(),
            recent: ledger
                .recent
                .slices()
                .map(|(at, count)| (to_ms(at), count))
                .collect(),
            hold: ledger.hold.as_ref().map(StoredHold::from),
            hosts_down: ledger.hosts_down.iter().map(StoredHostDown::from).collect(),
            refusal_logins_ms: ledger.refusal_logins.iter().copied().map(to_ms).collect(),
            refusal_login_due: ledger.refusal_login_due,
        }
    }
}

impl TryFrom<StoredLedger> for Ledger {
    type Error = Malformed;

    fn try_from(stored: StoredLedger) -> Result<Self, Malformed> {
        let pending = match stored.pending {
            Some(pending) => Some(Pending {
                credential_version: pending.credential_version,
                since: from_ms(pending.since_ms)?,
            }),
            None => None,
        };
        let latch = match stored.latch {
            Some(latch) => Some(Latch {
                credential_version: latch.credential_version,
                since: from_ms(latch.since_ms)?,
                failure: Failure {
                    class: Class::from_name(&latch.class)
                        .ok_or("its latch has an unknown class")?,
                    code: latch.code,
                    message: latch.message,
                    pause: latch.pause_ms.map(Duration::from_millis),
                },
            }),
            None => None,
        };
        Ok(Self {
            generation: stored.generation,
            logins: stored.logins,
            pending,
            latch,
            failed_at: stored
                .failed_ms
                .into_iter()
                .map(from_ms)
                .collect::<Result<_, _>>()?,
            succeeded_at: stored.succeeded_ms.map(from_ms).transpose()?,
            rejections: stored.rejections,
            rejected_trials: stored
                .rejected_trials
                .iter()
                .map(|text| fingerprint(text))
                .collect::<Result<_, _>>()?,
            recent: RecentLogins::from_slices(
                stored
                    .recent
                    .into_iter()
                    .map(|(ms, count)| Ok::<_, Malformed>((from_ms(ms)?, count)))
                    .collect::<Result<Vec<_>, _>>()?,
            ),
            hold: stored.hold.map(Hold::try_from).transpose()?,
            hosts_down: stored
                .hosts_down
                .into_iter()
                .map(HostDown::try_from)
                .collect::<Result<_, _>>()?,
            refusal_logins: stored
                .refusal_logins_ms
                .into_iter()
                .map(from_ms)
                .collect::<Result<_, _>>()?,
            refusal_login_due: stored.refusal_login_due,
            kept: None,
        })
    }
}

fn fingerprint(text: &str) -> Result<Fingerprint, Malformed> {
    let bytes = from_hex(text).ok_or("it has a malformed fingerprint")?;
    Ok(Fingerprint(bytes))
}
