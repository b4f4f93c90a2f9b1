//! How a scripted answer replaces the usual one, or spoils it.

use bytes::Bytes;

use super::{
    answer::{Answer, ContentType},
    gzip,
    org::Org,
    reply::Reply,
    soap::fault::Fault,
};

/// What a scripted answer may look at.
pub(super) struct Scene<'a> {
    pub(super) path: &'a str,
    /// The password in a login.
    pub(super) password: Option<&'a str>,
    /// Scheme and host of the place where nothing may arrive.
    pub(super) elsewhere: &'a str,
}

impl Answer {
    /// The answer that takes the place of the usual one, so that the request has no effect.
    pub(super) fn replacement(&self, scene: &Scene<'_>) -> Option<Reply> {
        let reply = match self {
            Self::Http {
                status,
                content_type,
                body,
            } => Reply::new(*status, content_type.as_str(), body.clone()),
            Self::Raw {
                status,
                headers,
                body,
            } => headers.iter().fold(
                Reply::new(*status, "", body.clone()),
                |reply, (name, value)| reply.header(name, value),
            ),
            Self::SettingUp => Reply::html(420, SETTING_UP),
            Self::NotAcceptable => Reply::new(406, "", Bytes::new()),
            Self::Unavailable => {
                Reply::html(503, UNAVAILABLE).header("x-sfdc-edge-err", "upstream connect error")
            }
            Self::MethodNotAllowed => Reply::html(405, METHOD_NOT_ALLOWED).header("Allow", "GET"),
            Self::LoginPage => Reply::html(200, LOGIN_PAGE),
            Self::Redirect(status) => Reply::html(*status, MOVED)
                .header("Location", format!("{}{}", scene.elsewhere, scene.path)),
            Self::EntityBomb => Reply::xml(200, entity_bomb()),
            Self::ExternalEntity => {
                let url = format!("{}/entity", scene.elsewhere);
                let entities = format!("<!ENTITY session SYSTEM \"{url}\">");
                Reply::xml(200, with_doctype(&entities))
            }
            Self::Silence | Self::Hang | Self::CloseUnread | Self::CloseRead => {
                Reply::xml(200, String::new())
            }
            Self::Flood if scene.path.starts_with("/services/oauth2/") => {
                Reply::new(200, ContentType::Json.as_str(), "{")
            }
            Self::Flood => Reply::xml(200, FLOOD.to_owned()),
            // These depend on what kind of request it is: the caller makes a fault of them.
            Self::Fault(_) | Self::OAuth(_) | Self::EchoedPassword => return None,
            Self::Usual
            | Self::Hold(_)
            | Self::CloseProcessed
            | Self::Gateway(_)
            | Self::Cut
            | Self::Truncated
            | Self::Drip { .. }
            | Self::Gzip
            | Self::WrongContentType
            | Self::TwoSessionIds
            | Self::SessionIdWithNewline
            | Self::ServerUrl(_)
            | Self::OtherOrg
            | Self::Edited { .. } => return None,
        };
        Some(reply)
    }

    /// The fault that takes the place of the usual answer.
    pub(super) fn fault(&self, scene: &Scene<'_>) -> Option<Fault> {
        if let Self::Fault(fault) = self {
            return Some(fault.clone());
        }
        if let Self::OAuth(error) = self {
            return Some(Fault::unexpected(&error.error, &error.description));
        }
        if !matches!(self, Self::EchoedPassword) {
            return None;
        }
        let password: Vec<char> = scene.password.unwrap_or_default().chars().collect();
        let half: String = password.iter().take(password.len().div_ceil(2)).collect();
        let message =
            format!("The reference to entity \"{half}\" must end with the ';' delimiter.");
        Some(Fault::unknown_exception(&message))
    }

