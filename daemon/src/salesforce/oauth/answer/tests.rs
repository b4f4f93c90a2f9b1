use std::time::Duration;

use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_764_000_000;
const SECRET: &str = "an app's own secret";
const SENT: &str = "5Aep861.sent";
const SESSION: &str = "00Dxx0000001gPL!AR8AQ.canary_x";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn body() -> Value {
    json!({
        "access_token": SESSION,
        "instance_url": "https://acme.my.salesforce.com",
        "id": "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001Sv6AAAS",
        "token_type": "Bearer",
        "issued_at": "1764000000000",
    })
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut body = body();
    body[field] = value.into();
    body
}

fn jwt(claims: &Value) -> String {
    format!(
        "eyJhIjoxfQ.{}.c2ln",
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

fn read(body: &[u8], secret: bool, token: bool) -> Result<Grant, NoGrant> {
    let (secret, token) = (
        secret.then(|| ConsumerSecret::new(SECRET.to_owned())),
        token.then(|| RefreshToken::new(SENT.to_owned())),
    );
    let expected = Expected {
        rules: &HostRules::default(),
        username: Some("etl@acme.com"),
        consumer_secret: secret.as_ref(),
        refresh_token: token.as_ref(),
        sent_at: at(NOW),
    };
    grant(body, &expected)
}

fn granted(body: &Value) -> Grant {
    read(body.to_string().as_bytes(), true, true).unwrap()
}

fn refused(body: &Value) -> NoGrant {
    read(body.to_string().as_bytes(), true, true).unwrap_err()
}

#[test]
fn a_grant_is_read_whole() {
    let grant = granted(&body());
    // EXPOSE: this test.
    assert_eq!(grant.session_id.expose(), SESSION);
    assert_eq!(grant.instance.as_str(), "acme.my.salesforce.com");
    assert_eq!(grant.org_id, "00Dxx0000001gPLEAY");
    assert_eq!(grant.user_id, "005xx000001Sv6AAAS");
    assert_eq!(grant.username.as_deref(), Some("etl@acme.com"));
    assert!(!grant.sandbox && grant.rotated.is_none());
    assert_eq!((grant.timeout, grant.hard_expiry), (None, None));
}

#[test]
fn a_signature_must_be_the_apps_own_where_the_secret_is_known() {
    let mut signed = body();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let text = format!(
        "{}{}",
        signed["id"].as_str().unwrap(),
        signed["issued_at"].as_str().unwrap()
    );
    signed["signature"] = BASE64_STANDARD
        .encode(hmac::sign(&key, text.as_bytes()))
        .into();
    granted(&signed);
    let mut later = signed.clone();
    later["issued_at"] = "1764000000001".into();
    let mut others = signed.clone();
    others["id"] = "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS".into();
    for forged in [
        later,
        others,
        with("signature", "QUJD"),
        with("signature", "?"),
    ] {
        refused(&forged);
        // Without the secret nobody can tell.
        read(forged.to_string().as_bytes(), false, false).unwrap();
    }
}

#[test]
fn a_refresh_token_that_came_back_changed_is_kept_and_others_are_not() {
    let rotated = |body: &Value, sent| {
        let grant = read(body.to_string().as_bytes(), false, sent).unwrap();
        // EXPOSE: this test.
        grant.rotated.map(|token| token.expose().to_owned())
    };
    let new = with("refresh_token", "5Aep861.new");
    assert_eq!(rotated(&new, true).as_deref(), Some("5Aep861.new"));
    assert_eq!(rotated(&new, false), None);
    assert_eq!(rotated(&with("refresh_token", SENT), true), None);
    assert_eq!(rotated(&body(), true), None);
    refused(&with("refresh_token", "a b"));
    refused(&with("refresh_token", "x".repeat(LONGEST_TOKEN + 1)));
}

#[test]
fn a_jwt_ends_when_it_says_and_so_does_what_expires_in() {
    let claims = json!({"exp": NOW + 900, "iat": NOW, "sub": "uid:005xx000001Sv6AAAS"});
    let grant = granted(&with("access_token", jwt(&claims)));
    assert_eq!(grant.timeout, Some(Duration::from_mins(15)));
    assert_eq!(grant.hard_expiry, Some(at(NOW + 900)));
    for seconds in [json!(600), json!("600")] {
        let grant = granted(&with("expires_in", seconds));
        assert_eq!(grant.timeout, Some(Duration::from_mins(10)));
        assert_eq!(grant.hard_expiry, Some(at(NOW + 600)));
    }
    let silent = granted(&with("access_token", jwt(&json!({}))));
    assert_eq!((silent.timeout, silent.hard_expiry), (None, None));
}

#[test]
fn the_identity_and_else_the_instance_tell_a_sandbox() {
    for (identity, instance, sandbox) in [
        ("login.salesforce.com", "acme.my.salesforce.com", false),
        ("test.salesforce.com", "acme.my.salesforce.com", true),
        ("acme.my.salesforce.com", "acme.my.salesforce.com", false),
        (
            "acme--uat.sandbox.my.salesforce.com",
            "acme--uat.sandbox.my.salesforce.com",
            true,
        ),
    ] {
        let id = format!("https://{identity}/id/00Dxx0000001gPLEAY/005xx000001Sv6AAAS");
        let mut body = with("id", id);
        body["instance_url"] = format!("https://{instance}").into();
        assert_eq!(granted(&body).sandbox, sandbox, "{identity} {instance}");
    }
}

proptest! {
    /// A grant damaged at one place is no grant, or the damage is where nothing is read.
    #[test]
    fn a_damaged_grant_gives_no_malformed_session(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = body().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(grant) = read(&bytes, true, true) {
            // EXPOSE: this test.
            let session = grant.session_id.expose();
            prop_assert!(session.starts_with("00Dxx0000001gPL!"));
            prop_assert!(session.bytes().all(|b| b.is_ascii_alphanumeric() || b"!._".contains(&b)));
            prop_assert!(HostRules::default().permit(&grant.instance).is_ok());
        }
    }

    #[test]
    fn no_bytes_panic_or_make_a_grant(bytes in any::<Vec<u8>>()) {
        prop_assert!(read(&bytes, true, true).is_err());
    }
}

#[test]
fn a_refresh_token_is_found_in_an_answer_that_is_refused_for_another_reason() {
    let secret = ConsumerSecret::new(SECRET.to_owned());
    let sent = RefreshToken::new(SENT.to_owned());
    let rules = HostRules::default();
    let expected = |token| Expected {
        rules: &rules,
        username: None,
        consumer_secret: Some(&secret),
        refresh_token: token,
        sent_at: at(NOW),
    };
    let found = |body: &Value, token| {
        let body = body.to_string();
        let found = rotated_all_the_same(body.as_bytes(), &expected(token));
        // EXPOSE: this test.
        found.map(|token| token.expose().to_owned())
    };
    for (field, value) in [
        ("instance_url", "https://evil.example"),
        ("signature", "c3R1ZmY="),
        ("access_token", "no session"),
        (
            "id",
            "https://evil.example/id/00Dxx0000001gPLEAY/005xx000001Sv6AAAS",
        ),
    ] {
        let mut body = with(field, value);
        body["refresh_token"] = "5Aep861.fresh".into();
        refused(&body);
        assert_eq!(found(&body, Some(&sent)).as_deref(), Some("5Aep861.fresh"));
        assert_eq!(found(&body, None), None, "one that nobody waits for");
        body["refresh_token"] = SENT.into();
        assert_eq!(found(&body, Some(&sent)), None);
        for odd in [
            "",
            "with space",
            "line\nbreak",
            &"x".repeat(LONGEST_TOKEN + 1),
        ] {
            body["refresh_token"] = odd.into();
            assert_eq!(found(&body, Some(&sent)), None, "{odd}");
        }
    }
}
