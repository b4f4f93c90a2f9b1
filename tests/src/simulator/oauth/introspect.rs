//! `/services/oauth2/introspect`: how long a token lives, told to its own app.

use http::Method;
use serde_json::{Value, json};

use super::{app::App, error::OAuthError, request::Request};
use crate::simulator::{reply::Reply, session::Origin, state::World, time};

/// Answers a request to the introspection endpoint.
pub(super) fn answer(world: &mut World, request: &Request<'_>) -> Reply {
    let mut brought = request.read();
    let genuine = brought
        .app(world)
        .filter(|app| brought.consumer_secret.as_ref() == Some(&app.consumer_secret))
        .cloned();
    let mut reply = if request.method != Method::POST {
        brought.complaints.push("OAuth other than POST".to_owned());
        OAuthError::new("invalid_request", "must use HTTP POST").to_json(world)
    } else if let Some(app) = genuine {
        let token = brought.form.get("token").unwrap_or_default();
        if token.is_empty() {
            brought
                .complaints
                .push("introspection of no token".to_owned());
        }
        let told = access_token(world, &app, token).or_else(|| refresh_token(world, &app, token));
        // Salesforce tells nobody why.
        Reply::json(200, &told.unwrap_or_else(|| json!({ "active": false })))
    } else {
        let error = OAuthError::new("invalid_client", "invalid client credentials");
        error.status(401).to_json(world)
    };
    reply.complaints.append(&mut brought.complaints);
    reply
}

fn access_token(world: &mut World, asking: &App, token: &str) -> Option<Value> {
    let session = world.sessions.find(token, world.now)?.clone();
    let Origin::App { consumer_key, .. } = &session.origin else {
        return None;
    };
    if consumer_key != &asking.consumer_key && !asking.introspects_all {
        return None;
    }
    let scope = world.oauth.app(consumer_key)?.scope.clone();
    let user = &world.users[world.place_of(&session.username)?];
    if !user.active || user.frozen {
        return None;
    }
    let (from, to) = session.span();
    Some(json!({
        "active": true,
        "scope": scope,
        "client_id": consumer_key,
        "username": user.username,
        "sub": world.org.identity_url(user),
        "token_type": "access_token",
        "exp": time::whole_seconds(to),
        "iat": time::whole_seconds(from),
        "nbf": time::whole_seconds(from),
    }))
}

fn refresh_token(world: &mut World, asking: &App, token: &str) -> Option<Value> {
    world.end_idle_approvals();
    let approval = world.oauth.approvals.find(token)?;
    if approval.password_changed || approval.consumer_key != asking.consumer_key {
        return None;
    }
    let granted = time::whole_seconds(approval.granted);
    let username = approval.username.clone();
    let user = &world.users[world.place_of(&username)?];
    Some(json!({
        "active": true,
        "scope": asking.scope,
        "client_id": asking.consumer_key,
        "username": user.username,
        "sub": world.org.identity_url(user),
        "token_type": "refresh_token",
        "iat": granted,
        "nbf": granted,
    }))
}
