//! The authorization code flow: its second half, behind the browser.

use super::{App, Flow, Refusal, World, admit};
use crate::simulator::oauth::{code::Found, error::OAuthError, mint::Grant, request::Brought};

pub(in crate::simulator::oauth) fn grant(
    world: &mut World,
    app: &App,
    brought: &mut Brought,
    elsewhere: bool,
) -> Result<Grant, Refusal> {
    let expired = || Refusal::grant("expired authorization code");
    let form = &brought.form;
    let code = match world
        .oauth
        .codes
        .take(form.get("code").unwrap_or_default(), world.now)
    {
        Found::Fresh(code) if code.consumer_key == app.consumer_key && !elsewhere => code,
        Found::Fresh(_) | Found::Unknown => return Err(expired()),
        Found::Used => {
            let complaint = "an authorization code used again";
            brought.complaints.push(complaint.to_owned());
            return Err(expired());
        }
    };
    if form.get("redirect_uri") != Some(&code.callback) {
        const DESCRIPTION: &str = "redirect_uri must match configuration";
        let error = OAuthError::new("redirect_uri_mismatch", DESCRIPTION);
        return Err(Refusal::new(error, DESCRIPTION));
    }
    if !code.is_answered_by(form.get("code_verifier")) {
        return Err(Refusal::grant("invalid code verifier"));
    }
    let user = world.place_of(&code.username).ok_or_else(expired)?;
    admit(world, app, Flow::AuthorizationCode, user)?;
    if !app.gives_refresh_tokens() {
        return Ok(Grant::of_app(user, app));
    }
    let (number, token) = world.approve(&app.consumer_key, user);
    Ok(Grant {
        refresh_token: Some(token),
        ..Grant::of_approval(user, app, number)
    })
}
