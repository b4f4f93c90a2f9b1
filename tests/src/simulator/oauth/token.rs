//! `/services/oauth2/token`: which app asks, by which flow, and what it gets.

use http::Method;

use super::{
    app::App,
    error::OAuthError,
    flows,
    mint::{self, Grant},
    request::{Brought, Request},
};
use crate::simulator::{
    credentials::Cause,
    flow::Flow,
    org::Org,
    reply::{Outcome, Reply},
    server::Listener,
    state::World,
};

/// Why a flow ends without a token: what the caller sees, and what the login history would say.
pub(super) struct Refusal {
    error: OAuthError,
    cause: &'static str,
}

impl Refusal {
    pub(super) fn new(error: OAuthError, cause: &'static str) -> Self {
        Self { error, cause }
    }

    /// `invalid_grant`, whose description tells the cause.
    pub(super) fn grant(description: &'static str) -> Self {
        Self::new(OAuthError::grant(description), description)
    }

    /// A user who may not log in.
    pub(super) fn of_user(org: &Org, flow: Flow, cause: &Cause) -> Self {
        let precise = |text| match org.oauth.precise_errors {
            true => text,
            false => AUTHENTICATION_FAILURE,
        };
        let description = match cause {
            Cause::RateExceeded => org.oauth.rate_error.as_str(),
            Cause::RestrictedIp => "ip restricted",
            Cause::RestrictedTime => "ip restricted or invalid login hours",
            Cause::Inactive | Cause::Frozen => match flow {
                Flow::ClientCredentials => "invalid user credentials",
                Flow::JwtBearer | Flow::RefreshToken | Flow::AuthorizationCode => "inactive user",
                Flow::Password | Flow::SoapLogin => AUTHENTICATION_FAILURE,
            },
            Cause::WrongPassword => precise("authentication failure - Invalid Password"),
            Cause::TokenMissing => {
                precise("authentication failure - Failed: API security token required")
            }
            Cause::AddressBlocked
            | Cause::NoSuchUser
            | Cause::Scripted(_)
            | Cause::Locked
            | Cause::ApiDisabled
            | Cause::AnyApiAuthMissing => AUTHENTICATION_FAILURE,
        };
        Self::new(OAuthError::grant(description), cause.history())
    }
}

/// Answers a request to the token endpoint.
pub(super) fn answer(world: &mut World, request: &Request<'_>) -> Reply {
    let mut brought = request.read();
    let mut reply = serve(world, request, &mut brought);
    reply.complaints.append(&mut brought.complaints);
    reply
}

fn serve(world: &mut World, request: &Request<'_>, brought: &mut Brought) -> Reply {
    if request.method != Method::POST {
        brought.complaints.push("OAuth other than POST".to_owned());
        return OAuthError::new("invalid_request", "must use HTTP POST").to_json(world);
    }
    let grant_type = brought.form.get("grant_type").unwrap_or_default();
    let Some(flow) = Flow::of_grant_type(grant_type) else {
        brought.complaints.push("an unknown grant_type".to_owned());
        return unsupported().to_json(world);
    };
    match login(world, request, flow, brought) {
        Ok((app, grant)) => {
            let username = world.users[grant.user].username.clone();
            let body = mint::answer(world, &app, flow, grant);
            Reply::json(200, &body)
                .user(&username)
                .outcome(Outcome::LoginAccepted)
        }
        Err(Refusal { error, cause }) => {
            let reply = error.to_json(world);
            reply.outcome(Outcome::LoginRefused(cause))
        }
    }
}

fn login(
    world: &mut World,
    request: &Request<'_>,
    flow: Flow,
    brought: &mut Brought,
) -> Result<(App, Grant), Refusal> {
    // Only My Domain has client credentials (help article 000886201).
    if flow == Flow::ClientCredentials && request.listener == Listener::Login {
        return Err(Refusal::grant("request not supported on this domain"));
    }
    let app = match flow {
        Flow::JwtBearer => flows::jwt_bearer::app(world, brought)?,
        Flow::SoapLogin
        | Flow::Password
        | Flow::ClientCredentials
        | Flow::RefreshToken
        | Flow::AuthorizationCode => known_app(world, flow, brought)?,
    };
    if let Some(error) = world.oauth.next_error(&app.consumer_key) {
        return Err(Refusal::new(error, "as scripted"));
    }
    let elsewhere = world.org.is_elsewhere(request.listener, request.host);
    let grant = match flow {
        Flow::ClientCredentials => flows::client_credentials::grant(world, &app, elsewhere),
        Flow::JwtBearer => flows::jwt_bearer::grant(world, &app, brought, elsewhere),
        Flow::Password => flows::password::grant(world, &app, brought, elsewhere),
        Flow::RefreshToken => flows::refresh_token::grant(world, &app, brought, elsewhere),
        Flow::AuthorizationCode => {
            flows::authorization_code::grant(world, &app, brought, elsewhere)
        }
        Flow::SoapLogin => Err(Refusal::new(unsupported(), "no OAuth flow")),
    }?;
    Ok((app, grant))
}

/// The app that the client named, once it has shown that it is the app.
fn known_app(world: &World, flow: Flow, brought: &Brought) -> Result<App, Refusal> {
    let unknown = || {
        let error = OAuthError::new("invalid_client_id", "client identifier invalid");
        Refusal::new(error, "no such app")
    };
    let app = brought.app(world).ok_or_else(unknown)?;
    let needed = app.secret_required || flow == Flow::ClientCredentials;
    let genuine = match &brought.consumer_secret {
        Some(secret) => *secret == app.consumer_secret,
        None => !needed,
    };
    if genuine {
        return Ok(app.clone());
    }
    let error = OAuthError::new("invalid_client", "invalid client credentials");
    Err(Refusal::new(error, "wrong consumer secret"))
}

/// The flow is off, or is no more.
pub(super) fn unsupported() -> OAuthError {
    OAuthError::new("unsupported_grant_type", "grant type not supported")
}

pub(super) const AUTHENTICATION_FAILURE: &str = "authentication failure";
