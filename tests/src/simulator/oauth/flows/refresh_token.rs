//! The refresh token flow, with rotation and the detection of tokens that are used again.

use super::{App, Flow, Refusal, World, admit};
use crate::simulator::oauth::{mint::Grant, request::Brought, token::AUTHENTICATION_FAILURE};

pub(in crate::simulator::oauth) fn grant(
    world: &mut World,
    app: &App,
    brought: &mut Brought,
    elsewhere: bool,
) -> Result<Grant, Refusal> {
    let expired = || Refusal::grant("expired access/refresh token");
    let Some(token) = brought.form.get("refresh_token") else {
        let complaint = "a refresh without a refresh token";
        brought.complaints.push(complaint.to_owned());
        return Err(expired());
    };
    world.end_idle_approvals();
    let approvals = &mut world.oauth.approvals;
    if let Some(robbed) = approvals.find_spent(token) {
        // Two hold tokens of one approval, and one of them is a thief: both lose.
        let number = robbed.number;
        let complaint = "a refresh token used after its rotation";
        brought.complaints.push(complaint.to_owned());
        world.end_approvals(|approval| approval.number == number);
        return Err(expired());
    }
    let Some(approval) = approvals.find(token) else {
        return Err(expired());
    };
    let on = app.flows.contains(&Flow::RefreshToken);
    if elsewhere || !on || approval.consumer_key != app.consumer_key {
        return Err(expired());
    }
    if approval.password_changed {
        return Err(Refusal::grant(AUTHENTICATION_FAILURE));
    }
    let age = world.now.duration_since(approval.granted);
    if let (Some(validity), Ok(age)) = (app.refresh_validity, age)
        && age >= validity
    {
        return Err(Refusal::grant("token validity expired"));
    }
    let (number, username) = (approval.number, approval.username.clone());
    let user = world.place_of(&username).ok_or_else(expired)?;
    admit(world, app, Flow::RefreshToken, user)?;
    let now = world.now;
    let mut grant = Grant::of_approval(user, app, number);
    if let Some(approval) = world.oauth.approvals.find(token) {
        approval.touch(now);
        grant.refresh_token = app.rotates.then(|| approval.rotate());
    }
    Ok(grant)
}
