//! Whose login a request to the token endpoint is, also where noise keeps it from its effect.

use http::request::Parts;

use super::{assertion::Assertion, request::Request};
use crate::simulator::{flow::Flow, journal::Attempt, server::Listener, state::World};

/// The login that a request tries, if it is to the token endpoint.
pub(in crate::simulator) fn attempt(world: &World, parts: &Parts, body: &[u8]) -> Option<Attempt> {
    if parts.uri.path() != "/services/oauth2/token" {
        return None;
    }
    let brought = Request::of(Listener::Instance, parts, body).read();
    let form = &brought.form;
    let flow = Flow::of_grant_type(form.get("grant_type")?)?;
    let approvals = &world.oauth.approvals;
    let user = match flow {
        Flow::Password => form.get("username").map(str::to_owned),
        Flow::ClientCredentials => brought.app(world).and_then(|app| app.run_as.clone()),
        Flow::JwtBearer => form
            .get("assertion")
            .and_then(Assertion::parse)
            .map(|assertion| assertion.subject),
        Flow::RefreshToken => form
            .get("refresh_token")
            .and_then(|token| approvals.ever(token))
            .map(|approval| approval.username.clone()),
        Flow::AuthorizationCode => form
            .get("code")
            .and_then(|code| world.oauth.codes.username(code))
            .map(str::to_owned),
        Flow::SoapLogin => None,
    };
    Some(Attempt {
        flow,
        user,
        password: form.get("password").map(str::to_owned),
    })
}
