//! The REST API: versions, queries and limits; Bulk as far as it refuses.

use http::{HeaderMap, Method, header, request::Parts};
use serde_json::{Value, json};

use super::{
    form::Form,
    org::{NEWEST_VERSION, Org},
    query::{QueryError, Reader},
    reply::{Outcome, Reply},
    router,
    state::{Refused, Visit, World},
};

/// A request to an API that is not SOAP.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    /// The name in the `Host` header, without port.
    pub(super) host: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
}

impl<'a> Request<'a> {
    pub(super) fn of(parts: &'a Parts) -> Self {
        Self {
            method: &parts.method,
            host: router::host_name(parts),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The session id behind `Bearer`, or behind the older `OAuth`.
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, id) = self.header("authorization")?.split_once(' ')?;
        matches!(scheme, "Bearer" | "OAuth").then_some(id)
    }

    fn accepts(&self, what: &str) -> bool {
        let accept = self.header(header::ACCEPT.as_str());
        accept.is_some_and(|accept| accept.contains(what))
    }
}

/// `GET /services/data/`, for which nobody needs a session.
pub(super) fn versions(org: &Org) -> Reply {
    let list: Vec<Value> = (org.min_version..=NEWEST_VERSION)
        .map(|version| {
            let label = format!(
                "{} '{:02}",
                SEASONS[version as usize % 3],
                (version + 13) / 3 % 100
            );
            let url = format!("/services/data/v{version}.0");
            json!({ "label": label, "url": url, "version": format!("{version}.0") })
        })
        .collect();
    Reply::json(200, &json!(list))
}

/// Version 68 is Winter '27, and each season has one.
const SEASONS: [&str; 3] = ["Spring", "Summer", "Winter"];

/// Answers below `/services/data/vXX.0`.
pub(super) fn answer(
    world: &mut World,
    request: &Request<'_>,
    version: &str,
    path: &[&str],
) -> Reply {
    let number = version
        .strip_prefix('v')
        .and_then(|v| v.strip_suffix(".0"))
        .and_then(|v| v.parse::<u32>().ok());
    match number {
        Some(1..) if number < Some(world.org.min_version) => {
            let text = "The requested resource is no longer available";
            return error(request, 410, "UNSUPPORTED_API_VERSION", text);
        }
        Some(1..=NEWEST_VERSION) => {}
        Some(_) | None => return not_found(request),
    }
    let Some(session) = request.bearer() else {
        return error(request, 401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE");
    };
    let visit = Visit {
        session,
        host: request.host,
        password_may_be_expired: false,
    };
    let user = match world.admit(&visit) {
        Ok(place) => world.users[place].username.clone(),
        Err(refused) => {
            return refusal(world, request, refused).outcome(Outcome::SessionRefused);
        }
    };
    let usage = format!("api-usage={}/{}", world.api_calls, world.org.api_calls_max);
    serve(world, request, &user, version, path)
        .user(&user)
        .header("Sforce-Limit-Info", usage)
}

fn serve(
    world: &mut World,
    request: &Request<'_>,
    user: &str,
    version: &str,
    path: &[&str],
) -> Reply {
    let reader = Reader {
        user,
        version,
        batch_size: world.org.batch_size,
    };
    if request.method != Method::GET {
        let text = format!("HTTP Method '{}' not allowed.", request.method);
        return error(request, 405, "METHOD_NOT_ALLOWED", &text).complaint("REST other than GET");
    }
    let page = match path {
        [] => {
            let root = format!("/services/data/{version}");
            let resources =
                json!({ "limits": format!("{root}/limits"), "query": format!("{root}/query") });
            return Reply::json(200, &resources);
        }
        ["limits"] => {
            let max = world.org.api_calls_max;
            let left = max.saturating_sub(world.api_calls);
            let limits = json!({ "DailyApiRequests": { "Max": max, "Remaining": left } });
            return Reply::json(200, &limits);
        }
        ["query" | "queryAll"] => match Form::parse(request.query)
            .as_ref()
            .and_then(|form| form.get("q"))
        {
            Some(soql) => world.cursors.run(soql, &reader),
            None => Err(QueryError {
                code: "MALFORMED_QUERY",
                message: "A query string has to be specified".to_owned(),
            }),
        },
        ["query" | "queryAll", locator] => world.cursors.more(locator, &reader),
        ["jobs", ..] => {
            return error(
                request,
                403,
                "FUNCTIONALITY_NOT_ENABLED",
                "Bulk is not enabled",
            );
        }
        _ => return not_found(request).complaint("an unknown REST resource"),
    };
    match page {
        Ok(page) => Reply::json(200, &page),
        Err(problem) => error(request, 400, problem.code, &problem.message),
    }
}

/// Answers below `/services/async/`: Bulk version 1 refuses sessions with status 400.
pub(super) fn bulk(world: &mut World, request: &Request<'_>) -> Reply {
    let visit = Visit {
        session: request.header("x-sfdc-session").unwrap_or_default(),
        host: request.host,
        password_may_be_expired: false,
    };
    let (code, message, outcome) = match world.admit(&visit) {
        Ok(_) => (
            "FeatureNotEnabled",
            "Bulk is not enabled",
            Outcome::Answered,
        ),
        Err(_) => (
            "InvalidSessionId",
            "Invalid session id",
            Outcome::SessionRefused,
        ),
    };
    let speaks_json = request.accepts("json")
        || request
            .header("content-type")
            .is_some_and(|t| t.contains("json"));
    if speaks_json {
        let body = json!({ "exceptionCode": code, "exceptionMessage": message });
        return Reply::json(400, &body).outcome(outcome);
    }
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error \
         xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\"><exceptionCode>{code}</exceptionCode>\
         <exceptionMessage>{message}</exceptionMessage></error>"
    );
    Reply::new(400, "application/xml", body).outcome(outcome)
}

fn refusal(world: &World, request: &Request<'_>, refused: Refused) -> Reply {
    let (status, code, message) = match refused {
        Refused::Dead => (401, "INVALID_SESSION_ID", "Session expired or invalid"),
        Refused::Barred => (
            401,
            "INVALID_SESSION_ID",
            "This session is not valid for use with the REST API",
        ),
        Refused::PasswordExpired => (
            world.org.expired_password_status,
            "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
            "The users password has expired, you must call SetPassword before attempting any other API \
             operations",
        ),
        Refused::ApiDisabled => (
            403,
            "API_CURRENTLY_DISABLED",
            "API is disabled for this User",
        ),
        Refused::LimitExceeded => (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        ),
    };
    error(request, status, code, message)
}

fn not_found(request: &Request<'_>) -> Reply {
    error(
        request,
        404,
        "NOT_FOUND",
        "The requested resource does not exist",
    )
}

/// An error in the form that the client accepts; messages have nothing to escape.
pub(super) fn error(request: &Request<'_>, status: u16, code: &str, message: &str) -> Reply {
    if !request.accepts("application/xml") {
        let body = json!([{ "message": message, "errorCode": code }]);
        return Reply::json(status, &body);
    }
    let message = quick_xml::escape::escape(message);
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Errors><Error><errorCode>{code}</errorCode>\
         <message>{message}</message></Error></Errors>"
    );
    Reply::new(status, "application/xml;charset=UTF-8", body)
}
