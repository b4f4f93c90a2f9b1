//! `/services/oauth2/revoke`: the end of a session, or of an approval with all its sessions.

use http::Method;

use super::{error::OAuthError, request::Request};
use crate::simulator::{reply::Reply, state::World};

/// Answers a request to the revocation endpoint, which asks nobody who he is.
pub(super) fn answer(world: &mut World, request: &Request<'_>) -> Reply {
    let mut brought = request.read();
    let token = brought.form.get("token").unwrap_or_default();
    // GET works too, and writes the token into the logs of every proxy.
    let mut reply = if !matches!(*request.method, Method::GET | Method::POST) {
        brought.complaints.push("OAuth other than POST".to_owned());
        OAuthError::new("invalid_request", "must use HTTP POST").to_json(world)
    } else {
        match revoke(world, token) {
            Ok(()) => Reply::new(200, "", ""),
            Err(error) if world.org.oauth.form_errors_on_revoke => error.to_form(world),
            Err(error) => error.to_json(world),
        }
    };
    if token.is_empty() {
        brought.complaints.push("revocation of no token".to_owned());
    }
    reply.complaints.append(&mut brought.complaints);
    reply
}

fn revoke(world: &mut World, token: &str) -> Result<(), OAuthError> {
    if world.sessions.find(token, world.now).is_some() {
        world.sessions.close(token);
        return Ok(());
    }
    if world.end_approvals(|approval| approval.token == token) {
        return Ok(());
    }
    let is_ours = token.starts_with(&world.org.id) || token.starts_with("eyJ");
    Err(match is_ours {
        true => OAuthError::new("invalid_token", "invalid token"),
        false => OAuthError::new("unsupported_token_type", "this token type is not supported"),
    })
}
