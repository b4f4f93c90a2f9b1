//! OAuth 2.0: what is sent to the token endpoint for each flow, and what comes back.
//!
//! `request` fills the forms, `answer` reads a grant, `refusal` says what an error means; `introspection` and
//! `user_info` read what a session tells about itself; `lifetime` settles how long it is believed.

mod answer;
mod fields;
mod introspection;
mod lifetime;
mod refusal;
mod request;
mod user_info;

use std::time::SystemTime;

use super::{Grant, LoginRefused, classify, http::Answer};
use crate::credential::FlowKind;

pub(super) use answer::Expected;
pub(super) use introspection::timeout;
pub(super) use refusal::rest_fault;
pub(super) use request::{Asked, Unsendable, code, introspect, revoke, token};
pub(super) use user_info::proof;

/// Where all flows ask for a session.
pub(super) const TOKEN: &str = "/services/oauth2/token";
/// Where an app asks how long a session of its own lives.
pub(super) const INTROSPECT: &str = "/services/oauth2/introspect";
/// Where a session is ended.
pub(super) const REVOKE: &str = "/services/oauth2/revoke";
/// Where a session tells whose it is.
pub(super) const USER_INFO: &str = "/services/oauth2/userinfo";

/// What the token endpoint's answer means. `secrets` are those that the request held; `now` is our clock's time.
///
/// A refresh token that comes with a grant that is not believed, for its signature, its ids or its host, is taken all
/// the same. The one that was sent is spent with the answer, so the new one is the only one that may work, and without
/// it a person would have to log in again. It can't be a stranger's: the answer came over verified TLS from the one host
/// that got the old token, after the allow-list and without a redirect, and who can answer there has the old token
/// anyway. It is never sent anywhere but to that same host.
pub(super) fn login(
    answer: &Answer,
    flow: FlowKind,
    expected: &Expected<'_>,
    secrets: &[&str],
    now: SystemTime,
) -> Result<Grant, LoginRefused> {
    if let Some(failure) = refusal::read(answer, flow, secrets, now) {
        return Err(failure.into());
    }
    let body = answer.body.as_ref();
    answer::grant(body, expected).map_err(|problem| LoginRefused {
        failure: classify::refused(problem),
        rotated: answer::rotated_all_the_same(body, expected),
    })
}
