use super::*;
use crate::secret::{PrivateKey, RefreshToken};

const KEY: &str = "3MVG9.key";
const SECRET: &str = "5D1C+&=é";

fn host(name: &str) -> Host {
    Host::parse(name).unwrap()
}

fn secret() -> ConsumerSecret {
    ConsumerSecret::new(SECRET.to_owned())
}

fn asked(flow: &Flow, credential: &Credential, at: &str) -> Result<Asked, Unsendable> {
    token(flow, credential, &host(at), SystemTime::UNIX_EPOCH)
}

fn form(flow: &Flow, credential: &Credential) -> String {
    let asked = asked(flow, credential, "acme.my.salesforce.com").unwrap();
    String::from_utf8(asked.body.as_ref().to_vec()).unwrap()
}

fn client() -> Flow {
    Flow::ClientCredentials {
        consumer_key: KEY.to_owned(),
    }
}

fn of_client() -> Credential {
    Credential::ClientCredentials {
        consumer_secret: secret(),
    }
}

fn jwt(pem: &str) -> (Flow, Credential) {
    let flow = Flow::JwtBearer {
        username: "etl@acme.com".to_owned(),
        consumer_key: KEY.to_owned(),
        audience: "https://login.salesforce.com".to_owned(),
    };
    let credential = Credential::JwtBearer {
        private_key: PrivateKey::new(pem.to_owned()),
        consumer_secret: Some(secret()),
    };
    (flow, credential)
}

#[test]
fn each_flow_sends_its_own_parameters_and_no_others() {
    let client_secret = "5D1C%2B%26%3D%C3%A9";
    assert_eq!(
        form(&client(), &of_client()),
        format!("grant_type=client_credentials&client_id={KEY}&client_secret={client_secret}")
    );
    let password = Flow::UsernamePassword {
        username: "etl@acme.com".to_owned(),
        consumer_key: KEY.to_owned(),
    };
    let of_password = |secret| Credential::UsernamePassword {
        password: Password::new("a b&".to_owned()),
        security_token: Some(SecurityToken::new("T0K3N".to_owned())),
        consumer_secret: secret,
    };
    assert_eq!(
        form(&password, &of_password(Some(secret()))),
        format!(
            "grant_type=password&client_id={KEY}&client_secret={client_secret}\
             &username=etl%40acme.com&password=a+b%26T0K3N"
        )
    );
    assert_eq!(
        form(&password, &of_password(None)),
        format!("grant_type=password&client_id={KEY}&username=etl%40acme.com&password=a+b%26T0K3N")
    );
    let refresh = Flow::RefreshToken {
        consumer_key: KEY.to_owned(),
    };
    let of_refresh = Credential::RefreshToken {
        refresh_token: RefreshToken::new("5Aep861==".to_owned()),
        consumer_secret: None,
    };
    assert_eq!(
        form(&refresh, &of_refresh),
        format!("grant_type=refresh_token&refresh_token=5Aep861%3D%3D&client_id={KEY}")
    );
    let (flow, credential) = jwt(include_str!("../../private_key/rsa-2048.pem"));
    let form = form(&flow, &credential);
    let assertion = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap();
    assert!(assertion.starts_with("eyJ") && !assertion.contains(['&', '=']));
}

#[test]
fn introspection_names_the_app_and_the_kind_of_token() {
    let session = SessionId::new("00Dxx0000001gPL!AR8".to_owned());
    let body = introspect(&session, KEY, &secret());
    assert_eq!(
        str::from_utf8(body.as_ref()).unwrap(),
        format!(
            "token=00Dxx0000001gPL%21AR8&token_type_hint=access_token&client_id={KEY}\
             &client_secret=5D1C%2B%26%3D%C3%A9"
        )
    );
}

#[test]
fn client_credentials_go_to_no_login_host() {
    for login in ["login.salesforce.com", "test.salesforce.com"] {
        let problem = asked(&client(), &of_client(), login).err().unwrap();
        assert!(problem.to_string().contains("My Domain"), "{problem}");
    }
    assert!(asked(&client(), &of_client(), "localhost:8443").is_ok());
}

#[test]
fn a_key_that_is_none_and_a_credential_of_another_flow_are_not_sent() {
    let (flow, credential) = jwt("hunter2");
    let problem = asked(&flow, &credential, "login.salesforce.com")
        .err()
        .unwrap();
    assert_eq!(problem, Unsendable::Key(NotAKey::NotPem));
    assert!(!problem.to_string().contains("hunter2"));
    let confused = asked(&flow, &of_client(), "login.salesforce.com").err();
    assert_eq!(confused, Some(Unsendable::Confused));
}

/// T43.
#[test]
fn all_that_is_secret_in_a_form_is_known_as_such() {
    let (flow, credential) = jwt(include_str!("../../private_key/rsa-2048.pem"));
    let asked = asked(&flow, &credential, "login.salesforce.com").unwrap();
    let form = str::from_utf8(asked.body.as_ref()).unwrap();
    assert!(form.ends_with(asked.secrets[0].as_str()));
}
