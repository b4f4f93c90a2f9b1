//! What is inside a sealed value: records and ledgers as JSON, secrets as they are.
//!
//! The stored structures are private and frozen with the format, so that no change to a type of the
//! daemon changes what is on disk. Times are kept to the millisecond; one before 1970 is kept as 1970.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    access::{Draft, Id, Rule},
    credential::{Flow, FlowKind},
    host::Host,
    ledger::Ledger,
    record::{Pin, Record, RecordId, RecordName},
};

mod aside;
mod credential;
mod hold;
mod ledger;
mod session;

use aside::StoredAside;
pub(super) use credential::{credential_fields, credential_from_fields};
use ledger::StoredLedger;
pub(super) use session::{session_from_bytes, session_to_bytes};

/// What is wrong with an opened value: words without its content.
pub(super) type Malformed = &'static str;

/// A record and its ledger as the bytes to seal.
pub(super) fn record_to_bytes(
    record: &Record,
    ledger: &Ledger,
) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(TYPICAL_RECORD_LEN));
    serde_json::to_writer(&mut *bytes, &StoredRecord::new(record, ledger))
        .map_err(|_| "the record can't be written as JSON")?;
    Ok(bytes)
}

/// The reverse of [`record_to_bytes`].
pub(super) fn record_from_bytes(id: RecordId, bytes: &[u8]) -> Result<(Record, Ledger), Malformed> {
    let stored: StoredRecord =
        serde_json::from_slice(bytes).map_err(|_| "it is not a record of format 1")?;
    let flow = stored.flow()?;
    let aside = stored.aside.map(StoredAside::into_aside).transpose()?;
    let ledger = Ledger::try_from(stored.ledger)?;
    let record = Record {
        id,
        name: RecordName::parse(&stored.name).map_err(|_| "its name is not a record name")?,
        login_host: host(&stored.login_host)?,
        flow,
        pin: stored.pin.map(Pin::from),
        credential_version: stored.credential_version,
        created_at: from_ms(stored.created_ms)?,
        credential_changed_at: from_ms(stored.credential_changed_ms)?,
        aside: aside.unwrap_or_default(),
        rules: stored.access.map(rules).transpose()?,
        remind_after: stored.remind_after_ms.map(Duration::from_millis),
    };
    Ok((record, ledger))
}

/// Longer records make the buffer grow, which leaves a copy that is not wiped. They hold no secret.
const TYPICAL_RECORD_LEN: usize = 4096;

/// Format 1; it never changes. Another format is another structure.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRecord {
    name: String,
    /// Empty where the flow sends none.
    username: String,
    login_host: String,
    flow: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consumer_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    pin: Option<StoredPin>,
    credential_version: u64,
    created_ms: u64,
    credential_changed_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remind_after_ms: Option<u64>,
    ledger: StoredLedger,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aside: Option<StoredAside>,
    /// Came later. A daemon that knows no rules refuses a record that has some: it would hand it out to everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<Vec<StoredRule>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<StoredId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gid: Option<StoredId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exe: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredId {
    number: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPin {
    org_id: String,
    user_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
}

impl StoredRecord {
    fn new(record: &Record, ledger: &Ledger) -> Self {
        Self {
            name: record.name.as_str().to_owned(),
            username: record.flow.username().unwrap_or_default().to_owned(),
            login_host: record.login_host.as_str().to_owned(),
            flow: record.flow.kind().name().to_owned(),
            consumer_key: record.flow.consumer_key().map(str::to_owned),
            audience: audience(&record.flow).map(str::to_owned),
            pin: record.pin.as_ref().map(StoredPin::from),
            credential_version: record.credential_version,
            created_ms: to_ms(record.created_at),
            credential_changed_ms: to_ms(record.credential_changed_at),
            remind_after_ms: record.remind_after.map(duration_ms),
            ledger: StoredLedger::from(ledger),
            aside: StoredAside::of(&record.aside),
            access: record
                .rules
                .as_ref()
                .map(|rules| rules.iter().map(StoredRule::from).collect()),
        }
    }

    fn flow(&self) -> Result<Flow, Malformed> {
        flow(
            &self.flow,
            &self.username,
            self.consumer_key.as_deref(),
            self.audience.as_deref(),
        )
    }
}

impl From<&Rule> for StoredRule {
    fn from(rule: &Rule) -> Self {
        let kept = |id: Id| StoredId {
            number: id.number,
            name: id.name,
        };
        let draft = rule.draft();
        Self {
            uid: draft.uid.map(kept),
            gid: draft.gid.map(kept),
            unit: draft.unit,
            user_unit: draft.user_unit,
            exe: draft.exe,
        }
    }
}

fn rules(stored: Vec<StoredRule>) -> Result<Arc<[Rule]>, Malformed> {
    let id = |id: StoredId| Id {
        number: id.number,
        name: id.name,
    };
    stored
        .into_iter()
        .map(|rule| {
            Rule::accepted(Draft {
                uid: rule.uid.map(id),
                gid: rule.gid.map(id),
                unit: rule.unit,
                user_unit: rule.user_unit,
                exe: rule.exe,
            })
            .ok_or("one of its access rules means nothing")
        })
        .collect()
}

impl From<StoredPin> for Pin {
    fn from(stored: StoredPin) -> Self {
        Self {
            org_id: stored.org_id,
            user_id: stored.user_id,
            username: stored.username,
        }
    }
}

impl From<&Pin> for StoredPin {
    fn from(pin: &Pin) -> Self {
        Self {
            org_id: pin.org_id.clone(),
            user_id: pin.user_id.clone(),
            username: pin.username.clone(),
        }
    }
}

/// The flow with what belongs to it, and nothing else.
fn flow(
    kind: &str,
    username: &str,
    consumer_key: Option<&str>,
    audience: Option<&str>,
) -> Result<Flow, Malformed> {
    let kind = FlowKind::from_name(kind).ok_or("its flow is unknown")?;
    let username = username.to_owned();
    let consumer_key = consumer_key.map(str::to_owned);
    let audience = audience.map(str::to_owned);
    Ok(match (kind, consumer_key, audience) {
        (FlowKind::SoapLogin, None, None) => Flow::SoapLogin { username },
        (FlowKind::UsernamePassword, Some(consumer_key), None) => Flow::UsernamePassword {
            username,
            consumer_key,
        },
        (FlowKind::ClientCredentials, Some(consumer_key), None) => {
            Flow::ClientCredentials { consumer_key }
        }
        (FlowKind::JwtBearer, Some(consumer_key), Some(audience)) => Flow::JwtBearer {
            username,
            consumer_key,
            audience,
        },
        (FlowKind::RefreshToken, Some(consumer_key), None) => Flow::RefreshToken { consumer_key },
        (_, None, _) => return Err("it has no consumer key"),
        (_, Some(_), _) => return Err("it has settings that its flow does not have"),
    })
}

fn audience(flow: &Flow) -> Option<&str> {
    match flow {
        Flow::JwtBearer { audience, .. } => Some(audience),
        Flow::SoapLogin { .. }
        | Flow::UsernamePassword { .. }
        | Flow::ClientCredentials { .. }
        | Flow::RefreshToken { .. } => None,
    }
}

fn host(text: &str) -> Result<Host, Malformed> {
    Host::parse(text).map_err(|_| "its host is not a host name")
}

fn to_ms(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, duration_ms)
}

fn duration_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn from_ms(ms: u64) -> Result<SystemTime, Malformed> {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(ms))
        .ok_or("it has a time beyond the clock")
}

#[cfg(test)]
mod tests;
