//! The main job, end to end: a sealed record becomes a session in a job.

use sfvault_tests::{
    https,
    simulator::{PASSWORD, USERNAME},
};

use crate::scene::Scene;

#[tokio::test]
async fn a_job_gets_a_session_that_works_and_the_next_one_costs_no_login() {
    let scene = Scene::with_record().await;
    scene.assert_logins(0, 0);
    let session = scene.session(&[]).await;
    let (instance, id) = (
        session["instance_url"].as_str().unwrap(),
        session["session_id"].as_str().unwrap(),
    );
    let version = session["api_version"].as_str().unwrap();
    let url = format!("{instance}/services/data/v{version}/query?q=SELECT+Id,Name+FROM+Account");
    let (status, body) = https::get(&url, id, &scene.simulator.ca_file())
        .await
        .unwrap();
    assert!(
        status.is_success() && body.contains("\"Name\""),
        "{status} {body}"
    );

    assert_eq!(scene.session(&[]).await, session);
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn get_prints_the_documented_keys_and_nothing_else() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    let mut keys: Vec<_> = session
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    let mut documented = [
        "session_id",
        "instance_url",
        "api_version",
        "org_id",
        "user_id",
        "username",
        "sandbox",
        "generation",
        "issued_at",
        "guaranteed_until",
        "expires_at",
    ];
    documented.sort_unstable();
    assert_eq!(keys, documented);
    assert_eq!(session["username"], USERNAME);
    assert_eq!(session["instance_url"], scene.simulator.instance_url());
    assert_eq!(session["org_id"].as_str().map(str::len), Some(18));
    assert_eq!(
        (&session["sandbox"], &session["generation"]),
        (&false.into(), &1.into())
    );
    scene.finish().await;
}

#[tokio::test]
async fn exec_gives_the_job_the_session_and_returns_its_status() {
    let scene = Scene::with_record().await;
    let script = "test \"$SF_ACCESS_TOKEN\" = \"$SF_SESSION_ID\" && test -n \"$SF_SESSION_ID\" && \
                  echo \"$SF_INSTANCE_URL $SF_ORG_INSTANCE_URL $SF_ORG_ID $SF_API_VERSION\"; exit 7";
    let ended = scene.run(&["exec", "prod", "--", "sh", "-c", script]).await;
    let session = scene.session(&[]).await;
    let text = |key: &str| session[key].as_str().unwrap().to_owned();
    let (url, org, version) = (text("instance_url"), text("org_id"), text("api_version"));
    assert_eq!(
        ended.stdout,
        format!("{url} {url} {org} {version}\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, 7);
    scene.finish().await;
}

#[tokio::test]
async fn a_record_that_is_unknown_or_taken_is_exit_4() {
    let scene = Scene::with_record().await;
    let (status, error) = scene.fails(&["get", "nope"]).await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (4, Some("RECORD_NOT_FOUND"))
    );
    let url = scene.simulator.login_url();
    let add = [
        "add",
        "prod",
        "--username",
        USERNAME,
        "--login-url",
        &url,
        "--password-file",
        "@password",
    ];
    let (status, error) = scene
        .fails(&[&add[..], &["--token-file", "@token"]].concat())
        .await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (4, Some("RECORD_EXISTS"))
    );
    scene.finish().await;
}

#[tokio::test]
async fn a_host_that_is_not_salesforces_gets_no_credential() {
    let scene = Scene::empty().await;
    for url in [
        "https://evil.example",
        "https://login.salesforce.com.evil.example",
        "https://127.0.0.1:8443",
    ] {
        let add = [
            "add",
            "x",
            "--username",
            USERNAME,
            "--login-url",
            url,
            "--password-file",
            "@password",
        ];
        let (status, error) = scene
            .fails(&[&add[..], &["--token-file", "@token"]].concat())
            .await;
        assert_eq!(
            (status, error["reason"].as_str()),
            (2, Some("HOST_NOT_ALLOWED")),
            "{url}"
        );
    }
    assert_eq!(
        scene
            .ok(&["list", "--json"])
            .await
            .matches("\"name\"")
            .count(),
        0
    );
    scene.finish().await;
}