    /// Spoils the usual answer.
    pub(super) fn spoil(&self, reply: &mut Reply, org: &Org) {
        let is_json = reply.body.starts_with(b"{");
        let edit = |from: &str, to: &str| {
            let text = String::from_utf8_lossy(&reply.body);
            Bytes::from(text.replacen(from, to, 1))
        };
        match self {
            Self::Gateway(status) => {
                reply.status = *status;
                reply.content_type = ContentType::Html.as_str();
                reply.body = Bytes::from_static(GATEWAY.as_bytes());
            }
            Self::Truncated => reply.body.truncate(reply.body.len() / 2),
            Self::Gzip => {
                reply.body = gzip::stored(&reply.body).into();
                reply
                    .headers
                    .push(("Content-Encoding".to_owned(), "gzip".to_owned()));
            }
            Self::WrongContentType => reply.content_type = ContentType::Html.as_str(),
            Self::TwoSessionIds if is_json => {
                let second = format!("\"access_token\":\"{}!second\",\"id\"", org.id);
                reply.body = edit("\"id\"", &second);
            }
            Self::TwoSessionIds => {
                let second = format!("</sessionId><sessionId>{}!second</sessionId>", org.id);
                reply.body = edit("</sessionId>", &second);
            }
            Self::SessionIdWithNewline if is_json => {
                let start = "\"access_token\":\"";
                reply.body = edit(start, &format!("{start}X\\r\\nX-Injected: 1"));
            }
            Self::SessionIdWithNewline => {
                reply.body = edit("</sessionId>", "\r\nX-Injected: 1</sessionId>");
            }
            Self::ServerUrl(url) if is_json => {
                let from = format!("\"instance_url\":\"{}", org.instance_url);
                reply.body = edit(&from, &format!("\"instance_url\":\"{url}"));
            }
            Self::ServerUrl(url) => {
                let from = format!("<serverUrl>{}", org.instance_url);
                reply.body = edit(&from, &format!("<serverUrl>{url}"));
            }
            Self::OtherOrg => reply.body = edit(&org.id_18(), "00Dyy0000009ZZZEA2"),
            Self::Edited { from, to } => reply.body = edit(from, to),
            Self::Usual
            | Self::Hold(_)
            | Self::Fault(_)
            | Self::OAuth(_)
            | Self::Http { .. }
            | Self::Raw { .. }
            | Self::SettingUp
            | Self::NotAcceptable
            | Self::Unavailable
            | Self::MethodNotAllowed
            | Self::LoginPage
            | Self::Redirect(_)
            | Self::EntityBomb
            | Self::ExternalEntity
            | Self::EchoedPassword
            | Self::Silence
            | Self::Hang
            | Self::Flood
            | Self::CloseUnread
            | Self::CloseRead
            | Self::CloseProcessed
            | Self::Cut
            | Self::Drip { .. } => {}
        }
    }
}

fn entity_bomb() -> String {
    let mut entities = "<!ENTITY e0 \"lol\">".to_owned();
    for level in 1..10 {
        let ten = format!("&e{};", level - 1).repeat(10);
        entities.push_str(&format!("<!ENTITY e{level} \"{ten}\">"));
    }
    entities.push_str("<!ENTITY session \"&e9;\">");
    with_doctype(&entities)
}

fn with_doctype(entities: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><!DOCTYPE r [{entities}]><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\">\
         <soapenv:Body><loginResponse><result><passwordExpired>false</passwordExpired>\
         <sessionId>&session;</sessionId></result></loginResponse></soapenv:Body></soapenv:Envelope>"
    )
}

const SETTING_UP: &str = "<html><head><title>Salesforce</title></head><body><h1>We are setting things \
                          up</h1><p>Please wait a moment.</p></body></html>";
const UNAVAILABLE: &str = "<html><body><h1>We are down for maintenance</h1></body></html>";
const GATEWAY: &str = "<html><body><h1>The server did not answer in time</h1></body></html>";
const METHOD_NOT_ALLOWED: &str =
    "<html><body>HTTP method POST is not supported by this URL</body></html>";
const LOGIN_PAGE: &str = "<!DOCTYPE html><html><head><title>Login | Salesforce</title></head><body><form \
                          method=\"post\"><input name=\"username\"><input name=\"pw\" type=\"password\">\
                          </form></body></html>";
const MOVED: &str = "<html><body>The URL has moved</body></html>";
const FLOOD: &str =
    "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>";
