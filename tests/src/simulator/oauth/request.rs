//! A request to an OAuth endpoint, with what no good client puts into one.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, header, request::Parts};

use super::app::App;
use crate::simulator::{form, form::Form, router, server::Listener, state::World};

/// A request to an OAuth endpoint.
pub(in crate::simulator) struct Request<'a> {
    pub(super) listener: Listener,
    /// The name in the `Host` header, without port.
    pub(super) host: &'a str,
    pub(super) method: &'a Method,
    headers: &'a HeaderMap,
    query: &'a str,
    body: &'a [u8],
}

/// What a request brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub(super) form: Form,
    pub(super) consumer_key: String,
    pub(super) consumer_secret: Option<String>,
    pub(super) complaints: Vec<String>,
}

impl<'a> Request<'a> {
    pub(in crate::simulator) fn of(listener: Listener, parts: &'a Parts, body: &'a [u8]) -> Self {
        Self {
            listener,
            host: router::host_name(parts),
            method: &parts.method,
            headers: &parts.headers,
            query: parts.uri.query().unwrap_or_default(),
            body,
        }
    }

    /// The parameters of the query alone.
    pub(super) fn parameters(&self) -> Brought {
        let mut complaints = Vec::new();
        let form = Form::parse(self.query);
        complaints.extend(form.is_none().then(|| "a malformed query".to_owned()));
        let form = form.unwrap_or_default();
        complaints.extend(secret_in(&form));
        complaints.extend(form.repeated().map(twice));
        Brought {
            form,
            complaints,
            ..Brought::default()
        }
    }

    /// The parameters of the form and of the query, which Salesforce reads too, and whose client sent them.
    pub(super) fn read(&self) -> Brought {
        let Brought {
            form: query,
            mut complaints,
            ..
        } = self.parameters();
        if !self.is_form() && !self.body.is_empty() {
            complaints.push("a body that is not application/x-www-form-urlencoded".to_owned());
        }
        let body = str::from_utf8(self.body).ok().and_then(Form::parse);
        if body.is_none() {
            complaints.push("a malformed form".to_owned());
        }
        let form = body.filter(|_| self.is_form()).unwrap_or_default();
        complaints.extend(form.repeated().map(twice));
        let form = form.and(query);
        let (mut key, mut secret) = (form.get("client_id"), form.get("client_secret"));
        let basic = self.basic(&mut complaints);
        if let Some((basic_key, basic_secret)) = &basic {
            if secret.is_some() || key.is_some_and(|key| key != basic_key) {
                complaints.push("client credentials in the header and in the body".to_owned());
            }
            (key, secret) = (Some(basic_key.as_str()), Some(basic_secret.as_str()));
        }
        Brought {
            consumer_key: key.unwrap_or_default().to_owned(),
            consumer_secret: secret.map(str::to_owned),
            form,
            complaints,
        }
    }

    fn is_form(&self) -> bool {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        content_type.is_some_and(|t| {
            t.as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        })
    }

    /// Key and secret of HTTP Basic, which RFC 6749 (2.3.1) wants encoded as in a form.
    fn basic(&self, complaints: &mut Vec<String>) -> Option<(String, String)> {
        let header = self.headers.get(header::AUTHORIZATION)?.to_str().ok();
        let pair = header
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|pair| {
                let (key, secret) = pair.split_once(':')?;
                Some((form::decode(key)?, form::decode(secret)?))
            });
        if pair.is_none() {
            complaints.push("an Authorization header that is not Basic".to_owned());
        }
        pair
    }
}

impl Brought {
    /// The app that the request names.
    pub(super) fn app<'w>(&self, world: &'w World) -> Option<&'w App> {
        world.oauth.app(&self.consumer_key)
    }
}

/// URLs are logged wherever they pass.
fn secret_in(query: &Form) -> Option<String> {
    const SECRETS: [&str; 8] = [
        "assertion",
        "client_secret",
        "code",
        "code_verifier",
        "password",
        "refresh_token",
        "token",
        "access_token",
    ];
    let name = query.names().find(|name| SECRETS.contains(name))?;
    Some(format!("the secret `{name}` in a query"))
}

fn twice(name: &str) -> String {
    // The name may be anything, even a secret in the wrong place.
    match name.len() < 20 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        true => format!("the parameter `{name}` twice"),
        false => "a parameter twice".to_owned(),
    }
}
