//! New secrets for a record, verified by one login before they replace the old.

use std::sync::Arc;

use tracing::info;

use super::{
    NewSecrets, RecordView, Vault, credential,
    trial::{failed, pin, renewed, trial_failed},
};
use crate::{
    aside::DrawnState,
    credential::Credential,
    error::Error,
    record::{Record, RecordName},
    salesforce::LoginRequest,
    secret::Password,
    session::{
        decision::{Effect, Passed},
        entry::Rearranged,
        pin::{disagree, leads_elsewhere},
        turn::{Turn, conflict},
    },
};

/// What to do about a record's secrets.
#[derive(Debug)]
pub enum Rotation {
    /// Try these, with the stored ones for the rest; or with the drawn password, if there is one.
    To(NewSecrets),
    /// Draw a password and set it at Salesforce.
    Generate,
    /// The password that was drawn did not reach Salesforce: try the old one once, and drop the drawn one.
    KeepOld,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The new secrets work and are the record's.
    Replaced,
    /// They are those that the record has; nothing was sent.
    Same,
    /// The password was changed at Salesforce; the security token that it mails is needed.
    TokenAwaited,
    /// The old secrets work and stay; the drawn password is gone.
    KeptOld,
}

impl Vault {
    /// Changes a record's secrets so that it has working ones throughout. Returns what looks odd, too.
    ///
    /// # Errors
    /// Why they are not changed; then the record is as it was, but for a drawn password whose fate is open.
    pub async fn rotate(
        self: &Arc<Self>,
        name: RecordName,
        rotation: Rotation,
    ) -> Result<(RecordView, Rotated, Vec<String>), Error> {
        let (refresher, entry) = self.find(name.as_str())?;
        // Whoever repeats a change whose write failed builds on what that write may have left.
        entry.settled(&refresher.store, &refresher.keys).await?;
        let (rotated, warnings) = match rotation {
            Rotation::To(new) => {
                refresher
                    .turn(&entry, |turn| async move { replace(&turn, new).await })
                    .await?
            }
            Rotation::Generate => (
                super::generate::generate(&refresher, &entry).await?,
                Vec::new(),
            ),
            Rotation::KeepOld => {
                let kept = refresher.turn(&entry, |turn| async move { keep_old(&turn).await });
                (kept.await?, Vec::new())
            }
        };
        info!(record = %name, ?rotated, "rotated the credential");
        Ok((self.record(name.as_str())?, rotated, warnings))
    }

    /// The password that was drawn for a record and whose fate is open.
    ///
    /// # Errors
    /// If there is none.
    pub async fn reveal_drawn(
        self: &Arc<Self>,
        name: RecordName,
    ) -> Result<(Password, DrawnState), Error> {
        self.administer(move |vault| {
            let (refresher, entry) = vault.find(name.as_str())?;
            let record = Arc::clone(&entry.lock().record);
            let drawn = refresher.store.drawn(&refresher.keys, &record)?;
            let state = record.aside.drawn.map(|drawn| drawn.state);
            match (drawn.as_ref().and_then(Credential::password), state) {
                (Some(password), Some(state)) => {
                    info!(record = %name, "revealed the drawn password");
                    Ok((password.clone(), state))
                }
                _ => Err(Error::invalid("name", NO_DRAWN)),
            }
        })
        .await
    }
}

async fn replace(turn: &Turn, new: NewSecrets) -> Result<(Rotated, Vec<String>), Error> {
    let record = turn.record();
    let on_drawn = record.aside.drawn.is_some() && new.password.is_none();
    if !new.has_secrets() {
        let field = if on_drawn {
            "security_token"
        } else {
            "password"
        };
        return Err(Error::invalid(field, "give a secret to change"));
    }
    let stored = turn
        .read(|refresher, record| Ok(refresher.store.credential(&refresher.keys, record)?))
        .await?;
    let base = match on_drawn {
        true => turn
            .read(|refresher, record| Ok(refresher.store.drawn(&refresher.keys, record)?))
            .await?
            .ok_or_else(conflict)?,
        false => stored.clone(),
    };
    let tried = in_words(&base, &new, on_drawn);
    let merged = credential::merge(&base, new)?;
    credential::check(&merged)?;
    if merged.matches(&stored) && !on_drawn {
        let state = turn.entry.lock();
        return match state.machine.ledger().latch.clone() {
            Some(latch) => Err(Error::Latched {
                record: record.name.clone(),
                failure: latch.failure,
                since: latch.since,
            }),
            None => Ok((Rotated::Same, Vec::new())),
        };
    }
    let warnings = credential::doubts(&merged);
    try_and_adopt(turn, &record, merged, tried).await?;
    Ok((Rotated::Replaced, warnings))
}

