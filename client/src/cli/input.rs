//! Secrets from files, descriptors and stdin. Never from the arguments, which every user of the host can
//! read, and never from this process's environment.
//!
//! To open a pipe waits for its writer, to read one for what is written: all of that happens aside, so that whoever
//! waits can be interrupted.

use std::{
    env,
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::{
    fd::{AsFd, OwnedFd},
    io::Errno,
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};
use serde::Deserialize;
use sfvault::CredentialChange;
use zeroize::Zeroizing;

use super::{
    aside::aside,
    failure::Failure,
    output::Output,
    secret_kind::{SecretKind, put},
};

/// Reads a secret from a file, a pipe or a symbolic link to either; takes one line end off its end.
pub(crate) async fn file(path: &Path, output: Output) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let path = path.to_owned();
    aside(move || read_file(&path, output)).await?
}

/// Reads a secret from a descriptor that this process inherited; takes one line end off its end.
pub(crate) async fn descriptor(number: u32) -> Result<Zeroizing<Vec<u8>>, Failure> {
    aside(move || read_descriptor(number)).await?
}

/// Reads one JSON object from stdin, whose keys are of [`SecretKind`]; others are refused.
pub(crate) async fn stdin() -> Result<CredentialChange, Failure> {
    let text = aside(|| read(rustix::stdio::stdin(), "stdin")).await??;
    parse(&text)
}

/// A secret as text.
pub(crate) fn text(mut secret: Zeroizing<Vec<u8>>, what: &str) -> Result<String, Failure> {
    String::from_utf8(std::mem::take(&mut secret)).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        Failure::usage(
            format!("the {what} is not UTF-8 text"),
            "Salesforce takes text only",
        )
    })
}

/// Far above any password, token or key, and far below what would do harm.
const MAX: usize = 64 << 10;

fn read_file(path: &Path, output: Output) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let name = path.display();
    let fail = |error: &dyn std::fmt::Display| {
        Failure::usage(
            format!("can't read `{name}`: {error}"),
            "name a file that this user may read",
        )
    };
    let file = File::open(path).map_err(|error| fail(&error))?;
    let meta = file.metadata().map_err(|error| fail(&error))?;
    if !meta.is_file() && !meta.file_type().is_fifo() {
        return Err(fail(&"it is neither a file nor a pipe"));
    }
    if is_open_to_others(path, &meta) {
        output.warning(&format!(
            "other users of this host may read `{name}`; `chmod 600` mends it"
        ));
    }
    let secret = read(&file, &name.to_string())?;
    Ok(without_line_end(secret))
}

fn read_descriptor(number: u32) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let file = inherited(number).map_err(|error| {
        Failure::usage(
            format!("can't read from descriptor {number}: {error}"),
            "pass an open pipe or file, such as `--passphrase-fd 3 3</path/to/file`",
        )
    })?;
    let secret = read(&file, &format!("descriptor {number}"))?;
    Ok(without_line_end(secret))
}

/// A descriptor that is only a number can't be used without unsafe code. A copy of it can: the same open file, at the same
/// place. Where a sandbox forbids that, opening it anew serves for a pipe of this user's.
fn inherited(number: u32) -> io::Result<OwnedFd> {
    if number == 0 {
        return rustix::stdio::stdin().try_clone_to_owned();
    }
    let copy = |number| {
        let own = pidfd_open(getpid(), PidfdFlags::empty())?;
        pidfd_getfd(own, number, PidfdGetfdFlags::empty())
    };
    match i32::try_from(number).map(copy) {
        Ok(Ok(descriptor)) => Ok(descriptor),
        Ok(Err(_)) | Err(_) => Ok(File::open(format!("/proc/self/fd/{number}"))?.into()),
    }
}

fn read(source: impl AsFd, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // One byte more than allowed tells "just fits" from "too long". It never grows: growing leaves copies.
    let mut buffer = Zeroizing::new(vec![0; MAX + 1]);
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::read(&source, rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(error) => {
                return Err(Failure::local(format!("can't read {name}: {error}")));
            }
        }
    }
    if filled > MAX {
        return Err(Failure::usage(
            format!("{name} holds more than 64 KiB"),
            "a secret is shorter; is it the right file",
        ));
    }
    buffer.truncate(filled);
    Ok(buffer)
}

/// A credential of systemd's has the service's user in an access control list, whose mask stands where the bits of the
/// group were.
fn is_open_to_others(path: &Path, meta: &Metadata) -> bool {
    let of_systemd = env::var_os("CREDENTIALS_DIRECTORY")
        .is_some_and(|directory| !directory.is_empty() && path.starts_with(directory));
    let barred = if of_systemd { 0o004 } else { 0o044 };
    meta.is_file() && meta.permissions().mode() & barred != 0
}

