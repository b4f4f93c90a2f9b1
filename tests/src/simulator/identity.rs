//! Who a session is: `userinfo` and the identity URL.

use serde_json::json;

use super::{
    reply::{Outcome, Reply},
    rest::Request,
    state::{Visit, World},
};

/// Answers `GET /services/oauth2/userinfo` and `GET /id/ORG/USER`: errors are plain text with status 403.
pub(super) fn answer(world: &mut World, request: &Request<'_>) -> Reply {
    let Some(session) = request.bearer() else {
        return Reply::new(403, TEXT, "Missing_OAuth_Token").outcome(Outcome::SessionRefused);
    };
    let visit = Visit {
        session,
        host: request.host,
        // It may answer where all other calls ask for setPassword.
        password_may_be_expired: true,
    };
    let Ok(place) = world.admit(&visit) else {
        return Reply::new(403, TEXT, "Bad_OAuth_Token").outcome(Outcome::SessionRefused);
    };
    let (org, user) = (&world.org, &world.users[place]);
    let host = match org.sandbox {
        true => "test.salesforce.com",
        false => "login.salesforce.com",
    };
    let (org_id, user_id) = (org.id_18(), user.id_18());
    let body = json!({
        "sub": format!("https://{host}/id/{org_id}/{user_id}"),
        "user_id": user_id,
        "organization_id": org_id,
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
        "urls": {
            "rest": format!("{}/services/data/v{{version}}/", org.instance_url),
            "partner": format!("{}/services/Soap/u/{{version}}/{}", org.instance_url, org.id),
        },
    });
    Reply::json(200, &body).user(&user.username)
}

const TEXT: &str = "text/html;charset=UTF-8";
