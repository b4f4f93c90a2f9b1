//! Who used a record, and what it costs to tell.

use serde_json::Value;

use super::lines;
use crate::scene::Scene;

#[tokio::test]
async fn usage_tells_who_used_a_record_and_survives_restarts() {
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    scene.session(&[]).await;
    // Whoever reads gets all that was told before; so it is written.
    lines(&scene, &[]).await;
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    scene.fails(&["get", "prod"]).await;
    scene.unlock().await;
    let usage: Value = serde_json::from_str(&scene.ok(&["usage", "prod", "--json"]).await).unwrap();
    let user = &usage["users"][0];
    assert_eq!(
        (&user["served"], &user["refused"]),
        (&2.into(), &1.into()),
        "{usage}"
    );
    assert_eq!(user["flow"], "soap-login");
    assert_eq!(user["uid"], rustix::process::geteuid().as_raw());
    assert!(user["exe"].as_str().unwrap().ends_with("/sfvault"));
    assert!(user["first"].as_str() <= user["last"].as_str());
    assert_eq!(usage["logins"], 1);
    // Who was handed a session, after a restart too; who was not did not use it.
    let shown: Value = serde_json::from_str(&scene.ok(&["show", "prod", "--json"]).await).unwrap();
    let last = &shown["last_users"];
    assert_eq!(last.as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(
        (&last[0]["uid"], &last[0]["exe"]),
        (&user["uid"], &user["exe"])
    );
    // Only administration is told.
    let listed: Value = serde_json::from_str(&scene.ok(&["list", "--json"]).await).unwrap();
    assert_eq!(listed["records"][0]["last_users"], Value::Null);
    let nobody = scene.run(&["usage", "other"]).await;
    assert!(nobody.stderr.contains("nobody used `other`"), "{nobody:?}");
    scene.finish().await;
}

/// T45: a busy job costs a line a second, and none is lost.
#[tokio::test]
async fn many_reads_of_one_process_share_lines() {
    let scene = Scene::with_record().await;
    scene.session(&[]).await;
    let places = sfvault::Places::at(&scene.sfvault.path("run"));
    let client = sfvault::SessionsClient::connect(&places).await.unwrap();
    let name = sfvault::RecordName::parse("prod").unwrap();
    let request = sfvault::SessionRequest::new(name);
    for _ in 0..500 {
        client
            .session(&request)
            .await
            .unwrap_or_else(|e| panic!("{e}"));
    }
    let pid = std::process::id();
    let ours = lines(&scene, &["--action", "get"]).await;
    let ours: Vec<_> = ours.iter().filter(|entry| entry["pid"] == pid).collect();
    let count: u64 = ours
        .iter()
        .map(|entry| entry["count"].as_u64().unwrap())
        .sum();
    assert_eq!(count, 500);
    assert!(ours.len() < 50, "{} lines", ours.len());
    scene.finish().await;
}
