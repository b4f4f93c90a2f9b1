//! What a record keeps aside, as it is stored.

use serde::{Deserialize, Serialize};

use super::{Malformed, StoredPin, audience, flow, from_ms, host, to_ms};
use crate::{
    aside::{Aside, DrawnPassword, DrawnState, KeptLogin},
    record::Pin,
};

/// As `StoredRecord`: it never changes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredAside {
    kept: Option<StoredKept>,
    drawn: Option<StoredDrawn>,
    dropped_version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKept {
    username: String,
    login_host: String,
    flow: String,
    consumer_key: Option<String>,
    audience: Option<String>,
    pin: Option<StoredPin>,
    credential_version: u64,
    credential_changed_ms: u64,
    since_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDrawn {
    credential_version: u64,
    since_ms: u64,
    state: String,
}

impl StoredAside {
    /// `None` for a record that never kept anything aside: such a record looks as it always did.
    pub(super) fn of(aside: &Aside) -> Option<Self> {
        if *aside == Aside::default() {
            return None;
        }
        Some(Self {
            kept: aside.kept.as_ref().map(StoredKept::from),
            drawn: aside.drawn.as_ref().map(StoredDrawn::from),
            dropped_version: aside.dropped_version,
        })
    }

    pub(super) fn into_aside(self) -> Result<Aside, Malformed> {
        Ok(Aside {
            kept: self.kept.map(StoredKept::into_kept).transpose()?,
            drawn: self.drawn.map(StoredDrawn::into_drawn).transpose()?,
            dropped_version: self.dropped_version,
        })
    }
}

impl StoredKept {
    fn into_kept(self) -> Result<KeptLogin, Malformed> {
        Ok(KeptLogin {
            flow: flow(
                &self.flow,
                &self.username,
                self.consumer_key.as_deref(),
                self.audience.as_deref(),
            )?,
            login_host: host(&self.login_host)?,
            pin: self.pin.map(Pin::from),
            credential_version: self.credential_version,
            credential_changed_at: from_ms(self.credential_changed_ms)?,
            since: from_ms(self.since_ms)?,
        })
    }
}

impl From<&KeptLogin> for StoredKept {
    fn from(kept: &KeptLogin) -> Self {
        Self {
            username: kept.flow.username().unwrap_or_default().to_owned(),
            login_host: kept.login_host.as_str().to_owned(),
            flow: kept.flow.kind().name().to_owned(),
            consumer_key: kept.flow.consumer_key().map(str::to_owned),
            audience: audience(&kept.flow).map(str::to_owned),
            pin: kept.pin.as_ref().map(StoredPin::from),
            credential_version: kept.credential_version,
            credential_changed_ms: to_ms(kept.credential_changed_at),
            since_ms: to_ms(kept.since),
        }
    }
}

impl StoredDrawn {
    fn into_drawn(self) -> Result<DrawnPassword, Malformed> {
        Ok(DrawnPassword {
            credential_version: self.credential_version,
            since: from_ms(self.since_ms)?,
            state: DrawnState::from_name(&self.state)
                .ok_or("its drawn password has an unknown state")?,
        })
    }
}

impl From<&DrawnPassword> for StoredDrawn {
    fn from(drawn: &DrawnPassword) -> Self {
        Self {
            credential_version: drawn.credential_version,
            since_ms: to_ms(drawn.since),
            state: drawn.state.name().to_owned(),
        }
    }
}
