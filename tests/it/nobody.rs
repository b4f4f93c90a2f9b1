//! Another user: processes and connections with a uid that is not ours. Only root can make them.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        net::UnixStream,
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use rustix::{process::Uid, thread::set_thread_res_uid};
use sfvault_tests::installation::Installation;

use crate::skipped::only_root_can;

/// The uid that owns nothing.
pub(crate) const NOBODY: u32 = 65_534;

/// Whether tests with other uids can run; says so if not.
pub(crate) fn can_be_played() -> bool {
    only_root_can("act as another user")
}

/// Gives the installation and all that is in it to nobody.
pub(crate) fn owns(installation: &Installation) {
    let mut left = vec![installation.directory().to_owned()];
    while let Some(path) = left.pop() {
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        if path.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
}

/// The command as one of nobody's. The program runs from a copy, for the build may lie where only root can look.
pub(crate) fn runs(installation: &Installation, command: &Command) -> Command {
    runs_as(installation, command, NOBODY)
}

/// The same as another user, whose group has the same number.
pub(crate) fn runs_as(installation: &Installation, command: &Command, uid: u32) -> Command {
    let program = Path::new(command.get_program());
    let bin = installation.path("bin");
    fs::create_dir_all(&bin).unwrap();
    let copy = bin.join(program.file_name().unwrap());
    if !copy.exists() {
        copy_program(program, &copy);
    }
    for path in [&bin, &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut own = Command::new(copy);
    own.args(command.get_args()).uid(uid).gid(uid);
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => own.env(variable, value),
            None => own.env_remove(variable),
        };
    }
    own.stdin(std::process::Stdio::null());
    own
}

/// Copies a program so that it can be run at once: while another test forks, a file that this process itself has
/// open for writing would be open there too, and execve(2) would answer ETXTBSY.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// A connection that a process with this uid made.
pub(crate) fn connects(uid: u32, socket: PathBuf) -> UnixStream {
    let thread = thread::spawn(move || {
        let uid = Uid::from_raw(uid);
        // On Linux a uid belongs to a thread, and this one ends here.
        set_thread_res_uid(uid, uid, uid).unwrap();
        UnixStream::connect(socket).unwrap()
    });
    thread.join().unwrap()
}
