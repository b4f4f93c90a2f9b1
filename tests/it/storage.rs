//! A disk that takes no more: the one call fails, the daemon lives, the vault stays whole.

use std::{fs, path::Path, process::Command};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use sfvault_tests::{
    installation::Installation,
    simulator::{LoginCount, USERNAME},
};

use crate::{
    nobody,
    scene::{Scene, ended},
    start::refused,
};

/// How many bytes a file of the daemon may have from now on, as if the disk were full there.
pub(crate) fn limit_files(sfvault: &Installation, bytes: Option<u64>) {
    let pid = sfvault.pid().and_then(|pid| i32::try_from(pid).ok());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid.and_then(Pid::from_raw), Resource::Fsize, limit).unwrap();
}

/// No byte at all; the first page only, which says where the others are; and an end in the middle of a page.
const LIMITS: [u64; 3] = [0, 4096, 10_000];

fn assert_storage(failed: &(i32, Value), what: &str) {
    let (status, error) = failed;
    assert_eq!(
        (*status, &error["reason"]),
        (1, &"STORAGE".into()),
        "{what}: {error}"
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("vault.redb"), "{what}: {message}");
}

/// What administration says where there is no room for its line in the audit either.
fn assert_unaudited((status, error): &(i32, Value), what: &str) {
    assert_eq!(
        (*status, &error["reason"]),
        (1, &"AUDIT_UNAVAILABLE".into()),
        "{what}: {error}"
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("/data"), "{what}: {message}");
}

/// T31
#[tokio::test]
async fn on_a_full_disk_each_change_fails_by_itself_and_later_ones_work() {
    let scene = Scene::with_record().await;
    let session = scene.session(&[]).await;
    let url = scene.simulator.login_url();
    let add = [
        "add",
        "more",
        "--username",
        USERNAME,
        "--login-url",
        &url,
        "--password-file",
        "@password",
        "--token-file",
        "@token",
    ];
    let set = ["set", "prod", "--password-file", "@passphrase"];
    let remove = ["remove", "prod", "--yes"];
    let release = ["check", "prod", "--release"];
    let before = kept(&scene).await;
    // The audit is short at first: there is room for its lines, and none for the vault's.
    for limit in LIMITS.into_iter().rev() {
        limit_files(&scene.sfvault, Some(limit));
        for command in [&add[..], &set, &remove, &release] {
            let failed = scene.fails(command).await;
            if limit < LIMITS[2] {
                assert_unaudited(&failed, &format!("{limit}: {}", command[0]));
                continue;
            }
            assert_storage(&failed, &format!("{limit}: {}", command[0]));
            let message = failed.1["message"].as_str().unwrap();
            assert!(
                message.starts_with("no space is left to write the vault"),
                "{message}"
            );
        }
        assert_eq!(
            scene.session(&[]).await,
            session,
            "what needs no disk goes on"
        );
        assert_eq!(kept(&scene).await, before);
        limit_files(&scene.sfvault, None);
        scene.ok(&add).await;
        scene.ok(&["remove", "more", "--yes"]).await;
    }
    scene.ok(&release).await;
    let log = scene.sfvault.daemon_log();
    assert!(!log.contains("panicked"), "{log}");
    scene.ok(&remove).await;
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// What the vault has of the record. Who uses it is the audit's, and every session that is asked for changes it.
async fn kept(scene: &Scene) -> Value {
    let shown = scene.ok(&["show", "prod", "--json"]).await;
    let mut shown: Value = serde_json::from_str(&shown).unwrap();
    let users = shown.as_object_mut().unwrap().remove("last_users");
    assert!(users.is_some(), "{shown}");
    shown
}

/// T31: a login that could not be counted is not made, or a crash would hide it.
#[tokio::test]
async fn a_login_that_can_t_be_entered_in_the_ledger_is_not_sent() {
    let mut scene = Scene::with_record().await;
    for limit in LIMITS {
        limit_files(&scene.sfvault, Some(limit));
        for _ in 0..2 {
            assert_storage(&scene.fails(&["get", "prod"]).await, &format!("{limit}"));
        }
        assert_eq!(scene.logins(), LoginCount::default());
        assert!(
            scene.simulator.requests().is_empty(),
            "nothing was sent at all"
        );
    }
    limit_files(&scene.sfvault, None);
    scene.session(&[]).await;
    scene.assert_logins(1, 0);

    // What failed has left nothing behind, in the file either.
    scene.sfvault.kill().unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    let shown: Value = serde_json::from_str(&scene.ok(&["show", "prod", "--json"]).await).unwrap();
    assert_eq!(
        (&shown["state"], &shown["logins"]),
        (&"ready".into(), &1.into()),
        "{shown}"
    );
    scene.finish().await;
}

/// T31
#[tokio::test]
async fn a_vault_that_can_t_be_made_leaves_nothing_behind() {
    let mut scene = Scene::empty().await;
    assert!(scene.sfvault.stop().unwrap().success());
    let data = scene.sfvault.path("data");
    fs::remove_file(data.join("vault.redb")).unwrap();
    scene.sfvault.start().unwrap();
    let init = ["init", "--passphrase-file", "@passphrase"];
    for limit in [0, 4096] {
        limit_files(&scene.sfvault, Some(limit));
        let failed = scene.fails(&init).await;
        if limit == 0 {
            assert_unaudited(&failed, "init");
        } else {
            assert_storage(&failed, "init");
        }
        for entry in fs::read_dir(&data).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name.starts_with("audit."), "{name}");
        }
    }
    limit_files(&scene.sfvault, None);
    scene.ok(&init).await;
    scene.add("prod").await;
    scene.finish().await;
}

