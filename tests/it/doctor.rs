//! `sfvault doctor`, the radar of retirements, and what jobs hear of it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;
use sfvault_tests::{
    installation::Installation,
    simulator::{Options, Org, Simulator},
};
use sfvaultd::{credential::FlowKind, retirement::Event};

use crate::scene::{Ended, Scene, ended};

/// An installation whose table of retirements says this.
async fn scene(retirement: &str) -> Scene {
    scene_of(Org::default(), retirement).await
}

/// The same with this org.
async fn scene_of(org: Org, retirement: &str) -> Scene {
    let options = Options {
        org,
        ..Options::default()
    };
    let simulator = Simulator::start(options).await;
    let (login, instance) = (simulator.login_url(), simulator.instance_url());
    let ca_file = simulator.ca_file().display().to_string();
    let salesforce = format!(
        "allowed_hosts = [{login:?}, {instance:?}]\nca_file = {ca_file:?}\nproxy = \"none\"\n\
         [retirement]\n{retirement}\n"
    );
    let scene = Scene::configured(simulator, &salesforce, &[]).await;
    scene.add("prod").await;
    scene
}

const FAR: &str = "soap_login = \"9999-01-01\"\npermission_gate = \"never\"";

/// The findings of a report: check, subject and grade, without what is good.
fn bad(report: &Ended) -> Vec<(String, String, String)> {
    let report: Value = serde_json::from_str(&report.stdout)
        .unwrap_or_else(|_| panic!("{} {}", report.stdout, report.stderr));
    let findings = report["findings"].as_array().unwrap();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    for finding in findings {
        let fixed = finding["fix"].is_string();
        assert!(fixed || finding["grade"] == "good", "no fix: {finding}");
    }
    findings
        .iter()
        .map(|finding| {
            (
                text(finding, "check"),
                text(finding, "subject"),
                text(finding, "grade"),
            )
        })
        .filter(|(_, _, grade)| grade != "good")
        .collect()
}

fn has(report: &Ended, check: &str, subject: &str, grade: &str) {
    let bad = bad(report);
    let wanted = (check.to_owned(), subject.to_owned(), grade.to_owned());
    assert!(bad.contains(&wanted), "{wanted:?} is not in {bad:#?}");
}