fn without_line_end(mut secret: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let stripped = secret
        .strip_suffix(b"\n")
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).len());
    if let Some(length) = stripped {
        secret.truncate(length);
    }
    secret
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    password: Option<Zeroizing<String>>,
    security_token: Option<Zeroizing<String>>,
    consumer_secret: Option<Zeroizing<String>>,
    private_key: Option<Zeroizing<String>>,
    refresh_token: Option<Zeroizing<String>>,
}

fn parse(text: &[u8]) -> Result<CredentialChange, Failure> {
    let object: Object = serde_json::from_slice(text).map_err(|error| {
        // The parser's own message repeats what it read, which may be the secret.
        let keys: Vec<_> = SecretKind::ALL
            .iter()
            .map(|kind| format!("`{}`", kind.key()))
            .collect();
        Failure::usage(
            format!(
                "stdin is not one JSON object with keys of {} only (line {}, column {})",
                keys.join(", "),
                error.line(),
                error.column()
            ),
            r#"write such as `{"password": "…", "security_token": "…"}`"#,
        )
    })?;
    let mut change = CredentialChange::default();
    for (kind, told) in [
        (SecretKind::Password, object.password),
        (SecretKind::SecurityToken, object.security_token),
        (SecretKind::ConsumerSecret, object.consumer_secret),
        (SecretKind::PrivateKey, object.private_key),
        (SecretKind::RefreshToken, object.refresh_token),
    ] {
        if let Some(mut text) = told {
            put(&mut change, kind, std::mem::take(&mut *text));
        }
    }
    Ok(change)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    fn output() -> Output {
        Output::new(true, true)
    }

    fn written(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn complaint<T>(result: Result<T, Failure>) -> String {
        match result {
            Ok(_) => panic!("accepted"),
            Err(failure) => {
                assert_eq!(failure.exit().code(), 2);
                failure.message().unwrap().to_owned()
            }
        }
    }

    #[tokio::test]
    async fn one_line_end_is_taken_off_and_nothing_else() {
        for (content, secret) in [
            (&b"pw"[..], &b"pw"[..]),
            (b"pw\n", b"pw"),
            (b"pw\r\n", b"pw"),
            (b"pw\n\n", b"pw\n"),
            (b"pw\r", b"pw\r"),
            (b" pw ", b" pw "),
            (b"\n", b""),
            (b"", b""),
        ] {
            let file = written(content);
            assert_eq!(&*super::file(file.path(), output()).await.unwrap(), secret);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_too_long_missing_or_no_file_is_refused() {
        let fits = written(&vec![b'x'; MAX]);
        assert_eq!(file(fits.path(), output()).await.unwrap().len(), MAX);
        let long = written(&vec![b'x'; MAX + 1]);
        assert!(complaint(file(long.path(), output()).await).contains("64 KiB"));
        for path in ["/nowhere/at/all", "/tmp", "/dev/null", "/dev/zero"] {
            assert!(complaint(file(Path::new(path), output()).await).contains(path));
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_noticed() {
        let file = written(b"pw");
        for (mode, open) in [
            (0o600, false),
            (0o400, false),
            (0o640, true),
            (0o604, true),
            (0o622, false),
        ] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                is_open_to_others(Path::new("/"), &file.as_file().metadata().unwrap()),
                open,
                "{mode:o}"
            );
        }
    }

    #[tokio::test]
    async fn a_descriptor_that_is_not_open_is_refused() {
        assert!(complaint(descriptor(u32::MAX).await).contains("4294967295"));
    }

    #[test]
    fn json_may_leave_out_any_secret() {
        let both = parse(br#" {"security_token": "t\u00e9", "password": "p\"w"} "#)
            .ok()
            .unwrap();
        // EXPOSE: compared in a test.
        assert_eq!(both.password.unwrap().expose(), "p\"w");
        // EXPOSE: compared in a test.
        assert_eq!(both.security_token.unwrap().expose(), "té");
        let none = parse(br#"{"password": null}"#).ok().unwrap();
        assert!(none.password.is_none() && none.security_token.is_none());
    }

    #[test]
    fn malformed_json_is_refused_without_repeating_it() {
        for text in [
            "",
            "canary",
            "\"canary\"",
            "[\"canary\"]",
            "{\"password\": 5577}",
            "{\"canary\": \"x\"}",
            "{\"password\": \"canary\"",
            "{\"password\": \"canary\"} {}",
            "{\"password\": \"a\", \"password\": \"canary\"}",
            "{\"password\": [\"canary\"]}",
            "{\"password\": \"canary\\ud800\"}",
            "canary: {}",
        ] {
            let message = complaint(parse(text.as_bytes()));
            assert!(
                !message.contains("canary") && !message.contains("5577"),
                "{message}"
            );
        }
        let not_text = complaint(text(Zeroizing::new(vec![b'c', 0xff]), "password"));
        assert_eq!(not_text, "the password is not UTF-8 text");
    }
}
