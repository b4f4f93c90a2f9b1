//! Who a session is: `userinfo` and the identity URL.

use serde_json::{Value, json};

use super::{
    org::Org,
    reply::{Outcome, Reply},
    rest::Request,
    server::Listener,
    state::{Visit, World},
    user::User,
};

/// Answers `GET /services/oauth2/userinfo` and `GET /id/ORG/USER`, at a login host too.
///
/// Errors are plain text with status 403.
pub(super) fn answer(
    world: &mut World,
    listener: Listener,
    request: &Request<'_>,
    path: &[&str],
) -> Reply {
    let Some(session) = request.bearer() else {
        return refusal("Missing_OAuth_Token");
    };
    let named = match path {
        ["id", org, user] => Some((*org, *user)),
        _ => None,
    };
    let own_org = |org: &str| org == world.org.id || org == world.org.id_18();
    if named.is_some_and(|(org, _)| !own_org(org)) {
        return refusal("Wrong_Org");
    }
    let elsewhere = world.org.is_elsewhere(listener, request.host);
    let visit = Visit {
        session,
        // A login host knows the sessions of all its orgs.
        host: if elsewhere { "" } else { "localhost" },
        // It may answer where all other calls ask for setPassword.
        password_may_be_expired: true,
    };
    let Ok(place) = world.admit(&visit) else {
        return refusal("Bad_OAuth_Token");
    };
    let (org, user) = (&world.org, &world.users[place]);
    let body = match named {
        None => userinfo(org, user),
        Some((_, id)) if id == user.id || id == user.id_18() => identity(org, user),
        Some(_) => return refusal("Bad_Id"),
    };
    Reply::json(200, &body).user(&user.username)
}

fn userinfo(org: &Org, user: &User) -> Value {
    json!({
        "sub": org.identity_url(user),
        "user_id": user.id_18(),
        "organization_id": org.id_18(),
        "preferred_username": user.username,
        "nickname": "etl",
        "name": user.full_name,
        "email": "etl@acme.example",
        "email_verified": true,
        "zoneinfo": "Europe/Berlin",
        "locale": "de_DE",
        "language": "en_US",
        "active": user.active,
        "user_type": "STANDARD",
        "urls": urls(org),
    })
}

fn identity(org: &Org, user: &User) -> Value {
    json!({
        "id": org.identity_url(user),
        "asserted_user": true,
        "user_id": user.id_18(),
        "organization_id": org.id_18(),
        "username": user.username,
        "nick_name": "etl",
        "display_name": user.full_name,
        "email": "etl@acme.example",
        "email_verified": true,
        "active": user.active,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "de_DE",
        "utcOffset": 3_600_000,
        "urls": urls(org),
    })
}

fn urls(org: &Org) -> Value {
    json!({
        "rest": format!("{}/services/data/v{{version}}/", org.instance_url),
        "partner": format!("{}/services/Soap/u/{{version}}/{}", org.instance_url, org.id),
    })
}

fn refusal(text: &'static str) -> Reply {
    Reply::new(403, "text/html;charset=UTF-8", text).outcome(Outcome::SessionRefused)
}
