//! What can be scripted in place of a usual answer.

use std::time::Duration;

use serde::Deserialize;

use super::{gate::Gate, oauth::OAuthError, soap::fault::Fault};

/// One scripted answer. `GET /services/data/` never takes one.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// As if nothing were scripted.
    Usual,
    /// The usual answer, as soon as the gate opens. The request has had its effect when the gate is reached.
    #[serde(skip)]
    Hold(Gate),

    // The request has no effect from here on.
    /// A fault; at an OAuth endpoint an error with status 400, elsewhere in REST one with status 403.
    Fault(Fault),
    /// An error of the token endpoint, which REST and SOAP send as a fault.
    OAuth(OAuthError),
    /// Any other answer.
    Http {
        status: u16,
        content_type: ContentType,
        body: String,
    },
    /// Any other answer, with no other content type than that among the headers.
    Raw {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Status 420 of the edge: "We are setting things up".
    SettingUp,
    /// Status 406, empty.
    NotAcceptable,
    /// Status 503 of the edge, in HTML.
    Unavailable,
    /// Status 405, as of a host that serves no API.
    MethodNotAllowed,
    /// Status 200 and the page where people log in.
    LoginPage,
    /// A redirect with this status to a third host, where nothing is expected ever to arrive.
    Redirect(u16),
    /// A login result whose session id is an entity that expands to gigabytes.
    EntityBomb,
    /// A login result whose session id is an entity at a third host, where nothing is expected ever to arrive.
    ExternalEntity,
    /// A fault of the parser, or an OAuth error, that repeats the first half of the password.
    EchoedPassword,
    /// Status 200, headers, and no byte of a body.
    Silence,
    /// No byte at all.
    Hang,
    /// Status 200 and 100 MB of white space in an envelope.
    Flood,
    /// The connection is closed before the request's body is read.
    CloseUnread,
    /// The connection is closed when the request is read.
    CloseRead,

    // The request has its effect from here on, and the answer suffers.
    /// The connection is closed in place of the answer.
    CloseProcessed,
    /// A gateway gave up on the answer and says so with this status, in HTML.
    Gateway(u16),
    /// The connection breaks in the middle of the body.
    Cut,
    /// A body that ends in the middle, in a complete HTTP message.
    Truncated,
    /// A byte of the body each so many milliseconds.
    Drip { milliseconds: u64 },
    /// A body in gzip, though nobody asked for it.
    Gzip,
    /// `text/html` above the right body.
    WrongContentType,
    /// Another `sessionId` or `access_token` behind the right one.
    TwoSessionIds,
    /// A `sessionId` or `access_token` with a line break and a header in it.
    SessionIdWithNewline,
    /// A `serverUrl` or `instance_url` at this address instead of `https://HOST`.
    ServerUrl(String),
    /// A `userInfo` or identity of another org than the session's.
    OtherOrg,
    /// A text in the body is another.
    Edited { from: String, to: String },
}

/// The `Content-Type` of [`Answer::Http`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentType {
    Html,
    Json,
    Text,
    Xml,
}

impl ContentType {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=UTF-8",
            Self::Json => "application/json;charset=UTF-8",
            Self::Text => "text/plain",
            Self::Xml => "text/xml; charset=utf-8",
        }
    }
}

/// How an answer gets to the client, or does not.
#[derive(Debug)]
pub(super) enum Delivery {
    Whole,
    Hold(Gate),
    /// A byte each so often.
    Drip(Duration),
    /// A head and no body.
    Silence,
    /// A body that goes on and on.
    Flood,
    /// Half a body.
    Cut,
    Hang,
    Close,
    /// Closed before the request's body is read.
    CloseUnread,
}

impl Delivery {
    /// Whether the client gets a status.
    pub(super) fn has_status(&self) -> bool {
        match self {
            Self::Whole
            | Self::Hold(_)
            | Self::Drip(_)
            | Self::Silence
            | Self::Flood
            | Self::Cut => true,
            Self::Hang | Self::Close | Self::CloseUnread => false,
        }
    }
}

impl Answer {
    /// How this answer gets to the client.
    pub(super) fn delivery(&self) -> Delivery {
        match self {
            Self::Hold(gate) => Delivery::Hold(gate.clone()),
            Self::Drip { milliseconds } => Delivery::Drip(Duration::from_millis(*milliseconds)),
            Self::Silence => Delivery::Silence,
            Self::Flood => Delivery::Flood,
            Self::Cut => Delivery::Cut,
            Self::Hang => Delivery::Hang,
            Self::CloseRead | Self::CloseProcessed => Delivery::Close,
            Self::CloseUnread => Delivery::CloseUnread,
            Self::Usual
            | Self::Fault(_)
            | Self::OAuth(_)
            | Self::Http { .. }
            | Self::Raw { .. }
            | Self::Gateway(_)
            | Self::SettingUp
            | Self::NotAcceptable
            | Self::Unavailable
            | Self::MethodNotAllowed
            | Self::LoginPage
            | Self::Redirect(_)
            | Self::EntityBomb
            | Self::ExternalEntity
            | Self::EchoedPassword
            | Self::Truncated
            | Self::Gzip
            | Self::WrongContentType
            | Self::TwoSessionIds
            | Self::SessionIdWithNewline
            | Self::ServerUrl(_)
            | Self::OtherOrg
            | Self::Edited { .. } => Delivery::Whole,
        }
    }
}
