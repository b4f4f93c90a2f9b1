//! The flows of the token endpoint.
//!
//! Each judges what it was brought and returns whose session to open. `elsewhere` says that the request came
//! to the host of another org or environment, where the user and the app's tokens do not exist.

pub(super) mod authorization_code;
pub(super) mod client_credentials;
pub(super) mod jwt_bearer;
pub(super) mod password;
pub(super) mod refresh_token;

use super::{app::App, error::OAuthError, token::Refusal};
use crate::simulator::{credentials, flow::Flow, state::World};

/// Judges a user whom no password names, counts the login, and asks the app.
fn admit(world: &mut World, app: &App, flow: Flow, user: usize) -> Result<(), Refusal> {
    credentials::judge_user(world, flow, user)
        .map_err(|cause| Refusal::of_user(&world.org, flow, &cause))?;
    ask_app(world, app, user)
}

/// Whether the app lets a user in.
fn ask_app(world: &World, app: &App, user: usize) -> Result<(), Refusal> {
    if app.excludes(&world.users[user].username) {
        return Err(not_admin_approved());
    }
    match app.bars_address(&world.org) {
        true => Err(Refusal::grant("ip restricted")),
        false => Ok(()),
    }
}

fn not_admin_approved() -> Refusal {
    const DESCRIPTION: &str = "user is not admin approved to access this app";
    let error = OAuthError::new("invalid_app_access", DESCRIPTION);
    Refusal::new(error, DESCRIPTION)
}
