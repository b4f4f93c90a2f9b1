//! Where things are kept, and the places in which nothing is kept.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use sfvault_tests::installation::Installation;

use crate::{
    nobody::{self, NOBODY},
    scene::ended,
    skipped::skip,
    start::refused,
};

/// T1: for each way to spoil a place, the daemon names what is wrong with which path, and makes nothing.
#[tokio::test]
async fn a_place_that_others_can_change_is_refused_by_name_and_nothing_is_made() {
    /// Spoils the place `here` and returns the path to use and the one to be named.
    type Spoiler = (&'static str, fn(&Path) -> (PathBuf, PathBuf));
    let spoilers: [Spoiler; 10] = [
        ("is a symbolic link", |here| {
            let real = directory(&here.join("real"), 0o700);
            symlink(real, here.join("link")).unwrap();
            (here.join("link"), here.join("link"))
        }),
        ("is a symbolic link", |here| {
            symlink(here.join("nowhere"), here.join("link")).unwrap();
            (here.join("link"), here.join("link"))
        }),
        ("has mode 0770", |here| {
            let open = directory(&here.join("run"), 0o770);
            (open.clone(), open)
        }),
        ("has mode 0702", |here| {
            let open = directory(&here.join("run"), 0o702);
            (open.clone(), open)
        }),
        ("has mode 0755", |here| {
            let open = directory(&here.join("run"), 0o755);
            (open.clone(), open)
        }),
        ("has mode 0777: others can write to it", |here| {
            let open = directory(&here.join("open"), 0o777);
            (open.join("run"), open)
        }),
        ("has mode 0775: others can write to it", |here| {
            let open = directory(&here.join("open"), 0o775);
            (directory(&open.join("run"), 0o700), open)
        }),
        ("is not a directory", |here| {
            fs::write(here.join("file"), "mine").unwrap();
            (here.join("file"), here.join("file"))
        }),
        ("is not a directory", |here| {
            fs::write(here.join("file"), "mine").unwrap();
            (here.join("file/run"), here.join("file"))
        }),
        ("has `..` in it", |here| {
            (here.join("a/../run"), here.join("a/../run"))
        }),
    ];
    let foreign: [Spoiler; 2] = [
        ("belongs to uid 65534", |here| {
            let theirs = directory(&here.join("run"), 0o700);
            chown(&theirs, Some(NOBODY), None).unwrap();
            (theirs.clone(), theirs)
        }),
        ("belongs to uid 65534", |here| {
            let theirs = directory(&here.join("theirs"), 0o755);
            chown(&theirs, Some(NOBODY), None).unwrap();
            (theirs.join("run"), theirs)
        }),
    ];
    let foreign = foreign.iter().filter(|_| nobody::can_be_played());
    for (problem, spoil) in spoilers.iter().chain(foreign) {
        for variable in ["SFVAULT_RUNTIME_DIR", "SFVAULT_DATA_DIR"] {
            let sfvault = Installation::without_config().unwrap();
            let (path, named) = spoil(&directory(&sfvault.path("place"), 0o700));
            fs::remove_dir(sfvault.path("data")).unwrap();
            let before = tree(sfvault.directory());
            let mut daemon = sfvault.sfvaultd();
            let said = refused_with(daemon.env(variable, path)).await;
            let expected = format!("error: `{}` {problem}", named.display());
            assert!(said.contains(&expected), "{variable}: {said}");
            assert_eq!(tree(sfvault.directory()), before, "{variable}: {said}");
        }
    }
}

/// T1: homes are often reached through links, and what they lead to is safe.
#[tokio::test]
async fn a_link_on_the_way_to_the_data_is_followed_to_where_it_is_safe() {
    let mut sfvault = Installation::without_config().unwrap();
    let real = directory(&sfvault.path("real"), 0o755);
    symlink(&real, sfvault.path("home")).unwrap();
    let data = sfvault.path("home/.local/share/sfvault");
    let mut daemon = sfvault.sfvaultd();
    daemon.env("SFVAULT_DATA_DIR", &data);
    sfvault.start_as(daemon).unwrap();
    assert_eq!(fs::metadata(&data).unwrap().mode() & 0o7777, 0o700);
    assert!(sfvault.stop().unwrap().success());
    fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
    let mut daemon = sfvault.sfvaultd();
    let said = refused_with(daemon.env("SFVAULT_DATA_DIR", &data)).await;
    assert!(
        said.contains(&format!("`{}` has mode 0777", real.display())),
        "{said}"
    );
}

/// T4: however the environment of a job looks, it and the daemon of the same user mean the same sockets.
#[tokio::test]
async fn daemon_and_client_agree_where_the_sockets_are() {
    let xdg = |value: &'static str| ("XDG_RUNTIME_DIR", value);
    let fallback = "home/.local/share/sfvault/run/sfvault.sock";
    let mut cases = vec![
        (vec![], fallback),
        (vec![xdg("")], fallback),
        (vec![xdg("xdg")], fallback),
        (vec![xdg("@/nowhere")], fallback),
        (vec![xdg("@/xdg")], "xdg/sfvault/sfvault.sock"),
        (vec![xdg("@/file")], fallback),
        (
            vec![("XDG_DATA_HOME", "@/share")],
            "share/sfvault/run/sfvault.sock",
        ),
        (vec![("XDG_DATA_HOME", "share")], fallback),
        (
            vec![("SFVAULT_DATA_DIR", "@/data")],
            "data/run/sfvault.sock",
        ),
        (
            vec![("SFVAULT_RUNTIME_DIR", "@/run"), xdg("@/xdg")],
            "run/sfvault.sock",
        ),
        (vec![("SFVAULT_RUNTIME_DIR", "")], fallback),
    ];
    if nobody::can_be_played() {
        // After `su`, the variable names the directory of the user that was left.
        cases.push((vec![xdg("@/foreign")], fallback));
    }
    for (variables, socket) in cases {
        let mut sfvault = Installation::without_config().unwrap();
        for name in ["home", "xdg", "foreign"] {
            directory(&sfvault.path(name), 0o700);
        }
        fs::write(sfvault.path("file"), "").unwrap();
        if nobody::can_be_played() {
            chown(sfvault.path("foreign"), Some(NOBODY), None).unwrap();
        }
        let within = |command: Command| within(&sfvault, command, &variables);
        let daemon = within(sfvault.sfvaultd());
        // The place by convention may exist on this machine: it is tested where the rule is, and here only avoided.
        if Path::new(&format!(
            "/run/user/{}",
            rustix::process::geteuid().as_raw()
        ))
        .is_dir()
            && socket == fallback
        {
            skip(&format!("{variables:?}: this user has a runtime directory"));
            continue;
        }
        let client = within(sfvault.sfvault(["status", "--no-autostart"]));
        sfvault.start_as(daemon).unwrap();
        assert!(
            sfvault.path(socket).exists(),
            "{variables:?}: {:?}",
            tree(sfvault.directory())
        );
        let ran = ended({ client }.output().unwrap());
        assert_eq!(ran.status, 0, "{variables:?}: {}", ran.stderr);
        assert!(sfvault.stop().unwrap().success());
    }
}

/// T4: where no place can be told, both say so, and nothing is guessed.
#[tokio::test]
async fn places_that_can_t_be_are_refused_by_both() {
    let long = format!("@/{}", "x".repeat(100));
    let long = long.as_str();
    for (variables, daemon_says, client_says) in [
        (
            vec![("SFVAULT_RUNTIME_DIR", "run")],
            "SFVAULT_RUNTIME_DIR must be an absolute path",
            "`SFVAULT_RUNTIME_DIR` is not an absolute path",
        ),
        (
            vec![("SFVAULT_DATA_DIR", "~/data")],
            "SFVAULT_DATA_DIR must be an absolute path",
            "`SFVAULT_DATA_DIR` is not an absolute path",
        ),
        (
            vec![("HOME", "home")],
            "no home directory with an absolute path",
            "no home directory with an absolute path",
        ),
        (
            vec![("SFVAULT_RUNTIME_DIR", long)],
            "is longer than 107 bytes, too long for a socket; set SFVAULT_RUNTIME_DIR",
            "bytes, 107 are possible",
        ),
    ] {
        let sfvault = Installation::without_config().unwrap();
        let said = refused(within(&sfvault, sfvault.sfvaultd(), &variables)).await;
        assert!(said.contains(daemon_says), "{said}");
        let client = sfvault.sfvault(["list", "--no-autostart"]);
        let mut client = within(&sfvault, client, &variables);
        let ran = ended(client.output().unwrap());
        assert_eq!(ran.status, 2, "{variables:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(client_says), "{}", ran.stderr);
    }
}

/// The command in an environment with a home and these variables, in which `@` is the installation.
fn within(sfvault: &Installation, command: Command, variables: &[(&str, &str)]) -> Command {
    let mut own = Command::new(command.get_program());
    own.args(command.get_args())
        .env_clear()
        .current_dir(sfvault.directory())
        .env("HOME", sfvault.path("home"))
        .stdin(std::process::Stdio::null());
    let here = sfvault.directory().to_str().unwrap();
    for (variable, value) in variables {
        own.env(variable, value.replace('@', here));
    }
    own
}

async fn refused_with(command: &mut Command) -> String {
    refused(std::mem::replace(command, Command::new("true"))).await
}

fn directory(path: &Path, mode: u32) -> PathBuf {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_owned()
}

/// Everything below a directory, with modes.
fn tree(directory: &Path) -> Vec<(PathBuf, u32)> {
    let mut seen = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        seen.push((path.clone(), meta.mode()));
        if meta.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    seen.sort();
    seen
}
