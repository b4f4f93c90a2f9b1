//! `/services/oauth2/authorize`: the first half of a login in a browser, whose person decides at once.

use http::Method;

use super::{
    app::App,
    code::Code,
    error::OAuthError,
    policy::StateSent,
    request::{Brought, Request},
};
use crate::simulator::{flow::Flow, form, reply::Reply, state::World};

/// Answers the browser.
pub(super) fn answer(world: &mut World, request: &Request<'_>) -> Reply {
    let mut brought = request.parameters();
    let mut reply = page(world, request, &mut brought);
    reply.complaints.append(&mut brought.complaints);
    reply
}

fn page(world: &mut World, request: &Request<'_>, brought: &mut Brought) -> Reply {
    let form = &brought.form;
    if request.method != Method::GET {
        brought
            .complaints
            .push("authorize other than GET".to_owned());
    }
    // Without an app and its callback there is nobody to whom an error could safely be sent.
    let app = world.oauth.app(form.get("client_id").unwrap_or_default());
    let Some(app) = app.cloned() else {
        let error = OAuthError::new("invalid_client_id", "client identifier invalid");
        return error_page(world, &error);
    };
    let callback = form.get("redirect_uri").unwrap_or_default().to_owned();
    if !app.callbacks.contains(&callback) {
        let description = "redirect_uri must match configuration";
        let error = OAuthError::new("redirect_uri_mismatch", description);
        return error_page(world, &error);
    }
    let sent = form.get("state").map(str::to_owned);
    for (name, missing) in [
        ("state", sent.is_none()),
        ("PKCE", form.get("code_challenge").is_none()),
    ] {
        if missing {
            brought
                .complaints
                .push(format!("a login in a browser without {name}"));
        }
    }
    let mut query = match decide(world, &app, brought, &callback) {
        Ok(code) => format!("code={}", form::encode(&code)),
        Err(error) => error.to_query(world),
    };
    let browser = &world.org.oauth.browser;
    let state = match browser.state {
        StateSent::Kept => sent,
        StateSent::Lost => None,
        StateSent::Another => Some("another".to_owned()),
    };
    for (name, value) in [("state", state.as_ref()), ("iss", browser.issuer.as_ref())] {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", form::encode(value)));
        }
    }
    Reply::html(302, "").header("Location", format!("{callback}?{query}"))
}

fn decide(
    world: &mut World,
    app: &App,
    brought: &Brought,
    callback: &str,
) -> Result<String, OAuthError> {
    let form = &brought.form;
    let on = app.flows.contains(&Flow::AuthorizationCode);
    if form.get("response_type") != Some("code") || !on {
        let description = "response type not supported";
        return Err(OAuthError::new("unsupported_response_type", description));
    }
    let challenge = form.get("code_challenge");
    let hashed = form.get("code_challenge_method") == Some("S256");
    if challenge.is_some() && !hashed || challenge.is_none() && app.pkce_required {
        let description = "missing required code challenge";
        return Err(OAuthError::new("invalid_request", description));
    }
    match (app.installed, app.external) {
        (true, _) => {}
        (false, true) => {
            let description = "External client app is not installed in this org";
            return Err(OAuthError::new("OAUTH_EC_APP_NOT_FOUND", description));
        }
        (false, false) => {
            let description = "An unexpected error has occured during authentication";
            return Err(OAuthError::new("OAUTH_APPROVAL_ERROR_GENERIC", description));
        }
    }
    let browser = &world.org.oauth.browser;
    let user = match &browser.username {
        Some(username) => world.place_of(username),
        None => (!world.users.is_empty()).then_some(0),
    };
    let user = user.map(|place| &world.users[place]);
    let Some(user) = user.filter(|_| !browser.denies) else {
        return Err(OAuthError::new(
            "access_denied",
            "end-user denied authorization",
        ));
    };
    if app.excludes(&user.username) {
        let description = "user is not admin approved to access this app";
        return Err(OAuthError::new("OAUTH_APP_ACCESS_DENIED", description));
    }
    let code = Code::new(
        &app.consumer_key,
        &user.username,
        callback,
        challenge,
        world.now,
    );
    let text = code.code.clone();
    world.oauth.codes.add(code);
    Ok(text)
}

fn error_page(world: &mut World, error: &OAuthError) -> Reply {
    let body = format!("<html><body>{}</body></html>", error.to_query(world));
    Reply::new(400, "text/html; charset=UTF-8", body)
}
