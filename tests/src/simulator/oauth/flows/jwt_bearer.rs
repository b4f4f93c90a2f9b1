//! The JWT bearer flow.

use std::time::Duration;

use super::{App, Flow, Refusal, World, admit, not_admin_approved};
use crate::simulator::oauth::{
    assertion::{Assertion, Flaw},
    error::OAuthError,
    mint::Grant,
    request::Brought,
};

/// The app that the assertion names.
pub(in crate::simulator::oauth) fn app(
    world: &World,
    brought: &mut Brought,
) -> Result<App, Refusal> {
    let Some(text) = brought.form.get("assertion") else {
        let complaint = "JWT bearer without an assertion";
        brought.complaints.push(complaint.to_owned());
        return Err(Refusal::grant("invalid assertion"));
    };
    let Some(assertion) = Assertion::parse(text) else {
        return Err(Refusal::grant("invalid assertion"));
    };
    let app = world.oauth.app(&assertion.issuer).ok_or_else(|| {
        let error = OAuthError::new("invalid_client_id", "client identifier invalid");
        Refusal::new(error, "no such app")
    })?;
    Ok(app.clone())
}

pub(in crate::simulator::oauth) fn grant(
    world: &mut World,
    app: &App,
    brought: &mut Brought,
    elsewhere: bool,
) -> Result<Grant, Refusal> {
    let text = brought.form.get("assertion").unwrap_or_default();
    let Some(assertion) = Assertion::parse(text) else {
        return Err(Refusal::grant("invalid assertion"));
    };
    let on = app.flows.contains(&Flow::JwtBearer);
    let certificate = app.certificate.as_deref().filter(|_| on);
    match assertion.check(certificate, &world.org, world.now) {
        Ok(()) => {}
        Err(Flaw::Audience) => {
            let error = OAuthError::grant(&world.org.oauth.audience_error);
            return Err(Refusal::new(error, "wrong audience"));
        }
        Err(Flaw::Expired) => {
            // The text is that of another flow: so is the real one.
            let error = OAuthError::grant("expired authorization code");
            return Err(Refusal::new(error, "expired assertion"));
        }
        Err(Flaw::Signature | Flaw::NoEnd) => return Err(Refusal::grant("invalid assertion")),
    }
    let first = world.oauth.assertions.entry(text.to_owned());
    let since = world.now.duration_since(*first.or_insert(world.now));
    if since.is_ok_and(|since| since >= SAME_ASSERTION) {
        brought
            .complaints
            .push("an assertion used again".to_owned());
    }
    let stranger = || Refusal::grant("user hasn't approved this consumer");
    let user = world.place_of(&assertion.subject).ok_or_else(stranger)?;
    if elsewhere {
        return Err(stranger());
    }
    let username = &world.users[user].username;
    let approved = match app.is_self_authorized() {
        true => {
            world
                .oauth
                .approvals
                .of(&app.consumer_key, username)
                .count()
                > 0
        }
        false => !app.excludes(username),
    };
    if !approved {
        let names_it = world.org.oauth.jwt_names_admin_approval && !app.is_self_authorized();
        return Err(match names_it {
            true => not_admin_approved(),
            false => stranger(),
        });
    }
    admit(world, app, Flow::JwtBearer, user)?;
    Ok(Grant::of_app(user, app))
}

/// Whoever makes one per attempt may make two equal ones, as `exp` is rounded to seconds; the rest of this is
/// for their way here.
const SAME_ASSERTION: Duration = Duration::from_secs(2);
