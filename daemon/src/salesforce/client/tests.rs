use std::{
    io,
    sync::{Arc, Mutex},
};

use super::*;
use crate::clock::SystemClock;
use crate::salesforce::loopback::{Authority, Script, Server};

const PASSWORD: &str = "Tr0ub4dor&3";
const TOKEN: &str = "AbCdEfGhIjKlMnOpQrStUvWx";
const SESSION: &str = "00Dxx0000001gPL!AR8AQ.canary_x";

fn login_to(authority: &Authority, allowed: Vec<Host>) -> SalesforceLogin {
    let settings = Settings {
        host_rules: HostRules {
            allowed,
            instanced: false,
        },
        ..Settings::default()
    };
    let environment = Environment {
        ssl_cert_file: Some(authority.path().to_owned()),
        ..Environment::default()
    };
    SalesforceLogin::new(settings, environment, Arc::new(SystemClock))
}

fn request(login_host: Host) -> LoginRequest {
    LoginRequest {
        login_host,
        flow: Flow::SoapLogin {
            username: "etl@acme.com".to_owned(),
        },
        credential: Credential::SoapLogin {
            password: Password::new(PASSWORD.to_owned()),
            security_token: Some(SecurityToken::new(TOKEN.to_owned())),
        },
    }
}

fn answer(status: u16, inside: &str) -> Script {
    let body = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{inside}</s:Body></s:Envelope>"
    );
    Script::Answer(format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn granted(instance: &Host) -> Script {
    answer(
        200,
        &format!(
            "<loginResponse><result><passwordExpired>false</passwordExpired><sandbox>false</sandbox>\
             <serverUrl>https://{instance}/services/Soap/u/64.0/00Dxx0000001gPL</serverUrl>\
             <sessionId>{SESSION}</sessionId><userId>005xx000001Sv6AAAS</userId></result></loginResponse>"
        ),
    )
}

fn proven() -> Script {
    answer(
        200,
        "<getUserInfoResponse><result><organizationId>00Dxx0000001gPLEAY</organizationId>\
         <sessionSecondsValid>7200</sessionSecondsValid><userId>005xx000001Sv6AAAS</userId>\
         </result></getUserInfoResponse>",
    )
}

#[tokio::test]
async fn a_login_leads_to_a_session_that_can_be_proven() {
    let authority = Authority::new();
    let instance = Server::tls(authority.certify("localhost"), proven());
    let login_host = Server::tls(authority.certify("localhost"), granted(&instance.host()));
    let login = login_to(&authority, vec![login_host.host(), instance.host()]);

    let grant = login.login(&request(login_host.host())).await.unwrap();
    assert_eq!(
        (&grant.instance, grant.org_id.as_str()),
        (&instance.host(), "00Dxx0000001gPLEAY")
    );
    assert!(login_host.seen().contains(&format!(
        "<urn:password>Tr0ub4dor&amp;3{TOKEN}</urn:password>"
    )));

    let proof = login
        .prove(&grant.session_id, &grant.instance)
        .await
        .unwrap();
    assert_eq!((proof.org_id, proof.user_id), (grant.org_id, grant.user_id));
    assert!(
        instance
            .seen()
            .contains(&format!("<urn:sessionId>{SESSION}</urn:sessionId>"))
    );
    assert!(!instance.seen().contains(TOKEN));
}

/// T36.
#[tokio::test]
async fn nothing_is_sent_to_a_host_that_is_not_permitted() {
    let authority = Authority::new();
    let server = Server::tls(authority.certify("localhost"), proven());
    let login = login_to(&authority, Vec::new());
    let refused = login.login(&request(server.host())).await.unwrap_err();
    assert_eq!(refused.failure.class, Class::WrongHost);
    let session = SessionId::new(SESSION.to_owned());
    let failure = login.prove(&session, &server.host()).await.unwrap_err();
    assert_eq!(failure.class, Class::WrongHost);
    assert_eq!(server.seen(), "");
}

/// T36.
#[tokio::test]
async fn a_session_for_a_foreign_host_is_dropped() {
    let authority = Authority::new();
    let foreign = Host::parse("acme.my.salesforce.com.evil.example").unwrap();
    let server = Server::tls(authority.certify("localhost"), granted(&foreign));
    let login = login_to(&authority, vec![server.host()]);
    let refused = login.login(&request(server.host())).await.unwrap_err();
    let failure = refused.failure;
    assert_eq!(failure.class, Class::WrongHost);
    assert!(failure.message.contains("evil.example"), "{failure}");
}

#[tokio::test]
async fn a_credential_that_xml_cannot_carry_is_never_sent() {
    let authority = Authority::new();
    let server = Server::tls(authority.certify("localhost"), proven());
    let login = login_to(&authority, vec![server.host()]);
    let request = LoginRequest {
        credential: Credential::SoapLogin {
            password: Password::new("a\u{1b}b".to_owned()),
            security_token: None,
        },
        ..request(server.host())
    };
    let failure = login.login(&request).await.unwrap_err().failure;
    assert_eq!(failure.class, Class::BadCredentials);
    assert!(failure.message.contains("the password"), "{failure}");
    assert_eq!(server.seen(), "");
}

#[tokio::test]
async fn what_broke_decides_the_class() {
    let authority = Authority::new();
    let class = async |server: &Server| {
        let login = login_to(&authority, vec![server.host()]);
        login
            .login(&request(server.host()))
            .await
            .unwrap_err()
            .failure
            .class
    };
    let silent = Server::raw(|_, _| Ok(()));
    assert_eq!(class(&silent).await, Class::Unavailable);
    let hung_up = Server::tls(authority.certify("localhost"), Script::HangUp);
    assert_eq!(class(&hung_up).await, Class::Unanswered);
    let noise = Server::tls(
        authority.certify("localhost"),
        Script::Answer("noise\r\n".to_owned()),
    );
    assert_eq!(class(&noise).await, Class::Protocol);
}

/// T43: the last of the password and the first of the token, three characters each.
#[tokio::test]
async fn a_piece_from_the_seam_of_password_and_token_is_hidden() {
    let authority = Authority::new();
    let fault = "<s:Fault><faultcode>sf:X_Y_Z</faultcode><faultstring>got r&amp;3AbC</faultstring></s:Fault>";
    let server = Server::tls(authority.certify("localhost"), answer(500, fault));
    let login = login_to(&authority, vec![server.host()]);
    let refused = login.login(&request(server.host())).await.unwrap_err();
    assert_eq!(refused.failure.message, "got [redacted]");
}

/// T43: a grant, a fault that quotes the credential, and a broken connection, all at `TRACE`.
#[tokio::test]
async fn no_log_line_has_a_secret() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let authority = Authority::new();
    let fault = format!(
        "<s:Fault><faultcode>sf:X_Y_Z</faultcode><faultstring>got {PASSWORD} {TOKEN} {SESSION}</faultstring></s:Fault>"
    )
    .replace('&', "&amp;");
    for script in [
        granted(&Host::parse("acme.my.salesforce.com").unwrap()),
        answer(500, &fault),
        Script::HangUp,
    ] {
        let server = Server::tls(authority.certify("localhost"), script);
        let login = login_to(&authority, vec![server.host()]);
        // Whichever test comes by a line first settles for all threads whether it is logged, by its own thread alone.
        tracing::callsite::rebuild_interest_cache();
        let result = login.login(&request(server.host())).await;
        tracing::info!("{result:?} {login:?} {:?}", request(server.host()));
    }
    let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("exchange with Salesforce"), "{log}");
    for secret in [PASSWORD, TOKEN, SESSION, "Tr0ub4", "KlMnOp", "canary"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn change(instance: &Host) -> PasswordChange {
    PasswordChange {
        session_id: SessionId::new(SESSION.to_owned()),
        instance: instance.clone(),
        user_id: "005xx000001Sv6AAAS".to_owned(),
        password: Password::new(PASSWORD.to_owned()),
    }
}

#[tokio::test]
async fn a_new_password_goes_to_the_instance_with_the_user_and_the_session() {
    let authority = Authority::new();
    let done = || answer(200, "<setPasswordResponse><result/></setPasswordResponse>");
    let server = Server::tls(authority.certify("localhost"), done());
    let login = login_to(&authority, vec![server.host()]);
    login.set_password(&change(&server.host())).await.unwrap();
    let seen = server.seen();
    for part in [
        "POST /services/Soap/u/64.0 ",
        &format!("<urn:sessionId>{SESSION}</urn:sessionId>"),
        "<urn:setPassword><urn:userId>005xx000001Sv6AAAS</urn:userId>",
        "<urn:password>Tr0ub4dor&amp;3</urn:password>",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    let stranger = Server::tls(authority.certify("localhost"), done());
    let not_set = login.set_password(&change(&stranger.host())).await;
    let not_set = not_set.unwrap_err();
    assert_eq!(
        (not_set.failure.class, not_set.unchanged),
        (Class::WrongHost, true)
    );
    assert_eq!(stranger.seen(), "");
}

/// What tells whether the old password is in force.
#[tokio::test]
async fn only_what_is_certain_says_that_the_old_password_is_in_force() {
    let authority = Authority::new();
    let quoted = PASSWORD.replace('&', "&amp;");
    let fault = |code: &str| {
        let text = format!(
            "<Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: no {quoted}</faultstring></Fault>"
        );
        answer(500, &text)
    };
    let page = Script::Answer("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n".to_owned());
    let gateway = Script::Answer("HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n".to_owned());
    let other = answer(200, "<logoutResponse/>");
    for (what, script, class, unchanged) in [
        (
            "policy",
            fault("INVALID_NEW_PASSWORD"),
            Class::AccessPolicy,
            true,
        ),
        (
            "dead",
            fault("INVALID_SESSION_ID"),
            Class::SessionDead,
            true,
        ),
        ("any fault", fault("SOMETHING_NEW"), Class::Protocol, true),
        (
            "a defect",
            fault("UNKNOWN_EXCEPTION"),
            Class::Protocol,
            false,
        ),
        ("a page", page, Class::Unavailable, false),
        ("a gateway", gateway, Class::Unanswered, false),
        ("another answer", other, Class::Protocol, false),
        ("no answer", Script::HangUp, Class::Unanswered, false),
    ] {
        let server = Server::tls(authority.certify("localhost"), script);
        let login = login_to(&authority, vec![server.host()]);
        let not_set = login.set_password(&change(&server.host())).await;
        let not_set = not_set.unwrap_err();
        assert_eq!(
            (not_set.failure.class, not_set.unchanged),
            (class, unchanged),
            "{what}"
        );
        assert!(!not_set.failure.to_string().contains(PASSWORD), "{what}");
    }
    // Nobody listens: nothing left.
    let login = login_to(&authority, vec![Host::parse("localhost:1").unwrap()]);
    let not_set = login
        .set_password(&change(&Host::parse("localhost:1").unwrap()))
        .await
        .unwrap_err();
    assert!(not_set.unchanged);
}
