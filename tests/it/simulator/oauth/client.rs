//! An OAuth client of a few lines.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http_body_util::Full;
use ring::{rand::SystemRandom, signature};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use sfvault_tests::simulator::{CONSUMER_KEY, CONSUMER_SECRET, PRIVATE_KEY, Simulator, USERNAME};
use sfvaultd::clock::Clock as _;

use crate::simulator::client::{Answer, Failure, request, send};

pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Key and secret of the app, in a form.
pub(super) const CLIENT: [(&str, &str); 2] = [
    ("client_id", CONSUMER_KEY),
    ("client_secret", CONSUMER_SECRET),
];

/// Posts a form with headers of its own.
pub(super) async fn post_form(
    sim: &Simulator,
    url: &str,
    headers: &[(&str, &str)],
    form: &[(&str, &str)],
) -> Result<Answer, Failure> {
    let mut request =
        request("POST", url).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(sim, url, request.body(Full::from(encode(form)))?).await
}

/// Posts a form to an endpoint of a host.
pub(super) async fn post_to(
    sim: &Simulator,
    base: &str,
    endpoint: &str,
    form: &[(&str, &str)],
) -> Answer {
    let url = format!("{base}/services/oauth2/{endpoint}");
    post_form(sim, &url, &[], form).await.unwrap()
}

/// Asks the token endpoint of My Domain, as the app.
pub(super) async fn token(sim: &Simulator, form: &[(&str, &str)]) -> Answer {
    let form = [&CLIENT, form].concat();
    post_to(sim, &sim.instance_url(), "token", &form).await
}

pub(super) async fn client_credentials(sim: &Simulator) -> Answer {
    token(sim, &[("grant_type", "client_credentials")]).await
}

pub(super) async fn refresh(sim: &Simulator, refresh_token: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    token(sim, &form).await
}

pub(super) async fn introspect(sim: &Simulator, token: &str) -> Value {
    let form = [&CLIENT[..], &[("token", token)]].concat();
    let answer = post_to(sim, &sim.instance_url(), "introspect", &form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

pub(super) async fn revoke(sim: &Simulator, token: &str) -> Answer {
    post_to(sim, &sim.instance_url(), "revoke", &[("token", token)]).await
}

/// The error and its description; the status of all of them is 400.
pub(super) fn error(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    let json = answer.json();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    (text("error"), text("error_description"))
}

/// The description of an `invalid_grant`.
pub(super) fn description(answer: &Answer) -> String {
    let (error, description) = error(answer);
    assert_eq!(error, "invalid_grant", "{description}");
    description
}

pub(super) fn access_token(answer: &Answer) -> String {
    text(answer, "access_token")
}

/// A text in a good answer.
pub(super) fn text(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()[name].as_str().unwrap().to_owned()
}

/// Right claims of the simulator's user, three minutes long.
pub(super) fn claims(sim: &Simulator) -> Value {
    let now = sim.clock().now().duration_since(std::time::UNIX_EPOCH);
    json!({
        "iss": CONSUMER_KEY,
        "sub": USERNAME,
        "aud": "https://login.salesforce.com",
        "exp": now.unwrap().as_secs() + 180,
    })
}

/// A JWT with the app's signature.
pub(super) fn sign(header: &Value, claims: &Value) -> String {
    let der = PrivatePkcs8KeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).unwrap();
    let key = signature::RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &signature::RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The JWT bearer flow with these claims; it needs no secret.
pub(super) async fn bear(sim: &Simulator, claims: &Value) -> Answer {
    let assertion = sign(&json!({ "alg": "RS256" }), claims);
    bear_text(sim, &assertion).await
}

pub(super) async fn bear_text(sim: &Simulator, assertion: &str) -> Answer {
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
    post_to(sim, &sim.login_url(), "token", &form).await
}

pub(super) fn basic(key: &str, secret: &str) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{key}:{secret}"))
    )
}

pub(super) fn encode(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte.is_ascii_alphanumeric() {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}
