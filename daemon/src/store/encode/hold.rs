//! A pause after an exchange that failed, a record's or a host's, as it is stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Malformed, duration_ms, from_ms, to_ms};
use crate::{
    failure::{Class, Failure},
    host::Host,
    ledger::{Hold, HostDown},
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredHold {
    since_ms: u64,
    until_ms: u64,
    round: u32,
    class: String,
    code: Option<String>,
    message: String,
    pause_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    proof: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredHostDown {
    host: String,
    hold: StoredHold,
}

impl From<&Hold> for StoredHold {
    fn from(hold: &Hold) -> Self {
        Self {
            since_ms: to_ms(hold.since),
            until_ms: to_ms(hold.until),
            round: hold.round,
            class: hold.failure.class.name().to_owned(),
            code: hold.failure.code.clone(),
            message: hold.failure.message.clone(),
            pause_ms: hold.failure.pause.map(duration_ms),
            proof: hold.proof,
        }
    }
}

impl TryFrom<StoredHold> for Hold {
    type Error = Malformed;

    fn try_from(stored: StoredHold) -> Result<Self, Malformed> {
        Ok(Self {
            since: from_ms(stored.since_ms)?,
            until: from_ms(stored.until_ms)?,
            round: stored.round,
            proof: stored.proof,
            failure: Failure {
                class: Class::from_name(&stored.class).ok_or("its hold has an unknown class")?,
                code: stored.code,
                message: stored.message,
                pause: stored.pause_ms.map(Duration::from_millis),
            },
        })
    }
}

impl From<&HostDown> for StoredHostDown {
    fn from(down: &HostDown) -> Self {
        Self {
            host: down.host.to_string(),
            hold: StoredHold::from(&down.hold),
        }
    }
}

impl TryFrom<StoredHostDown> for HostDown {
    type Error = Malformed;

    fn try_from(stored: StoredHostDown) -> Result<Self, Malformed> {
        Ok(Self {
            host: Host::parse(&stored.host).map_err(|_| "its host that is down is none")?,
            hold: Hold::try_from(stored.hold)?,
        })
    }
}
