//! Other agents of this host, each in a private directory of its own.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    stage::Failed,
    stopwatch::{Elapsed as _, now},
};

/// How long an answer may take before the agent counts as hung.
const PATIENCE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(10);
/// How many clients run at once where many are timed.
const AT_A_TIME: usize = 4;
/// Sets an oidc-agent up, in this package.
const OIDC_ACCOUNT: &str = "benches/oidc-account";

/// An agent that can be asked, ours or another.
pub(crate) struct Agent {
    pub(crate) pid: u32,
    /// Where its clients connect.
    pub(crate) socket: PathBuf,
    /// What its protocol wants before the body of a request of 300 MiB.
    pub(crate) opening: &'static [u8],
    /// Its own client, asking.
    pub(crate) client: Box<dyn Fn() -> Command>,
    /// What ends with it.
    _process: Option<(Reaped, TempDir)>,
}

/// A child that is killed when this is dropped.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An oidc-agent with an account whose token needs no login.
pub(crate) struct OidcAccount {
    /// Ends with its standard input.
    process: Child,
    client: PathBuf,
    socket: String,
}

impl OidcAccount {
    /// Starts one, if it is installed.
    pub(crate) fn start() -> Result<Option<Self>, Failed> {
        let Some(client) = find("oidc-token") else {
            return Ok(None);
        };
        if !has(&["oidc-agent", "oidc-gen", "openssl", "python3"]) {
            return Ok(None);
        }
        let mut process = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(OIDC_ACCOUNT))
            .args(["sh", "-c", "echo \"$OIDC_SOCK\"; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no pipe")?;
        let mut socket = String::new();
        BufReader::new(stdout).read_line(&mut socket)?;
        let account = Self {
            process,
            client,
            socket: socket.trim().to_owned(),
        };
        if account.socket.is_empty() {
            return Err("tests/benches/oidc-account gives no account".into());
        }
        Ok(Some(account))
    }

    /// Its own client, asking for the token.
    pub(crate) fn token(&self) -> Command {
        let mut command = Command::new(&self.client);
        command
            .arg("bench")
            .env_clear()
            .env("OIDC_SOCK", &self.socket);
        command
    }
}

