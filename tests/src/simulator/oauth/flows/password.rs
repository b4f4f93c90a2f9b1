//! The username-password flow: the credentials of SOAP `login()`, the same lockout and the same login rate.

use super::{App, Flow, Refusal, World, ask_app};
use crate::simulator::{
    credentials,
    oauth::{
        error::OAuthError,
        mint::Grant,
        request::Brought,
        token::{AUTHENTICATION_FAILURE, unsupported},
    },
    retirement::has_come,
    session::Origin,
};

pub(in crate::simulator::oauth) fn grant(
    world: &mut World,
    app: &App,
    brought: &mut Brought,
    elsewhere: bool,
) -> Result<Grant, Refusal> {
    if has_come(world.org.retirement.password_flow, world.now) {
        return Err(Refusal::new(unsupported(), "the flow is retired"));
    }
    let allowed = world.org.oauth.password_flow_allowed && !app.external;
    if !allowed || !app.flows.contains(&Flow::Password) {
        return Err(refuse("Username-Password Flow Disabled"));
    }
    if elsewhere {
        return Err(refuse("the user belongs elsewhere"));
    }
    let form = &brought.form;
    let (Some(username), Some(password)) = (form.get("username"), form.get("password")) else {
        let complaint = "the password flow without username or password";
        brought.complaints.push(complaint.to_owned());
        return Err(refuse("no credentials"));
    };
    let user = credentials::judge_password(world, Flow::Password, username, password)
        .map_err(|cause| Refusal::of_user(&world.org, Flow::Password, &cause))?;
    ask_app(world, app, user)?;
    let consumer_key = app.consumer_key.clone();
    Ok(Grant {
        origin: Origin::Password { consumer_key },
        ..Grant::of_app(user, app)
    })
}

fn refuse(cause: &'static str) -> Refusal {
    Refusal::new(OAuthError::grant(AUTHENTICATION_FAILURE), cause)
}
