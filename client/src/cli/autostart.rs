//! Starting a daemon for its user when none answers.
//!
//! The client runs itself once more as a helper, in a session of its own; the helper starts `sfvaultd`,
//! waits until it answers, and ends. So the daemon becomes nobody's child: a job that `exec` turns into
//! never meets a child that it did not start, and the terminal's signals do not reach the daemon.

use std::{
    env, fs,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::fs::OFlags;
use sfvault::{Places, Reason, SessionsClient};
use tokio::time::sleep;

use super::failure::Failure;

/// Whether to start a daemon after connecting failed for this reason. In system mode that is the service
/// manager's task.
pub(crate) fn is_for(reason: Reason, places: &Places) -> bool {
    let not_running = reason == Reason::NoSocket || reason == Reason::NobodyListens;
    let forbidden = env::var_os("SFVAULT_NO_AUTOSTART").is_some_and(|value| !value.is_empty());
    let another_s = fs::metadata(places.runtime_dir())
        .is_ok_and(|meta| meta.uid() != rustix::process::geteuid().as_raw());
    not_running && !forbidden && !places.is_system() && !another_s
}

/// Starts the daemon and returns when it answers.
pub(crate) async fn start() -> Result<(), Failure> {
    let own = env::current_exe().map_err(|error| not_started(&error.to_string()))?;
    let mut helper = Command::new(own)
        .arg(HELPER)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(&error.to_string()))?;
    let status = loop {
        match helper.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => sleep(STEP).await,
            Err(error) => return Err(not_started(&error.to_string())),
        }
    };
    if status.success() {
        return Ok(());
    }
    // The helper has ended, so its one line is in the pipe, and reading does not wait for more.
    let mut said = String::new();
    if let Some(mut pipe) = helper.stderr.take() {
        let _ = pipe.read_to_string(&mut said);
    }
    Err(not_started(
        &why(&said).unwrap_or_else(|| status.to_string()),
    ))
}

/// The hidden command with which the client runs itself as the helper.
pub(crate) const HELPER: &str = "start-daemon";

/// What the helper does. It fails in JSON, for the client that runs it to read.
pub(crate) async fn help(places: &Places) -> Result<(), Failure> {
    // Fails only for the leader of a process group, which already is out of the terminal's way.
    let _ = rustix::process::setsid();
    let mut log = Log::open(places.runtime_dir()).map_err(|error| {
        let directory = places.runtime_dir().display();
        not_started(&format!(
            "can't write the daemon's log in `{directory}`: {error}"
        ))
    })?;
    let program = daemon_program();
    let mut daemon = spawn(&program, &log)
        .map_err(|error| not_started(&format!("can't run `{}`: {error}", program.display())))?;
    if wait_until_it_answers(&mut daemon, places).await {
        return Ok(());
    }
    let ended = daemon.try_wait().ok().flatten();
    let what = match ended {
        Some(status) => format!("`{}` ended with {status}", program.display()),
        None => format!("`{}` does not answer", program.display()),
    };
    Err(not_started(&format!(
        "{what}; its log says: {}",
        log.tail()
    )))
}

const STEP: Duration = Duration::from_millis(20);
/// 10 s: opening a vault takes milliseconds, on a busy machine a second.
const STEPS: u32 = 500;
/// 1 s. When a daemon ends, somebody may have started another one meanwhile, which answers soon.
const STEPS_AFTER_ITS_END: u32 = 50;
/// With what status a daemon says that it has met another: that one is given all the time.
const ANOTHER_RUNS: i32 = 4;

async fn wait_until_it_answers(daemon: &mut Child, places: &Places) -> bool {
    let mut left = STEPS;
    while left > 0 {
        if SessionsClient::connect(places).await.is_ok() {
            return true;
        }
        if matches!(daemon.try_wait(), Ok(Some(end)) if end.code() != Some(ANOTHER_RUNS)) {
            left = left.min(STEPS_AFTER_ITS_END);
        }
        left -= 1;
        sleep(STEP).await;
    }
    false
}

/// The daemon beside our own program, of the same version most likely, else the one in `PATH`.
fn daemon_program() -> PathBuf {
    let beside = env::current_exe()
        .ok()
        .map(|own| own.with_file_name("sfvaultd"));
    beside
        .filter(|program| program.is_file())
        .unwrap_or_else(|| PathBuf::from("sfvaultd"))
}

