//! What the token endpoint gives out. There is never an `expires_in`.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ring::hmac;
use serde_json::{Value, json};

use super::app::App;
use crate::simulator::{
    flow::Flow,
    id,
    session::{Origin, Wanted},
    state::World,
    time,
};

/// Whose session to open, and through what.
pub(super) struct Grant {
    /// The place of the user.
    pub(super) user: usize,
    pub(super) origin: Origin,
    /// A new refresh token.
    pub(super) refresh_token: Option<String>,
}

impl Grant {
    /// A session of the app, as long as the app is let in.
    pub(super) fn of_app(user: usize, app: &App) -> Self {
        Self {
            user,
            origin: Origin::App {
                consumer_key: app.consumer_key.clone(),
                approval: None,
            },
            refresh_token: None,
        }
    }

    /// A session that ends with its approval.
    pub(super) fn of_approval(user: usize, app: &App, number: u64) -> Self {
        Self {
            origin: Origin::App {
                consumer_key: app.consumer_key.clone(),
                approval: Some(number),
            },
            ..Self::of_app(user, app)
        }
    }
}

/// Opens the session and writes the answer.
pub(super) fn answer(world: &mut World, app: &App, flow: Flow, grant: Grant) -> Value {
    let token = open(world, app, &grant);
    let (org, user) = (&world.org, &world.users[grant.user]);
    let id = org.identity_url(user);
    let issued_at = time::milliseconds(world.now).to_string();
    let mut body = json!({
        "access_token": token,
        "instance_url": org.instance_url,
        "id": id,
        "token_type": "Bearer",
    });
    // The password flow ignores scopes, and never gives refresh tokens.
    if flow != Flow::Password {
        body["scope"] = json!(app.scope);
    }
    if flow != Flow::JwtBearer || !org.oauth.bare_jwt_answers {
        body["signature"] = json!(signature(&app.consumer_secret, &id, &issued_at));
        body["issued_at"] = json!(issued_at);
    }
    if let Some(refresh_token) = grant.refresh_token {
        body["refresh_token"] = json!(refresh_token);
    }
    if has_jwt_tokens(app, &grant.origin) {
        body["token_format"] = json!("jwt");
        body["api_instance_url"] = json!("https://api.salesforce.com");
    }
    body
}

fn open(world: &mut World, app: &App, grant: &Grant) -> String {
    let user = &world.users[grant.user];
    let org = &world.org;
    let wanted = Wanted {
        org_id: &org.id,
        username: &user.username,
        origin: grant.origin.clone(),
        password_expired: user.password_expired,
        address: org.caller,
        timeout: app.session_timeout.unwrap_or(org.session_timeout),
        distinct: org.distinct_sessions,
        restamp: org.login_restamps,
    };
    if !has_jwt_tokens(app, &grant.origin) {
        return world.sessions.open(&wanted, world.now);
    }
    let now = time::whole_seconds(world.now);
    let claims = json!({
        "scp": app.scope,
        "aud": [org.instance_url],
        "sub": format!("uid:{}", user.id_18()),
        "nbf": now,
        "mty": "oauth",
        "sfi": id::session_hash(),
        "roles": [],
        "iss": org.instance_url,
        "hsc": false,
        "exp": now + wanted.timeout.as_secs(),
        "iat": now,
        "client_id": app.consumer_key,
    });
    let token = jwt(&claims);
    world.sessions.open_fixed(token.clone(), &wanted, world.now);
    token
}

/// Tokens of the password flow are plain session ids, whatever the app says.
fn has_jwt_tokens(app: &App, origin: &Origin) -> bool {
    match origin {
        Origin::App { .. } => app.jwt_tokens,
        Origin::Soap | Origin::Password { .. } => false,
    }
}

/// A JWT with a signature that nobody can verify: the simulator knows its tokens, and publishes no key.
fn jwt(claims: &Value) -> String {
    let header = json!({
        "tnk": "core/prod/00Dxx0000001gPLEAY",
        "ver": "1.0",
        "kid": "CORE_ATJWT.00Dxx0000001gPL.1",
        "tty": "sfdc-core-token",
        "typ": "JWT",
        "alg": "RS256",
    });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(id::random_text(256, 64));
    format!("{}.{}.{signature}", part(&header), part(claims))
}

fn signature(consumer_secret: &str, id: &str, issued_at: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, consumer_secret.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()))
}
