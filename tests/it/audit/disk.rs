//! A disk that takes no line.

use serde_json::Value;

use super::{assert_whole, brief, grades, lines, verified};
use crate::{scene::Scene, storage::limit_files};

/// T46: on a disk that takes no more, administration is refused and sessions are handed out.
#[tokio::test]
async fn without_the_audit_there_is_no_administration_but_there_are_sessions() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    limit_files(&scene.sfvault, Some(0));
    for command in [
        &["set", "prod", "--password-file", "@passphrase"][..],
        &["remove", "prod", "--yes"],
        &["check", "prod"],
        &["unlock", "--passphrase-file", "@passphrase"],
        &["allow", "prod", "--uid", "4242"],
        &["deny", "prod", "--all"],
    ] {
        let (status, error) = scene.fails(command).await;
        assert_eq!(
            (status, &error["reason"]),
            (1, &"AUDIT_UNAVAILABLE".into()),
            "{error}"
        );
    }
    assert_eq!(scene.session(&[]).await, session);
    let status: Value = serde_json::from_str(&scene.ok(&["status", "--json"]).await).unwrap();
    let warnings = status["warnings"].to_string();
    assert!(
        warnings.contains("the audit can't be written"),
        "{warnings}"
    );
    // What only tells goes on, and says so.
    scene.ok(&["access", "prod"]).await;
    let report = scene.run(&["doctor", "--offline", "--json"]).await;
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(grades(&report, "audit"), ["problem"], "{report}");
    // It examines; but the login of its `--login` is administration.
    let report = scene.run(&["doctor", "prod", "--login", "--json"]).await;
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(grades(&report, "login"), ["problem"], "{report}");
    assert_eq!(grades(&report, "reach"), ["good"], "{report}");
    // Secrets can leave the memory all the same.
    scene.ok(&["lock"]).await;
    limit_files(&scene.sfvault, None);
    scene.unlock().await;
    let status: Value = serde_json::from_str(&scene.ok(&["status", "--json"]).await).unwrap();
    assert!(
        !status["warnings"].to_string().contains("audit"),
        "{status}"
    );
    assert!(
        lines(&scene, &[])
            .await
            .iter()
            .any(|entry| brief(entry) == "lock done -")
    );
    assert_whole(&verified(&scene).await);
    scene.finish().await;
}