/// One login with this credential; if it works, it is the record's.
pub(super) async fn try_and_adopt(
    turn: &Turn,
    record: &Record,
    credential: Credential,
    tried: String,
) -> Result<(), Error> {
    let request = request(record, credential);
    let passed = log_in(turn, record, &request, tried).await?;
    let credential = renewed(request.credential, &passed);
    let (base, now) = (turn.record_unless_set()?.credential_version, turn.now());
    turn.rearrange(move |record| {
        if record.credential_version != base {
            return Err(conflict());
        }
        let mut next = Record {
            credential_version: record.next_version(),
            credential_changed_at: now,
            pin: record.pin.clone().or_else(|| Some(pin(&passed))),
            ..record.clone()
        };
        next.aside.drop_drawn();
        Ok(Rearranged {
            credential: Some(credential),
            ..Rearranged::of(next, Effect::Adopt(Box::new(passed)))
        })
    })
    .await
}

async fn keep_old(turn: &Turn) -> Result<Rotated, Error> {
    let record = turn.record();
    match record.aside.drawn.map(|drawn| drawn.state) {
        None => return Err(Error::invalid("keep_old", NO_DRAWN)),
        Some(DrawnState::InForce) => {
            let problem = "Salesforce took the new password, so the old one is dead";
            return Err(Error::invalid("keep_old", problem));
        }
        Some(DrawnState::Unknown) => {}
    }
    let stored = turn
        .read(|refresher, record| Ok(refresher.store.credential(&refresher.keys, record)?))
        .await?;
    let request = request(&record, stored);
    let tried = "a login with the old password and the old security token".to_owned();
    let passed = log_in(turn, &record, &request, tried).await?;
    turn.rearrange(move |record| {
        let mut next = record.clone();
        next.aside.drop_drawn();
        Ok(Rearranged::of(next, Effect::Adopt(Box::new(passed))))
    })
    .await?;
    Ok(Rotated::KeptOld)
}

fn request(record: &Record, credential: Credential) -> LoginRequest {
    LoginRequest {
        login_host: record.login_host.clone(),
        flow: record.flow.clone(),
        credential,
    }
}

async fn log_in(
    turn: &Turn,
    record: &Record,
    request: &LoginRequest,
    tried: String,
) -> Result<Passed, Error> {
    let passed = match turn.log_in(request).await {
        Ok(passed) => passed,
        Err(not) => return Err(failed(turn, tried, not)),
    };
    let granted = (&passed.grant.org_id, &passed.grant.user_id);
    let proof = passed.proof.as_ref();
    let proven = proof.map(|proof| (&proof.org_id, &proof.user_id));
    let elsewhere = [Some(granted), proven]
        .into_iter()
        .flatten()
        .find_map(|(org, user)| leads_elsewhere(record.pin.as_ref(), org, user));
    let disagree = || disagree(&passed.grant, proof?);
    match elsewhere.or_else(disagree) {
        Some(failure) => Err(trial_failed(turn, tried, failure)),
        None => Ok(passed),
    }
}

/// Which combination is tried: the one thing that an operator must know when it fails.
fn in_words(base: &Credential, new: &NewSecrets, on_drawn: bool) -> String {
    let mut parts = Vec::new();
    if base.password().is_some() {
        parts.push(match (new.password.is_some(), on_drawn) {
            (true, _) => "the new password",
            (false, true) => "the generated password",
            (false, false) => "the stored password",
        });
        parts.push(match (&new.security_token, base.security_token()) {
            (Some(Some(_)), _) => "the new security token",
            (Some(None), _) | (None, None) => "no security token",
            (None, Some(_)) => "the stored security token",
        });
    }
    let others = [
        (new.consumer_secret.is_some(), "the new consumer secret"),
        (new.private_key.is_some(), "the new private key"),
        (new.refresh_token.is_some(), "the new refresh token"),
    ];
    parts.extend(
        others
            .into_iter()
            .filter_map(|(given, name)| given.then_some(name)),
    );
    format!("a login with {}", parts.join(" and "))
}

const NO_DRAWN: &str = "there is no generated password whose fate is open";
