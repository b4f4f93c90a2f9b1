//! Sandbox or production: what operators and jobs expect is held against what is known, before a login where it can be.

use serde_json::Value;

use crate::scene::Scene;

/// What a record's login host says; nothing here is sent there.
const PRODUCTION: &str = "https://acme.my.salesforce.com";
const SANDBOX: &str = "https://acme--uat.sandbox.my.salesforce.com";

async fn refused(scene: &Scene, arguments: &[&str]) -> Value {
    let (status, error) = scene.fails(arguments).await;
    assert_eq!((status, &error["reason"]), (5, &"UNEXPECTED_ORG".into()));
    error
}

#[tokio::test]
async fn a_job_in_the_wrong_environment_costs_no_login_where_the_host_tells() {
    let scene = Scene::empty().await;
    scene.add_at("uat", &["--login-url", SANDBOX]).await;
    scene.add_at("prod", &["--login-url", PRODUCTION]).await;
    let error = refused(&scene, &["get", "uat", "--expect-production"]).await;
    assert!(
        error["message"].as_str().unwrap().contains("a sandbox"),
        "{error}"
    );
    refused(&scene, &["get", "prod", "--expect-sandbox"]).await;
    let ended = scene
        .run(&["exec", "prod", "--expect-sandbox", "--", "true"])
        .await;
    assert_eq!(ended.status, 5, "{ended:?}");
    scene.assert_logins(0, 0);
    let records: Value = serde_json::from_str(&scene.ok(&["list", "--json"]).await).unwrap();
    for record in records["records"].as_array().unwrap() {
        assert_eq!(record["logins"], 0, "{record}");
    }
    scene.finish().await;
}

#[tokio::test]
async fn where_only_salesforce_can_tell_its_answer_counts_and_is_remembered() {
    let scene = Scene::with_record().await;
    scene.simulator.org(|org| org.sandbox = true);
    refused(&scene, &["get", "prod", "--expect-production"]).await;
    scene.assert_logins(1, 0);
    assert_eq!(scene.session(&["--expect-sandbox"]).await["sandbox"], true);
    scene.assert_logins(1, 0);
    // The session is over, and still what it told is known.
    let refused_session = [
        "get",
        "prod",
        "--refused-generation",
        "1",
        "--expect-production",
    ];
    refused(&scene, &refused_session).await;
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_login_host_that_contradicts_the_operator_is_not_stored() {
    let scene = Scene::empty().await;
    let base = [
        "add",
        "x",
        "--username",
        "u@acme.example",
        "--password-file",
        "@password",
    ];
    for (host, said) in [(SANDBOX, "--production"), (PRODUCTION, "--sandbox")] {
        let words = [&base[..], &["--login-url", host, said]].concat();
        let (status, error) = scene.fails(&words).await;
        assert_eq!((status, &error["reason"]), (2, &"INVALID_ARGUMENT".into()));
        assert!(
            error["message"].as_str().unwrap().contains("`environment`"),
            "{error}"
        );
    }
    scene
        .ok(&[&base[..], &["--login-url", SANDBOX, "--sandbox"]].concat())
        .await;
    scene.finish().await;
}
