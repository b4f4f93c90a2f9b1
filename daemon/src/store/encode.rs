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
use zeroize::{Zeroize, Zeroizing};

use super::seal::Field;
use crate::{
    access::{Draft, Id, Rule},
    credential::{Credential, Flow, FlowKind},
    failure::{Class, Failure},
    host::Host,
    ledger::{Latch, Ledger, Pending},
    record::{Pin, Record, RecordId, RecordName},
    secret::{ConsumerSecret, Password, PrivateKey, RefreshToken, SecurityToken},
};

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
    let ledger = Ledger::try_from(stored.ledger)?;
    let record = Record {
        id,
        name: RecordName::parse(&stored.name).map_err(|_| "its name is not a record name")?,
        login_host: Host::parse(&stored.login_host).map_err(|_| "its host is not a host name")?,
        flow,
        pin: stored.pin.map(|pin| Pin {
            org_id: pin.org_id,
            user_id: pin.user_id,
            username: pin.username,
        }),
        credential_version: stored.credential_version,
        created_at: from_ms(stored.created_ms)?,
        credential_changed_at: from_ms(stored.credential_changed_ms)?,
        rules: stored.access.map(rules).transpose()?,
        remind_after: stored.remind_after_ms.map(Duration::from_millis),
    };
    Ok((record, ledger))
}

/// The secrets of a credential, each with its field. An optional one that is absent is a field of its own.
pub(super) fn credential_fields(credential: &Credential) -> Vec<(Field, &[u8])> {
    let security_token = |token: &'_ Option<SecurityToken>| match token {
        Some(_) => Field::SecurityToken,
        None => Field::NoSecurityToken,
    };
    let consumer_secret = |secret: &'_ Option<ConsumerSecret>| match secret {
        Some(_) => Field::ConsumerSecret,
        None => Field::NoConsumerSecret,
    };
    let fields = match credential {
        Credential::SoapLogin {
            security_token: token,
            ..
        } => vec![Field::Password, security_token(token)],
        Credential::UsernamePassword {
            security_token: token,
            consumer_secret: secret,
            ..
        } => vec![
            Field::Password,
            security_token(token),
            consumer_secret(secret),
        ],
        Credential::ClientCredentials { .. } => vec![Field::ConsumerSecret],
        Credential::JwtBearer {
            consumer_secret: secret,
            ..
        } => vec![Field::PrivateKey, consumer_secret(secret)],
        Credential::RefreshToken {
            consumer_secret: secret,
            ..
        } => vec![Field::RefreshToken, consumer_secret(secret)],
    };
    fields
        .into_iter()
        .map(|field| (field, secret_of(credential, field).unwrap_or_default()))
        .collect()
}

/// A credential from its opened fields, which must be just those of its flow; their memory moves into it.
pub(super) fn credential_from_fields(
    flow: FlowKind,
    fields: Vec<(Field, Zeroizing<Vec<u8>>)>,
) -> Result<Credential, Malformed> {
    let mut fields = OpenedFields(fields);
    let credential = match flow {
        FlowKind::SoapLogin => Credential::SoapLogin {
            password: Password::new(fields.take(Field::Password)?),
            security_token: fields.security_token()?,
        },
        FlowKind::UsernamePassword => Credential::UsernamePassword {
            password: Password::new(fields.take(Field::Password)?),
            security_token: fields.security_token()?,
            consumer_secret: fields.consumer_secret()?,
        },
        FlowKind::ClientCredentials => Credential::ClientCredentials {
            consumer_secret: ConsumerSecret::new(fields.take(Field::ConsumerSecret)?),
        },
        FlowKind::JwtBearer => Credential::JwtBearer {
            private_key: PrivateKey::new(fields.take(Field::PrivateKey)?),
            consumer_secret: fields.consumer_secret()?,
        },
        FlowKind::RefreshToken => Credential::RefreshToken {
            refresh_token: RefreshToken::new(fields.take(Field::RefreshToken)?),
            consumer_secret: fields.consumer_secret()?,
        },
    };
    if fields.0.is_empty() {
        Ok(credential)
    } else {
        Err("it has a part that its flow does not have")
    }
}

/// What of a credential is still to be put together.
struct OpenedFields(Vec<(Field, Zeroizing<Vec<u8>>)>);

