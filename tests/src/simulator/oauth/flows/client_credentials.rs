//! The client credentials flow: the app logs in as its run-as user.

use super::{App, Flow, Refusal, World, admit};
use crate::simulator::oauth::{error::OAuthError, mint::Grant};

pub(in crate::simulator::oauth) fn grant(
    world: &mut World,
    app: &App,
    elsewhere: bool,
) -> Result<Grant, Refusal> {
    if elsewhere {
        let error = OAuthError::new("invalid_client_id", "client identifier invalid");
        return Err(Refusal::new(error, "no such app in this org"));
    }
    if !app.flows.contains(&Flow::ClientCredentials) {
        return Err(Refusal::grant("client credentials flow not enabled"));
    }
    let Some(run_as) = &app.run_as else {
        return Err(Refusal::grant("no client credentials user enabled"));
    };
    let user = world.place_of(run_as);
    let user = user.ok_or_else(|| Refusal::grant("invalid user credentials"))?;
    admit(world, app, Flow::ClientCredentials, user)?;
    Ok(Grant::of_app(user, app))
}
