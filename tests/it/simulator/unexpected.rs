//! What no good client does is answered, written down, and fails the test that did it.

use http_body_util::Full;
use sfvault_tests::simulator::{Options, Simulator, USERNAME};

use super::client::{
    Answer, envelope, get, login, login_envelope, partner, post, request, right_password, send,
    session,
};

async fn soap(sim: &Simulator, headers: &[(&str, &str)], body: String) -> Answer {
    let url = partner(&sim.login_url());
    let mut request = request("POST", &url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body)).unwrap();
    send(sim, &url, request).await.unwrap()
}

#[tokio::test]
async fn requests_without_the_right_headers_are_written_down() {
    let sim = Simulator::start(Options::default()).await;
    let right = || login_envelope(USERNAME, &right_password());
    let (xml, action) = (("content-type", "text/xml"), ("soapaction", "login"));
    let answer = soap(&sim, &[xml], right()).await;
    assert_eq!(
        (answer.status, answer.text("faultcode")),
        (500, Some("soapenv:Client"))
    );
    assert!(answer.body.contains("SOAPAction HTTP header is missing"));
    assert!(!answer.body.contains("detail"));
    assert_eq!(
        unexpected(&sim),
        "a SOAP request without SOAPAction (POST /services/Soap/u/64.0)"
    );

    assert_eq!(soap(&sim, &[action], right()).await.status, 200);
    assert!(unexpected(&sim).starts_with("a SOAP request that is not text/xml"));

    let authorization = ("authorization", "Bearer x");
    assert_eq!(
        soap(&sim, &[xml, action, authorization], right())
            .await
            .status,
        200
    );
    assert!(unexpected(&sim).starts_with("an Authorization header on login()"));

    let header = "<u:SessionHeader><u:sessionId>x</u:sessionId></u:SessionHeader>";
    let body = envelope(
        header,
        "<u:login><u:username>a</u:username><u:password>b</u:password></u:login>",
    );
    soap(&sim, &[xml, action], body).await;
    assert!(unexpected(&sim).starts_with("the SOAP header `SessionHeader` on login()"));

    let host = ("host", "evil.example");
    let request = http::Request::get("/services/data/").header(host.0, host.1);
    let request = request.body(Full::default()).unwrap();
    send(&sim, &sim.login_url(), request).await.unwrap();
    assert!(unexpected(&sim).starts_with("the host `evil.example`"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_login_host_serves_login_and_nothing_else() {
    let sim = Simulator::start(Options::default()).await;
    let id = session(&sim).await;
    let header = format!("<u:SessionHeader><u:sessionId>{id}</u:sessionId></u:SessionHeader>");
    let url = partner(&sim.login_url());
    let answer = post(&sim, &url, envelope(&header, "<u:getUserInfo/>"))
        .await
        .unwrap();
    assert_eq!(answer.text("faultcode"), Some("sf:UNKNOWN_EXCEPTION"));
    assert!(answer.body.contains("Destination URL not reset."));
    assert!(unexpected(&sim).starts_with("`getUserInfo` at the login host"));

    let url = format!("{}/services/data/v64.0/limits", sim.login_url());
    let request = request("GET", &url).body(Full::default()).unwrap();
    assert_eq!(send(&sim, &url, request).await.unwrap().status, 404);
    assert!(unexpected(&sim).starts_with("no path of a login host"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn malformed_and_unknown_calls_are_written_down_without_their_secrets() {
    let sim = Simulator::start(Options::default()).await;
    let url = partner(&sim.instance_url());
    for (body, part) in [
        (String::new(), "malformed SOAP"),
        ("<a>".to_owned(), "malformed SOAP"),
        (
            login_envelope(USERNAME, "x").replace(">x<", ">Top&Secret<"),
            "malformed SOAP",
        ),
        (
            login_envelope(USERNAME, "x").replace("urn:partner", "urn:enterprise"),
            "`login` in a wrong namespace",
        ),
        (
            envelope("", "<u:login/>"),
            "login() without username or password",
        ),
        (envelope("", "<u:query/>"), "the SOAP call `query`"),
    ] {
        assert_eq!(post(&sim, &url, body).await.unwrap().status, 500, "{part}");
        let written = unexpected(&sim);
        assert!(
            written.starts_with(part) && !written.contains("Secret"),
            "{written}"
        );
    }
    let id = session(&sim).await;
    assert_eq!(get(&sim, &id, "/nowhere?secret").await.status, 404);
    assert_eq!(unexpected(&sim), "an unknown path (GET /nowhere)");
    get(&sim, &id, "/services/data/v64.0/sobjects").await;
    assert!(unexpected(&sim).starts_with("an unknown REST resource"));
    sim.finish().unwrap();
}

#[tokio::test]
async fn finish_lists_what_was_not_expected() {
    let sim = Simulator::start(Options::default()).await;
    login(&sim).await;
    get(&sim, "", "/nowhere").await;
    let error = sim.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the simulator did not expect: an unknown path (GET /nowhere)"
    );
}

#[tokio::test]
async fn a_simulator_that_nobody_asks_fails_when_it_is_dropped() {
    let sim = Simulator::start(Options::default()).await;
    get(&sim, "", "/nowhere").await;
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(sim)));
    let message = dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("an unknown path"), "{message}");
}

/// The one request that was not expected since the last look.
fn unexpected(sim: &Simulator) -> String {
    let mut all = sim.take_unexpected();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}