impl OpenedFields {
    fn take(&mut self, field: Field) -> Result<String, Malformed> {
        let at = self.0.iter().position(|(found, _)| *found == field);
        let at = at.ok_or("a part is missing")?;
        into_text(self.0.swap_remove(at).1)
    }

    /// The secret, or its absence, which must be stated: a row that was only dropped is not absent.
    fn take_or(&mut self, field: Field, absent: Field) -> Result<Option<String>, Malformed> {
        if self.0.iter().any(|(found, _)| *found == field) {
            return self.take(field).map(Some);
        }
        self.take(absent).map(|_| None)
    }

    fn security_token(&mut self) -> Result<Option<SecurityToken>, Malformed> {
        let token = self.take_or(Field::SecurityToken, Field::NoSecurityToken)?;
        Ok(token.map(SecurityToken::new))
    }

    fn consumer_secret(&mut self) -> Result<Option<ConsumerSecret>, Malformed> {
        let secret = self.take_or(Field::ConsumerSecret, Field::NoConsumerSecret)?;
        Ok(secret.map(ConsumerSecret::new))
    }
}

fn secret_of(credential: &Credential, field: Field) -> Option<&[u8]> {
    // EXPOSE: the cipher, through `Keys::seal`
    let text = match field {
        Field::Password => credential.password()?.expose(),
        Field::SecurityToken => credential.security_token()?.expose(),
        Field::ConsumerSecret => credential.consumer_secret()?.expose(),
        Field::PrivateKey => credential.private_key()?.expose(),
        Field::RefreshToken => credential.refresh_token()?.expose(),
        Field::Audit | Field::Record | Field::NoSecurityToken | Field::NoConsumerSecret => {
            return None;
        }
    };
    Some(text.as_bytes())
}

/// Longer records make the buffer grow, which leaves a copy that is not wiped. They hold no secret.
const TYPICAL_RECORD_LEN: usize = 2048;

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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLedger {
    generation: u64,
    logins: u64,
    pending: Option<StoredPending>,
    latch: Option<StoredLatch>,
    failed_ms: Vec<u64>,
    rejections: u32,
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

impl StoredRecord {
    fn new(record: &Record, ledger: &Ledger) -> Self {
        Self {
            name: record.name.as_str().to_owned(),
            username: record.flow.username().unwrap_or_default().to_owned(),
            login_host: record.login_host.as_str().to_owned(),
            flow: record.flow.kind().name().to_owned(),
            consumer_key: record.flow.consumer_key().map(str::to_owned),
            audience: match &record.flow {
                Flow::JwtBearer { audience, .. } => Some(audience.clone()),
                Flow::SoapLogin { .. }
                | Flow::UsernamePassword { .. }
                | Flow::ClientCredentials { .. }
                | Flow::RefreshToken { .. } => None,
            },
            pin: record.pin.as_ref().map(|pin| StoredPin {
                org_id: pin.org_id.clone(),
                user_id: pin.user_id.clone(),
                username: pin.username.clone(),
            }),
            credential_version: record.credential_version,
            created_ms: to_ms(record.created_at),
            credential_changed_ms: to_ms(record.credential_changed_at),
            remind_after_ms: record.remind_after.map(duration_ms),
            ledger: StoredLedger::from(ledger),
            access: record
                .rules
                .as_ref()
                .map(|rules| rules.iter().map(StoredRule::from).collect()),
        }
    }

    /// The flow with what belongs to it, and nothing else.
    fn flow(&self) -> Result<Flow, Malformed> {
        let kind = FlowKind::from_name(&self.flow).ok_or("its flow is unknown")?;
        let username = self.username.clone();
        let no_key = "it has no consumer key";
        Ok(
            match (kind, self.consumer_key.clone(), self.audience.clone()) {
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
                (FlowKind::RefreshToken, Some(consumer_key), None) => {
                    Flow::RefreshToken { consumer_key }
                }
                (_, None, _) => return Err(no_key),
                (_, Some(_), _) => return Err("it has settings that its flow does not have"),
            },
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
            rejections: ledger.rejections,
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
            rejections: stored.rejections,
        })
    }
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

fn into_text(mut bytes: Zeroizing<Vec<u8>>) -> Result<String, Malformed> {
    String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
        error.into_bytes().zeroize();
        "a secret is not UTF-8"
    })
}

#[cfg(test)]
mod tests;
