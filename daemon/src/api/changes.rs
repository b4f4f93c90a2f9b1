//! Wire messages of migration and rotation to domain types and back.

use sfvault_proto::v1;

use super::convert;
use crate::{
    aside::{Aside, DrawnState},
    error::Error,
    vault::{Facts, Migration, Rotated, Rotation},
};

pub(super) fn migration(request: v1::MigrateRecordRequest) -> Result<Migration, Error> {
    let to = request
        .to
        .ok_or_else(|| Error::invalid("to", "is missing"))?;
    Ok(Migration {
        to: convert::new_record(to)?,
        dry_run: request.dry_run,
        expect_user: id("expect_user", "005", request.expect_user)?,
        expect_org: id("expect_org", "00D", request.expect_org)?,
    })
}

pub(super) fn rotation(request: v1::RotateCredentialRequest) -> Result<Rotation, Error> {
    let (generate, keep_old) = (request.generate, request.keep_old);
    let secrets = convert::new_secrets(v1::SetCredentialRequest {
        name: request.name,
        password: request.password,
        security_token: request.security_token,
        consumer_secret: request.consumer_secret,
        private_key: request.private_key,
        refresh_token: request.refresh_token,
        remind_after: None,
    })?;
    let alone = |field| match secrets.has_secrets() {
        true => Err(Error::invalid(field, "goes with no secret")),
        false => Ok(()),
    };
    match (generate, keep_old) {
        (false, false) => Ok(Rotation::To(secrets)),
        (true, false) => alone("generate").map(|()| Rotation::Generate),
        (false, true) => alone("keep_old").map(|()| Rotation::KeepOld),
        (true, true) => Err(Error::invalid("keep_old", "contradicts `generate`")),
    }
}

pub(super) fn rotated(rotated: Rotated) -> v1::Rotation {
    match rotated {
        Rotated::Replaced => v1::Rotation::Replaced,
        Rotated::Same => v1::Rotation::Same,
        Rotated::TokenAwaited => v1::Rotation::TokenAwaited,
        Rotated::KeptOld => v1::Rotation::KeptOld,
    }
}

pub(super) fn login_facts(facts: &Facts) -> v1::LoginFacts {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    v1::LoginFacts {
        flow: convert::flow(facts.flow).into(),
        login_url: facts.login_host.url(),
        consumer_key: text(&facts.consumer_key),
        org_id: text(&facts.org_id),
        user_id: text(&facts.user_id),
        username: text(&facts.username),
        instance_url: facts
            .instance
            .as_ref()
            .map_or_else(String::new, |host| host.url()),
        timeout: facts
            .timeout
            .and_then(|timeout| prost_types::Duration::try_from(timeout).ok()),
        proven: facts.proven,
    }
}

pub(super) fn drawn_state(state: DrawnState) -> v1::GeneratedPassword {
    match state {
        DrawnState::Unknown => v1::GeneratedPassword::Unknown,
        DrawnState::InForce => v1::GeneratedPassword::InForce,
    }
}

pub(super) fn kept_login(aside: &Aside) -> Option<v1::KeptLogin> {
    let kept = aside.kept.as_ref()?;
    Some(v1::KeptLogin {
        flow: convert::flow(kept.flow.kind()).into(),
        login_url: kept.login_host.url(),
        since: Some(kept.since.into()),
    })
}

pub(super) fn generated_password(aside: &Aside) -> v1::GeneratedPassword {
    aside
        .drawn
        .map_or(v1::GeneratedPassword::Unspecified, |drawn| {
            drawn_state(drawn.state)
        })
}

fn id(field: &'static str, prefix: &str, text: String) -> Result<Option<String>, Error> {
    let is_id = matches!(text.len(), 15 | 18)
        && text.starts_with(prefix)
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match text.is_empty() {
        true => Ok(None),
        false if is_id => Ok(Some(text)),
        false => Err(Error::invalid(
            field,
            format!("has 15 or 18 letters and digits and starts with `{prefix}`"),
        )),
    }
}