#[tokio::test]
async fn a_wrong_org_is_refused_before_it_costs_a_login_once_the_org_is_known() {
    let scene = Scene::with_record().await;
    let org = scene.session(&[]).await["org_id"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.ok(&["get", "prod", "--expect-org", &org]).await;
    scene.ok(&["get", "prod", "--expect-org", &org[..15]]).await;
    scene.ok(&["lock"]).await;
    scene.unlock().await;
    let (status, error) = scene
        .fails(&["get", "prod", "--expect-org", "00Dxx0000000000"])
        .await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (5, Some("UNEXPECTED_ORG"))
    );
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_min_ttl_that_can_not_be_promised_says_what_is_possible() {
    let scene = Scene::with_record().await;
    scene.session(&["--min-ttl", "45m"]).await;
    // A second less than what a call guarantees would cost a call a second later.
    scene.fails(&["get", "prod", "--min-ttl", "3599s"]).await;
    let (status, error) = scene.fails(&["get", "prod", "--min-ttl", "3h"]).await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (2, Some("MIN_TTL_TOO_LONG"))
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("2700 s at most"),
        "{error}"
    );
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_refused_session_is_replaced_by_one_login() {
    let scene = Scene::with_record().await;
    let old = scene.session(&[]).await;
    scene.simulator.expire_sessions(USERNAME);
    let new = scene.session(&["--refused-generation", "1"]).await;
    assert_ne!(new["session_id"], old["session_id"]);
    assert!(new["generation"].as_u64() > old["generation"].as_u64());
    assert_eq!(
        scene.session(&["--refused-generation", "1"]).await,
        new,
        "an old report changes nothing"
    );
    scene.assert_logins(2, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_session_called_refused_that_works_costs_no_login_and_is_not_given_back() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    let (status, error) = scene
        .fails(&["get", "prod", "--refused-generation", "1"])
        .await;
    assert_eq!(
        (status, error["reason"].as_str()),
        (75, Some("SESSION_REFUSED_AGAIN"))
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("yet it works"), "{message}");
    assert!(
        error["retry_after_seconds"]
            .as_u64()
            .is_some_and(|seconds| seconds <= 30),
        "{error}"
    );
    scene.session(&[]).await;
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_reset_token_is_tried_once_and_a_new_one_mends_it() {
    let scene = Scene::with_record().await;
    let token = scene.simulator.reset_security_token(USERNAME);
    for _ in 0..3 {
        let (status, error) = scene.fails(&["get", "prod"]).await;
        assert_eq!(
            (status, error["reason"].as_str()),
            (6, Some("CREDENTIAL_REJECTED"))
        );
        assert!(
            error["hint"].as_str().unwrap().contains("Login History"),
            "{error}"
        );
    }
    scene.assert_logins(0, 1);
    scene.ok(&["set", "prod", "--token-file", "@token"]).await;
    assert_eq!(
        scene.fails(&["get", "prod"]).await.0,
        6,
        "the same token again changes nothing"
    );
    scene.assert_logins(0, 1);
    scene.sfvault.secret_file("token", &token).unwrap();
    scene.ok(&["set", "prod", "--token-file", "@token"]).await;
    scene.session(&[]).await;
    scene.assert_logins(1, 1);
    scene.finish().await;
}

#[tokio::test]
async fn an_operator_may_release_a_latch_for_one_more_login() {
    let scene = Scene::with_record().await;
    scene.simulator.user(USERNAME, |user| user.active = false);
    assert_eq!(scene.fails(&["get", "prod"]).await.0, 6);
    assert_eq!(scene.fails(&["check", "prod"]).await.0, 6);
    scene.assert_logins(0, 1);
    scene.simulator.user(USERNAME, |user| user.active = true);
    scene.ok(&["check", "prod", "--release"]).await;
    scene.assert_logins(1, 1);
    scene.finish().await;
}

#[tokio::test]
async fn a_waiting_call_goes_on_at_once_when_the_credential_is_mended() {
    let scene = Scene::with_record().await;
    let token = scene.simulator.reset_security_token(USERNAME);
    assert_eq!(scene.fails(&["get", "prod"]).await.0, 6);
    let waiting = scene
        .command(&["get", "prod", "--wait", "5m"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    scene.sfvault.secret_file("token", &token).unwrap();
    scene.ok(&["set", "prod", "--token-file", "@token"]).await;
    let output = waiting.wait_with_output().await.unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"00D"));
    scene.assert_logins(1, 1);
    scene.finish().await;
}

#[tokio::test]
async fn an_expired_password_is_a_rejection_and_its_session_goes_to_nobody() {
    let scene = Scene::with_record().await;
    scene
        .simulator
        .user(USERNAME, |user| user.password_expired = true);
    for _ in 0..2 {
        let (status, error) = scene.fails(&["get", "prod"]).await;
        assert_eq!(
            (status, error["reason"].as_str()),
            (6, Some("PASSWORD_EXPIRED"))
        );
    }
    assert_eq!(scene.logins().total, 1);
    scene.finish().await;
}

#[tokio::test]
async fn a_removed_record_is_gone_and_its_name_is_free() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.ok(&["remove", "prod", "--yes"]).await;
    assert_eq!(scene.fails(&["get", "prod"]).await.0, 4);
    scene.add("prod").await;
    assert_eq!(scene.session(&[]).await["generation"], 1);
    scene.finish().await;
}

#[tokio::test]
async fn the_login_sends_password_and_token_joined_and_escaped() {
    let scene = Scene::with_record().await;
    assert!(
        PASSWORD.contains(['<', '&', '"']),
        "the simulator's password needs escaping"
    );
    scene.session(&[]).await;
    let logins: Vec<_> = scene
        .simulator
        .requests()
        .into_iter()
        .filter(|r| r.operation.as_deref() == Some("login"))
        .collect();
    assert_eq!(
        logins.iter().map(|r| r.path.as_str()).collect::<Vec<_>>(),
        ["/services/Soap/u/64.0"]
    );
    scene.finish().await;
}
