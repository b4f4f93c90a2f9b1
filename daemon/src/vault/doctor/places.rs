//! Directories and sockets: whose they are and how open, against what they must be.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

use super::{Finding, Grade};
use crate::{
    listen::{ADMIN_SOCKET, SESSIONS_SOCKET},
    mode::Mode,
    paths::{PathError, Paths, own_uid},
};

/// How open a socket is made. systemd may have bound it otherwise, and anybody who owns it may have changed it.
struct Due {
    mode: u32,
    /// Whose members may open it, where a group may.
    gid: Option<u32>,
}

/// The directories and sockets. The daemon would not have started over most of this; it may have changed since.
#[must_use]
pub fn places(paths: &Paths, mode: Mode, admin_group: Option<u32>) -> Vec<Finding> {
    let directories = paths
        .check_each(mode)
        .map(|(path, checked)| directory(path, checked));
    let (sessions, admin) = match (mode, admin_group) {
        (Mode::User, _) => (0o600, 0o600),
        (Mode::System, None) => (0o666, 0o600),
        (Mode::System, Some(_)) => (0o666, 0o660),
    };
    let sockets = [
        (SESSIONS_SOCKET, sessions, None),
        (ADMIN_SOCKET, admin, admin_group),
    ]
    .map(|(name, mode, gid)| socket(&paths.runtime.join(name), &Due { mode, gid }));
    directories.into_iter().chain(sockets).collect()
}

fn directory(path: &Path, checked: Result<(), PathError>) -> Finding {
    let good = |text| Finding::new("directories", path.display().to_string(), Grade::Good, text);
    match (checked, fs::metadata(path)) {
        (Ok(()), Ok(meta)) => good(format!(
            "uid {}, mode {:04o}: nobody else can change what is in it",
            meta.uid(),
            meta.mode() & 0o7777
        )),
        // Only that of the configuration can be missing in a daemon that runs.
        (Ok(()), Err(_)) => good("is not there, and nobody else can make it".to_owned()),
        (Err(error), _) => {
            let path = match &error {
                PathError::Unsafe { path, .. } | PathError::Io { path, .. } => path.as_path(),
                PathError::NotAbsolute { .. } | PathError::NoHome => path,
            };
            let subject = path.display().to_string();
            Finding::new("directories", subject, Grade::Problem, error.to_string())
                .fix("mend it as said, then restart sfvaultd")
        }
    }
}

fn socket(path: &Path, due: &Due) -> Finding {
    let subject = path.display().to_string();
    let finding = |grade, text: String| Finding::new("socket", subject.clone(), grade, text);
    let restart = "restart sfvaultd, which makes its sockets anew; where systemd binds them, restart their units";
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            return finding(Grade::Problem, format!("can't be looked at: {error}")).fix(restart);
        }
    };
    if !meta.file_type().is_socket() {
        return finding(Grade::Problem, "is no socket".to_owned())
            .fix("move it away, then restart sfvaultd");
    }
    if meta.uid() != own_uid() && meta.uid() != 0 {
        let text = format!("belongs to uid {}", meta.uid());
        return finding(Grade::Problem, text).fix(restart);
    }
    let (has, must) = (meta.mode() & 0o777, due.mode);
    let chmod =
        format!("`chmod {must:o} {subject}`; where systemd binds it, `SocketMode=0{must:o}`");
    if has & !must != 0 {
        let text = format!("has mode {has:04o}: more can open it than by {must:04o}");
        return finding(Grade::Problem, text).fix(chmod);
    }
    if let Some(gid) = due.gid
        && has & 0o060 != 0
        && meta.gid() != gid
    {
        let text = format!(
            "is open to group {}, and `[admin] group` is {gid}",
            meta.gid()
        );
        return finding(Grade::Problem, text).fix(format!(
            "`chgrp {gid} {subject}`; where systemd binds it, `SocketGroup={gid}`"
        ));
    }
    let text = format!("uid {}, mode {has:04o}", meta.uid());
    if has == must {
        finding(Grade::Good, text)
    } else {
        let grade = if has & 0o600 == 0o600 {
            Grade::Note
        } else {
            Grade::Warning
        };
        finding(
            grade,
            format!("{text}: fewer can open it than by {must:04o}"),
        )
        .fix(format!("if that is not meant: {chmod}"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::PermissionsExt as _, net::UnixListener};

    use super::*;

    /// A runtime directory with a socket, and what is found there.
    struct Place {
        base: tempfile::TempDir,
        _socket: UnixListener,
    }

    impl Place {
        fn new() -> Self {
            let base = tempfile::tempdir().unwrap();
            let socket = UnixListener::bind(base.path().join("s")).unwrap();
            Self {
                base,
                _socket: socket,
            }
        }

        fn grade(&self, has: u32, must: u32, gid: Option<u32>) -> Grade {
            let path = self.base.path().join("s");
            fs::set_permissions(&path, fs::Permissions::from_mode(has)).unwrap();
            let found = socket(&path, &Due { mode: must, gid });
            assert_eq!(
                found.fix.is_empty(),
                found.grade == Grade::Good,
                "{found:?}"
            );
            found.grade
        }
    }

    #[test]
    fn a_socket_is_graded_by_who_must_and_who_must_not_open_it() {
        let place = Place::new();
        let gid = fs::metadata(place.base.path().join("s")).unwrap().gid();
        for (has, must, group, grade) in [
            (0o600, 0o600, None, Grade::Good),
            (0o666, 0o666, None, Grade::Good),
            (0o660, 0o660, Some(gid), Grade::Good),
            (0o666, 0o600, None, Grade::Problem),
            (0o660, 0o600, None, Grade::Problem),
            (0o601, 0o600, None, Grade::Problem),
            (0o666, 0o660, Some(gid), Grade::Problem),
            (0o660, 0o660, Some(gid + 1), Grade::Problem),
            (0o660, 0o666, None, Grade::Note),
            (0o066, 0o666, None, Grade::Warning),
        ] {
            assert_eq!(place.grade(has, must, group), grade, "{has:o} for {must:o}");
        }
    }

    #[test]
    fn a_directory_of_the_configuration_that_others_can_write_is_a_problem() {
        let base = tempfile::tempdir().unwrap();
        let paths = Paths {
            config: base.path().join("config"),
            data: base.path().join("data"),
            runtime: base.path().join("run"),
        };
        paths.prepare(Mode::User).unwrap();
        let grades = || {
            let found = places(&paths, Mode::User, None);
            let directories = found.iter().filter(|f| f.check == "directories");
            directories
                .map(|f| (f.subject.clone(), f.grade))
                .collect::<Vec<_>>()
        };
        let subject = |path: &Path| path.display().to_string();
        // It is not there, and need not be.
        assert!(grades().contains(&(subject(&paths.config), Grade::Good)));
        fs::create_dir(&paths.config).unwrap();
        for (mode, grade) in [
            (0o755, Grade::Good),
            (0o777, Grade::Problem),
            (0o775, Grade::Problem),
        ] {
            fs::set_permissions(&paths.config, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                grades(),
                [
                    (subject(&paths.runtime), Grade::Good),
                    (subject(&paths.data), Grade::Good),
                    (subject(&paths.config), grade),
                ],
                "{mode:o}"
            );
        }
    }
}
