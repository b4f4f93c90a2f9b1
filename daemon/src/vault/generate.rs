//! A password that sfvault draws and sets at Salesforce itself.
//!
//! The hazard: a password that nobody knows. So it is sealed beside the old one, durably, before it is sent, and the
//! old one goes only when a login with the new one has succeeded. Between the two, the record serves the session that
//! it has and makes no login: without the security token that Salesforce mails, any would be rejected.

use std::sync::Arc;

use tracing::{info, warn};

use super::{
    NewSecrets, credential,
    rotate::{Rotated, try_and_adopt},
    trial::{no_drawn_password, trial_failed},
};
use crate::{
    aside::{DrawnPassword, DrawnState},
    credential::Credential,
    error::Error,
    failure::{Class, Failure},
    record::Record,
    salesforce::PasswordChange,
    secret::Password,
    session::{
        Session,
        decision::{Effect, Want},
        entry::{Entry, Rearranged},
        refresh::Refresher,
        turn::{Turn, conflict},
    },
};

/// Draws a password and sets it.
pub(super) async fn generate(
    refresher: &Arc<Refresher>,
    entry: &Arc<Entry>,
) -> Result<Rotated, Error> {
    let record = Arc::clone(&entry.lock().record);
    no_drawn_password(&record)?;
    let want = Want {
        fresh_proof: true,
        ..Want::default()
    };
    let base = record.credential_version;
    let session = refresher.session(entry, want).await?;
    refresher
        .turn(entry, move |turn| async move {
            // The session may be one of another login's user.
            if turn.record().credential_version != base {
                return Err(conflict());
            }
            set_drawn(&turn, &session).await
        })
        .await
}

async fn set_drawn(turn: &Turn, session: &Session) -> Result<Rotated, Error> {
    let record = turn.record();
    // What this leaves behind would hide the latch.
    if let Some(latch) = turn.entry.lock().machine.latch() {
        return Err(Error::Latched {
            record: record.name.clone(),
            failure: latch.failure.clone(),
            since: latch.since,
        });
    }
    let stored = turn
        .read(|refresher, record| Ok(refresher.store.credential(&refresher.keys, record)?))
        .await?;
    if stored.password().is_none() {
        let problem = format!(
            "the flow `{}` has no password to generate",
            stored.flow().name()
        );
        return Err(Error::invalid("generate", problem));
    }
    let needs_token = stored.security_token().is_some();
    let password = Password::random()
        .map_err(|_| Error::Internal("the system gives no random bytes for a password"))?;
    let drawn = credential::merge(
        &stored,
        NewSecrets {
            password: Some(password.clone()),
            security_token: Some(None),
            ..NewSecrets::default()
        },
    )?;
    keep_aside(turn, record.credential_version, drawn.clone()).await?;
    let change = PasswordChange {
        session_id: session.session_id.clone(),
        instance: session.instance.clone(),
        user_id: session.user_id.clone(),
        password,
    };
    info!(record = %record.name, host = %change.instance, "setting a generated password");
    let set = turn.refresher.login.set_password(&change).await;
    drop(change);
    match set {
        Ok(()) => {}
        Err(not_set) if not_set.unchanged => {
            drop_again(turn).await?;
            let tried = "setting a generated password".to_owned();
            return Err(trial_failed(turn, tried, not_set.failure));
        }
        Err(not_set) => {
            let failure = not_set.failure;
            warn!(record = %record.name, class = failure.class.name(), %failure, "a generated password may be in force");
            return Err(trial_failed(
                turn,
                "setting a generated password".to_owned(),
                Failure {
                    message: format!("{}; {}", failure.message, unknown(&record)),
                    class: Class::TokenAwaited,
                    ..failure
                },
            ));
        }
    }
    in_force(turn).await?;
    if needs_token {
        return Ok(Rotated::TokenAwaited);
    }
    let tried = "a login with the generated password and no security token".to_owned();
    try_and_adopt(turn, &turn.record(), drawn, tried).await?;
    Ok(Rotated::Replaced)
}

/// Before it is sent: from here on some login of the record's is known, whatever happens.
async fn keep_aside(turn: &Turn, base: u64, drawn: Credential) -> Result<(), Error> {
    let now = turn.now();
    turn.rearrange(move |record| {
        if record.credential_version != base || record.aside.drawn.is_some() {
            return Err(conflict());
        }
        let mut next = record.clone();
        next.aside.drawn = Some(DrawnPassword {
            credential_version: record.next_version(),
            since: now,
            state: DrawnState::Unknown,
        });
        Ok(Rearranged {
            drawn: Some(drawn),
            ..Rearranged::of(next, Effect::Hold(held(unknown(record))))
        })
    })
    .await
}

/// Salesforce did not take it.
async fn drop_again(turn: &Turn) -> Result<(), Error> {
    turn.rearrange(|record| {
        let mut next = record.clone();
        next.aside.drop_drawn();
        Ok(Rearranged::of(next, Effect::Unhold))
    })
    .await
}

async fn in_force(turn: &Turn) -> Result<(), Error> {
    turn.rearrange(|record| {
        let mut next = record.clone();
        if let Some(drawn) = &mut next.aside.drawn {
            drawn.state = DrawnState::InForce;
        }
        let words = format!(
            "its password was changed by `sfvault rotate`; the security token that Salesforce mails to the user is \
             awaited by `sfvault rotate {}`",
            record.name
        );
        Ok(Rearranged::of(next, Effect::Hold(held(words))))
    })
    .await
}

fn unknown(record: &Record) -> String {
    format!(
        "whether a generated password is in force is not known, both are kept: if Salesforce mails a security token, \
         give it to `sfvault rotate {0}`; if none comes, `sfvault rotate {0} --keep-old` tries the old password",
        record.name
    )
}

fn held(message: String) -> Failure {
    Failure {
        class: Class::TokenAwaited,
        code: None,
        message,
        pause: None,
    }
}
