//! Which part of Salesforce answers which path.

use http::{Method, header, request::Parts};

use super::{
    identity, oauth,
    reply::Reply,
    rest::{self, Request},
    server::Listener,
    soap::{self, Context, Endpoint},
    state::World,
};

/// Answers a request as Salesforce would.
pub(super) fn answer(world: &mut World, listener: Listener, parts: &Parts, body: &[u8]) -> Reply {
    let name = host_name(parts);
    let mut reply = route(world, listener, parts, body);
    let known = matches!(name, "localhost" | "127.0.0.1") || name.ends_with(".salesforce.com");
    if !known {
        reply = reply.complaint(format!("the host `{name}`"));
    }
    reply
}

/// The `Host` header.
pub(super) fn host(parts: &Parts) -> &str {
    let host = parts.headers.get(header::HOST);
    host.and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// The name in the `Host` header, without port.
pub(super) fn host_name(parts: &Parts) -> &str {
    host(parts).split(':').next().unwrap_or_default()
}

/// Whether the request goes to a SOAP API.
pub(super) fn is_soap(parts: &Parts) -> bool {
    parts.uri.path().starts_with("/services/Soap/")
}

/// Whether the request goes to an OAuth endpoint that answers in JSON.
pub(super) fn is_oauth(parts: &Parts) -> bool {
    parts.uri.path().starts_with("/services/oauth2/")
}

/// Whether the request is the harmless question which versions there are.
pub(super) fn asks_versions(parts: &Parts) -> bool {
    parts.method == Method::GET && matches!(parts.uri.path(), "/services/data" | "/services/data/")
}

fn route(world: &mut World, listener: Listener, parts: &Parts, body: &[u8]) -> Reply {
    if asks_versions(parts) {
        return rest::versions(&world.org);
    }
    let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    if let ["services", "Soap", rest @ ..] = path.as_slice()
        && let Some(endpoint) = Endpoint::parse(rest)
    {
        if parts.method != Method::POST {
            return Reply::html(405, WRONG_METHOD).complaint("SOAP other than POST");
        }
        let context = Context {
            listener,
            host: host_name(parts),
            headers: &parts.headers,
            endpoint,
        };
        return soap::answer(world, &context, body);
    }
    if let ["services", "oauth2", endpoint] = path.as_slice() {
        let request = oauth::Request::of(listener, parts, body);
        if let Some(reply) = oauth::answer(world, endpoint, &request) {
            return reply;
        }
    }
    let request = Request::of(parts);
    let asks_identity = matches!(
        path.as_slice(),
        ["services", "oauth2", "userinfo"] | ["id", _, _]
    );
    if asks_identity && parts.method == Method::GET {
        return identity::answer(world, listener, &request, &path);
    }
    if listener == Listener::Login {
        return Reply::html(404, NOT_FOUND).complaint("no path of a login host");
    }
    match path.as_slice() {
        ["services", "data", version, rest @ ..] => rest::answer(
            world,
            &request,
            version,
            rest.strip_suffix(&[""]).unwrap_or(rest),
        ),
        ["services", "async", _, ..] => rest::bulk(world, &request),
        _ => Reply::html(404, NOT_FOUND).complaint("an unknown path"),
    }
}

const NOT_FOUND: &str = "<html><body>URL No Longer Exists</body></html>";
const WRONG_METHOD: &str = "<html><body>HTTP Method not allowed</body></html>";
