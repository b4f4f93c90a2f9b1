//! The messages of a login in a browser. Secrets are moved out of a request, not copied.

use sfvault_proto::v1;

use super::convert;
use crate::{
    error::Error,
    secret::{AuthorizationCode, ConsumerSecret, LoginState},
    vault::{BegunLogin, Callback, NewLogin, RecordView},
};

pub(super) fn new_login(request: v1::BeginLoginRequest) -> Result<NewLogin, Error> {
    let login_host = match request.login_url.as_str() {
        "" => None,
        url => Some(convert::login_host(url)?),
    };
    Ok(NewLogin {
        name: convert::record_name(&request.name)?,
        login_host,
        consumer_key: filled(request.consumer_key),
        consumer_secret: request
            .consumer_secret
            .map(|secret| filled(secret).map(ConsumerSecret::new)),
        redirect_uri: request.redirect_uri,
        time: convert::duration("timeout", request.timeout)?,
    })
}

pub(super) fn begun(login: BegunLogin) -> v1::BeginLoginResponse {
    v1::BeginLoginResponse {
        login_id: login.id,
        authorize_url: login.authorize_url,
        expires_at: Some(login.until.into()),
    }
}

pub(super) fn callback(request: v1::FinishLoginRequest) -> Callback {
    let refusal = filled(request.error).map(|error| match request.error_description.as_str() {
        "" => plain(&error),
        description => format!("{}: {}", plain(&error), plain(description)),
    });
    Callback {
        id: request.login_id,
        code: filled(request.code).map(AuthorizationCode::new),
        state: LoginState::new(request.state),
        issuer: filled(request.issuer),
        refusal,
    }
}

pub(super) fn finished((record, added): (RecordView, bool)) -> v1::FinishLoginResponse {
    v1::FinishLoginResponse {
        record: Some(convert::record_status(&record)),
        added,
    }
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Anybody can make a browser say anything: at most 120 characters, none of them able to harm a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .take(120)
        .map(|c| match c {
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_says_is_cut_and_cleaned() {
        let request = v1::FinishLoginRequest {
            error: "access_denied\u{1b}[2J".to_owned(),
            error_description: "x".repeat(10_000),
            ..Default::default()
        };
        let refusal = callback(request).refusal.unwrap();
        assert!(refusal.starts_with("access_denied?[2J: xxx"));
        assert!(refusal.len() < 300);
    }
}