/// T31: a daemon that somebody started with a limit on the size of files gets no signal for it.
#[tokio::test]
async fn a_limit_on_the_size_of_files_is_a_full_disk_and_no_death() {
    let mut sfvault = Installation::without_config().unwrap();
    sfvault.secret_file("passphrase", "correct horse").unwrap();
    let daemon = sfvault.sfvaultd();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -S -f 8; exec \"$0\""])
        .arg(daemon.get_program());
    sfvault.start_as(sfvault.environment(command)).unwrap();
    let passphrase = sfvault.path("passphrase").display().to_string();
    let init = ["init", "--passphrase-file", &passphrase, "--json"];
    let ran = ended(sfvault.run(&init).unwrap());
    assert!(ran.stderr.contains("\"STORAGE\""), "{}", ran.stderr);
    limit_files(&sfvault, None);
    assert_eq!(ended(sfvault.run(&init).unwrap()).status, 0);
    assert!(sfvault.stop().unwrap().success());
}

/// T31: nobody hears of a change that would be gone with the daemon.
#[tokio::test]
async fn a_vault_file_that_was_removed_or_replaced_takes_no_more_changes() {
    let mut scene = Scene::with_record().await;
    let vault = scene.sfvault.path("data/vault.redb");
    let backup = scene.sfvault.path("data/backup");
    fs::copy(&vault, &backup).unwrap();
    fs::rename(&backup, &vault).unwrap();
    let set = ["set", "prod", "--password-file", "@passphrase"];
    for command in [&set[..], &["get", "prod"]] {
        let failed = scene.fails(command).await;
        assert_storage(&failed, command[0]);
        let message = failed.1["message"].as_str().unwrap();
        assert!(message.contains("removed or replaced"), "{message}");
    }
    scene.assert_logins(0, 0);
    assert!(scene.sfvault.stop().unwrap().success());
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    scene.session(&[]).await;
    scene.assert_logins(1, 0);
    scene.finish().await;
}

/// T31
#[tokio::test]
async fn a_directory_that_is_read_only_has_no_vault_made_in_it() {
    if !nobody::can_be_played() {
        return;
    }
    let mut sfvault = Installation::without_config().unwrap();
    sfvault.secret_file("passphrase", "correct horse").unwrap();
    sfvault
        .configure("[vault]\nkdf_memory_mib = 8\nkdf_iterations = 1\n")
        .unwrap();
    nobody::owns(&sfvault);
    let data = sfvault.path("data");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&data, 0o500);
    sfvault
        .start_as(nobody::runs(&sfvault, &sfvault.sfvaultd()))
        .unwrap();
    let passphrase = sfvault.path("passphrase").display().to_string();
    let init = sfvault.sfvault(["init", "--passphrase-file", &passphrase, "--json"]);
    let mut init = nobody::runs(&sfvault, &init);
    let ran = ended(init.output().unwrap());
    let error: Value = serde_json::from_str(ran.stderr.trim()).unwrap();
    assert_unaudited(&(ran.status, error["error"].clone()), "init");
    mode(&data, 0o700);
    let ran = ended(init.output().unwrap());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(sfvault.stop().unwrap().success());

    // A vault that can't be written could count no login, so its daemon does not pretend to serve.
    let vault = data.join("vault.redb");
    mode(&vault, 0o400);
    let said = refused(nobody::runs(&sfvault, &sfvault.sfvaultd())).await;
    let expected = format!(
        "error: {} can't be written\nhint: make the file",
        vault.display()
    );
    assert!(said.contains(&expected), "{said}");
    mode(&vault, 0o600);
    sfvault
        .start_as(nobody::runs(&sfvault, &sfvault.sfvaultd()))
        .unwrap();
    assert!(sfvault.stop().unwrap().success());
}