fn spawn(program: &Path, log: &Log) -> io::Result<Child> {
    // A job waits for the end of a pipe, or for a lock, until the last process that has it is gone.
    close_fds::set_fds_cloexec(3, &[]);
    let mut daemon = Command::new(program);
    for variable in OF_THE_JOB {
        daemon.env_remove(variable);
    }
    daemon
        .stdin(Stdio::null())
        .stdout(log.file.try_clone()?)
        .stderr(log.file.try_clone()?)
        .current_dir("/")
        .spawn()
}

/// What a surrounding `sfvault exec` or systemd gave to this job, and not to a daemon that outlives it.
const OF_THE_JOB: [&str; 8] = [
    "SF_ACCESS_TOKEN",
    "SF_SESSION_ID",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// `sfvaultd.log` in the runtime directory.
struct Log {
    file: File,
    /// Where this daemon's lines begin.
    start: u64,
}

impl Log {
    fn open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let path = directory.join("sfvaultd.log");
        if fs::symlink_metadata(&path).is_ok_and(|meta| meta.len() > MAX_LOG) {
            fs::rename(&path, directory.join("sfvaultd.log.1"))?;
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        let start = file.metadata()?.len();
        Ok(Self { file, start })
    }

    /// The last lines that were written since, joined.
    fn tail(&mut self) -> String {
        let mut text = Vec::new();
        let end = self.file.metadata().map_or(0, |meta| meta.len());
        let from = self.start.max(end.saturating_sub(MAX_TAIL));
        let read = self
            .file
            .seek(SeekFrom::Start(from))
            .and_then(|_| (&self.file).take(MAX_TAIL).read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let last = lines.iter().skip(lines.len().saturating_sub(TAIL_LINES));
        let last: Vec<&str> = last.copied().collect();
        if read.is_err() || last.is_empty() {
            return "nothing".to_owned();
        }
        last.join(" | ")
    }
}

const MAX_LOG: u64 = 1 << 20;
const MAX_TAIL: u64 = 2 << 10;
/// The configuration's problems come a line each.
const TAIL_LINES: usize = 12;

fn not_started(why: &str) -> Failure {
    Failure::NotStarted {
        message: format!("{NOT_STARTED}{why}"),
        hint: "run `sfvaultd` yourself to see what is wrong; `--no-autostart` starts none"
            .to_owned(),
    }
}

const NOT_STARTED: &str = "no daemon answers, and starting one failed: ";

/// What the helper's failure adds to [`NOT_STARTED`].
fn why(said: &str) -> Option<String> {
    let failure: serde_json::Value = serde_json::from_str(said).ok()?;
    let message = failure.pointer("/error/message")?.as_str()?;
    Some(
        message
            .strip_prefix(NOT_STARTED)
            .unwrap_or(message)
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_log_is_private_and_gives_way_when_it_is_long() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("a/run");
        let mut log = Log::open(&directory).unwrap();
        assert_eq!(log.tail(), "nothing");
        log.file.write_all(b"old\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join("sfvaultd.log")), 0o600);

        let mut log = Log::open(&directory).unwrap();
        log.file.write_all(b"one\n\n  two\n").unwrap();
        assert_eq!(log.tail(), "one | two");
        log.file.write_all(&vec![b'x'; 2 << 20]).unwrap();
        let mut log = Log::open(&directory).unwrap();
        assert_eq!((log.start, log.tail().as_str()), (0, "nothing"));
        assert!(directory.join("sfvaultd.log.1").exists());
    }

    #[test]
    fn a_log_that_is_a_link_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let victim = home.path().join("victim");
        fs::write(&victim, "").unwrap();
        std::os::unix::fs::symlink(&victim, home.path().join("sfvaultd.log")).unwrap();
        assert!(Log::open(home.path()).is_err());
    }

    #[test]
    fn the_helper_s_words_are_said_once() {
        let said = serde_json::json!({ "error": { "message": not_started("gone").message() } });
        assert_eq!(why(&said.to_string()).as_deref(), Some("gone"));
        assert_eq!(why("error: not JSON"), None);
    }
}