impl Drop for OidcAccount {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

pub(crate) type Start = fn() -> Result<Agent, Failed>;

/// Every agent that could stand in the table, and how it is started, if it is installed.
pub(crate) fn all() -> [(&'static str, Option<Start>); 4] {
    let git = git_daemon().is_some();
    [
        (
            "ssh-agent",
            has(&["ssh-agent", "ssh-add"]).then_some(ssh_agent as Start),
        ),
        (
            "gpg-agent",
            has(&["gpg-agent", "gpg-connect-agent", "gpgconf"]).then_some(gpg_agent as Start),
        ),
        (
            "git credential-cache",
            git.then_some(credential_cache as Start),
        ),
        (
            "oidc-agent",
            has(&["oidc-agent", "oidc-add"]).then_some(oidc_agent as Start),
        ),
    ]
}

impl Agent {
    /// An agent whose process belongs to somebody else.
    pub(crate) fn running(
        pid: u32,
        socket: PathBuf,
        opening: &'static [u8],
        client: impl Fn() -> Command + 'static,
    ) -> Self {
        Self {
            pid,
            socket,
            opening,
            client: Box::new(client),
            _process: None,
        }
    }

    /// Whether its client ends, with an answer or a refusal, before patience does.
    pub(crate) async fn answers(&self) -> Result<bool, Failed> {
        Ok(wait((self.client)()).await?.is_some())
    }

    /// How long each of so many runs of its client took, some at a time; none if one of them hung.
    pub(crate) async fn waits(&self, count: usize) -> Result<Option<Vec<Duration>>, Failed> {
        let (mut running, mut waits) = (JoinSet::new(), Vec::new());
        for started in 0..count {
            if started >= AT_A_TIME {
                let Some(took) = next(&mut running).await? else {
                    return Ok(None);
                };
                waits.push(took);
            }
            let client = (self.client)();
            running.spawn(async { wait(client).await.map_err(|error| error.to_string()) });
        }
        while !running.is_empty() {
            let Some(took) = next(&mut running).await? else {
                return Ok(None);
            };
            waits.push(took);
        }
        Ok(Some(waits))
    }
}

type Waiting = JoinSet<Result<Option<Duration>, String>>;

async fn next(running: &mut Waiting) -> Result<Option<Duration>, Failed> {
    let ended = running.join_next().await.ok_or("no client runs")?;
    Ok(ended??)
}

/// How long a client takes to end, with an answer or a refusal; none if patience ends before.
async fn wait(client: Command) -> Result<Option<Duration>, Failed> {
    let mut command = tokio::process::Command::from(client);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let start = now();
    let mut child = command.spawn()?;
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    Ok(ended.is_ok().then(|| start.elapsed_since()))
}

/// `ssh-agent`'s requests begin with their length: four bytes, big-endian.
fn ssh_agent() -> Result<Agent, Failed> {
    let home = private()?;
    let socket = home.path().join("sock");
    let mut command = Command::new("ssh-agent");
    command.arg("-D").arg("-a").arg(&socket);
    let at = socket.clone();
    started(
        command,
        home,
        socket,
        &[0x12, 0xc0, 0, 0],
        Box::new(move || {
            let mut list = Command::new("ssh-add");
            list.arg("-l").env("SSH_AUTH_SOCK", &at);
            list
        }),
    )
}

fn gpg_agent() -> Result<Agent, Failed> {
    let home = private()?;
    let place = |command: &mut Command| {
        command.arg("--homedir").arg(home.path());
    };
    let mut gpgconf = Command::new("gpgconf");
    place(&mut gpgconf);
    let socket = gpgconf.args(["--list-dirs", "agent-socket"]).output()?;
    let socket = PathBuf::from(String::from_utf8(socket.stdout)?.trim());
    let mut command = Command::new("gpg-agent");
    place(&mut command);
    // It lives as long as the command that it watches over.
    command.args(["--daemon", "sleep", "120"]);
    let at = home.path().to_owned();
    started(
        command,
        home,
        socket,
        b"NOP ",
        Box::new(move || {
            let mut ask = Command::new("gpg-connect-agent");
            ask.arg("--no-autostart").arg("--homedir").arg(&at);
            ask.args(["GETINFO version", "/bye"]);
            ask
        }),
    )
}

fn credential_cache() -> Result<Agent, Failed> {
    let home = private()?;
    let socket = home.path().join("sock");
    let mut command = Command::new(git_daemon().ok_or("no git credential-cache")?);
    command.arg(&socket);
    let at = socket.clone();
    started(
        command,
        home,
        socket,
        b"action=",
        Box::new(move || {
            let mut get = Command::new("git");
            get.args(["credential-cache", "--socket"])
                .arg(&at)
                .arg("get");
            get
        }),
    )
}

fn oidc_agent() -> Result<Agent, Failed> {
    let home = private()?;
    let socket = home.path().join("sock");
    let mut command = Command::new("oidc-agent");
    // Without this directory it ends at once.
    fs::create_dir(home.path().join(".oidc-agent"))?;
    command.arg("--console").arg("--socket-path").arg(&socket);
    let at = socket.clone();
    started(
        command,
        home,
        socket,
        b"{\"request\":\"",
        Box::new(move || {
            let mut list = Command::new("oidc-add");
            list.arg("--loaded").env("OIDC_SOCK", &at);
            list
        }),
    )
}

fn started(
    mut command: Command,
    home: TempDir,
    socket: PathBuf,
    opening: &'static [u8],
    client: Box<dyn Fn() -> Command>,
) -> Result<Agent, Failed> {
    let child = command
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let child = Reaped(child);
    let mut looks = 500;
    while !socket.exists() {
        looks -= 1;
        if looks == 0 {
            return Err(format!("{:?} does not listen", command.get_program()).into());
        }
        std::thread::sleep(STEP);
    }
    let pid = child.0.id();
    // gpg-agent serves in a child of the process that was started.
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let first = children.split_whitespace().next();
    Ok(Agent {
        pid: first.and_then(|first| first.parse().ok()).unwrap_or(pid),
        socket,
        opening,
        client,
        _process: Some((child, home)),
    })
}

fn private() -> Result<TempDir, Failed> {
    // Some agents refuse a directory that others can read.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let mut builder = tempfile::Builder::new();
    Ok(builder.prefix("sfv-peer-").permissions(mode).tempdir()?)
}

fn has(programs: &[&str]) -> bool {
    programs.iter().all(|program| find(program).is_some())
}

/// Where a program is installed.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).map(|directory| directory.join(program));
    places.find(|place| place.is_file())
}

fn git_daemon() -> Option<PathBuf> {
    let path = Command::new("git").arg("--exec-path").output().ok()?.stdout;
    let path = String::from_utf8(path).ok()?;
    let daemon = Path::new(path.trim()).join("git-credential-cache--daemon");
    daemon.is_file().then_some(daemon)
}
