//! What can be asked about tokens, and how they are revoked.

use std::time::Duration;

use serde_json::json;
use sfvault_tests::simulator::{App, CONSUMER_KEY, Options, Simulator, USERNAME};

use super::client::{
    access_token, basic, client_credentials, introspect, post_form, post_to, refresh, revoke,
};
use crate::simulator::client::{get, request, send, session};

#[tokio::test]
async fn introspection_tells_how_long_a_session_lives() {
    let sim = Simulator::start(Options::default()).await;
    let id = access_token(&client_credentials(&sim).await);
    let told = introspect(&sim, &id).await;
    let now = 1_795_219_200;
    assert_eq!(told["active"], true);
    assert_eq!(
        (&told["iat"], &told["exp"]),
        (&json!(now), &json!(now + 7200))
    );
    assert_eq!(
        (&told["client_id"], &told["username"]),
        (&json!(CONSUMER_KEY), &json!(USERNAME))
    );
    // Asking is no activity; a call in the second half of the timeout is.
    sim.clock().advance(Duration::from_secs(3600));
    assert_eq!(introspect(&sim, &id).await["exp"], now + 7200);
    assert_eq!(
        get(&sim, &id, "/services/data/v64.0/limits").await.status,
        200
    );
    assert_eq!(introspect(&sim, &id).await["exp"], now + 3600 + 7200);
    sim.clock().advance(Duration::from_secs(7200));
    assert_eq!(introspect(&sim, &id).await, json!({ "active": false }));
    sim.finish().unwrap();
}

#[tokio::test]
async fn nothing_is_told_of_tokens_that_are_not_the_apps_own() {
    let sim = Simulator::start(Options::default()).await;
    let own = access_token(&client_credentials(&sim).await);
    let inactive = json!({ "active": false });
    for token in [session(&sim).await.as_str(), "unknown"] {
        assert_eq!(introspect(&sim, token).await, inactive);
    }
    let refresh_token = sim.approve(USERNAME, CONSUMER_KEY);
    assert_eq!(
        introspect(&sim, &refresh_token).await["token_type"],
        "refresh_token"
    );
    sim.add_app(App::new("other", "secret", USERNAME));
    let url = format!("{}/services/oauth2/introspect", sim.login_url());
    let header = basic("other", "secret");
    let ask = |token| {
        let form = [("token", token), ("token_type_hint", "access_token")];
        let (sim, url, header) = (&sim, &url, &header);
        async move {
            post_form(sim, url, &[("authorization", header)], &form)
                .await
                .unwrap()
        }
    };
    assert_eq!(ask(&own).await.json(), inactive);
    sim.app("other", |app| app.introspects_all = true);
    assert_eq!(ask(&own).await.json()["client_id"], CONSUMER_KEY);
    let wrong = [
        ("client_id", CONSUMER_KEY),
        ("client_secret", "wrong"),
        ("token", &own),
    ];
    let answer = post_to(&sim, &sim.instance_url(), "introspect", &wrong).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (401, &json!("invalid_client"))
    );
    sim.finish().unwrap();
}

#[tokio::test]
async fn what_cannot_be_revoked_is_said_in_json_or_as_a_form() {
    let sim = Simulator::start(Options::default()).await;
    let dead = "00Dxx0000001gPL!dead";
    assert_eq!(revoke(&sim, dead).await.json()["error"], "invalid_token");
    assert_eq!(
        revoke(&sim, "what").await.json()["error"],
        "unsupported_token_type"
    );
    sim.org(|org| org.oauth.form_errors_on_revoke = true);
    let answer = revoke(&sim, "what").await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    let expected =
        "error=unsupported_token_type&error_description=this%20token%20type%20is%20not%20supported";
    assert_eq!(answer.body, expected);
    sim.finish().unwrap();
}

#[tokio::test]
async fn a_revoked_session_is_gone_for_all_who_share_it() {
    let sim = Simulator::start(Options::default()).await;
    let id = access_token(&client_credentials(&sim).await);
    assert_eq!(access_token(&client_credentials(&sim).await), id);
    assert_eq!(revoke(&sim, &id).await.status, 200);
    let answer = get(&sim, &id, "/services/oauth2/userinfo").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (403, "Bad_OAuth_Token")
    );
    assert_ne!(access_token(&client_credentials(&sim).await), id);
    sim.finish().unwrap();
}

#[tokio::test]
async fn the_login_host_says_whose_a_session_is_too() {
    let sim = Simulator::start(Options::default()).await;
    let token = sim.approve(USERNAME, CONSUMER_KEY);
    let answer = refresh(&sim, &token).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let path = id.strip_prefix("https://login.salesforce.com").unwrap();
    for path in [path, "/services/oauth2/userinfo"] {
        let url = format!("{}{path}", sim.login_url());
        let request = request("GET", &url)
            .header("authorization", format!("Bearer {}", access_token(&answer)))
            .body(http_body_util::Full::default())
            .unwrap();
        let answer = send(&sim, &url, request).await.unwrap();
        assert_eq!(answer.json()["organization_id"], "00Dxx0000001gPLEAY");
    }
    sim.finish().unwrap();
}
