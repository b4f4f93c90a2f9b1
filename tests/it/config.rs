//! The configuration file, wrong in every way.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sfvault_tests::installation::Installation;

use crate::{
    nobody::{self, NOBODY},
    scene::Scene,
    start::refused,
};

/// T50
#[tokio::test]
async fn all_problems_are_told_at_once_each_with_its_place() {
    let sfvault = Installation::without_config().unwrap();
    let canary = "hunter2";
    sfvault
        .configure(&format!(
            "[salesforce]\nallowed_hosts = [\"http://x\", 7]\nproxi = \"none\"\nproxy = \"http://u:{canary}@[\"\n\
             api_version = \"64\"\n[vault]\nkdf_memory_mib = 1\n[vualt]\n"
        ))
        .unwrap();
    let said = refused(sfvault.sfvaultd()).await;
    let path = sfvault.path("config/config.toml").display().to_string();
    assert!(
        said.contains("error: 7 problems in the configuration"),
        "{said}"
    );
    for place in ["2:18", "2:30", "3:1", "4:9", "5:15", "7:18", "8:2"] {
        assert!(
            said.contains(&format!("{path}:{place}: ")),
            "{place}: {said}"
        );
    }
    assert!(!said.contains(canary), "{said}");
    assert!(!sfvault.path("run/sfvault.sock").exists());
}

/// T50
#[tokio::test]
async fn a_broken_file_is_told_with_its_line() {
    let sfvault = Installation::without_config().unwrap();
    sfvault
        .configure("[salesforce\nproxy = \"none\"\n")
        .unwrap();
    let said = refused(sfvault.sfvaultd()).await;
    assert!(said.contains("config.toml:1:"), "{said}");
    fs::write(sfvault.path("config/config.toml"), b"proxy = \"\xff\"").unwrap();
    let said = refused(sfvault.sfvaultd()).await;
    assert!(said.contains("config.toml`: "), "{said}");
}

/// T50: who can write the configuration can send every password to a host of their own.
#[tokio::test]
async fn a_file_that_others_can_write_or_replace_is_refused_by_name() {
    let sfvault = Installation::without_config().unwrap();
    let (directory, file) = (sfvault.path("config"), sfvault.path("config/config.toml"));
    let mode = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    sfvault.configure("").unwrap();
    for writable in [0o620, 0o602, 0o666] {
        mode(&file, writable);
        let said = refused(sfvault.sfvaultd()).await;
        let expected = format!("`{}` has mode {writable:04o}", file.display());
        assert!(said.contains(&expected), "{said}");
    }
    mode(&file, 0o644);
    mode(&directory, 0o770);
    let said = refused(sfvault.sfvaultd()).await;
    let expected = format!("`{}` has mode 0770", directory.display());
    assert!(said.contains(&expected), "{said}");

    // The same by way of a link: what counts is where the file is.
    let kept = sfvault.path("kept");
    fs::rename(&directory, &kept).unwrap();
    fs::create_dir(&directory).unwrap();
    symlink(kept.join("config.toml"), &file).unwrap();
    let said = refused(sfvault.sfvaultd()).await;
    assert!(said.contains("/kept` has mode 0770"), "{said}");
    mode(&kept, 0o755);
    let mut sfvault = sfvault;
    sfvault.start().unwrap();
}

/// T50
#[tokio::test]
async fn what_is_no_file_or_too_long_is_refused_and_not_waited_for() {
    let sfvault = Installation::without_config().unwrap();
    let file = sfvault.path("config/config.toml");
    mknodat(CWD, &file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let said = refused(sfvault.sfvaultd()).await;
    assert!(said.contains("config.toml` is not a file"), "{said}");
    fs::remove_file(&file).unwrap();
    symlink("/dev/zero", &file).unwrap();
    let said = refused(sfvault.sfvaultd()).await;
    assert!(said.contains("config.toml` is not a file"), "{said}");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let said = refused(sfvault.sfvaultd()).await;
    assert!(said.contains("config.toml` is not a file"), "{said}");
    fs::remove_dir(&file).unwrap();
    sfvault.configure(&"#\n".repeat(1 << 20)).unwrap();
    let said = refused(sfvault.sfvaultd()).await;
    assert!(said.contains("config.toml` is longer than"), "{said}");
}

/// T50: a daemon that can't read what it may do does not do what it likes.
#[tokio::test]
async fn a_file_that_is_unreadable_or_another_s_is_refused() {
    if !nobody::can_be_played() {
        return;
    }
    let sfvault = Installation::without_config().unwrap();
    sfvault.configure("").unwrap();
    nobody::owns(&sfvault);
    let file = sfvault.path("config/config.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    let said = refused(nobody::runs(&sfvault, &sfvault.sfvaultd())).await;
    let expected = format!("error: `{}`: Permission denied", file.display());
    assert!(said.contains(&expected), "{said}");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    chown(&file, Some(NOBODY - 1), None).unwrap();
    let said = refused(nobody::runs(&sfvault, &sfvault.sfvaultd())).await;
    assert!(
        said.contains("belongs to uid 65533, not to uid 65534 or root"),
        "{said}"
    );
}

/// T36: the list of hosts is asked at every login, not only when a record is added.
#[tokio::test]
async fn a_host_that_is_no_longer_allowed_gets_no_credential() {
    let mut scene = Scene::with_record().await;
    scene.session(&[]).await;
    assert!(scene.sfvault.stop().unwrap().success());
    let path = scene.sfvault.path("config/config.toml");
    let before = fs::read_to_string(&path).unwrap();
    let without: String = before
        .lines()
        .filter(|line| !line.starts_with("allowed_hosts"))
        .map(|line| format!("{line}\n"))
        .collect();
    scene.sfvault.configure(&without).unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    let requests = scene.simulator.requests().len();
    for _ in 0..2 {
        let (status, error) = scene.fails(&["get", "prod"]).await;
        assert_eq!(
            (status, &error["reason"]),
            (2, &"HOST_NOT_ALLOWED".into()),
            "{error}"
        );
    }
    assert_eq!(
        scene.simulator.requests().len(),
        requests,
        "nothing was sent"
    );
    scene.ok(&["list"]).await;

    assert!(scene.sfvault.stop().unwrap().success());
    scene.sfvault.configure(&before).unwrap();
    scene.sfvault.start().unwrap();
    scene.unlock().await;
    scene.session(&[]).await;
    scene.assert_logins(1, 0);
    scene.finish().await;
}
