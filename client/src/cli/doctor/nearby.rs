//! What can be seen without sfvaultd: the directories, the sockets and the configuration file, as far as this user may.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::Path,
};

use sfvault::{Finding, Grade, Places};
use tokio::net::UnixStream;

/// Looks at what is there, and says what nobody could look at.
pub(super) async fn look(places: &Places) -> Vec<Finding> {
    // Which user runs the system's daemon can't be told here.
    let system = places.is_system();
    let own = (!system).then(|| rustix::process::geteuid().as_raw());
    let mut findings = vec![owned(
        "directories",
        places.runtime_dir(),
        own,
        if system { 0o022 } else { 0o077 },
    )];
    if let Some(data) = places.data_dir() {
        findings.push(owned("directories", data, own, 0o077));
    }
    if let Some(config) = places.config_dir() {
        findings.push(owned("directories", config, own, 0o022));
        findings.push(owned("config", &config.join("config.toml"), own, 0o022));
    }
    for path in [places.sessions_socket(), places.admin_socket()] {
        findings.push(socket(&path).await);
    }
    findings.push(finding(
        "unseen",
        Path::new("sfvaultd"),
        Grade::Note,
        "the vault, the audit, the hardening, the records and the way to Salesforce: only sfvaultd can look at these",
        "see that sfvaultd runs and lets this user administer it, then run `sfvault doctor` again",
    ));
    findings
}

/// A file or directory: root's or of `own`, where that is known, and with none of the `barred` bits.
fn owned(check: &str, path: &Path, own: Option<u32>, barred: u32) -> Finding {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return finding(check, path, Grade::Good, "is not there", "");
        }
        Err(error) => return unreadable(check, path, &error),
    };
    let text = format!("uid {}, mode {:04o}", meta.uid(), meta.mode() & 0o7777);
    if let Some(own) = own
        && meta.uid() != own
        && meta.uid() != 0
    {
        let text = format!("{text}: belongs to another user");
        let fix = format!("give it to uid {own}");
        return finding(check, path, Grade::Problem, &text, &fix);
    }
    if meta.mode() & barred != 0 {
        let fix = if barred == 0o077 {
            "`chmod go=` on it"
        } else {
            "`chmod go-w` on it"
        };
        let text = format!("{text}: too open to others");
        return finding(check, path, Grade::Problem, &text, fix);
    }
    finding(check, path, Grade::Good, &text, "")
}

async fn socket(path: &Path) -> Finding {
    let found = |grade, text: &str, fix| finding("socket", path, grade, text, fix);
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let fix = "start sfvaultd, which makes it";
            return found(Grade::Note, "is not there", fix);
        }
        Err(error) => return unreadable("socket", path, &error),
    };
    if !meta.file_type().is_socket() {
        let fix = "move it away, then start sfvaultd";
        return found(Grade::Problem, "is no socket", fix);
    }
    let text = format!("uid {}, mode {:04o}", meta.uid(), meta.mode() & 0o7777);
    match UnixStream::connect(path).await {
        Ok(_) => found(Grade::Good, &format!("{text}: a program listens"), ""),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => found(
            Grade::Warning,
            &format!("{text}: is stale, nobody listens"),
            "start sfvaultd, which replaces it",
        ),
        Err(error) => found(
            Grade::Problem,
            &format!("{text}: {error}"),
            "see who runs sfvaultd, and whether this user may use it",
        ),
    }
}

/// Where this user may not look, all may be well.
fn unreadable(check: &str, path: &Path, error: &io::Error) -> Finding {
    let text = format!("can't be looked at: {error}");
    let fix = "look at it as the user who runs sfvaultd";
    finding(check, path, Grade::Note, &text, fix)
}

fn finding(check: &str, path: &Path, grade: Grade, text: &str, fix: &str) -> Finding {
    Finding {
        check: check.to_owned(),
        subject: path.display().to_string(),
        grade,
        text: text.to_owned(),
        fix: (!fix.is_empty()).then(|| fix.to_owned()),
    }
}
