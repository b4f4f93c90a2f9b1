//! A vault file that is not what it should be: nobody writes to it, and everybody is told why nothing works.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use sfvault_tests::installation::Installation;

use crate::{
    scene::{Scene, ended},
    start::refused,
};

/// A vault of format 1, as `tests/vectors` has it.
const VAULT: &[u8] = include_bytes!("../vectors/vault-v1.redb");

/// T29
#[tokio::test]
async fn a_vault_that_can_t_be_read_keeps_the_daemon_from_starting_and_is_left_as_it_is() {
    let flipped = |place: usize| {
        let mut bytes = VAULT.to_vec();
        bytes[place] ^= 1;
        bytes
    };
    let cases: [(&str, Vec<u8>, &str); 6] = [
        (
            "it is empty or almost so",
            Vec::new(),
            "check SFVAULT_DATA_DIR",
        ),
        (
            "it is a file of another kind",
            b"-----BEGIN AGE ENCRYPTED FILE-----".to_vec(),
            "check SFVAULT_DATA_DIR",
        ),
        (
            "is damaged",
            VAULT[..VAULT.len() / 2].to_vec(),
            "restore a backup",
        ),
        ("is damaged", VAULT[..4096].to_vec(), "restore a backup"),
        ("is damaged", flipped(12_345), "restore a backup"),
        (
            "it is a file of another kind",
            flipped(0),
            "check SFVAULT_DATA_DIR",
        ),
    ];
    for (problem, bytes, hint) in cases {
        let sfvault = Installation::without_config().unwrap();
        let vault = sfvault.path("data/vault.redb");
        fs::write(&vault, &bytes).unwrap();
        fs::set_permissions(&vault, fs::Permissions::from_mode(0o600)).unwrap();
        let said = refused(sfvault.sfvaultd()).await;
        assert!(
            said.contains(problem) && said.contains(vault.to_str().unwrap()),
            "{problem}: {said}"
        );
        assert!(
            said.contains("\nhint: ") && said.contains(hint),
            "{hint}: {said}"
        );
        assert!(fs::read(&vault).unwrap() == bytes, "{problem}");
    }
}

/// T29: the person who meets this types `sfvault`, and starts a daemon by that.
#[tokio::test]
async fn a_client_that_can_t_start_a_daemon_on_a_damaged_vault_says_why_and_init_makes_no_other() {
    let sfvault = Installation::without_config().unwrap();
    let vault = sfvault.path("data/vault.redb");
    let bytes = &VAULT[..VAULT.len() / 2];
    fs::write(&vault, bytes).unwrap();
    fs::set_permissions(&vault, fs::Permissions::from_mode(0o600)).unwrap();
    sfvault.secret_file("passphrase", "correct horse").unwrap();
    let passphrase = sfvault.path("passphrase").display().to_string();
    for command in [
        &["init", "--passphrase-file", &passphrase][..],
        &["get", "prod"],
    ] {
        let ran = ended(sfvault.run(command).unwrap());
        assert_eq!(ran.status, 3, "{}", ran.stderr);
        for said in ["is damaged", "restore a backup", vault.to_str().unwrap()] {
            assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
        }
        assert!(fs::read(&vault).unwrap() == bytes);
    }
}

/// T33
#[tokio::test]
async fn a_vault_that_is_not_ours_alone_keeps_the_daemon_from_starting() {
    /// Spoils the vault at a path.
    type Spoiler = (&'static str, fn(&Path));
    let spoilers: [Spoiler; 5] = [
        ("its mode is 0644", |vault| {
            fs::set_permissions(vault, fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("it has 2 names", |vault| {
            fs::hard_link(vault, vault.with_extension("copy")).unwrap();
        }),
        ("it is no plain file", |vault| {
            fs::rename(vault, vault.with_extension("real")).unwrap();
            symlink("vault.real", vault).unwrap();
        }),
        ("it is no plain file", |vault| {
            fs::remove_file(vault).unwrap();
            fs::create_dir(vault).unwrap();
        }),
        ("it is no plain file", |vault| {
            fs::remove_file(vault).unwrap();
            symlink("/nowhere/at/all", vault).unwrap();
        }),
    ];
    for (problem, spoil) in spoilers {
        let sfvault = Installation::without_config().unwrap();
        let vault = sfvault.path("data/vault.redb");
        fs::write(&vault, VAULT).unwrap();
        fs::set_permissions(&vault, fs::Permissions::from_mode(0o600)).unwrap();
        spoil(&vault);
        let said = refused(sfvault.sfvaultd()).await;
        assert!(
            said.contains(problem) && said.contains("\nhint: "),
            "{problem}: {said}"
        );
    }
}

/// A backup that is put in place of a vault that is missing is found without a restart, and never written over.
#[tokio::test]
async fn a_vault_that_appears_while_the_daemon_runs_is_unlocked_and_not_replaced() {
    let mut scene = Scene::with_record().await;
    assert!(scene.sfvault.stop().unwrap().success());
    let (vault, backup) = (
        scene.sfvault.path("data/vault.redb"),
        scene.sfvault.path("backup"),
    );
    fs::rename(&vault, &backup).unwrap();
    scene.sfvault.start().unwrap();
    let (status, error) = scene.fails(&["get", "prod"]).await;
    assert_eq!((status, &error["reason"]), (6, &"VAULT_MISSING".into()));
    fs::rename(&backup, &vault).unwrap();
    let before = fs::read(&vault).unwrap();
    let init = ["init", "--passphrase-file", "@passphrase"];
    let (status, error) = scene.fails(&init).await;
    assert_eq!((status, &error["reason"]), (4, &"VAULT_EXISTS".into()));
    assert!(fs::read(&vault).unwrap() == before);
    scene.unlock().await;
    scene.session(&[]).await;
    scene.finish().await;
}
