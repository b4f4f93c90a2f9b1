//! The beginning of a login in a browser: where to send it, and what it must bring back.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    digest,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use super::form::Form;
use crate::{
    host::Host,
    secret::{CodeVerifier, LoginState},
};

/// What was begun.
#[derive(Debug)]
pub struct Begun {
    /// What the browser is to open. It holds the state.
    pub url: String,
    pub state: LoginState,
    pub verifier: CodeVerifier,
}

/// Begins a login ("OAuth 2.0 Web Server Flow for Web App Integration", Salesforce Help; RFC 7636). It asks for no
/// scopes: the app's own are given. `None` if the system has no random bytes.
#[must_use]
pub fn begin(host: &Host, consumer_key: &str, redirect_uri: &str) -> Option<Begun> {
    let (state, verifier) = (word()?, word()?);
    let hashed = digest::digest(&digest::SHA256, verifier.as_bytes());
    let query = Form::new()
        .with("response_type", "code")
        .with("client_id", consumer_key)
        .with("redirect_uri", redirect_uri)
        .with("state", &state)
        .with("code_challenge", &BASE64_URL_SAFE_NO_PAD.encode(hashed))
        .with("code_challenge_method", "S256")
        .into_body();
    let query = str::from_utf8(query.as_ref()).ok()?;
    Some(Begun {
        url: format!("{}/services/oauth2/authorize?{query}", host.url()),
        state: LoginState::new(String::clone(&state)),
        verifier: CodeVerifier::new(String::clone(&verifier)),
    })
}

/// 43 letters, digits, `-` and `_` that nobody can guess. `None` if the system has no random bytes.
#[must_use]
pub fn word() -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
    Some(Zeroizing::new(
        BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_holds_the_challenge_and_not_the_verifier() {
        let host = Host::parse("acme.my.salesforce.com").unwrap();
        let begun = begin(&host, "3MVG9.a&b", "http://127.0.0.1:1717/callback").unwrap();
        assert!(begun.url.starts_with(
            "https://acme.my.salesforce.com/services/oauth2/authorize?response_type=code&client_id=3MVG9.a%26b&\
             redirect_uri=http%3A%2F%2F127.0.0.1%3A1717%2Fcallback&state="
        ));
        assert!(begun.url.contains(begun.state.expose()));
        assert!(!begun.url.contains(begun.verifier.expose()));
        assert!(begun.url.ends_with("&code_challenge_method=S256"));
        let again = begin(&host, "3MVG9.a&b", "http://127.0.0.1:1717/callback").unwrap();
        assert!(!begun.state.matches(&again.state) && !begun.verifier.matches(&again.verifier));
    }

    /// RFC 7636 demands 43 to 128 unreserved characters.
    #[test]
    fn words_are_long_enough_for_a_verifier() {
        let word = word().unwrap();
        assert_eq!(word.len(), 43);
        assert!(
            word.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
    }
}
