//! What an administrator of the org does: apps, approvals, dates; and the users' mail.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{Problem, bad, check_user, read};
use crate::simulator::{PermittedUsers, Retirement, Simulator, time};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    username: String,
    consumer_key: Option<String>,
}

/// What to change of an app; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    consumer_key: Option<String>,
    rotates: Option<bool>,
    jwt_tokens: Option<bool>,
    external: Option<bool>,
    session_seconds: Option<u32>,
    scope: Option<String>,
    /// `null`: nobody.
    #[serde(default, deserialize_with = "present")]
    run_as: Option<Option<String>>,
    /// `null`: all users may authorize themselves.
    #[serde(default, deserialize_with = "present")]
    admin_approved: Option<Option<Vec<String>>>,
    callbacks: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Date {
    date: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announced {
    announced: bool,
}

/// Does what is asked, if it is known here.
pub(super) fn act(
    simulator: &Simulator,
    method: &str,
    path: &str,
    body: &[u8],
) -> Option<Result<Value, Problem>> {
    Some(match (method, path) {
        ("GET", "/flows") => Ok(of_each_user(simulator, |username| {
            json!(simulator.logins_by_flow(username))
        })),
        ("GET", "/mail") => Ok(of_each_user(simulator, |username| {
            json!(simulator.mail(username))
        })),
        ("POST", "/approve") => approval(simulator, body).map(|(username, app)| {
            let token = simulator.approve(&username, &app);
            json!({ "refresh_token": token })
        }),
        ("POST", "/revoke-approvals") => approval(simulator, body).map(|(username, app)| {
            simulator.revoke_approvals(&username, &app);
            json!({})
        }),
        ("POST", "/app") => read(body).and_then(|change| change_app(simulator, change)),
        ("POST", "/date") => read(body).and_then(|date| set_date(simulator, &date)),
        ("POST", "/retirement") => read(body).map(|Announced { announced }| {
            simulator.org(|org| {
                org.retirement = match announced {
                    true => Retirement::announced(),
                    false => Retirement::never(),
                };
            });
            json!({})
        }),
        _ => return None,
    })
}

/// The midnight, in UTC, at which a day like `2026-12-01` begins.
#[must_use]
pub fn midnight(date: &str) -> Option<SystemTime> {
    let days = time::days_until(date)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400))
}

fn of_each_user(simulator: &Simulator, tell: impl Fn(&str) -> Value) -> Value {
    let users = simulator.usernames().into_iter();
    let told = users.map(|username| {
        let value = tell(&username);
        (username, value)
    });
    Value::Object(told.collect::<Map<_, _>>())
}

/// The user and the app of an approval.
fn approval(simulator: &Simulator, body: &[u8]) -> Result<(String, String), Problem> {
    let approval: Approval = read(body)?;
    check_user(simulator, &approval.username)?;
    Ok((
        approval.username,
        known_app(simulator, approval.consumer_key)?,
    ))
}

fn change_app(simulator: &Simulator, change: Change) -> Result<Value, Problem> {
    let consumer_key = known_app(simulator, change.consumer_key)?;
    simulator.app(&consumer_key, |app| {
        set(&mut app.rotates, change.rotates);
        set(&mut app.jwt_tokens, change.jwt_tokens);
        set(&mut app.external, change.external);
        set(&mut app.scope, change.scope);
        set(&mut app.run_as, change.run_as);
        set(&mut app.callbacks, change.callbacks);
        let timeout = change.session_seconds;
        let timeout = timeout.map(|seconds| Some(Duration::from_secs(seconds.into())));
        set(&mut app.session_timeout, timeout);
        let permitted = change.admin_approved.map(|users| match users {
            Some(users) => PermittedUsers::AdminApproved(users),
            None => PermittedUsers::SelfAuthorized,
        });
        set(&mut app.permitted_users, permitted);
    });
    Ok(json!({}))
}

fn set_date(simulator: &Simulator, Date { date }: &Date) -> Result<Value, Problem> {
    let time = midnight(date).ok_or_else(|| bad(format!("`{date}` is no day like 2026-12-01")))?;
    simulator.clock().set(time);
    Ok(json!({}))
}

/// The app that is named; if none is, the first.
fn known_app(simulator: &Simulator, named: Option<String>) -> Result<String, Problem> {
    let mut known = simulator.consumer_keys().into_iter();
    match named {
        None => known.next().ok_or_else(|| bad("no app at all".to_owned())),
        Some(named) => known
            .find(|key| *key == named)
            .ok_or_else(|| bad(format!("no app `{named}`"))),
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Tells `null` from what is absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