#[tokio::test]
async fn a_healthy_vault_is_examined_without_a_login() {
    let scene = scene(FAR).await;
    let report = scene.run(&["doctor", "--json"]).await;
    assert_eq!(report.status, 0, "{}", report.stderr);
    // The slots of tests are cheap on purpose, and the radar shows what is far away, too.
    let vault = scene.sfvault.path("data/vault.redb").display().to_string();
    let mut expected = vec![
        ("key-slot".to_owned(), vault, "warning".to_owned()),
        (
            "retirement".to_owned(),
            "prod".to_owned(),
            "note".to_owned(),
        ),
    ];
    let mut found = bad(&report);
    // A host may have less locked memory than sfvaultd would like.
    found.retain(|(check, _, _)| check != "limits");
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    scene.assert_logins(0, 0);

    let text = scene.ok(&["doctor", "prod", "--all", "--login"]).await;
    assert!(text.contains("good     reach: "), "{text}");
    assert!(text.contains("good     api-version: "), "{text}");
    assert!(text.contains("goes there without a proxy"), "{text}");
    assert!(text.contains("works, with a new login"), "{text}");
    scene.assert_logins(1, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_version_that_the_host_offers_no_more_is_a_problem() {
    for (min_version, status, grade) in [(31, 0, "good"), (68, 6, "problem")] {
        let org = Org {
            min_version,
            ..Org::default()
        };
        let scene = scene_of(org, FAR).await;
        let report = scene.run(&["doctor", "--json"]).await;
        assert_eq!(report.status, status, "{}", report.stderr);
        let report: Value = serde_json::from_str(&report.stdout).unwrap();
        let of = |finding: &&Value| finding["check"] == "api-version";
        let found = report["findings"].as_array().unwrap().iter().find(of);
        assert_eq!(found.unwrap()["grade"], grade, "{report}");
        scene.assert_logins(0, 0);
        scene.finish().await;
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_fix_and_ends_with_6() {
    let scene = scene(FAR).await;
    let login_url = scene.simulator.login_url();
    let host = login_url.strip_prefix("https://").unwrap();
    for (place, mode) in [
        ("data", 0o755),
        ("data/vault.redb", 0o644),
        ("config", 0o777),
        ("run/sfvault.sock", 0o666),
    ] {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(scene.sfvault.path(place), mode).unwrap();
    }
    scene.sfvault.secret_file("wrong", "wrong").unwrap();
    scene
        .ok(&["set", "prod", "--password-file", "@wrong"])
        .await;
    let report = scene.run(&["doctor", "--json", "--login"]).await;
    assert_eq!(report.status, 6, "{}", report.stderr);
    let path = |name| scene.sfvault.path(name).display().to_string();
    has(&report, "directories", &path("data"), "problem");
    has(&report, "directories", &path("config"), "problem");
    has(&report, "socket", &path("run/sfvault.sock"), "problem");
    has(&report, "vault-file", &path("data/vault.redb"), "problem");
    has(&report, "login", "prod", "problem");
    scene.assert_logins(0, 1);
    let report = scene.run(&["doctor", "--json"]).await;
    has(&report, "record", "prod", "problem");
    scene.ok(&["set", "prod", "--remind", "1s"]).await;
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while !bad(&scene.run(&["doctor", "prod", "--offline", "--json"]).await)
            .iter()
            .any(|(check, _, grade)| check == "credential-age" && grade == "warning")
        {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    scene.ok(&["lock"]).await;
    let report = scene.run(&["doctor", "--json"]).await;
    has(&report, "vault", &path("data/vault.redb"), "problem");
    scene.assert_logins(0, 1);

    scene.unlock().await;
    let Scene {
        simulator,
        mut sfvault,
    } = scene;
    simulator.finish().unwrap();
    let mut asked = sfvault.sfvault(["doctor", "prod", "--json"]);
    let report = tokio::task::spawn_blocking(move || ended(asked.output().unwrap()));
    has(&report.await.unwrap(), "reach", host, "problem");
    tokio::task::spawn_blocking(move || sfvault.stop().unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn without_a_daemon_that_is_the_finding() {
    let sfvault = Installation::without_config().unwrap();
    let report = ended(
        sfvault
            .run(&["doctor", "--json", "--no-autostart"])
            .unwrap(),
    );
    assert_eq!(report.status, 3, "{}", report.stderr);
    has(&report, "daemon", "sfvaultd", "problem");
    // What it would have looked at is told.
    has(&report, "unseen", "sfvaultd", "note");
}

/// What a killed daemon and a careless hand leave behind.
#[tokio::test]
async fn without_a_daemon_the_client_looks_at_what_it_can_see() {
    let mut scene = scene(FAR).await;
    scene.sfvault.kill().unwrap();
    for (place, mode) in [("config/config.toml", 0o666), ("data", 0o755)] {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(scene.sfvault.path(place), mode).unwrap();
    }
    let report = scene.run(&["doctor", "--json", "--no-autostart"]).await;
    assert_eq!(report.status, 3, "{}", report.stderr);
    let path = |name| scene.sfvault.path(name).display().to_string();
    has(&report, "config", &path("config/config.toml"), "problem");
    has(&report, "directories", &path("data"), "problem");
    for name in ["run/sfvault.sock", "run/admin.sock"] {
        has(&report, "socket", &path(name), "warning");
    }
    assert!(report.stdout.contains("stale"), "{}", report.stdout);
    scene.simulator.finish().unwrap();
}

#[tokio::test]
async fn what_ends_is_shown_before_and_after_and_jobs_hear_of_it() {
    let scene = scene("soap_login = \"2020-01-01\"\npermission_gate = \"never\"").await;
    let report = scene.run(&["doctor", "--json"]).await;
    assert_eq!(report.status, 6);
    has(&report, "retirement", "prod", "problem");
    assert!(
        report.stdout.contains("from 2020-01-01 on"),
        "{}",
        report.stdout
    );
    assert!(
        report.stdout.contains("sfvault migrate prod"),
        "{}",
        report.stdout
    );
    // Nobody has used it yet, and nothing is said about that.
    let said = |report: &Ended| report.stdout.contains("last-use");
    assert!(!said(&report), "{}", report.stdout);
    scene.ok(&["get", "prod"]).await;
    let report = scene.run(&["doctor", "--json"]).await;
    has(&report, "last-use", "prod", "note");
    assert!(
        report.stdout.contains("/sfvault, uid "),
        "{}",
        report.stdout
    );
    let status = scene.ok(&["status"]).await;
    for told in [
        "from 2020-01-01 on, SOAP login() is switched off",
        "set: `[retirement]` in `config.toml`",
        "`sfvault migrate prod --flow",
        "/sfvault, uid ",
    ] {
        assert!(status.contains(told), "{status}");
    }
    let shown: Value = serde_json::from_str(&scene.ok(&["show", "prod", "--json"]).await).unwrap();
    assert_eq!(shown["retirements"][0]["event"], "soap_login");
    assert_eq!(shown["retirements"][0]["certainty"], "set");
    assert_eq!(shown["retirements"][0]["over"], true);

    // Dates are announcements: what still works, works.
    let places = sfvault::Places::at(&scene.sfvault.path("run"));
    let client = sfvault::SessionsClient::connect(&places).await.unwrap();
    let request = sfvault::SessionRequest::new(sfvault::RecordName::parse("prod").unwrap());
    let session = client.session(&request).await.unwrap();
    let [warning] = session.warnings.as_slice() else {
        panic!("{:?}", session.warnings);
    };
    assert!(
        warning.contains("SOAP login() is switched off"),
        "{warning}"
    );
    // A scheduler would mail each line on stderr every night.
    let got = scene.run(&["get", "prod"]).await;
    assert_eq!((got.status, got.stderr.as_str()), (0, ""));
    scene.finish().await;
}

#[tokio::test]
async fn what_is_far_away_does_not_bother_jobs() {
    let scene = scene(FAR).await;
    let places = sfvault::Places::at(&scene.sfvault.path("run"));
    let client = sfvault::SessionsClient::connect(&places).await.unwrap();
    let request = sfvault::SessionRequest::new(sfvault::RecordName::parse("prod").unwrap());
    let session = client.session(&request).await.unwrap();
    assert_eq!(session.warnings, Vec::<String>::new());
    scene.finish().await;
}

#[test]
fn what_is_advised_against_a_retirement_is_a_command_that_sfvault_takes() {
    let nowhere = Installation::without_config().unwrap();
    for (event, flow) in Event::ALL
        .into_iter()
        .flat_map(|event| FlowKind::ALL.map(|flow| (event, flow)))
    {
        let advice = event.advice("prod", flow);
        let command = advice.split('`').find(|text| text.starts_with("sfvault "));
        let words = command.unwrap().split(' ').skip(1);
        let ran = nowhere.sfvault(words.chain(["--no-autostart"])).output();
        let ran = ran.unwrap();
        // It was understood, and found no daemon.
        assert_eq!(ran.status.code(), Some(3), "{advice}: {ran:?}");
    }
}
