//! An answer before it is put on the wire, with what the journal will say about it.

use bytes::Bytes;
use http::{Response, header};
use serde::Serialize;

use super::body::Body;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) outcome: Outcome,
    pub(super) user: Option<String>,
    /// What no client should have done.
    pub(super) complaints: Vec<String>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A login opened or reused a session.
    LoginAccepted,
    /// A login did not; this is what the login history would say.
    LoginRefused(&'static str),
    /// The request's session is not good.
    SessionRefused,
    /// Anything else.
    Answered,
    /// The request met a scripted answer instead.
    Noise,
}

impl Reply {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
            outcome: Outcome::Answered,
            user: None,
            complaints: Vec::new(),
        }
    }

    pub(super) fn xml(status: u16, body: String) -> Self {
        Self::new(status, "text/xml; charset=utf-8", body)
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json;charset=UTF-8", body.to_string())
    }

    pub(super) fn html(status: u16, body: &'static str) -> Self {
        Self::new(status, "text/html; charset=UTF-8", body)
    }

    pub(super) fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    pub(super) fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    pub(super) fn complaint(mut self, complaint: impl Into<String>) -> Self {
        self.complaints.push(complaint.into());
        self
    }

    /// The response, with its body replaced if the answer is to be slow or broken.
    pub(super) fn into_response(self, body: Option<Body>) -> Result<Response<Body>, http::Error> {
        let mut response = Response::builder()
            .status(self.status)
            .header(
                header::CACHE_CONTROL,
                "no-cache,must-revalidate,max-age=0,no-store,private",
            )
            .header(
                header::SET_COOKIE,
                "BrowserId=simulated; domain=.salesforce.com; path=/",
            );
        if !self.content_type.is_empty() {
            response = response.header(header::CONTENT_TYPE, self.content_type);
        }
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(body.unwrap_or_else(|| Body::whole(self.body)))
    }
}
